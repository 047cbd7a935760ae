"""Text that a spreadsheet neither takes for a formula nor refuses.

Narratives and answers are other people's words. Opened in a spreadsheet, a text that begins like a formula
would be computed, and could reach out to other files or servers (OWASP, "CSV Injection").
"""

import re

# Blanks, control characters and zero-width marks may stand before the sign.
_FORMULA_LIKE = re.compile(r"[\s\x00-\x1f\u200b\ufeff]*[=+\-@]|[\t\r\n]")
# XML 1.0, section 2.2: characters that no XML file, and so no XLSX file, may hold.
_ILLEGAL_IN_XML = re.compile("[\x00-\x08\x0b\x0c\x0e-\x1f\ud800-\udfff\ufffe\uffff]")

# "Excel specifications and limits": characters a cell can hold, in UTF-16 code units.
CELL_LIMIT = 32_767
CUT_NOTE = "… [cut: see results.parquet]"


def is_formula_like(text: str) -> bool:
    """Whether a spreadsheet might compute the text: it begins with = + - or @, after blanks too, or a tab or
    line end."""
    return _FORMULA_LIKE.match(text) is not None


def guarded(text: str) -> str:
    """The text as a CSV file can hold it: behind an apostrophe where it is formula-like, else as it is."""
    return "'" + text if is_formula_like(text) else text


def fitting(text: str) -> str:
    """The text as an XLSX cell can hold it: without characters illegal in XML, cut with a note where too
    long."""
    legal = _ILLEGAL_IN_XML.sub("", text)
    if 2 * len(legal) <= CELL_LIMIT:
        return legal
    units = legal.encode("utf-16-le")
    if len(units) <= 2 * CELL_LIMIT:
        return legal
    # A pair of code units that the cut would halve is dropped.
    return units[: 2 * (CELL_LIMIT - len(CUT_NOTE))].decode("utf-16-le", errors="ignore") + CUT_NOTE
