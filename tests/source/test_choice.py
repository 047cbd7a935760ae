from pathlib import Path

import openpyxl
import pytest

from narrative_runs.errors import SourceError
from narrative_runs.source.reading import Reading
from narrative_runs.source.rules import OF_0_1_0
from narrative_runs.source.summary import summary_lines
from narrative_runs.source.workbook import Source, read

from .books import LABELLED, PRODUCTION, Rows, book, comma_separated

YEARS: dict[str, Rows] = {
    year: [PRODUCTION, [f"{year}-1", f"cme of {year}, first", f"le of {year}, first"], [f"{year}-2", "cme again", None]]
    for year in ("2019", "2020", "2021")
}


def hidden(path: Path, *names: str, state: str = "hidden") -> Path:
    """Hide sheets of a workbook."""
    workbook = openpyxl.load_workbook(path)
    for name in names:
        workbook[name].sheet_state = state
    workbook.save(path)
    return path


def ids(source: Source) -> list[str]:
    """The ids of the narratives, each once, in their order."""
    return list(dict.fromkeys(source.keys["incident_id"]))


def test_several_sheets_are_not_guessed(tmp_path: Path) -> None:
    """A workbook with several sheets of a known layout is refused with their names, row counts and what to set."""
    path = book(tmp_path / "x.xlsx", {"Notes": [["About"]], **YEARS})
    with pytest.raises(SourceError) as raised:
        read(path)
    assert [f"sheet '{year}': 2 rows (production)" in str(raised.value) for year in YEARS] == [True] * 3
    assert 'data.sheet: "2019"' in str(raised.value) and '["2019", "2020"]' in str(raised.value)


def test_named_sheets_are_read_in_their_order(tmp_path: Path) -> None:
    """`data.sheet` takes one sheet or several; addresses then name the sheet, and the rest is told as not read."""
    path = book(tmp_path / "x.xlsx", {**YEARS, "Notes": [["About"]]})
    assert ids(read(path, Reading(sheets=("2020",)))) == ["2020-1", "2020-2"]
    source = read(path, Reading(sheets=("2021", "2019")))
    assert ids(source) == ["2021-1", "2021-2", "2019-1", "2019-2"]
    told = source.quality.as_dict("")
    assert told["sheet"] == ["2021", "2019"]
    assert told["sheets_unread"] == [
        {"name": "2020", "hidden": False, "layout": "production"},
        {"name": "Notes", "hidden": False, "layout": ""},
    ]
    assert source.quality.short_texts.cells == ["2021!B2", "2021!C2", "2021!B3", "2019!B2", "2019!C2", "2019!B3"]
    assert summary_lines(source.quality)[0] == "Sheets '2021', '2019' of x.xlsx (not read: '2020', 'Notes')"


def test_the_sheet_rides_along_where_there_are_several(tmp_path: Path) -> None:
    """Rows of several sheets have the same numbers, so that the results hold the sheet of each."""
    import pyarrow.parquet as pq

    source = read(book(tmp_path / "x.xlsx", YEARS), Reading(sheets=("2019", "2021")))
    source.write_other_columns(tmp_path / "others.parquet", ["row_num"])
    assert pq.read_table(tmp_path / "others.parquet").to_pydict() == {
        "row_num": [1, 2, 3, 4, 5, 6],
        "source_sheet": ["2019"] * 3 + ["2021"] * 3,
    }


@pytest.mark.parametrize("state", ["hidden", "veryHidden"])
def test_a_hidden_sheet_is_read_only_when_it_is_named(tmp_path: Path, state: str) -> None:
    """A hidden old sheet that stands first is passed over; where it is all there is, it must be named."""
    path = hidden(book(tmp_path / "x.xlsx", {"Old": YEARS["2019"], "New": YEARS["2020"]}), "Old", state=state)
    assert ids(read(path)) == ["2020-1", "2020-2"]
    assert summary_lines(read(path).quality)[0] == "Sheet 'New' of x.xlsx (not read: hidden 'Old')"
    assert ids(read(path, Reading(sheets=("Old",)))) == ["2019-1", "2019-2"]
    alone = hidden(book(tmp_path / "y.xlsx", {"Notes": [["About"]], "Old": YEARS["2019"]}), "Old", state=state)
    with pytest.raises(
        SourceError, match=r"in a hidden sheet:\n  hidden sheet 'Old': 2 rows(.|\n)*data.sheet: \"Old\""
    ):
        read(alone)


def test_an_experiment_of_the_first_release_keeps_its_sheet(tmp_path: Path) -> None:
    """It goes on with the first sheet that fits, hidden or not, and is warned."""
    path = hidden(book(tmp_path / "x.xlsx", {"Old": YEARS["2019"], "New": YEARS["2020"]}), "Old")
    source = read(path, Reading(OF_0_1_0))
    assert ids(source) == ["2019-1", "2019-2"]
    assert "hidden sheet 'Old' is read" in source.quality.warnings[0]
    several = read(book(tmp_path / "y.xlsx", YEARS), Reading(OF_0_1_0))
    assert ids(several) == ["2019-1", "2019-2"] and "3 sheets with narratives" in several.quality.warnings[0]


def test_raw_before_labelled_is_not_guessed(tmp_path: Path) -> None:
    """A sheet without labels never hides one with labels."""
    labelled: Rows = [LABELLED, ["1", "a", "b", 1, 0, 1]]
    path = book(tmp_path / "x.xlsx", {"raw": [PRODUCTION, ["1", "a", "b"]], "labelled": labelled})
    with pytest.raises(SourceError, match=r"'raw': 1 rows \(production\)\n  sheet 'labelled': 1 rows \(labelled\)"):
        read(path)
    assert read(path, Reading(sheets=("labelled",))).quality.labelled.total == 2


@pytest.mark.parametrize(
    ("sheets", "told"),
    [
        (("2022",), "no sheet '2022'.*'2019', '2020', '2021'"),
        (("2019", "2019"), "twice"),
        (("2019", "Notes"), "sheet 'Notes': lacks"),
    ],
)
def test_a_sheet_that_cannot_be_read_is_told(tmp_path: Path, sheets: tuple[str, ...], told: str) -> None:
    """A name that is no sheet, one named twice, and one of no layout are told by name."""
    path = book(tmp_path / "x.xlsx", {**YEARS, "Notes": [["About", "that"]]})
    with pytest.raises(SourceError, match=told):
        read(path, Reading(sheets=sheets))


def test_a_file_without_sheets_has_none_to_name(tmp_path: Path) -> None:
    """`data.sheet` for a CSV file is told as what it is."""
    with pytest.raises(SourceError, match="has no sheets"):
        read(comma_separated(tmp_path / "x.csv", PRODUCTION, [["1", "a", "b"]]), Reading(sheets=("2019",)))


def test_a_name_matches_without_case_and_blanks(tmp_path: Path) -> None:
    """A sheet is found in spite of blanks and case, which Excel does not tell apart either."""
    path = book(tmp_path / "x.xlsx", {"Labelled ": [PRODUCTION, ["1", "a", "b"]], "B": YEARS["2019"]})
    assert ids(read(path, Reading(sheets=("labelled",)))) == ["1"]
