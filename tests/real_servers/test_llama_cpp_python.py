from pathlib import Path

import pytest

from tests.project import Project, wait_until
from tests.real_servers import servers
from tests.real_servers.experiment import (
    NARRATIVES,
    assert_answered,
    assert_one_is_too_long,
    describe,
    outcomes,
    prepare,
)
from tests.real_servers.servers import MODEL_NAME, RealServer

pytestmark = [pytest.mark.real_servers, pytest.mark.embedded, pytest.mark.end_to_end]


def test_a_schema_that_is_refused_with_500(project: Project, llama: RealServer) -> None:
    """A server that answers each request for a JSON schema with HTTP 500 is asked without one, which is said once,
    and gives token probabilities all the same."""
    prepare(project, llama.url, narratives=4, model={"structured_output": "auto", "logprobs": True})
    result = project.snakemake()
    print(result.stdout)
    assert result.returncode == 0
    assert_answered(project, 4)
    assert project.status() == "completed"
    assert result.stdout.count("JSON schemas") == 1
    assert "token probabilities" not in result.stdout
    without = project.query("SELECT count(*) FROM narrative_results WHERE p_detected IS NULL AND NOT error_occurred")
    assert without == [(0,)]


def test_a_text_that_is_too_long(project: Project, llama: RealServer) -> None:
    """A text longer than the model's context is one data_error among answers."""
    assert_one_is_too_long(project, llama.url)


def test_killed_and_back(project: Project, model_file: Path, tmp_path_factory: pytest.TempPathFactory) -> None:
    """A server that is killed amid a run and started again is waited for, and no answer is asked for twice."""
    folder, port = tmp_path_factory.mktemp("killed"), servers.free_port()
    prepare(project, servers.url_at(port))
    with (
        servers.llama_cpp_python(model_file, folder / "first.log", port) as first,
        project.started("snakemake", "--cores", "4") as main,
    ):
        wait_until(lambda: len(project.journal_entries()) >= 2, timeout=120)
        first.kill()
        answered = len(project.journal_entries())
        with servers.llama_cpp_python(model_file, folder / "second.log", port) as second:
            output, _ = main.communicate(timeout=200)
            print(output)
            assert main.returncode == 0
            # Beside what was open: the look at a server that is back, and one question as evidence.
            assert second.replies(200) <= NARRATIVES - answered + 2
    assert answered < NARRATIVES
    assert_answered(project)


def test_another_model_behind_the_same_address(
    project: Project, model_file: Path, tmp_path_factory: pytest.TempPathFactory
) -> None:
    """A server that was started again with another model stops the resume with both names, although it gives its
    answers whatever name it is asked for."""
    folder, port = tmp_path_factory.mktemp("other"), servers.free_port()
    prepare(project, servers.url_at(port), run={"max_narratives": 2})
    with servers.llama_cpp_python(model_file, folder / "first.log", port):
        assert project.snakemake().returncode == 0
    describe(project, servers.url_at(port))
    with servers.llama_cpp_python(model_file, folder / "second.log", port, name="another-model"):
        result = project.snakemake()
    print(result.stdout)
    assert result.returncode == 1
    assert MODEL_NAME in result.stdout and "another-model" in result.stdout
    assert len(project.journal_entries()) == 2
    assert outcomes(project).total() == 2
