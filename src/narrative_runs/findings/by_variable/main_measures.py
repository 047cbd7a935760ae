"""The one measure that stands for a variable in an overview. Apart from measuring: what only shows numbers, such as the
end of a run, need not import what computes them.
"""

from collections.abc import Mapping
from typing import Any, NamedTuple

_MAIN_MEASURES = {
    "binary": "f1",
    "category": "macro_f1",
    "ordinal": "weighted_kappa",
    "multi": "jaccard",
    "number": "within_tolerance",
    "quote": "in_text",
}


def main_measure(variable_type: str) -> str | None:
    """The key of the measure that stands for a variable of this type in an overview; None for texts."""
    return _MAIN_MEASURES.get(variable_type)


class MainRate(NamedTuple):
    """The measure that stands for a variable: over which level (narrative or incident), its key, and its rate."""

    level: str
    measure: str
    rate: dict[str, float]


def main_rate(of_variable: Mapping[str, Any]) -> MainRate | None:
    """The measure that stands for a variable in an overview, over narratives where they have it, else over incidents;
    None where neither has.

    In: what `measure_variables` gives of one.
    """
    measure = main_measure(of_variable["type"])
    for level in ("narrative", "incident"):
        measured = of_variable[level] if measure else None
        if measure and measured and measured[measure] is not None:
            return MainRate(level, measure, measured[measure])
    return None
