"""How two groups differ: in points, and as a ratio.

The groups hold different incidents. Intervals follow from those of the two estimates: of the difference by Zou and
Donner (Statistics in Medicine 27, 2008), which for shares is Newcombe's method 10; of the ratio by Donner and Zou
(Statistical Methods in Medical Research 21, 2012).
"""

from collections.abc import Callable
from typing import NamedTuple

import numpy as np

from narrative_runs.estimates.estimate import Estimate
from narrative_runs.estimates.stratified import Bounds
from narrative_runs.findings.intervals import Rate


class Comparison(NamedTuple):
    """Two groups compared by what the model says, by the reviews alone, and corrected; None where one has none."""

    naive: Rate
    labelled: Rate
    corrected: Rate


def difference(first: Estimate, other: Estimate) -> Comparison:
    """How much higher the first is; shares in points of 0 to 1, numbers in their own unit."""
    return _compared(difference_of, first, other)


def ratio(first: Estimate, other: Estimate) -> Comparison:
    """How many times the other the first is; None where the interval of the other reaches 0, so that the ratio has no
    upper bound, and where the first may be below 0."""
    return _compared(ratio_of, first, other)


def difference_of(first: Bounds, other: Bounds) -> Bounds:
    """The first less the other."""
    value = first.value - other.value
    below = np.hypot(first.value - first.low, other.high - other.value)
    above = np.hypot(first.high - first.value, other.value - other.low)
    return Bounds(value, value - below, value + above)


def ratio_of(first: Bounds, other: Bounds) -> Bounds:
    """The first over the other; NaN where it has no bounds."""
    is_bounded = (other.low > 0) & (first.low >= 0)
    value, low, high = (np.where(is_bounded, bound, 1.0) for bound in other)
    product = first.value * value
    # x (2 mean - x) for a bound x of each, as the article has it.
    least, most = (bound * (2 * first.value - bound) for bound in (first.low, first.high))
    of_low, of_high = (bound * (2 * value - bound) for bound in (low, high))
    # Both roots in the form that loses no digits.
    divisor = product + np.sqrt(np.maximum(product**2 - least * of_high, 0.0))
    lowest = np.divide(least, divisor, out=np.zeros_like(divisor), where=divisor > 0)
    highest = (product + np.sqrt(np.maximum(product**2 - most * of_low, 0.0))) / of_low
    return Bounds(*(np.where(is_bounded, bound, np.nan) for bound in (first.value / value, lowest, highest)))


def _compared(of_both: Callable[[Bounds, Bounds], Bounds], first: Estimate, other: Estimate) -> Comparison:
    pairs = zip(
        (first.naive, first.labelled, first.corrected), (other.naive, other.labelled, other.corrected), strict=True
    )
    return Comparison(*(_rate(of_both(_bounds(one), _bounds(two))) if one and two else None for one, two in pairs))


def _bounds(rate: dict[str, float]) -> Bounds:
    return Bounds(*(np.asarray(rate[name]) for name in Bounds._fields))


def _rate(bounds: Bounds) -> Rate:
    rate = {name: float(bound) for name, bound in zip(Bounds._fields, bounds, strict=True)}
    return None if np.isnan(rate["value"]) else rate
