"""The rows of an XLSX sheet, as the XML of ECMA-376, part 1, 18.3.1.73 (row) and 18.3.1.4 (c).

openpyxl would make an object of every cell, and of each an element of XML: four times slower, and most of the time
that the whole merge takes.
"""

import math
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from functools import lru_cache
from itertools import islice
from typing import Any
from xml.sax.saxutils import escape

from openpyxl.cell.cell import ERROR_CODES
from openpyxl.utils import get_column_letter

from narrative_runs.findings.text_cells import fitting, is_formula_like

Row = Iterable[Any]

_ROWS_AT_ONCE = 1_000
# Characters of a text whose cell is kept for the next one.
_SHORT = 40
# "Excel specifications and limits": digits that a number keeps.
_EXCEL_CHANGES_FROM = 10**15
# Points: of a line of Excel's usual font, and of the highest row that it allows.
_LINE_HEIGHT = 15
_HIGHEST = 409


@dataclass(frozen=True)
class Styles:
    """How cells look, as indices into cellXfs, the workbook's list of styles: of a text, of a text that a spreadsheet
    might compute, and of all other values."""

    text: int
    quoted: int
    other: int


def rows_xml(rows: Iterable[Row], widths: Sequence[int], first: int, styles: Styles) -> Iterator[bytes]:
    """The rows as XML, in parts; each is as high as its longest text, wrapped, needs.

    In: rows of values, which are None, bool, int, float or str; how many characters wide their columns are; the number
    of the first row, from 1. None, NaN and infinities come out as no cell, whole numbers of more than 15 digits, which
    Excel would change, as texts.
    """
    columns = [(get_column_letter(number), width) for number, width in enumerate(widths, start=1)]
    numbered = enumerate(rows, start=first)
    while part := list(islice(numbered, _ROWS_AT_ONCE)):
        yield "".join(_row_xml(row, number, columns, styles) for number, row in part).encode()


def _row_xml(row: Row, number: int, columns: list[tuple[str, int]], styles: Styles) -> str:
    cells, lines = [], 1
    for value, (letter, width) in zip(row, columns, strict=True):
        if value is not None:
            cells.append(_cell_xml(value, f"{letter}{number}", styles))
        if isinstance(value, str) and (len(value) > width or "\n" in value):
            lines = max(lines, sum(max(1, math.ceil(len(line) / width)) for line in value.split("\n")))
    # Excel would find the height by itself, LibreOffice does not.
    height = f' ht="{min(lines * _LINE_HEIGHT, _HIGHEST)}"' if lines > 1 else ""
    return f'<row r="{number}"{height}>{"".join(cells)}</row>'


def _cell_xml(value: Any, reference: str, styles: Styles) -> str:
    if isinstance(value, str):
        return f'<c r="{reference}"{(_short_text_xml if len(value) <= _SHORT else _text_xml)(value, styles)}</c>'
    if isinstance(value, bool):
        return f'<c r="{reference}" s="{styles.other}" t="b"><v>{value:d}</v></c>'
    if isinstance(value, int) and abs(value) >= _EXCEL_CHANGES_FROM:
        return _cell_xml(str(value), reference, styles)
    if isinstance(value, int):
        return f'<c r="{reference}" s="{styles.other}"><v>{value}</v></c>'
    return f'<c r="{reference}" s="{styles.other}"><v>{value:.16g}</v></c>' if math.isfinite(value) else ""


def _text_xml(value: str, styles: Styles) -> str:
    """The XML of a text's cell after its reference."""
    text = fitting(value)
    # Excel then shows the text with its leading apostrophe, and keeps it text when somebody edits the cell.
    style = styles.quoted if is_formula_like(text) or text in ERROR_CODES else styles.text
    space = ' xml:space="preserve"' if text != text.strip() else ""
    return f' s="{style}" t="inlineStr"><is><t{space}>{escape(text)}</t></is>'


# The values of variables are a few short texts, each in thousands of cells.
_short_text_xml = lru_cache(maxsize=10_000)(_text_xml)
