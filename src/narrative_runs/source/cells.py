"""What one cell of a workbook means: as text, or as a label."""

import re
from decimal import Decimal

# The exponent has at most two digits: what a longer one means would be no id, and would fill the memory.
_WHOLE_NUMBER = re.compile(r"-?(?:0|[1-9]\d*)(?:\.0+|(?:\.\d+)?[eE]\+?\d{1,2})")
_LABELS = {"0": 0, "0.0": 0, "false": 0, "no": 0, "1": 1, "1.0": 1, "true": 1, "yes": 1}


def text_of(value: object) -> str:
    """The cell as text, "" if it is empty. A whole number has no decimals and no exponent: 123.0 is "123"."""
    if isinstance(value, str):
        return value
    if value is None or value != value:
        return ""
    if isinstance(value, float | Decimal) and abs(value) != float("inf") and value == int(value):
        return str(int(value))
    return str(value)


def whole_number(cell: object) -> object:
    """A text that a program wrote for a whole number, `123.0` or `1e+05`, without decimals and exponent; any other cell
    as it is. A leading zero makes it a text: `0012.0` is no number."""
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
