"""Reads an .xlsx file cell by cell: a sheet costs what its cells cost, wherever they are.

Cells are read by openpyxl; its own reader of whole files would hold all texts in memory, and stops at styles and
settings that have nothing to do with a cell's value.
"""

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from xml.etree.ElementTree import Element, iterparse
from zipfile import ZipFile

from openpyxl.cell.text import Text
from openpyxl.reader.excel import ExcelReader
from openpyxl.styles.numbers import BUILTIN_FORMATS, is_date_format, is_timedelta_format
from openpyxl.worksheet._reader import WorkSheetParser
from openpyxl.xml.constants import ARC_STYLE, SHEET_MAIN_NS

from narrative_runs.source.cells import EXCEL_ERROR, NO_VALUE, marked_if_excel_error
from narrative_runs.source.text_store import TextStore

_MAIN = f"{{{SHEET_MAIN_NS}}}"
# ECMA-376, part 1, 22.9.2.19: characters that XML cannot hold, and the underscore itself where it would mean one.
_ESCAPED = re.compile(r"_x([0-9A-Fa-f]{4})_")
_WIDEST = 16_384


@dataclass(frozen=True)
class XlsxSheet:
    """One worksheet of an open file."""

    name: str
    is_hidden: bool
    book: "XlsxBook"
    part: str

    def rows(self) -> Iterator[tuple[int, Sequence[object]]]:
        """(number, cells) of each row that has any cell, in the order of the sheet; numbers from 1.

        A cell is None, a bool, int, float, text, date or time, or `Unreadable`.
        """
        with self.book.archive.open(self.part) as stream:
            cells = _Cells(
                stream,
                self.book.texts,
                data_only=True,
                epoch=self.book.epoch,
                date_formats=self.book.date_styles,
                timedelta_formats=self.book.duration_styles,
            )
            for _, element in iterparse(stream):
                if element.tag == f"{_MAIN}row":
                    number, parsed = cells.parse_row(element)
                    element.clear()
                    cells.row_dimensions.clear()
                    yield number, _in_a_row(parsed)


class XlsxBook:
    """An open .xlsx file."""

    def __init__(self, path: Path, scratch: Path | None) -> None:
        """scratch: the folder on whose disk its texts are while it is read.

        Raises whatever zipfile, the XML parser and openpyxl raise for a file that is damaged.
        """
        reader = ExcelReader(path, read_only=True, keep_vba=False, data_only=True, keep_links=False, rich_text=False)
        self.archive: ZipFile = reader.archive
        reader.read_manifest()
        reader.read_workbook()
        self.epoch = reader.wb.epoch
        self.texts = _shared_texts(reader, scratch)
        self.date_styles, self.duration_styles = _time_styles(self.archive)
        self.sheets = [
            XlsxSheet(sheet.name, sheet.state in ("hidden", "veryHidden"), self, relation.target)
            for sheet, relation in reader.parser.find_sheets()
            if relation.Type.endswith("/worksheet") and relation.target in self.archive.namelist()
        ]


class _Cells(WorkSheetParser):  # type: ignore[misc]
    """openpyxl's cells, with those marked that have no value."""

    def parse_cell(self, element: Element) -> dict[str, Any]:
        cell: dict[str, Any] = super().parse_cell(element)
        value = cell["value"]
        if cell["data_type"] == "e":
            cell["value"] = EXCEL_ERROR
        elif value is None:
            # A formula whose value is the empty text has one; a formula that nobody has computed yet has none.
            if element.find(f"{_MAIN}f") is not None and element.get("t") != "str":
                cell["value"] = NO_VALUE
        elif isinstance(value, str):
            cell["value"] = marked_if_excel_error(value if element.get("t") == "s" else _unescaped(value))
        return cell


def _in_a_row(parsed: list[dict[str, Any]]) -> list[object]:
    cells: list[object] = []
    for cell in parsed:
        column = cell["column"] - 1
        if column < _WIDEST:
            cells.extend([None] * (column + 1 - len(cells)))
            cells[column] = cell["value"]
    return cells


def _shared_texts(reader: ExcelReader, scratch: Path | None) -> TextStore:
    texts = TextStore(scratch)
    for part in reader.package.Override:
        if part.ContentType.endswith("sharedStrings+xml"):
            with reader.archive.open(part.PartName.lstrip("/")) as stream:
                for _, element in iterparse(stream):
                    if element.tag == f"{_MAIN}si":
                        texts.add(_unescaped(Text.from_tree(element).content))
                        element.clear()
    return texts


def _unescaped(text: str) -> str:
    if "_x" not in text:
        return text
    units = _ESCAPED.sub(lambda escape: chr(int(escape[1], 16)), text)
    # A character beyond the first plane is written as two.
    return units.encode("utf-16", "surrogatepass").decode("utf-16", "replace")


def _time_styles(archive: ZipFile) -> tuple[set[int], set[int]]:
    """The numbers of the cell styles that show dates or times, and of those among them that show durations."""
    if ARC_STYLE not in archive.namelist():
        return set(), set()
    own: dict[int, str] = {}
    styles: list[int] = []
    with archive.open(ARC_STYLE) as stream:
        for _, element in iterparse(stream):
            if element.tag == f"{_MAIN}numFmt":
                own[int(element.get("numFmtId", "0"))] = element.get("formatCode", "")
            elif element.tag == f"{_MAIN}cellXfs":
                styles = [int(style.get("numFmtId", "0")) for style in element]
    codes = [own.get(style, BUILTIN_FORMATS.get(style, "General")) for style in styles]
    dates = {number for number, code in enumerate(codes) if is_date_format(code)}
    return dates, {number for number in dates if is_timedelta_format(codes[number])}
