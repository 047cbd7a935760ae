"""The file formats of a workbook: each opened into tables, whose rows come one after the other."""

import csv
import zipfile
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from xml.etree.ElementTree import ParseError

import pyarrow as pa
import pyarrow.parquet as pq
from python_calamine import CalamineError, CalamineSheet, CalamineWorkbook, PasswordError, SheetVisibleEnum

from narrative_runs.errors import SourceError
from narrative_runs.source.cells import Unreadable, text_of
from narrative_runs.source.rules import CURRENT, ReadingRules

Cells = Sequence[object]
Rows = Iterator[tuple[int, Cells]]

_ROWS_AT_ONCE = 1_000
_OLE = bytes.fromhex("D0CF11E0A1B11AE1")
_UTF_16 = (b"\xff\xfe", b"\xfe\xff")
NOT_TEXT = Unreadable("bytes that are no UTF-8 text")


@dataclass(frozen=True)
class Table:
    """A sheet, or a file that is one.

    name: the sheet's, None if the file has no sheets; rows: gives (number, cells) of each row from the top, with the
    header; rows are numbered as a spreadsheet numbers them; in a Parquet file the header is 0 and the first row 1.
    """

    kind: str
    name: str | None
    is_hidden: bool
    rows: Callable[[], Rows]

    def address(self, row: int, column: int) -> str:
        """What a person would call the cell in this row and this column, which counts from 0: `C17`."""
        if self.kind == "parquet":
            return f"row {row}"
        letters, left = "", column + 1
        while left:
            left, letter = divmod(left - 1, 26)
            letters = chr(ord("A") + letter) + letters
        return f"{letters}{row}"


def open_tables(path: Path, rules: ReadingRules = CURRENT, scratch: Path | None = None) -> list[Table]:
    """The tables of an .xlsx, .csv or .parquet file, in their order.

    rules: those of the experiment; scratch: the folder on whose disk texts lie while the file is read.

    Raises:
        SourceError: the file is missing, of another kind, or cannot be read; the rows raise it too, as they are read.
    """
    openers: dict[str, Callable[[Path], list[Table]]] = {
        ".xlsx": partial(_open_xlsx, scratch=scratch) if rules.xlsx_by_cell else _open_xlsx_of_0_1_0,
        ".csv": _open_csv,
        ".parquet": partial(_open_parquet, rules=rules),
    }
    opener = openers.get(path.suffix.lower())
    if opener is None:
        raise SourceError(f"This kind of data file cannot be read: {path}\nSave it as .xlsx, .csv or .parquet.")
    if not path.is_file():
        raise SourceError(f"Data file not found: {path}\nCheck data.file in the params.")
    with _reading(path):
        tables = opener(path)
    return [replace(table, rows=partial(_read, path, table.rows)) for table in tables]


def _read(path: Path, rows: Callable[[], Rows]) -> Rows:
    """The rows; an error of their reader, and none of the code that uses them, says that the file cannot be read."""
    with _reading(path):
        yield from rows()


@contextmanager
def _reading(path: Path) -> Iterator[None]:
    """Turn whatever the readers of a file raise into a SourceError that says what to do."""
    try:
        yield
    except PasswordError:
        raise SourceError(f"Data file is protected by a password: {path}\nSave it without one.") from None
    except (
        CalamineError,
        pa.ArrowException,
        csv.Error,
        OSError,
        zipfile.BadZipFile,
        ParseError,
        EOFError,
        KeyError,
        ValueError,
        TypeError,
        AttributeError,
        IndexError,
    ) as error:
        raise SourceError(
            f"Data file cannot be read: {path}\n  {error}\n"
            f"It may be damaged, or not really be {path.suffix.lower()}: open it and save it again."
        ) from error


def _open_xlsx(path: Path, scratch: Path | None) -> list[Table]:
    from narrative_runs.source.xlsx import XlsxBook

    with path.open("rb") as stream:
        if stream.read(len(_OLE)) == _OLE:
            raise SourceError(
                f"Data file is protected by a password, or is really an old .xls: {path}\n"
                "Save it as .xlsx, without a password."
            )
    book = XlsxBook(path, scratch)
    return [Table("xlsx", sheet.name, sheet.is_hidden, sheet.rows) for sheet in book.sheets]


def _open_xlsx_of_0_1_0(path: Path) -> list[Table]:
    def rows(sheet: CalamineSheet) -> Rows:
        return enumerate(sheet.iter_rows() if sheet.start else (), start=1)

    with CalamineWorkbook.from_path(path) as book:
        return [
            Table(
                "xlsx",
                sheet.name,
                sheet.visible != SheetVisibleEnum.Visible,
                partial(rows, book.get_sheet_by_name(sheet.name)),
            )
            for sheet in book.sheets_metadata
        ]


def _open_csv(path: Path) -> list[Table]:
    # A narrative may be longer than the limit that the csv module has by default.
    csv.field_size_limit(2**31 - 1)
    with path.open("rb") as stream:
        if stream.read(2) in _UTF_16:
            raise SourceError(f"Data file is not UTF-8 text, but UTF-16: {path}\nSave it as `CSV UTF-8`, or as .xlsx.")
    first = next((cells for _, cells in _csv_rows(path, ",") if any(text_of(cell).strip() for cell in cells)), ())
    divided = next((mark for mark in ";\t" if len(first) == 1 and mark in text_of(first[0])), ",")
    return [Table("csv", None, False, partial(_csv_rows, path, divided))]


def _csv_rows(path: Path, delimiter: str) -> Rows:
    with path.open(encoding="utf-8-sig", newline="") as stream:
        reader, number, line = csv.reader(stream, strict=True, delimiter=delimiter), 0, 0
        while True:
            number, line = number + 1, reader.line_num + 1
            try:
                cells = next(reader)
            except StopIteration:
                return
            except csv.Error as error:
                raise SourceError(
                    f"Row {number} cannot be read, from line {line} on: {path}\n  {error}\n"
                    'A quote (") that opens a text must be closed, and one within a text doubled (""). Correct that '
                    "row, or save the file as .xlsx."
                ) from None
            except UnicodeDecodeError:
                raise SourceError(
                    f"Data file is not UTF-8 text: {path}\n"
                    f"  the first character that is not UTF-8 is in line {_line_not_utf8(path.read_bytes())}\n"
                    "Save it as `CSV UTF-8`, or as .xlsx."
                ) from None
            yield number, cells


def _line_not_utf8(content: bytes) -> int:
    """The first line that is not UTF-8: the reader itself decodes blocks, far ahead of its line."""
    try:
        content.decode()
    except UnicodeDecodeError as error:
        return 1 + content[: error.start].count(b"\n")
    return 0


def _open_parquet(path: Path, rules: ReadingRules) -> list[Table]:
    def rows() -> Rows:
        with pq.ParquetFile(path) as file:
            yield 0, file.schema_arrow.names
            number = 0
            for batch in file.iter_batches(batch_size=_ROWS_AT_ONCE):
                columns = [_values(column, rules) for column in batch.columns]
                for cells in zip(*columns, strict=True):
                    number += 1
                    yield number, cells

    with pq.ParquetFile(path):
        return [Table("parquet", None, False, rows)]


def _values(column: pa.Array, rules: ReadingRules) -> list[object]:
    kind = column.type
    if pa.types.is_dictionary(kind):
        column, kind = column.cast(kind.value_type), kind.value_type
    if pa.types.is_binary(kind) or pa.types.is_large_binary(kind):
        try:
            return list(column.cast(pa.large_string()).to_pylist())
        except pa.ArrowInvalid:
            return [None if value is None else NOT_TEXT for value in column.to_pylist()]
    if pa.types.is_nested(kind) and rules.tells_all:
        return [None if value is None else Unreadable(f"values of the type {kind}") for value in column.to_pylist()]
    if pa.types.is_timestamp(kind) and kind.unit == "ns":
        column = column.cast(pa.timestamp("us", kind.tz), safe=False)
    return list(column.to_pylist())
