"""The prevalence of a finding that is there or not: as the model says, as the reviews alone say, and corrected."""

from typing import NamedTuple

import numpy as np
import pandas as pd
from scipy.special import ndtri

from narrative_runs.estimates.estimators import (
    GAPS,
    NOTHING,
    POST_STRATIFIED,
    POWERED,
    RANDOM,
    STRATIFIED,
)
from narrative_runs.estimates.population import Codes, Mask, Numbers, Population
from narrative_runs.estimates.prediction_powered import Moments, powered_mean, sums_of
from narrative_runs.estimates.stratified import Bounds, Cells, cells_of, weighted_share
from narrative_runs.findings.confusion import Proportion
from narrative_runs.findings.intervals import LEVEL, Rate, interval

# With fewer incidents, or fewer of one of the four kinds, PPI++'s symmetric interval holds the truth too rarely.
LARGE = 200
ENOUGH = 5


class Corrected(NamedTuple):
    """A corrected estimate, None where there is none, and the estimator that gave it."""

    rate: Rate
    estimator: str


def naive_prevalence(population: Population) -> Rate:
    """The share of what the model says yes of, in what it answered; None where it answered nothing."""
    return _share(population.incident, population.predicted, population.is_answered)


def labelled_prevalence(population: Population, design: str) -> Rate:
    """The share of true units by the reviews alone, weighted by the design; None where nothing is reviewed."""
    if not population.is_reviewed.any():
        return None
    if design == RANDOM:
        return _share(population.incident, population.truth, population.is_reviewed)
    stratum, _ = pd.factorize(population.stratum)
    return rate_of(weighted_share(cells_of(np.asarray(stratum), population.incident, population.truth)))


def corrected_prevalence(population: Population, design: str) -> Corrected:
    """The share of true units by reviews and predictions, from one of `estimators.ESTIMATORS`."""
    is_reviewed = population.is_reviewed
    if not is_reviewed.any():
        return Corrected(None, NOTHING)
    cells = cells_of(cells_by(population, design), population.incident, population.truth)
    if design == RANDOM and has_enough(population, cells):
        predicted = filled(population)
        reviewed = sums_of(population.incident[is_reviewed], population.truth[is_reviewed], predicted[is_reviewed])
        left = predicted[~is_reviewed]
        unreviewed = sums_of(population.incident[~is_reviewed], np.zeros_like(left), left)
        return Corrected(rate_of(symmetric(powered_mean(reviewed, unreviewed))), POWERED)
    estimator = POST_STRATIFIED if design == RANDOM else STRATIFIED
    return Corrected(rate_of(weighted_share(cells)), estimator if (cells.whole > 0).all() else GAPS)


def cells_by(population: Population, design: str) -> Codes:
    """The cell of each unit, from 0: what the model says of it, in each stratum of the design."""
    predicted = np.where(population.is_answered, population.predicted, -1.0)
    stratum = np.zeros(len(predicted)) if design == RANDOM else pd.factorize(population.stratum)[0]
    _, cell = np.unique(np.column_stack([stratum, predicted]), axis=0, return_inverse=True)
    return np.asarray(cell, dtype=np.int64).reshape(-1)


def has_enough(population: Population, cells: Cells) -> bool:
    """Whether the reviews are enough for PPI++, and something is left unreviewed."""
    kinds = [
        ((population.predicted == predicted) & (population.truth == truth)).sum()
        for predicted in (0, 1)
        for truth in (0, 1)
    ]
    return bool(is_large_sample(cells, np.array(kinds, dtype=np.float64))) and not population.is_reviewed.all()


def is_large_sample(cells: Cells, kinds: Numbers) -> Mask:
    """Whether LARGE incidents are reviewed, with ENOUGH right and wrong answers of either value, and one or more of
    each cell, errors among them.

    In: the cells; the numbers of right and wrong answers of either value that are reviewed, of shape (..., 4). The
    narratives of an incident count as one. Out: of shape (...).
    """
    narratives_an_incident = cells.whole.sum(axis=-1) / cells.n_incidents
    has_gap = ((cells.whole == 0) & (cells.size > 0)).any(axis=-1)
    has_kinds = kinds.min(axis=-1) >= ENOUGH * narratives_an_incident
    return np.asarray((cells.n_incidents >= LARGE) & has_kinds & ~has_gap)


def filled(population: Population) -> Numbers:
    """The predictions, where there is none their mean: any number is right as long as reviews are at random."""
    is_answered = population.is_answered
    mean = population.predicted[is_answered].mean() if is_answered.any() else 0.0
    return np.where(is_answered, population.predicted, mean)


def symmetric(moments: Moments) -> Bounds:
    """The large-sample interval of a share."""
    half = ndtri((1 + LEVEL) / 2) * moments.standard_error
    return Bounds(*(np.clip(moments.value + side * half, 0.0, 1.0) for side in (0, -1, 1)))


def rate_of(bounds: Bounds) -> Rate:
    """A single share as it is given out."""
    return {name: float(number) for name, number in zip(("value", "low", "high"), bounds, strict=True)}


def _share(incident: Codes, values: Numbers, rows: Mask) -> Rate:
    _, code = np.unique(incident[rows], return_inverse=True)
    part, whole = np.bincount(code, weights=values[rows]), np.bincount(code)
    return interval(Proportion(np.asarray(part, dtype=np.float64), whole.astype(np.float64)))
