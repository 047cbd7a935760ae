"""Numbers against numbers."""

from typing import Any

import numpy as np

from narrative_runs.codebook.variables import Number
from narrative_runs.findings.by_variable.agreement import Sums, icc, mean_absolute_error
from narrative_runs.findings.by_variable.coding import Mask
from narrative_runs.findings.by_variable.resamples import Numbers, proportion, rate, resampled_sums
from narrative_runs.findings.by_variable.units import Units


def measure_number(variable: Number, units: Units, seed: int, is_brief: bool = False) -> dict[str, Any]:
    """Answers against labels, where there are both.

    Out: `within_tolerance`, the share of answers that are no further from their label than the variable's `tolerance`,
    0 where it has none; `mae`, the mean distance; `icc`, ICC(A,1). is_brief: without the last two.
    """
    compared = units.at(units.is_compared)
    incident, label, answer = compared.incident, compared.label.values, compared.answer.values
    tolerance = variable.tolerance or 0.0
    within = {
        "tolerance": tolerance,
        "within_tolerance": proportion(incident, is_within(tolerance, label, answer)),
    }
    if is_brief:
        return within
    columns = _columns(label, answer)
    sums = Sums(*(np.asarray(column.sum()) for column in columns))
    resampled = Sums(*resampled_sums(incident, columns, seed).T)
    # How likely it is, at most, that an answer is unlike what was seen, if all that was seen is alike.
    all_alike = proportion(incident, np.ones(len(incident)))
    unseen = 1 - all_alike["low"] if all_alike else 1.0

    def error_bounds() -> tuple[float, float]:
        error, at_chance = float(mean_absolute_error(sums)), _distance_at_chance(label, answer)
        return max(0.0, error - unseen * at_chance), error + unseen * at_chance

    def icc_bounds() -> tuple[float, float]:
        value = float(icc(sums))
        return value - unseen * abs(value), value + unseen * (1 - value)

    return {
        **within,
        "mae": rate(float(mean_absolute_error(sums)), mean_absolute_error(resampled), error_bounds),
        "icc": rate(float(icc(sums)), icc(resampled), icc_bounds),
    }


def is_within(tolerance: float, label: Numbers, answer: Numbers) -> Mask:
    """Whether answers are no further from their labels than the tolerance."""
    # 3.1 - 3.0 is a little more than 0.1.
    slack = 1e-9 * np.maximum(1.0, np.maximum(np.abs(label), np.abs(answer)))
    return np.asarray(np.abs(answer - label) <= tolerance + slack)


def _columns(label: Numbers, answer: Numbers) -> Sums:
    """The terms of each pair to sum; less the median, so that little is lost to rounding."""
    middle = float(np.median(label)) if len(label) else 0.0
    both, apart = (label - middle) + (answer - middle), answer - label
    return Sums(np.ones(len(label)), both, both**2, apart, apart**2, np.abs(apart))


def _distance_at_chance(label: Numbers, answer: Numbers) -> float:
    """The mean distance of an answer from the label of any row."""
    ordered = np.sort(answer)
    below = np.r_[0.0, np.cumsum(ordered)]
    n_below = np.searchsorted(ordered, label)
    distances = label * n_below - below[n_below] + (below[-1] - below[n_below]) - label * (len(answer) - n_below)
    return float(distances.mean() / len(answer))
