"""Which value of a list a text or a number is, whatever its case and the white space in it."""

import math
import re
import unicodedata
from collections.abc import Iterable

_NUMBER = re.compile(r"[+-]?[0-9]+(?:\.[0-9]+)?")
_BLANKS = re.compile(r"\s+")
# A hyphen before a word may be a minus sign, which changes the value.
_BETWEEN_WORDS = re.compile(r"(?<=\w)[\s_‐‑‒–—-]+(?=\w)")


def as_compared(text: str) -> str:
    """The text as values are compared: in one case, with one blank for white space, underscores and hyphens."""
    folded = unicodedata.normalize("NFC", text).strip().casefold()
    return _BETWEEN_WORDS.sub(" ", _BLANKS.sub(" ", folded))


def value_like(text: str, values: Iterable[str]) -> str | None:
    """The value that the text is: exactly, or else the only one that is compared alike; None for no such value."""
    listed = list(values)
    if text in listed:
        return text
    alike = [value for value in listed if as_compared(value) == as_compared(text)]
    return alike[0] if len(alike) == 1 else None


def value_like_number(number: float, values: Iterable[str]) -> str | None:
    """The only value that is this number, `1` or `1.0` for 1; None where there is none, or more than one."""
    alike = [value for value in values if (each := number_of(value)) is not None and each == number]
    return alike[0] if len(alike) == 1 else None


def number_of(text: str) -> float | None:
    """The number that a text plainly is, such as `34`, `-3.5` or ` 34.0 `; None for all else."""
    number = float(text) if _NUMBER.fullmatch(text.strip()) else None
    # The sign of a zero means nothing.
    return None if number is None or not math.isfinite(number) else number + 0.0


def finite(number: float) -> float | None:
    """The number as a float; None for one that is not finite or too large."""
    try:
        as_float = float(number)
    except OverflowError:
        return None
    return as_float + 0.0 if math.isfinite(as_float) else None
