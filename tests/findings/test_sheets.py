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


def test_a_sheet_prints_across_one_page_under_its_header(tmp_path: Path) -> None:
    """All columns fit on one page in landscape, rows take the pages they need, and each page repeats the header."""
    write_sheets([Sheet("review", ["a", "b"], [(1, 2)], 1), Sheet("it's", ["c"], [], 0)], tmp_path / "out.xlsx")
    for sheet in openpyxl.load_workbook(tmp_path / "out.xlsx").worksheets:
        pages = sheet.page_setup
        assert (pages.orientation, pages.fitToWidth, pages.fitToHeight) == ("landscape", 1, 0)
        assert sheet.sheet_properties.pageSetUpPr.fitToPage
        assert sheet.print_title_rows == "$1:$1"


def test_the_same_content_gives_the_same_bytes(tmp_path: Path) -> None:
    """Nothing in the file tells when or where it was written."""
    paths = [tmp_path / "one.xlsx", tmp_path / "two.xlsx"]
    for path in paths:
        write_sheets([Sheet("review", ["a"], [(0.5,)], 1)], path)
    assert paths[0].read_bytes() == paths[1].read_bytes()
