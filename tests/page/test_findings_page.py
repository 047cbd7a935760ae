import html
from pathlib import Path

import pytest
from tests.migration import r_system
from tests.monitoring.conftest import Add, describe
from tests.page_server import page_served

from narrative_runs.paths import RECORD, ExperimentFolder


@pytest.mark.parametrize("age", list(r_system.AGES))
def test_an_experiment_of_the_r_system_has_findings_and_a_history(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, age: str
) -> None:
    """Of a record as R made it, of each age, findings are what its row says, history compares the params, and the file
    stays as it is."""
    monkeypatch.chdir(tmp_path)
    RECORD.parent.mkdir()
    r_system.make(RECORD, age)
    done = {"status": "completed", "n_true_positive": 1, "n_false_positive": 0, "accuracy": 0.75}
    other = {"experiment_id": "another", "experiment_name": "Another", "system_prompt": "Decide.\nNow.", **done}
    r_system.fill(RECORD, "experiments", [r_system.experiment(**done), r_system.experiment(**other)])
    rows = [r_system.result("0012", "le", "A knife."), r_system.error("12", "cme", "A rope.", "timed out")]
    r_system.fill(RECORD, "narrative_results", rows)
    before = RECORD.read_bytes()
    with page_served() as server:
        findings = server.ask(f"/experiments/{r_system.EXPERIMENT_ID}/findings")
        assert findings.status == 200 and "as with an experiment of the R system" in findings.text
        assert f"/experiments/{r_system.EXPERIMENT_ID}/narratives?outcome=tp" in findings.text
        assert "0.75" in findings.text
        assert r_system.EXPERIMENT_ID in server.ask("/history").text
        compared = server.ask(f"/history?with={r_system.EXPERIMENT_ID}&with=another")
        assert compared.status == 200 and "Fewer than two of them have findings" in compared.text
        assert "<ins>" in compared.text
    assert RECORD.read_bytes() == before


def test_findings_that_cannot_be_read_are_told(add: Add) -> None:
    """Before there are findings the page says when they come; where metrics.json is damaged, what to do."""
    add("cases", "completed")
    describe("cases")
    folder = ExperimentFolder("cases")
    with page_served() as server:
        assert "no findings yet" in server.ask("/experiments/cases/findings").text
        folder.metrics.write_text("{")
        answer = server.ask("/experiments/cases/findings")
        assert answer.status == 409 and "metrics.json cannot be read" in html.unescape(answer.text)
        assert server.ask("/history?with=cases").status == 200
