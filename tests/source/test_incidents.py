from collections.abc import Sequence
from pathlib import Path

import pandas as pd
import pytest

from narrative_runs.source.incidents import read_incidents, write_incidents
from narrative_runs.source.reading import Reading
from narrative_runs.source.workbook import read

from .books import LABELLED, LONG, Rows, xlsx


def incidents(
    path: Path, header: Sequence[str], rows: Rows, reading: Reading | None = None
) -> dict[str, tuple[int | None, bool]]:
    """Label and whether it is inconsistent of each incident of a workbook with these rows, written and read again."""
    file = path / "incidents.parquet"
    write_incidents(read(xlsx(path / "x.xlsx", header, rows), reading).incidents, file)
    table = read_incidents(file)
    labels = [None if pd.isna(label) else int(label) for label in table["label"]]
    return dict(zip(table["incident_id"], zip(labels, table["is_inconsistent"].tolist(), strict=True), strict=True))


def test_the_label_of_a_narrative_is_none_of_its_incident(tmp_path: Path) -> None:
    """In a workbook with a row a narrative, an incident has a label of its own only in a column for it."""
    rows: Rows = [["a", "cme", "text one", 1], ["a", "le", "text two", None], ["b", "cme", "text three", 0]]
    assert incidents(tmp_path, LONG, rows) == {"a": (None, False), "b": (None, False)}
    with_own: Rows = [[*row, 1 if row[0] == "a" else None] for row in rows]
    assert incidents(tmp_path, [*LONG, "manual_flag"], with_own) == {"a": (1, False), "b": (None, False)}


@pytest.mark.parametrize("blank", [None, "  ", "N/A"])
def test_a_blank_narrative_that_is_labelled_positive_makes_its_incident_inconsistent(
    tmp_path: Path, blank: str | None
) -> None:
    """A person found what stands in no text: label 1 of a blank or skipped narrative is inconsistent, 0 is complete."""
    reading = Reading(skips_placeholders=True)
    rows: Rows = [
        ["a", "text one", blank, 0, 1, None],
        ["b", "text two", blank, 1, 0, None],
        ["c", "text three", blank, 1, None, 1],
        ["d", blank, "text four", 1, 1, 1],
    ]
    assert incidents(tmp_path, LABELLED, rows, reading=reading) == {
        "a": (None, True),
        "b": (None, False),
        "c": (1, False),
        "d": (1, True),
    }
    long: Rows = [
        ["a", "cme", "text one", 0],
        ["a", "le", blank, 1],
        ["b", "cme", "text two", 1],
        ["b", "le", blank, 0],
    ]
    assert incidents(tmp_path, LONG, long, reading=reading) == {"a": (None, True), "b": (None, False)}


def test_a_blank_repeat_of_a_narrative_is_no_missing_one(tmp_path: Path) -> None:
    """Where another row holds the text of the same key, nothing is missing."""
    rows: Rows = [["a", "cme", "text one", 1], ["a", "cme", None, 1], ["a", "le", "text two", 0]]
    assert incidents(tmp_path, LONG, rows) == {"a": (None, False)}
