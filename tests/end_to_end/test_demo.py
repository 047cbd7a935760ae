import pytest

from tests.project import Project

pytestmark = [pytest.mark.end_to_end, pytest.mark.embedded]


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
