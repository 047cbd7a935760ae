from collections.abc import Callable
from pathlib import Path

import openpyxl
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from narrative_runs.errors import SourceError
from narrative_runs.source.workbook import read

from .books import LONG, PRODUCTION, Rows, book, comma_separated, parquet, xlsx

SUFFIXES = {xlsx: "xlsx", comma_separated: "csv", parquet: "parquet"}


def texts_of(path: Path) -> dict[str, list[object]]:
    """The ids and texts of a workbook's narratives."""
    table = read(path).with_texts()
    return {name: table[name].tolist() for name in ("incident_id", "narrative_type", "narrative_text")}


def test_header_may_stand_below_empty_rows(tmp_path: Path) -> None:
    """A table that does not begin in the first row and column is found, and its rows keep Excel's numbers."""
    path = tmp_path / "x.xlsx"
    workbook = openpyxl.Workbook()
    workbook.active.cell(1, 1, "Deaths of 2020")
    for place, name in enumerate(PRODUCTION, start=2):
        workbook.active.cell(3, place, name)
        workbook.active.cell(4, place, name.lower())
    workbook.save(path)
    assert read(path).keys[["incident_id", "source_row"]].to_numpy().tolist() == [["incidentid", 4]] * 2


def test_unknown_columns_are_told(tmp_path: Path) -> None:
    """A workbook of no known layout raises SourceError with file, sheets, what lacks and what was found."""
    sheets: dict[str, Rows] = {
        "First": [["IncidentID", "NarrativeCME", "Year"], [1, "a", 2020]],
        "Second": [],
    }
    with pytest.raises(SourceError) as raised:
        read(book(tmp_path / "x.xlsx", sheets))
    message = str(raised.value)
    assert str(tmp_path / "x.xlsx") in message
    assert "sheet 'First': lacks NarrativeLE; found: IncidentID, NarrativeCME, Year" in message
    assert "sheet 'Second': is empty" in message
    assert "production: IncidentID, NarrativeCME, NarrativeLE" in message


def test_doubled_column_is_told(tmp_path: Path) -> None:
    """A column that is there twice is named, instead of one of the two being taken."""
    header = [*PRODUCTION, "NarrativeLE"]
    with pytest.raises(SourceError, match="has twice NarrativeLE"):
        read(xlsx(tmp_path / "x.xlsx", header, [[1, "a", "b", "c"]]))


@pytest.mark.parametrize("write", [comma_separated, parquet])
def test_missing_column_is_told_in_every_format(tmp_path: Path, write: type) -> None:
    """CSV and Parquet files that lack a column name file and column as well."""
    path = write(tmp_path / f"x.{'csv' if write is comma_separated else 'parquet'}", LONG[:3], [["1", "cme", "text"]])
    with pytest.raises(SourceError, match=r"x\.(csv|parquet)(.|\n)*lacks manual_flag_ind"):
        read(path)


@pytest.mark.parametrize("suffix", ["xlsx", "csv", "parquet"])
@pytest.mark.parametrize("content", [b"", b"\xff\xfe\x00broken"])
def test_damaged_file_is_told(tmp_path: Path, suffix: str, content: bytes) -> None:
    """A file that is not what its name says raises SourceError with its path."""
    path = tmp_path / f"x.{suffix}"
    path.write_bytes(content)
    with pytest.raises(SourceError, match=rf"x\.{suffix}"):
        read(path)


def test_cut_off_workbook_is_told(tmp_path: Path) -> None:
    """An Excel file of which the end is missing raises SourceError with its path."""
    path = xlsx(tmp_path / "x.xlsx", PRODUCTION, [[1, "a", "b"]])
    path.write_bytes(path.read_bytes()[:2000])
    with pytest.raises(SourceError, match=r"cannot be read: .*x\.xlsx"):
        read(path)


@pytest.mark.parametrize("suffix", ["xlsx", "csv", "parquet"])
def test_missing_file_is_told(tmp_path: Path, suffix: str) -> None:
    """A file that is not there raises SourceError that says so."""
    with pytest.raises(SourceError, match=rf"not found: .*gone\.{suffix}"):
        read(tmp_path / f"gone.{suffix}")


def test_other_file_types_are_told(tmp_path: Path) -> None:
    """A file type that cannot be read raises SourceError with the types that can."""
    with pytest.raises(SourceError, match=r"x\.xls\n.*\.xlsx, \.csv or \.parquet"):
        read(tmp_path / "x.xls")


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig"])
def test_csv_is_utf8_with_or_without_mark(tmp_path: Path, encoding: str) -> None:
    """A CSV file may have a byte order mark; its quoted commas, quotes and line ends are text."""
    text = 'said "é",\nthen left'
    path = comma_separated(tmp_path / "x.csv", PRODUCTION, [["0012", text, None]], encoding)
    assert texts_of(path) == {"incident_id": ["0012"], "narrative_type": ["cme"], "narrative_text": [text]}


def test_csv_in_another_encoding_is_told(tmp_path: Path) -> None:
    """A CSV file in Latin-1 raises SourceError with the line to look at and how to save it."""
    rows: Rows = [[str(number), "e", ""] for number in range(3000)]
    path = comma_separated(tmp_path / "x.csv", PRODUCTION, [*rows, ["1", "é", ""]], "latin-1")
    with pytest.raises(SourceError, match=r"not UTF-8 text: .*x\.csv\n.*is in line 3002\n.*CSV UTF-8"):
        read(path)


def test_csv_row_with_too_many_cells_is_told(tmp_path: Path) -> None:
    """A comma outside quotes, which would cut a narrative short, raises SourceError with the row."""
    path = tmp_path / "x.csv"
    path.write_text("IncidentID,NarrativeCME,NarrativeLE\n1,a,b\n2,found, then left,c\n")
    with pytest.raises(SourceError, match=r"Row 3 has more cells(.|\n)*4 cells, not 3"):
        read(path)


def test_csv_row_may_lack_its_last_cells(tmp_path: Path) -> None:
    """A row whose empty last cells were left out, as Excel does, has them empty."""
    path = tmp_path / "x.csv"
    path.write_text("IncidentID,NarrativeCME,NarrativeLE\n1,a\n\n2,b,c,\n")
    assert texts_of(path)["narrative_text"] == ["a", "b", "c"]


def test_open_quote_in_csv_is_told(tmp_path: Path) -> None:
    """A quote that never ends, which would swallow the rest of the file, raises SourceError with its row."""
    path = tmp_path / "x.csv"
    path.write_text('IncidentID,NarrativeCME,NarrativeLE\n0,"a\n\n",b\n1,"a,b\n2,c,d\n')
    with pytest.raises(SourceError, match=r"Row 3 cannot be read, from line 5 on: .*x\.csv(.|\n)*must be closed"):
        read(path)


def test_long_csv_narrative_is_read_whole(tmp_path: Path) -> None:
    """A narrative of a million characters is read from CSV without a limit."""
    path = comma_separated(tmp_path / "x.csv", PRODUCTION, [["1", "a" * 1_000_000, ""]])
    assert texts_of(path)["narrative_text"] == ["a" * 1_000_000]


@pytest.mark.parametrize("write", [xlsx, comma_separated, parquet])
def test_missing_cells_as_r_writes_them(tmp_path: Path, write: Callable[..., Path]) -> None:
    """NA is an empty narrative or label in every format, yet an id may be NA."""
    path = write(tmp_path / f"x.{SUFFIXES[write]}", LONG, [["NA", "cme", "NA", "NA"], ["NA", "le", "text", "NA"]])
    assert texts_of(path) == {"incident_id": ["NA"], "narrative_type": ["le"], "narrative_text": ["text"]}
    assert read(path).keys["manual_flag_ind"].isna().all()


@pytest.mark.parametrize("delimiter", [";", "\t"])
def test_csv_may_be_divided_otherwise(tmp_path: Path, delimiter: str) -> None:
    """A CSV file as Excel writes it where the comma is the decimal sign, or with tabs, is read as well."""
    path = tmp_path / "x.csv"
    path.write_text(delimiter.join(PRODUCTION) + "\n" + delimiter.join(["1", '"a, b; c"', "d"]) + "\n")
    assert texts_of(path)["narrative_text"] == ["a, b; c", "d"]


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
    assert source.with_texts().iloc[0].tolist() == [1, "12", "cme", "text", 1, 1, 1]
    assert (source.quality.without_id.total, source.quality.without_id.rows) == (1, [2])
