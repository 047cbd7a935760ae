from pathlib import Path

import pytest

from narrative_runs.errors import SourceError
from narrative_runs.source.cells import whole_number
from narrative_runs.source.reading import Reading
from narrative_runs.source.rules import CURRENT, OF_0_1_0, numbered
from narrative_runs.source.workbook import read

from .books import PRODUCTION, comma_separated, xlsx

NUMBERS = ["2999.0", "1e+05", "1.5E+3", "0012", "12", "12.5", "NA", "1e-3", "0012.0", "1e999"]


def test_rules_are_found_by_their_number() -> None:
    """A journal's number leads to its rules; one of a later release is refused."""
    assert numbered(1) is OF_0_1_0 and numbered(CURRENT.number) is CURRENT
    with pytest.raises(SourceError, match="number 99"):
        numbered(99)


def test_ids_of_a_csv_file_follow_the_rules(tmp_path: Path) -> None:
    """Numbers that programs write into a CSV file are whole numbers now, and were texts in the first release."""
    path = comma_separated(tmp_path / "x.csv", PRODUCTION, [[name, "a", None] for name in NUMBERS])
    assert list(read(path, Reading(OF_0_1_0)).keys["incident_id"]) == NUMBERS
    now = ["2999", "100000", "1500", "0012", "12", "12.5", "NA", "1e-3", "0012.0", "1e999"]
    assert list(read(path).keys["incident_id"]) == now
    assert [whole_number(name) for name in NUMBERS] == now


def test_ids_that_excel_has_changed_are_refused_or_told(tmp_path: Path) -> None:
    """Numbers of more than 15 digits in an .xlsx are refused by their rows; an experiment of the first release is
    warned, and goes on with them; as texts they are right."""
    path = xlsx(tmp_path / "x.xlsx", PRODUCTION, [[1, "a", "b"], [10**15, "c", "d"], ["1234567890123456", "e", "f"]])
    with pytest.raises(SourceError, match=r"1 ids in IncidentID .* \(rows 3\)"):
        read(path)
    source = read(path, Reading(OF_0_1_0))
    assert len(source) == 6 and "(rows 3)" in source.quality.warnings[0]
    assert "warnings" not in source.quality.as_dict("md5")
