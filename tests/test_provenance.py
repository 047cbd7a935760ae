import shutil
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from narrative_runs import journal, provenance
from narrative_runs.errors import ExperimentError
from narrative_runs.findings.metrics import write_metrics
from narrative_runs.journal import Journal
from narrative_runs.paths import ExperimentFolder
from narrative_runs.record import database

PARAMS: dict[str, Any] = {
    "experiment": {"name": "Cases", "slug": "cases"},
    "model": {"name": "m", "api_url": "http://localhost:1/v1"},
    "prompt": {"user_template": "<<TEXT>>"},
    "shards": {"count": 1},
}
RESPONSE = {"choices": [{"message": {"content": '{"detected": true}'}}]}
ENTRY = {
    "fingerprint": "f",
    "attempt": 1,
    "first_error_message": None,
    "asked_at": "2026-01-02T03:04:05+00:00",
    "response": RESPONSE,
}
RESULT = {"row_num": 1, "incident_id": "7", "source_row": 12, "fingerprint": "f", "attempt_count": 1, "detected": 1}


def experiment_of(columns: dict[str, str], kind: str, layout: str = "production", sheet: Any = "Sheet1") -> None:
    """An experiment with these `data.columns`, with one result, of a narrative of this type."""
    folder = ExperimentFolder("cases")
    head = {
        "experiment_id": "id",
        "source_md5": "md5",
        "params": {**PARAMS, "data": {"file": "data/cases.xlsx", "columns": columns}},
        "began_at": "2026-01-02 03:04:05",
    }
    kept = Journal(folder.journals / "session-0001" / "1-of-1.jsonl", head)
    kept.append(ENTRY)
    kept.close()
    write_metrics({"sheet": sheet, "layout": layout}, folder.data_quality)
    row = {"experiment_id": "id", "narrative_type": kind, **RESULT}
    with database.transaction() as connection:
        database.put_experiment(
            connection, "id", {"experiment_name": "Cases", "slug": "cases", "status": "completed", "hostname": "h"}
        )
        connection.execute(
            f"INSERT INTO narrative_results ({', '.join(row)}) VALUES ({', '.join('?' * len(row))})",
            tuple(row.values()),
        )


@pytest.fixture(autouse=True)
def _in_a_project_of_its_own(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)


@pytest.mark.parametrize(
    ("columns", "kind", "layout", "column"),
    [
        ({}, "le", "labelled", "NarrativeLE"),
        ({"NarrativeLE": "Police text", "cme": "ME text"}, "le", "production", "Police text"),
        ({"incident_id": "CaseNo"}, "cme", "production", "NarrativeCME"),
        ({"examiner": "Examiner text"}, "examiner", "production", "Examiner text"),
        ({"examiner": "E", "narrative_text": "Story"}, "examiner", "long", "Story"),
        ({}, "cme", "long", "narrative_text"),
    ],
)
def test_a_narrative_of_any_type_leads_to_its_column(
    columns: dict[str, str], kind: str, layout: str, column: str
) -> None:
    """The column is called as the workbook calls it, whatever the layout and the names that the params give."""
    experiment_of(columns, kind, layout)
    found = provenance.trace("7", kind, "cases")
    assert (found["source_column"], found["source_sheet"], found["source_row"]) == (column, "Sheet1", 12)
    assert found["narrative"] == f"7 {kind}"


def test_of_several_sheets_the_narratives_own_is_told() -> None:
    """Where several sheets were read, the one that holds the cell is named."""
    experiment_of({}, "cme", sheet=["2019", "2020"])
    path = ExperimentFolder("cases").other_columns
    path.parent.mkdir()
    pq.write_table(pa.table({"row_num": [1, 2], "source_sheet": ["2020", "2019"]}), path)
    assert provenance.trace("7", "cme", "cases")["source_sheet"] == "2020"


def test_a_type_that_the_experiment_does_not_have_is_told() -> None:
    """The message names the types that there are; for an unknown incident of a known type it does not."""
    experiment_of({"examiner": "E", "police": "P"}, "police")
    with pytest.raises(ExperimentError, match=r"narrative 7 cme\. Its narrative types are: examiner, police\."):
        provenance.trace("7", "cme", "cases")
    with pytest.raises(ExperimentError, match=r"narrative 8 police\.$"):
        provenance.trace("8", "police", "cases")


def test_the_reader_comes_first_then_the_way_back(capsys: pytest.CaptureFixture[str]) -> None:
    """The narrative and the answer are shown, then where they come from, with all control sequences written out."""
    experiment_of({"cme": "Text\x1b[2J"}, "cme")
    with database.transaction() as connection:
        connection.execute("UPDATE narrative_results SET narrative_text = 'Found \x1b[2J\u202eat home.'")
    provenance.show("7", "cme", "")
    lines = capsys.readouterr().out.splitlines()
    assert lines[0] == "7 CME, source row 12" and "  Found \\u001b[2J\\u202eat home." in lines
    assert "  answer      detected" in lines and "  outcome     no label" in lines
    way_back = lines[lines.index("WHERE IT COMES FROM") + 1 :]
    assert [line[:17].strip() for line in way_back] == list(provenance.trace("7", "cme", "cases"))
    assert way_back[-1] == "source_column     Text\\u001b[2J"


def test_without_its_folder_a_result_can_still_be_read(capsys: pytest.CaptureFixture[str]) -> None:
    """What the record holds is shown before the message that the way back needs the folder."""
    experiment_of({}, "cme")
    shutil.rmtree(ExperimentFolder("cases").path)
    with pytest.raises(ExperimentError, match="is not here"):
        provenance.show("7", "cme", "cases")
    assert "  answer      detected" in capsys.readouterr().out.splitlines()


def test_an_unknown_narrative_shows_nothing(capsys: pytest.CaptureFixture[str]) -> None:
    """Of a narrative that the record does not have there is the message alone."""
    experiment_of({}, "cme")
    with pytest.raises(ExperimentError, match=r"cases has no result for the narrative 8 cme\."):
        provenance.show("8", "cme", "cases")
    assert capsys.readouterr().out == ""


def test_earlier_passes_are_told() -> None:
    """What each pass before the last brought is there, with what the model wrote; of a first pass there is nothing
    earlier, and without its folder the message says so."""
    experiment_of({}, "cme")
    folder = ExperimentFolder("cases")
    head = journal.head(folder.journals / "session-0001" / "1-of-1.jsonl")
    kept = Journal(folder.journals / "session-0002" / f"{journal.RETRY}.jsonl", head)
    unreadable = {"choices": [{"message": {"content": "No idea."}}]}
    for attempt, response in ((2, unreadable), (3, RESPONSE)):
        kept.append({**ENTRY, "attempt": attempt, "asked_at": "2026-01-03T03:04:05+00:00", "response": response})
    kept.close()
    row = {"narrative_type": "cme", "narrative_text": "T.", "manual_flag_ind": None, "manual_flag": None, **RESULT}
    assert provenance.earlier_attempts(row, folder) == []
    first, second = provenance.earlier_attempts({**row, "attempt_count": 3}, folder)
    assert (first.number, first.error_category, first.raw_response) == (1, None, '{"detected": true}')
    assert (second.number, second.error_category, second.raw_response) == (2, "parse_error", "No idea.")
    assert second.asked_at == "2026-01-03 03:04:05"
    shutil.rmtree(folder.path)
    with pytest.raises(ExperimentError, match="is not here"):
        provenance.earlier_attempts({**row, "attempt_count": 3}, folder)
