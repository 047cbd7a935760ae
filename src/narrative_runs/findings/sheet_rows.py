"""The rows of an XLSX sheet, as the XML of ECMA-376, part 1, 18.3.1.73 (row) and 18.3.1.4 (c).

openpyxl would make an object of every cell, and of each an element of XML: four times slower, and most of the time
that the whole merge takes.
"""

import math
from collections.abc import Iterable, Iterator
from itertools import islice
from typing import Any
from xml.sax.saxutils import escape

from openpyxl.cell.cell import ERROR_CODES
from openpyxl.utils import get_column_letter

from narrative_runs.findings.text_cells import fitting, is_formula_like

Row = Iterable[Any]

_ROWS_AT_ONCE = 1_000
# "Excel specifications and limits": digits that a number keeps.
_EXCEL_CHANGES_FROM = 10**15


def rows_xml(rows: Iterable[Row], columns: int, first: int, quoted_style: int) -> Iterator[bytes]:
    """The rows as XML, in parts.

    In: rows of `columns` values each, which are None, bool, int, float or str; the number of the first one, from 1; the
    style (index into cellXfs) of a text that a spreadsheet might compute. None, NaN and infinities come out as no cell,
    whole numbers of more than 15 digits, which Excel would change, as texts.
    """
    letters = [get_column_letter(number) for number in range(1, columns + 1)]
    numbered = enumerate(rows, start=first)
    while part := list(islice(numbered, _ROWS_AT_ONCE)):
        yield "".join(_row_xml(row, number, letters, quoted_style) for number, row in part).encode()


def _row_xml(row: Row, number: int, letters: list[str], quoted_style: int) -> str:
    cells = [
        _cell_xml(value, f"{letter}{number}", quoted_style)
        for letter, value in zip(letters, row, strict=True)
        if value is not None
    ]
    return f'<row r="{number}">{"".join(cells)}</row>'


def _cell_xml(value: Any, place: str, quoted_style: int) -> str:
    if isinstance(value, str):
        text = fitting(value)
        # Excel then shows the text with its leading apostrophe, and keeps it text when somebody edits the cell.
        style = f' s="{quoted_style}"' if is_formula_like(text) or text in ERROR_CODES else ""
        space = ' xml:space="preserve"' if text != text.strip() else ""
        return f'<c r="{place}"{style} t="inlineStr"><is><t{space}>{escape(text)}</t></is></c>'
    if isinstance(value, bool):
        return f'<c r="{place}" t="b"><v>{value:d}</v></c>'
    if isinstance(value, int) and abs(value) >= _EXCEL_CHANGES_FROM:
        return _cell_xml(str(value), place, quoted_style)
    if isinstance(value, int):
        return f'<c r="{place}"><v>{value}</v></c>'
    return f'<c r="{place}"><v>{value:.16g}</v></c>' if math.isfinite(value) else ""
