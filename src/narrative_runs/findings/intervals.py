"""95% intervals of the metrics.

A rate is `{"value", "low", "high"}`, or None where it is undefined.

Proportions have the Wilson score interval (Wilson, JASA 22, 1927). It takes the rows as independent: over
both narratives of the same incidents, which are not, it is somewhat too narrow, and the rates by incident or
by narrative type are the ones to quote. F1, kappa and MCC have a percentile bootstrap over incidents (Efron
and Tibshirani, 1993), which keeps the two narratives of an incident together.
"""

from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray
from scipy.stats import binomtest

from narrative_runs.findings.confusion import ConfusionMatrix, Proportion, recall, specificity

Rate = dict[str, float] | None
Metric = Callable[[ConfusionMatrix], NDArray[np.float64]]

LEVEL = 0.95
RESAMPLES = 2_000


def wilson(proportion: Proportion) -> Rate:
    """The proportion with its Wilson interval; None for a part of nothing."""
    part, whole = proportion
    if whole == 0:
        return None
    interval = binomtest(part, whole).proportion_ci(confidence_level=LEVEL, method="wilson")
    return _rate(part / whole, interval.low, interval.high)


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


def bootstrap(metric: Metric, matrix: ConfusionMatrix, resamples: ConfusionMatrix) -> Rate:
    """The metric of a matrix, with the percentile interval over its resamples; None where it is undefined.

    Resamples in which the metric is undefined are left out. Where all others give one and the same value (a
    matrix without a single error, or a single incident) they say nothing about the spread; the interval then
    spans the metric at the Wilson bounds of recall and specificity, which is wider than needed rather than of
    no width.
    """
    value = float(metric(matrix))
    if np.isnan(value):
        return None
    values = metric(resamples)
    values = values[~np.isnan(values)]
    if np.any(values != value):
        low, high = np.quantile(values, [(1 - LEVEL) / 2, (1 + LEVEL) / 2])
    else:
        low, high = (float(metric(bound)) for bound in _wilson_bounds(matrix))
    return _rate(value, np.fmin(low, value), np.fmax(high, value))


def _wilson_bounds(matrix: ConfusionMatrix) -> tuple[ConfusionMatrix, ConfusionMatrix]:
    """The matrices of the same labels with recall and specificity at their lower, and at their upper
    bounds."""
    found, spared = wilson(recall(matrix)), wilson(specificity(matrix))
    positives, negatives = matrix.tp + matrix.fn, matrix.tn + matrix.fp

    def at(bound: str) -> ConfusionMatrix:
        tp = positives * (found[bound] if found else 0.0)
        tn = negatives * (spared[bound] if spared else 0.0)
        return ConfusionMatrix(tp=tp, fp=negatives - tn, fn=positives - tp, tn=tn)

    return at("low"), at("high")


def _rate(value: float, low: float, high: float) -> Rate:
    return {"value": float(value), "low": float(low), "high": float(high)}
