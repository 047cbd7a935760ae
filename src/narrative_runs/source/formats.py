"""The file formats of a workbook: each opened into the columns of its layout, cells as they are stored."""

import csv
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from functools import partial
from operator import itemgetter
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
from python_calamine import CalamineError, CalamineWorkbook, PasswordError

from narrative_runs.errors import SourceError
from narrative_runs.source.cells import text_of, whole_number
from narrative_runs.source.layouts import ID_COLUMNS, LABELLED, LONG, PRODUCTION, Layout, Match, match
from narrative_runs.source.rules import CURRENT, ReadingRules

Cells = Sequence[object]


@dataclass(frozen=True)
class Sheet:
    """The columns of a known layout, all of one length.

    ``first_row`` is the number that a user would give to the first of the rows: as a spreadsheet counts,
    header included, or from 1 in a Parquet file. ``name`` is None where a file is one sheet. ``unread`` names the
    columns that belong to no layout.
    """

    name: str | None
    layout: Layout
    columns: dict[str, list[object]]
    first_row: int
    unread: tuple[str, ...]


def open_sheet(path: Path, rules: ReadingRules = CURRENT) -> Sheet:
    """Read the first sheet of a known layout from an .xlsx, .csv or .parquet file, by the rules of the experiment.

    Raises SourceError, naming file, sheet and columns, if there is none or the file cannot be read.
    """
    readers: dict[str, Callable[[Path], Sheet]] = {
        ".xlsx": _open_xlsx,
        ".csv": partial(_open_csv, rules=rules),
        ".parquet": _open_parquet,
    }
    reader = readers.get(path.suffix.lower())
    if reader is None:
        raise SourceError(f"Not a kind of data file that can be read: {path}\nSave it as .xlsx, .csv or .parquet.")
    if not path.is_file():
        raise SourceError(f"Data file not found: {path}\nCheck data.file in the params.")
    try:
        return reader(path)
    except PasswordError:
        raise SourceError(f"Data file is protected by a password: {path}\nSave it without one.") from None
    except (CalamineError, pa.ArrowException, csv.Error, OSError) as error:
        raise SourceError(
            f"Data file cannot be read: {path}\n  {error}\n"
            f"It may be damaged, or not be {path.suffix.lower()} inside: open it and save it again."
        ) from error


def _open_xlsx(path: Path) -> Sheet:
    findings = []
    with CalamineWorkbook.from_path(path) as book:
        for name in book.sheet_names:
            sheet = book.get_sheet_by_name(name)
            rows: Iterator[Cells] = iter(sheet.iter_rows() if sheet.start else ())
            header, header_row = _first_filled(rows)
            found = match(header)
            if found.complete:
                return Sheet(name, found.layout, _columns(rows, found), header_row + 1, found.unread(header))
            findings.append(f"  sheet {name!r}: {_shortfall(header, found)}")
    raise _unknown_layout(path, findings)


def _open_csv(path: Path, rules: ReadingRules) -> Sheet:
    # A narrative may be longer than the limit that the csv module has by default.
    csv.field_size_limit(2**31 - 1)
    with path.open(encoding="utf-8-sig", newline="") as stream:
        reader = csv.reader(stream, strict=True)
        try:
            header, header_row = _first_filled(reader)
            found = match(header)
            if not found.complete:
                raise _unknown_layout(path, [f"  {_shortfall(header, found)} (commas divide the columns)"])
            columns = _columns(_of_width(reader, len(header), header_row, path), found)
        except UnicodeDecodeError:
            raise SourceError(
                f"Data file is not UTF-8 text: {path}\n"
                f"  the first character that is not stands in line {_line_not_utf8(path.read_bytes())}\n"
                "Save it as `CSV UTF-8`, or as .xlsx."
            ) from None
    # R writes a missing cell as NA; an id may well be those two letters.
    for column, cells in columns.items():
        if column not in ID_COLUMNS:
            columns[column] = [None if cell == "NA" else cell for cell in cells]
        elif rules.csv_ids_are_numbers:
            columns[column] = [whole_number(cell) for cell in cells]
    return Sheet(None, found.layout, columns, header_row + 1, found.unread(header))


def _open_parquet(path: Path) -> Sheet:
    with pq.ParquetFile(path) as file:
        header = file.schema_arrow.names
        found = match(header)
        if not found.complete:
            raise _unknown_layout(path, [f"  {_shortfall(header, found)}"])
        table = file.read(columns=[header[place] for place in found.positions.values()])
    columns = {column: table.column(header[place]) for column, place in found.positions.items()}
    for column, values in columns.items():
        if pa.types.is_binary(values.type) or pa.types.is_large_binary(values.type):
            columns[column] = values.cast(pa.large_string())
    cells = {column: values.to_pylist() for column, values in columns.items()}
    return Sheet(None, found.layout, cells, 1, found.unread(header))


def _line_not_utf8(content: bytes) -> int:
    """The first line that is no UTF-8: the reader itself decodes blocks, far ahead of its line."""
    try:
        content.decode()
    except UnicodeDecodeError as error:
        return 1 + content[: error.start].count(b"\n")
    return 0


def _first_filled(rows: Iterator[Cells]) -> tuple[Cells, int]:
    """The first row that is not blank, and its number; no cells if all are blank."""
    for number, row in enumerate(rows, start=1):
        if any(text_of(cell).strip() for cell in row):
            return row, number
    return (), 0


def _columns(rows: Iterator[Cells], found: Match) -> dict[str, list[object]]:
    pick = itemgetter(*found.positions.values())
    picked = [pick(row) for row in rows]
    return {column: [row[place] for row in picked] for place, column in enumerate(found.positions)}


def _of_width(rows: Iterator[list[str]], width: int, header_row: int, path: Path) -> Iterator[Cells]:
    """The rows with blanks for the cells they lack; one too long would put text into the wrong column."""
    for number, row in enumerate(rows, start=header_row + 1):
        if any(row[width:]):
            raise SourceError(
                f"Row {number} has more cells than the header: {path}\n  {len(row)} cells, not {width}\n"
                'Put text that holds a comma between double quotes ("), or save the file as .xlsx.'
            )
        yield row + [""] * (width - len(row))


def _shortfall(header: Cells, found: Match) -> str:
    names = [name for name in (text_of(cell).strip() for cell in header) if name]
    if not names:
        return "is empty"
    shown = ", ".join(name[:40] for name in names[:20]) + (", ..." if len(names) > 20 else "")
    lacks = f"lacks {', '.join(found.missing)}" if found.missing else f"has twice {', '.join(found.doubled)}"
    return f"{lacks}; found: {shown}"


def _unknown_layout(path: Path, findings: list[str]) -> SourceError:
    layouts = [f"  {layout.name}: {', '.join(layout.required)}" for layout in (PRODUCTION, LABELLED, LONG)]
    problem = f"Data file has no sheet of a known layout: {path}"
    advice = "Name the columns in its first row as one of these, and leave cells without a label empty:"
    return SourceError("\n".join([problem, *findings, advice, *layouts]))
