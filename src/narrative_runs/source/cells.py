"""What one cell of a workbook means: as text, as a label, or as a value that is only copied."""

import re
from dataclasses import dataclass
from datetime import date, datetime, time
from decimal import Decimal

# The exponent has at most two digits: what a longer one means would be no id, and would fill the memory.
_WHOLE_NUMBER = re.compile(r"-?(?:0|[1-9]\d*)(?:\.0+|(?:\.\d+)?[eE]\+?\d{1,2})")
_LABELS = {"0": 0, "0.0": 0, "false": 0, "no": 0, "1": 1, "1.0": 1, "true": 1, "yes": 1}
# ECMA-376, part 1, 18.17.3, and those that later versions of Excel added.
_ERROR = re.compile(
    r"#(?:N/A|NULL!|DIV/0!|VALUE!|REF!|NAME\?|NUM!|GETTING_DATA|SPILL!|CALC!|FIELD!|BLOCKED!|CONNECT!|BUSY!|UNKNOWN!)"
)
_LARGEST = 2**63

Plain = bool | int | float | str | None


@dataclass(frozen=True)
class Unreadable:
    """A cell that has no value, though it is not blank; as text it is empty. problem: why, in words."""

    problem: str


EXCEL_ERROR = Unreadable("Excel errors")
NO_VALUE = Unreadable("formulas without a value")


def marked_if_excel_error(value: object) -> object:
    """`EXCEL_ERROR` for a text that is an Excel error, such as #N/A in a CSV file; any other cell as it is."""
    return EXCEL_ERROR if isinstance(value, str) and _ERROR.fullmatch(value.strip()) else value


def text_of(value: object) -> str:
    """The cell as text, "" if it is empty. A whole number has no decimals and no exponent: 123.0 is "123"."""
    if isinstance(value, str):
        return value
    if value is None or value != value or isinstance(value, Unreadable):
        return ""
    if isinstance(value, float | Decimal) and abs(value) != float("inf") and value == int(value):
        return str(int(value))
    return str(value)


def whole_number(cell: object) -> object:
    """The whole number, without decimals and exponent, of a text that a program wrote for it, `123.0` or `1e+05`; any
    other cell as it is. A leading zero makes it a text: `0012.0` is not a number."""
    if not isinstance(cell, str) or not _WHOLE_NUMBER.fullmatch(cell.strip()):
        return cell
    number = Decimal(cell.strip())
    return str(int(number)) if number == number.to_integral_value() else cell


def label_of(value: object) -> int | None:
    """The cell as a label: 0, 1, or None if blank (or NA, as R writes a missing one).

    Raises ValueError for anything that is not one of 0, 1, true, false, yes, no in any case.
    """
    text = text_of(value).strip().casefold()
    if text in ("", "na"):
        return None
    if text not in _LABELS:
        raise ValueError(text)
    return _LABELS[text]


def is_label(value: object) -> bool:
    """Whether the cell is a label that `label_of` can read; a blank one is none."""
    try:
        return label_of(value) is not None
    except ValueError:
        return False


def plain(value: object) -> Plain:
    """The cell as a value that every table format can hold: whole floats as integers, dates and times as ISO 8601
    texts, a cell without a value as None."""
    if value is None or isinstance(value, bool | str):
        return value or None if isinstance(value, str) else value
    if value != value or isinstance(value, Unreadable):
        return None
    if isinstance(value, Decimal):
        value = float(value)
    if isinstance(value, float):
        value = int(value) if value.is_integer() and abs(value) < _LARGEST else value
    if isinstance(value, int):
        return value if -_LARGEST <= value < _LARGEST else str(value)
    if isinstance(value, float):
        return value if abs(value) != float("inf") else None
    if isinstance(value, datetime):
        return value.date().isoformat() if value.timetz() == time() else value.isoformat(sep=" ")
    if isinstance(value, date | time):
        return value.isoformat()
    return str(value)
