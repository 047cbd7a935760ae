from pathlib import Path

import pytest

from narrative_runs.embedded.model_file import DEFAULT_MODEL, obtain
from narrative_runs.embedded.server import embedded_command
from narrative_runs.started_server.process import StartedServer
from tests.project import Project, cases

pytestmark = [pytest.mark.end_to_end, pytest.mark.embedded, pytest.mark.long]


def test_demo_on_the_embedded_model(project: Project) -> None:
    """As shipped, the workflow fetches the demo's workbook, and the embedded model answers for all 45 narratives."""
    assert not (project.folder / "data/narratives.xlsx").exists()
    result = project.snakemake(timeout=900)
    assert result.returncode == 0, result.stdout
    assert project.query("SELECT status, n_narratives_processed, n_narratives_skipped FROM experiments") == [
        ("completed", 45, 3)
    ]
    assert project.query("SELECT count(*), count(DISTINCT incident_id || narrative_type) FROM narrative_results") == [
        (45, 45)
    ]
    models = project.query("SELECT DISTINCT model_answered FROM narrative_results WHERE NOT error_occurred")
    assert models == [("Qwen2.5-Coder-0.5B-Instruct",)]
    metrics = project.read_json("results/demo/metrics.json")
    assert metrics["overall"]["n"] + metrics["n_errors"] == metrics["n_labelled"] == 45


def test_real_server_over_the_plain_provider(project: Project, tmp_path: Path) -> None:
    """A real llama.cpp server, reached as any OpenAI-compatible one, with key, JSON schema and token probabilities."""
    project.write_workbook(cases(4))
    command = embedded_command(obtain(DEFAULT_MODEL.name, print), "local-model")
    with StartedServer(command, tmp_path / "log", print, print).load() as server:
        project.write_params(
            server.api_url,
            model={"name": "local-model", "logprobs": True, "max_tokens": 100},
            run={"max_in_flight": 1},
            shards={"count": 1},
        )
        refused = project.snakemake()
        assert refused.returncode == 1 and "LLM_API_KEY" in refused.stdout
        project.environment["LLM_API_KEY"] = server.api_key
        result = project.snakemake()
        assert result.returncode == 0, result.stdout
    rows = project.query(
        "SELECT detected, confidence, p_detected, prompt_tokens, model_answered FROM narrative_results "
        "WHERE NOT error_occurred"
    )
    assert rows
    for detected, confidence, p_detected, prompt_tokens, model in rows:
        # At temperature 0 the more probable of the two words is written.
        assert (p_detected >= 0.5) == bool(detected)
        assert 0 <= confidence <= 1 and prompt_tokens > 5 and model == "local-model"
