"""Numbers as the cells of the page show them: undefined and masked ones are called so."""

import json
from typing import Any, NamedTuple

from markupsafe import Markup

from narrative_runs.findings.rounding import p_value, rounded_down, shown, telling_decimals
from narrative_runs.findings.suppression import counted

UNDEFINED = "undefined"


class Table(NamedTuple):
    """A table of the page: its caption, the titles of its columns, and its rows, of which the first cell is the head;
    all in words."""

    caption: str
    columns: list[str]
    rows: list[list[str]]


def rate(measured: dict[str, Any] | str | None) -> str:
    """A rate with its 95% interval, such as `0.75 (0.62 to 0.84)`, with two significant decimals; `undefined`, or
    `masked`."""
    if not isinstance(measured, dict):
        return measured or UNDEFINED
    decimals = telling_decimals(measured["value"])
    value, low, high = (shown(measured[name], decimals) for name in ("value", "low", "high"))
    return f"{value} ({low} to {high})"


def number(measured: float | str | None) -> str:
    """A number with two significant decimals, or the word undefined or masked."""
    if measured is None or isinstance(measured, str):
        return measured or UNDEFINED
    return shown(measured, telling_decimals(measured))


def threshold(measured: float | str | None) -> str:
    """A threshold, rounded so that it still reaches the recall it promises, or the word undefined or masked."""
    if measured is None or isinstance(measured, str):
        return measured or UNDEFINED
    return f"{rounded_down(measured):.4g}"


def count(whole: int | str) -> str:
    """A whole number with thousands separators, or the word masked."""
    return counted(whole)


def chance(tested: float | str | None) -> str:
    """A p value, or a dash where there was no test."""
    return p_value(tested) if isinstance(tested, float) else tested or "–"


def value(setting: Any) -> str:
    """A param as a params file would show it."""
    return setting if isinstance(setting, str) else json.dumps(setting, ensure_ascii=False)


def with_code(text: str) -> Markup:
    """A text in which the words in backticks are shown as code."""
    parts = text.split("`")
    return Markup().join(Markup("<code>{}</code>").format(part) if odd % 2 else part for odd, part in enumerate(parts))
