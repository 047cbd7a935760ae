from pathlib import Path

import openpyxl
import pytest

from narrative_runs.findings.sheets import Sheet, write_sheets


def test_a_column_to_be_filled_in_offers_its_values(tmp_path: Path) -> None:
    """Excel shows the values to choose from in each row of the column, and takes no other."""
    sheet = Sheet("review", ["a", "verdict"], [("x", None), ("y", None)], 2, {"verdict": ("yes", "no")})
    write_sheets([sheet], tmp_path / "out.xlsx")
    read = openpyxl.load_workbook(tmp_path / "out.xlsx")["review"]
    (choices,) = read.data_validations.dataValidation
    assert (choices.type, choices.formula1, str(choices.sqref)) == ("list", '"yes,no"', "B2:B3")
    assert choices.showErrorMessage and choices.allow_blank
    assert list(read.values) == [("a", "verdict"), ("x", None), ("y", None)]


def test_a_sheet_without_rows_offers_nothing(tmp_path: Path) -> None:
    """There is no row to choose a value for, and the file can be opened."""
    write_sheets([Sheet("review", ["verdict"], [], 0, {"verdict": ("yes", "no")})], tmp_path / "out.xlsx")
    read = openpyxl.load_workbook(tmp_path / "out.xlsx")["review"]
    assert not read.data_validations.dataValidation


@pytest.mark.parametrize("name", ['=HYPERLINK("http://example.org")', "#N/A", "+1", "a\x00b", "word " * 80])
def test_any_name_can_head_a_column(tmp_path: Path, name: str) -> None:
    """A name that looks like a formula or an error is the text that it is, and an endless one has its limit."""
    write_sheets([Sheet("results", [name], [(1,)], 1)], tmp_path / "out.xlsx")
    sheet = openpyxl.load_workbook(tmp_path / "out.xlsx")["results"]
    assert (sheet["A1"].value, sheet["A1"].data_type) == (name.replace("\x00", ""), "s")
    assert bool(sheet["A1"].quotePrefix) == name.startswith(("=", "+"))
    assert sheet.column_dimensions["A"].width <= 60
