from pathlib import Path

import pytest
import yaml

from narrative_runs.errors import SourceError
from narrative_runs.params import Data
from narrative_runs.source.reading import reading_of
from narrative_runs.source.suggestion import suggestion
from narrative_runs.source.workbook import read

from .books import Rows, xlsx

TEXT = "V was found in the kitchen by her neighbour at noon"
LONG_TEXT = "The officer was told by the sister that V had been hit"


@pytest.mark.parametrize(
    ("header", "rows", "columns"),
    [
        (
            ["CaseNo", "Sex", "ExaminerText", "PoliceText", "Violence CME", "Violence LE", "Violence"],
            [["A-1", 1, TEXT, LONG_TEXT, 1, 0, 1], ["A-2", 2, TEXT + ".", LONG_TEXT, 0, None, 0]],
            {
                "incident_id": "CaseNo",
                "cme": "ExaminerText",
                "le": "PoliceText",
                "label_cme": "Violence CME",
                "label_le": "Violence LE",
                "label": "Violence",
            },
        ),
        (["id", "Story"], [[1, TEXT]], {"incident_id": "id", "story": "Story"}),
        (
            ["record_id", "coroner_text", "toxicology report", "2nd text"],
            [["x", TEXT, LONG_TEXT, TEXT]],
            {
                "incident_id": "record_id",
                "cme": "coroner_text",
                "toxicology_report": "toxicology report",
                "text_3": "2nd text",
            },
        ),
        (
            ["Case ID", "Source type", "Body", "Manual code"],
            [["1", "Coroner", TEXT, 1], ["1", "Police", LONG_TEXT, 0]],
            {
                "incident_id": "Case ID",
                "narrative_type": "Source type",
                "narrative_text": "Body",
                "cme": "Coroner",
                "le": "Police",
                "manual_flag_ind": "Manual code",
            },
        ),
    ],
)
def test_a_block_is_guessed_and_works_as_it_is(
    tmp_path: Path, header: list[str], rows: Rows, columns: dict[str, str]
) -> None:
    """A workbook of no layout is refused with a block to paste, and with that block it is read."""
    path = xlsx(tmp_path / "x.xlsx", header, rows)
    with pytest.raises(SourceError) as raised:
        read(path)
    assert header[0] in str(raised.value)
    lines = str(raised.value).split("\n")
    begin = lines.index("  data:")
    end = next(number for number, line in enumerate(lines) if number > begin and not line.startswith("   "))
    block = yaml.safe_load("\n".join(lines[begin:end]))
    assert block == {"data": {"columns": columns}}
    data = Data(file=path, **block["data"])
    source = read(path, reading_of(data.model_dump(mode="json")))
    assert len(source) == sum(str(cell) in (TEXT, TEXT + ".", LONG_TEXT) for row in rows for cell in row)
    assert source.quality.labelled.total == sum(
        row[place] is not None
        for row in rows
        for place, name in enumerate(header)
        if name in (columns.get("label_cme"), columns.get("label_le"), columns.get("manual_flag_ind"))
    )


def test_nothing_is_guessed_without_narratives() -> None:
    """A sheet of short cells gets no block."""
    assert suggestion(["id", "Year"], [["1", 2020]]) == []


@pytest.mark.parametrize(
    ("header", "given", "corrected", "told"),
    [
        (
            ["CaseNo", "ExaminerText", "PoliceText", "Abuse", "Flag"],
            {"incident_id": "CaseNo", "cme": "ExaminerTxt", "label": "Abuse"},
            {"incident_id": "CaseNo", "cme": "ExaminerText", "label": "Abuse"},
            "data.columns.cme names ExaminerTxt; the workbook has ExaminerText.",
        ),
        (
            ["CaseNo", "ExaminerText", "PoliceText", "Abuse", "Flag"],
            {"incident_id": "Caseno", "cme": "Zzz", "le": "policetext", "label_le": "Abuze"},
            {"incident_id": "Caseno", "cme": "ExaminerText", "le": "policetext", "label_le": "Abuse"},
            "data.columns.cme names Zzz; the workbook has no such column",
        ),
        (
            ["CaseNo", "ExaminerText", "PoliceText", "Abuse", "Flag"],
            {"incident_id": "Caseno"},
            {"incident_id": "Caseno", "cme": "ExaminerText", "le": "PoliceText", "label": "Flag"},
            "lacks",
        ),
    ],
)
def test_what_data_columns_has_right_is_kept(
    tmp_path: Path, header: list[str], given: dict[str, str], corrected: dict[str, str], told: str
) -> None:
    """A wrong name in data.columns is told with the column most like it, and the block keeps each line that fits, so
    that nobody loses labels by pasting it."""
    path = xlsx(tmp_path / "x.xlsx", header, [["1", TEXT, LONG_TEXT, 1, 0], ["2", LONG_TEXT, TEXT, 0, 1]])
    with pytest.raises(SourceError) as raised:
        read(path, reading_of({"columns": given}))
    message = str(raised.value)
    assert told in message
    block = yaml.safe_load(message[message.index("  data:") :])
    assert block == {"data": {"columns": corrected}}
    assert len(read(path, reading_of(block["data"]))) == 2 * ("le" in corrected) + 2


def test_the_types_of_a_workbook_with_a_narrative_a_row_are_kept(tmp_path: Path) -> None:
    """Where data.columns names the column of types, the types stand in its cells, and are kept as they are."""
    path = xlsx(tmp_path / "x.xlsx", ["Case", "Source type", "Body"], [["1", "Coroner", TEXT], ["1", "Police", TEXT]])
    given = {"incident_id": "Case", "narrative_type": "Sources type", "narrative_text": "Body", "cme": "Coroner"}
    with pytest.raises(SourceError) as raised:
        read(path, reading_of({"columns": {**given, "le": "Police"}}))
    assert "data.columns.narrative_type names Sources type; the workbook has Source type." in str(raised.value)
    block = yaml.safe_load(str(raised.value)[str(raised.value).index("  data:") :])
    assert block["data"]["columns"] == {**given, "narrative_type": "Source type", "le": "Police"}
    assert len(read(path, reading_of(block["data"]))) == 2
