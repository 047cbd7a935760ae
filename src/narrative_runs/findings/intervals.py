"""95% intervals of the metrics: one rule for all, in which the narratives of an incident are not independent.

A rate is `{"value", "low", "high"}`, or None where it is undefined.

Proportions have the Wilson score interval (Wilson, JASA 22, 1927) of the effective number of rows: their number over
the design effect, which is how much the variance between incidents (by linearization, as for any ratio of sums in a
cluster sample: Cochran, Sampling Techniques, 1977, chapter 6) exceeds that of independent rows, and at least 1; with
the quantile of Student's t for the number of incidents, as for small samples of clusters (Korn and Graubard, Survey
Methodology 24, 1998). Where all rows are in the part, or none, nothing tells the design effect: the largest that the
sizes of the incidents allow is taken. F1 has the interval of Jaccard's index, from which it follows. Kappa and MCC,
which are no proportions, have a percentile bootstrap over incidents (Efron and Tibshirani, 1993).

`python -m benchmarks.coverage` shows why this rule was chosen.
"""

from collections.abc import Callable
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray
from scipy.special import stdtrit

from narrative_runs.findings.confusion import (
    ConfusionMatrix,
    Proportion,
    jaccard_index,
    recall,
    specificity,
)

Rate = dict[str, float] | None
Metric = Callable[[ConfusionMatrix], NDArray[np.float64]]
Numbers = NDArray[np.float64]

LEVEL = 0.95
RESAMPLES = 2_000


def interval(of_incidents: Proportion) -> Rate:
    """The share of the part in the whole, with its interval; None for a part of nothing.

    In: for each incident how many of its rows are in the part and in the whole, as two arrays of one shape.
    """
    part, whole = (np.asarray(each, dtype=np.float64).reshape(-1) for each in of_incidents)
    if not whole.sum():
        return None
    # An incident without a row in the whole says nothing.
    part, whole = part[whole > 0], whole[whole > 0]
    products = (part, whole, part * part, part * whole, whole * whole, np.ones_like(whole))
    low, high = bounds(ClusterSums(*(np.asarray(each.sum()) for each in products)))
    return _rate(float(part.sum() / whole.sum()), float(low), float(high))


class ClusterSums(NamedTuple):
    """What the interval needs of the incidents: sums of their parts and wholes, of squares and products of both, and
    their number; arrays, of shape () for one sample, and (samples,) for many at once."""

    part: Numbers
    whole: Numbers
    part2: Numbers
    part_whole: Numbers
    whole2: Numbers
    n: Numbers


def bounds(sums: ClusterSums) -> tuple[Numbers, Numbers]:
    """The lower and upper bounds of the share, 0 to 1, for one sample or for many; wholes are above 0."""
    effective = sums.whole / design_effect(sums)
    quantile = stdtrit(np.maximum(sums.n - 1, 1), (1 + LEVEL) / 2)
    return wilson(sums.part / sums.whole, effective, quantile)


def design_effect(sums: ClusterSums) -> Numbers:
    """How many times the variance of the share is that of independent rows; at least 1."""
    share = sums.part / sums.whole
    spread = sums.part2 - 2 * share * sums.part_whole + share**2 * sums.whole2
    is_estimable = (share > 0) & (share < 1) & (sums.n > 1)
    # Both variances are over the number of rows, not one less: of single rows the design effect is exactly 1.
    ratio = spread / sums.whole / np.where(is_estimable, share * (1 - share), 1.0)
    return np.maximum(np.where(is_estimable, ratio, sums.whole2 / sums.whole), 1.0)


def wilson(share: Numbers, n: Numbers, quantile: Numbers) -> tuple[Numbers, Numbers]:
    """Wilson's interval of a share of `n` independent rows; quantile: standard errors to either side of the share."""
    squared = quantile**2 / n
    middle = (share + squared / 2) / (1 + squared)
    half = np.sqrt(share * (1 - share) * squared + squared**2 / 4) / (1 + squared)
    return np.clip(middle - half, 0.0, share), np.clip(middle + half, share, 1.0)


def f1_interval(of_incidents: ConfusionMatrix) -> Rate:
    """F1 with its interval, for the matrices of all incidents; None where nothing is positive."""
    jaccard = interval(jaccard_index(of_incidents))
    return jaccard and {name: 2 * value / (1 + value) for name, value in jaccard.items()}


def difference(first: Rate, other: Rate) -> Rate:
    """How much higher the first of two shares is, with the interval that follows from theirs (Newcombe, Statistics in
    Medicine 17, 1998, method 10): it holds for shares of different rows."""
    if first is None or other is None:
        return None
    value = first["value"] - other["value"]
    below = np.hypot(first["value"] - first["low"], other["high"] - other["value"])
    above = np.hypot(first["high"] - first["value"], other["value"] - other["low"])
    return _rate(value, max(value - float(below), -1.0), min(value + float(above), 1.0))


def resample(matrix_per_incident: NDArray[np.int64], seed: int) -> ConfusionMatrix:
    """Draw the incidents with replacement, RESAMPLES times, and add up their matrices.

    In: an array of shape (incidents, 4), the columns tp, fp, fn, tn; their order does not matter. Out: a
    matrix of arrays of shape (RESAMPLES,). Incidents with equal matrices are drawn together, as one
    multinomial count: a dozen kinds stand for any number of incidents.
    """
    incidents = len(matrix_per_incident)
    if incidents == 0:
        return ConfusionMatrix(*np.empty((4, 0)))
    kinds, sizes = np.unique(matrix_per_incident, axis=0, return_counts=True)
    # A seed below 0 is a valid one elsewhere, but not for numpy.
    draws = np.random.default_rng(seed % 2**64).multinomial(incidents, sizes / incidents, size=RESAMPLES)
    return ConfusionMatrix(*(draws @ kinds).T.astype(np.float64))


def bootstrap(metric: Metric, of_incidents: NDArray[np.int64], resamples: ConfusionMatrix) -> Rate:
    """The metric of all incidents together, with the percentile interval over their resamples; None where it is
    undefined.

    In: the matrices of the incidents, of shape (incidents, 4). Resamples in which the metric is undefined are left out.
    Where the others say nothing about the spread (a matrix without a single error, or a single incident) the interval
    spans the metric at the bounds of recall and specificity, which is wider than needed rather than of no width.
    """
    value = float(metric(ConfusionMatrix(*of_incidents.sum(axis=0).astype(np.float64))))
    if np.isnan(value):
        return None
    values = metric(resamples)
    values = values[~np.isnan(values)]
    low, high = np.quantile(values, [(1 - LEVEL) / 2, (1 + LEVEL) / 2]) if len(values) else (value, value)
    if not low < high:
        low, high = (float(metric(bound)) for bound in _outer_matrices(of_incidents))
    return _rate(value, np.fmin(low, value), np.fmax(high, value))


def _outer_matrices(of_incidents: NDArray[np.int64]) -> tuple[ConfusionMatrix, ConfusionMatrix]:
    """The matrices of the same labels with recall and specificity at their lower, and at their upper
    bounds."""
    each = ConfusionMatrix(*of_incidents.T.astype(np.float64))
    tp, fp, fn, tn = (float(np.sum(count)) for count in each)
    recall_rate, specificity_rate = interval(recall(each)), interval(specificity(each))
    positives, negatives = tp + fn, tn + fp

    def at(bound: str) -> ConfusionMatrix:
        tp = positives * (recall_rate[bound] if recall_rate else 0.0)
        tn = negatives * (specificity_rate[bound] if specificity_rate else 0.0)
        return ConfusionMatrix(tp=tp, fp=negatives - tn, fn=positives - tp, tn=tn)

    return at("low"), at("high")


def _rate(value: float, low: float, high: float) -> Rate:
    return {"value": float(value), "low": float(low), "high": float(high)}
