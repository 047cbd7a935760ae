"""Excel workbooks, written row by row; the same content gives the same bytes.

Every text is text, even one that begins like a formula, and wraps, so that it is read whole. Each sheet has a frozen
header and a filter, and prints across one page, its header on every page.
"""

import datetime
import tempfile
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from zipfile import ZIP_DEFLATED, ZipFile, ZipInfo

import pyarrow as pa
from openpyxl import Workbook
from openpyxl.cell import WriteOnlyCell
from openpyxl.styles import Alignment, Font
from openpyxl.utils import get_column_letter
from openpyxl.worksheet.datavalidation import DataValidation
from openpyxl.worksheet.properties import PageSetupProperties
from openpyxl.writer.excel import ExcelWriter

from narrative_runs.atomic_files import scratch_folder
from narrative_runs.findings.sheet_rows import Row, Styles, rows_xml
from narrative_runs.findings.text_cells import fitting, is_formula_like

_WIDE = {
    "narrative_text": 80,
    "indicators": 30,
    "rationale": 60,
    "reasoning_steps": 60,
    "error_message": 40,
    "reviewer_notes": 60,
}
# A column is as wide as its name, but a name may be a whole question.
_WIDEST_BY_NAME = 60
# "Excel specifications and limits": the width of a column, in characters.
WIDEST = 255
_ROWS_AT_ONCE = 1_000
# Texts wrap, and what stands beside them is at the top too, where one begins to read.
_WRAPPED = Alignment(wrap_text=True, vertical="top")
_AT_THE_TOP = Alignment(vertical="top")
# The first moment that a zip file can name, for files whose content alone should make their bytes.
_NO_TIME = datetime.datetime(1980, 1, 1)


@dataclass(frozen=True)
class Sheet:
    """A sheet: its title, the names of its columns, its rows below the header, and how many these are.

    choices: for columns that a person fills in, the values to choose from, without commas; widths: of columns whose
    name does not tell how wide they must be, in characters, at most WIDEST.
    """

    title: str
    columns: Sequence[str]
    rows: Iterable[Row]
    n_rows: int
    choices: Mapping[str, Sequence[str]] = field(default_factory=dict)
    widths: Mapping[str, int] = field(default_factory=dict)

    def width(self, column: str) -> int:
        """How wide a column is, in characters."""
        by_name = min(_WIDEST_BY_NAME, max(12, len(column) + 4))
        return max(by_name, self.widths.get(column, _WIDE.get(column, 0)))


def write_sheets(sheets: Iterable[Sheet], path: Path) -> None:
    """Write a workbook of these sheets.

    Excel opens sheets of at most 1,048,575 rows below the header; more are not refused here.
    """
    workbook = Workbook(write_only=True)
    workbook.properties.creator = "narrative-runs"
    workbook.properties.created = workbook.properties.modified = _NO_TIME
    with _unfinished_beside(path):
        rows = [_add_sheet(workbook, sheet) for sheet in sheets]
        ExcelWriter(workbook, _Archive(path, rows)).save()


def table_rows(table: pa.Table) -> Iterator[Row]:
    """The rows of a table, as a sheet takes them."""
    for batch in table.to_batches(max_chunksize=_ROWS_AT_ONCE):
        yield from zip(*(column.to_pylist() for column in batch.columns), strict=True)


@contextmanager
def _unfinished_beside(path: Path) -> Iterator[None]:
    """Let openpyxl keep its unfinished sheets, which hold narratives, beside the file and not in the shared temporary
    folder."""
    with scratch_folder(path.with_name(f"{path.name}.sheets")) as folder:
        usual = tempfile.tempdir
        tempfile.tempdir = str(folder)
        try:
            yield
        finally:
            tempfile.tempdir = usual


def _add_sheet(workbook: Workbook, content: Sheet) -> Iterator[bytes]:
    """Add a sheet with only its header; returns the XML of its rows."""
    sheet, columns = workbook.create_sheet(content.title), content.columns
    sheet.freeze_panes = "A2"
    sheet.auto_filter.ref = f"A1:{get_column_letter(len(columns))}{content.n_rows + 1}"
    _set_up_pages(sheet)
    for number, name in enumerate(columns, start=1):
        letter = get_column_letter(number)
        sheet.column_dimensions[letter].width = content.width(name)
        # What a person types into an empty cell.
        sheet.column_dimensions[letter].alignment = _WRAPPED
        if content.n_rows and name in content.choices:
            listed = f'"{",".join(content.choices[name])}"'
            choices = DataValidation("list", listed, allow_blank=True, showErrorMessage=True)
            choices.add(f"{letter}2:{letter}{content.n_rows + 1}")
            sheet.data_validations.append(choices)
    header = [WriteOnlyCell(sheet, fitting(name)) for name in columns]
    for cell in header:
        cell.font = Font(bold=True)
        # Else openpyxl takes one like =A1 for a formula.
        cell.data_type = "s"
        cell.quotePrefix = is_formula_like(str(cell.value))
    sheet.append(header)
    return rows_xml(content.rows, list(map(content.width, columns)), first=2, styles=_styles(sheet))


def _set_up_pages(sheet: Any) -> None:
    """Have a sheet printed in landscape, all its columns on one page, its header on each."""
    sheet.page_setup.orientation = "landscape"
    sheet.sheet_properties.pageSetUpPr = PageSetupProperties(fitToPage=True)
    # As many pages as its rows take.
    sheet.page_setup.fitToWidth, sheet.page_setup.fitToHeight = 1, 0
    sheet.print_title_rows = "1:1"


def _styles(sheet: Any) -> Styles:
    text, quoted, other = (WriteOnlyCell(sheet) for _ in range(3))
    text.alignment = quoted.alignment = _WRAPPED
    other.alignment = _AT_THE_TOP
    quoted.quotePrefix = True
    return Styles(text.style_id, quoted.style_id, other.style_id)


class _Archive(ZipFile):
    """A zip file whose entries do not tell when they were written, and whose sheets get their rows.

    rows: for each sheet the XML of the rows below its header.
    """

    def __init__(self, path: Path, rows: Iterable[Iterable[bytes]]) -> None:
        super().__init__(path, "w", ZIP_DEFLATED)
        self._rows = iter(rows)

    def writestr(self, zinfo_or_arcname: Any, data: Any, *_: Any, **__: Any) -> None:
        """Add an entry of this content."""
        super().writestr(_entry(zinfo_or_arcname), data)

    def write(self, filename: Any, arcname: Any = None, *_: Any, **__: Any) -> None:
        """Add the next sheet, whose file holds its header alone: openpyxl adds nothing else as a file."""
        before, end, after = Path(filename).read_bytes().partition(b"</sheetData>")
        with self.open(_entry(arcname), "w", force_zip64=True) as target:
            target.write(before)
            target.writelines(next(self._rows))
            target.write(end + after)


def _entry(name: str) -> ZipInfo:
    entry = ZipInfo(name, _NO_TIME.timetuple()[:6])
    entry.compress_type = ZIP_DEFLATED
    return entry
