from pathlib import Path

import openpyxl
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from narrative_runs.errors import SourceError
from narrative_runs.source.formats import open_sheet
from narrative_runs.source.workbook import read

from .books import LONG, PRODUCTION, Rows, book, comma_separated, parquet, xlsx


def test_first_sheet_of_a_known_layout_is_read(tmp_path: Path) -> None:
    """Empty sheets and those of other columns are passed over; the first that fits is read."""
    sheets: dict[str, Rows] = {
        "Notes": [["About"]],
        "Empty": [],
        "A": [PRODUCTION, [1, "a", "b"]],
        "B": [PRODUCTION, [2, "c", "d"]],
    }
    sheet = open_sheet(book(tmp_path / "x.xlsx", sheets))
    assert (sheet.name, sheet.columns["NarrativeCME"]) == ("A", ["a"])


def test_header_may_stand_below_empty_rows(tmp_path: Path) -> None:
    """A table that does not begin in the first row and column is found, and its rows keep Excel's numbers."""
    path = tmp_path / "x.xlsx"
    workbook = openpyxl.Workbook()
    for place, name in enumerate(PRODUCTION, start=2):
        workbook.active.cell(3, place, name)
        workbook.active.cell(4, place, name.lower())
    workbook.save(path)
    sheet = open_sheet(path)
    assert (sheet.first_row, sheet.columns["IncidentID"]) == (4, ["incidentid"])


def test_unknown_columns_are_told(tmp_path: Path) -> None:
    """A workbook of no known layout raises SourceError with file, sheets, what lacks and what was found."""
    sheets: dict[str, Rows] = {
        "First": [["IncidentID", "NarrativeCME", "Year"], [1, "a", 2020]],
        "Second": [],
    }
    with pytest.raises(SourceError) as raised:
        open_sheet(book(tmp_path / "x.xlsx", sheets))
    message = str(raised.value)
    assert str(tmp_path / "x.xlsx") in message
    assert "sheet 'First': lacks NarrativeLE; found: IncidentID, NarrativeCME, Year" in message
    assert "sheet 'Second': is empty" in message
    assert "production: IncidentID, NarrativeCME, NarrativeLE" in message


def test_doubled_column_is_told(tmp_path: Path) -> None:
    """A column that is there twice is named, instead of one of the two being taken."""
    header = [*PRODUCTION, "NarrativeLE"]
    with pytest.raises(SourceError, match="has twice NarrativeLE"):
        open_sheet(xlsx(tmp_path / "x.xlsx", header, [[1, "a", "b", "c"]]))


@pytest.mark.parametrize("write", [comma_separated, parquet])
def test_missing_column_is_told_in_every_format(tmp_path: Path, write: type) -> None:
    """CSV and Parquet files that lack a column name file and column as well."""
    path = write(tmp_path / f"x.{'csv' if write is comma_separated else 'parquet'}", LONG[:3], [["1", "cme", "text"]])
    with pytest.raises(SourceError, match=r"x\.(csv|parquet)(.|\n)*lacks manual_flag_ind"):
        open_sheet(path)


@pytest.mark.parametrize("suffix", ["xlsx", "csv", "parquet"])
@pytest.mark.parametrize("content", [b"", b"\xff\xfe\x00broken"])
def test_damaged_file_is_told(tmp_path: Path, suffix: str, content: bytes) -> None:
    """A file that is not what its name says raises SourceError with its path."""
    path = tmp_path / f"x.{suffix}"
    path.write_bytes(content)
    with pytest.raises(SourceError, match=rf"x\.{suffix}"):
        open_sheet(path)


def test_cut_off_workbook_is_told(tmp_path: Path) -> None:
    """An Excel file of which the end is missing raises SourceError with its path."""
    path = xlsx(tmp_path / "x.xlsx", PRODUCTION, [[1, "a", "b"]])
    path.write_bytes(path.read_bytes()[:2000])
    with pytest.raises(SourceError, match=r"cannot be read: .*x\.xlsx"):
        open_sheet(path)


@pytest.mark.parametrize("suffix", ["xlsx", "csv", "parquet"])
def test_missing_file_is_told(tmp_path: Path, suffix: str) -> None:
    """A file that is not there raises SourceError that says so."""
    with pytest.raises(SourceError, match=rf"not found: .*gone\.{suffix}"):
        open_sheet(tmp_path / f"gone.{suffix}")


def test_other_file_types_are_told(tmp_path: Path) -> None:
    """A file type that cannot be read raises SourceError with the types that can."""
    with pytest.raises(SourceError, match=r"x\.xls\n.*\.xlsx, \.csv or \.parquet"):
        open_sheet(tmp_path / "x.xls")


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig"])
def test_csv_is_utf8_with_or_without_mark(tmp_path: Path, encoding: str) -> None:
    """A CSV file may have a byte order mark; its quoted commas, quotes and line ends are text."""
    text = 'said "é",\nthen left'
    sheet = open_sheet(comma_separated(tmp_path / "x.csv", PRODUCTION, [["0012", text, None]], encoding))
    assert sheet.columns == {"IncidentID": ["0012"], "NarrativeCME": [text], "NarrativeLE": [""]}


def test_csv_in_another_encoding_is_told(tmp_path: Path) -> None:
    """A CSV file in Latin-1 raises SourceError with the line to look at and how to save it."""
    rows: Rows = [[str(number), "e", ""] for number in range(3000)]
    path = comma_separated(tmp_path / "x.csv", PRODUCTION, [*rows, ["1", "é", ""]], "latin-1")
    with pytest.raises(SourceError, match=r"not UTF-8 text: .*x\.csv\n.*stands in line 3002\n.*CSV UTF-8"):
        open_sheet(path)


def test_csv_row_with_too_many_cells_is_told(tmp_path: Path) -> None:
    """A comma outside quotes, which would cut a narrative short, raises SourceError with the row."""
    path = tmp_path / "x.csv"
    path.write_text("IncidentID,NarrativeCME,NarrativeLE\n1,a,b\n2,found, then left,c\n")
    with pytest.raises(SourceError, match=r"Row 3 has more cells(.|\n)*4 cells, not 3"):
        open_sheet(path)


def test_csv_row_may_lack_its_last_cells(tmp_path: Path) -> None:
    """A row whose empty last cells were left out, as Excel does, has them empty."""
    path = tmp_path / "x.csv"
    path.write_text("IncidentID,NarrativeCME,NarrativeLE\n1,a\n\n2,b,c,\n")
    assert open_sheet(path).columns["NarrativeLE"] == ["", "", "c"]


def test_open_quote_in_csv_is_told(tmp_path: Path) -> None:
    """A quote that never ends, which would swallow the rest of the file, raises SourceError."""
    path = tmp_path / "x.csv"
    path.write_text('IncidentID,NarrativeCME,NarrativeLE\n1,"a,b\n2,c,d\n')
    with pytest.raises(SourceError, match=r"cannot be read: .*x\.csv"):
        open_sheet(path)


def test_long_csv_narrative_is_read_whole(tmp_path: Path) -> None:
    """A narrative of a million characters is read from CSV without a limit."""
    sheet = open_sheet(comma_separated(tmp_path / "x.csv", PRODUCTION, [["1", "a" * 1_000_000, ""]]))
    assert sheet.columns["NarrativeCME"] == ["a" * 1_000_000]


def test_missing_cells_as_r_writes_them(tmp_path: Path) -> None:
    """NA in a CSV file is an empty narrative or label, yet an id may be NA."""
    sheet = open_sheet(comma_separated(tmp_path / "x.csv", LONG, [["NA", "cme", "NA", "NA"]]))
    assert sheet.columns == {
        "incident_id": ["NA"],
        "narrative_type": ["cme"],
        "narrative_text": [None],
        "manual_flag_ind": [None],
    }


def test_parquet_columns_of_any_type(tmp_path: Path) -> None:
    """Parquet columns of numbers, categories, bytes and booleans are read as text columns are."""
    table = pa.table(
        {
            "incident_id": pa.array([12, None], pa.float64()),
            "narrative_type": pa.array(["cme", "le"]).dictionary_encode(),
            "narrative_text": pa.array([b"text", "é".encode()]),
            "manual_flag_ind": pa.array([True, None]),
        }
    )
    pq.write_table(table, tmp_path / "x.parquet")
    source = read(tmp_path / "x.parquet")
    assert source.narratives.iloc[0].tolist() == [1, "12", "cme", "text", 1, 1, 1]
    assert (source.quality.without_id.total, source.quality.without_id.rows) == (1, [2])
