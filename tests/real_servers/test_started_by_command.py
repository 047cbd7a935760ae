"""Real servers that the run starts itself, by the command lines of docs/servers.md."""

import shlex
from pathlib import Path

import pytest
import yaml

from tests.project import Fake, Project
from tests.real_servers.conftest import installed
from tests.real_servers.environments import LITELLM, LLAMA_CPP_PYTHON
from tests.real_servers.experiment import NARRATIVES, assert_answered, prepare
from tests.real_servers.servers import CONTEXT_TOKENS, MODEL_NAME, deployment

pytestmark = [pytest.mark.real_servers, pytest.mark.end_to_end]


def asked_by_command(project: Project, command: str) -> str:
    """Ask all narratives at a server that this command starts; returns what the log holds of it."""
    model = {"provider": "command", "api_url": "", "command": command}
    prepare(project, "", model=model)
    result = project.snakemake()
    print(result.stdout)
    assert result.returncode == 0
    assert_answered(project)
    (log,) = (project.folder / "results/cases/logs").glob("model_server-*.log")
    return log.read_text()


@pytest.mark.embedded
def test_llama_cpp_python(project: Project, model_file: Path) -> None:
    """llama-cpp-python's server is started, waited for while it loads the model, asked and ended."""
    python = shlex.quote(str(LLAMA_CPP_PYTHON.programs / "python"))
    log = asked_by_command(
        project,
        f"{python} -m llama_cpp.server --model {shlex.quote(str(model_file))} --model_alias {{model}} "
        f"--n_ctx {CONTEXT_TOKENS} --n_threads 2 --host {{host}} --port {{port}}",
    )
    assert log.count('"POST /v1/chat/completions HTTP/1.1" 200') >= NARRATIVES
    assert "text of case" not in log


def test_litellm(project: Project, fake: Fake, tmp_path: Path) -> None:
    """LiteLLM's proxy is started, in front of a server of any kind, asked and ended."""
    installed(LITELLM.install)
    fake.behave(answers_as=MODEL_NAME, models=[MODEL_NAME])
    config = tmp_path / "litellm.yaml"
    config.write_text(yaml.safe_dump({"model_list": [deployment(MODEL_NAME, api_base=fake.url)]}))
    program = shlex.quote(str(LITELLM.programs / "litellm"))
    log = asked_by_command(
        project,
        f"env LITELLM_LOCAL_MODEL_COST_MAP=True {program} --config {shlex.quote(str(config))} --telemetry False "
        "--host {host} --port {port}",
    )
    assert "text of case" not in log
    # The proxy passes a short question on without the header that tells it apart.
    assert NARRATIVES <= fake.asked <= NARRATIVES + 1
