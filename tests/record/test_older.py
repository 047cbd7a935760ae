from pathlib import Path

import pytest
from tests.migration import r_system

from narrative_runs.paths import RECORD
from narrative_runs.record import experiment_rows, result_rows
from narrative_runs.record.error_rows import error_counts


@pytest.mark.parametrize("age", list(r_system.AGES))
def test_older_records_are_read_as_they_are(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, age: str) -> None:
    """Of a record of any age experiments, results and outcomes are read, with empty columns where it has none, and not
    one byte of it changes."""
    monkeypatch.chdir(tmp_path)
    RECORD.parent.mkdir()
    r_system.make(RECORD, age)
    r_system.fill(RECORD, "experiments", [r_system.experiment()])
    rows = [r_system.result("1", "cme", "A.", manual_flag_ind=1), r_system.error("2", "cme", "B.", "timed out")]
    r_system.fill(RECORD, "narrative_results", rows)
    before = RECORD.read_bytes()
    (row,) = experiment_rows.latest_first()
    assert row["slug"] is None and row["software_version"] is None and row["prompt_version"] == "v0.3.2"
    assert experiment_rows.slugs() == [] == experiment_rows.with_slug("cases")
    assert experiment_rows.with_slug_or_id(r_system.EXPERIMENT_ID) == [row]
    result = result_rows.of_narrative(r_system.EXPERIMENT_ID, "1", "cme")
    assert result is not None and result["outcome"] == "true positive" and result["p_detected"] is None
    (failed,) = result_rows.ids_with_outcome(r_system.EXPERIMENT_ID, "error")
    assert (result_rows.with_id(failed) or {})["incident_id"] == "2"
    assert error_counts(r_system.EXPERIMENT_ID) == ({} if age == "oldest" else {"unknown": 1})
    assert RECORD.read_bytes() == before
