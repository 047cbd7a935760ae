"""A confidence as models write it, read without guessing its scale."""

import re
from typing import Any

_DIGITS = ("zero", "one", "two", "three", "four", "five", "six", "seven", "eight", "nine")
_DIGIT = "|".join((*_DIGITS, "[0-9]"))
_SPELLED = re.compile(rf"(zero|one|[01])(?:\s*(?:\.|\bpoint\b)\s*((?:(?:{_DIGIT})\s*){{1,20}}))?")
_SHARE = re.compile(r"[+-]?(?:[0-9]{1,20}(?:[.,][0-9]{0,20})?|[.,][0-9]{1,20})(?:e[+-]?[0-9]{1,3})?")
_PERCENT = re.compile(r"([0-9]{1,3}(?:[.,][0-9]{1,20})?)\s*(?:[%％]|percent\b|per cent\b)")


def confidence_of(value: Any) -> float | None:
    """A number from 0 to 1, from 0.85, "0.85", "0,85", ".85", "85%" or "zero.nine"; None for all else.

    85 is of a scale that nobody knows, and so is "0.85%"; nothing is clipped.
    """
    if isinstance(value, str):
        value = _number(value.strip().lower())
    if isinstance(value, bool) or not isinstance(value, int | float) or not 0 <= value <= 1:
        return None
    return float(value)


def _number(text: str) -> float | None:
    if _SHARE.fullmatch(text):
        return float(text.replace(",", "."))
    if percent := _PERCENT.fullmatch(text):
        number = float(percent[1].replace(",", "."))
        # Less than one percent is more likely a share with a sign too many.
        return None if 0 < number < 1 else number / 100
    if spelled := _SPELLED.fullmatch(text):
        digits = re.findall(_DIGIT, spelled[2] or "")
        return float(f"{_as_digit(spelled[1])}.{''.join(map(_as_digit, digits))}")
    return None


def _as_digit(word: str) -> str:
    return str(_DIGITS.index(word)) if word in _DIGITS else word
