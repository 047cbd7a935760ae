"""The mean of a number in the population: as the model says, as the reviews alone say, and corrected.

Intervals have the quantile of Student's t, and variances are those between incidents. Of reviews at random they are the
jackknife's. In strata the variances of the means are added up, each times its weight in square, and the degrees of
freedom are those of Satterthwaite (Biometrics Bulletin 2, 1946; Cochran, Sampling Techniques, 1977, chapter 5); in each
the predictions correct as in PPI++, with one λ for all (Fisch, Maynez, Hofer, Dhingra, Globerson and Cohen, Stratified
Prediction-Powered Inference, arXiv 2406.04291, 2024).

A few numbers that the model misses by much may make all of the error, and none of them be among the reviews. So one
more review counts in the variance, in the stratum in which it matters most, of an incident for which the model says the
least and the truth is the most of all reviews (for the lower bound the reverse); unless the reviews with it are more
than 25 times the square of their skewness: then the normal distribution holds well enough (Cochran, 1977, section
2.15), and of reviews at random the interval is PPI++'s own.
"""

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
from scipy.special import ndtri, stdtrit

from narrative_runs.estimates.estimators import NOTHING, POWERED, POWERED_T, RANDOM, STRATIFIED_T, TOO_FEW
from narrative_runs.estimates.population import Mask, Numbers, Population
from narrative_runs.estimates.prediction_powered import (
    PREDICTED,
    ROWS,
    TRUTH,
    Sums,
    added_up,
    jackknife_error,
    powered_mean,
    predicted_variance,
    rectifier_variance,
    sums_of,
    totals_by_incident,
    tuning,
)
from narrative_runs.estimates.prevalence import Corrected, filled
from narrative_runs.findings.intervals import LEVEL, Rate

# Cochran's rule: so many times the square of the skewness.
ENOUGH = 25
# With fewer incidents it is not enough that the reviews show no skewness.
LARGE = 100


class Stratum(NamedTuple):
    """One stratum: units of the population; of each incident with a review the totals, as `totals_by_incident` gives
    them; and the sums of unreviewed units."""

    size: int
    of_incidents: Numbers
    unreviewed: Sums

    @property
    def n_incidents(self) -> int:
        """The number of incidents with a review."""
        return len(self.of_incidents)

    @property
    def reviewed(self) -> Sums:
        """The sums of reviewed units."""
        return added_up(self.of_incidents)


def naive_mean(population: Population) -> Rate:
    """The mean of what the model says, of what it answered; None where it answered for fewer than two incidents."""
    rows = population.is_answered
    return _plain_mean(population, population.predicted, rows)


def labelled_mean(population: Population, design: str) -> Rate:
    """The mean truth by the reviews alone, weighted by the design; None where a stratum has too few reviews."""
    if design == RANDOM:
        return _plain_mean(population, population.truth, population.is_reviewed)
    return stratified_mean(_strata(population), is_powered=False)


def corrected_mean(population: Population, design: str) -> Corrected:
    """The mean truth by reviews and predictions, from one of `estimators.ESTIMATORS`."""
    is_reviewed = population.is_reviewed
    if not is_reviewed.any():
        return Corrected(None, NOTHING)
    if design != RANDOM:
        rate = stratified_mean(_strata(population), is_powered=True)
        return Corrected(rate, TOO_FEW if rate is None else STRATIFIED_T)
    n_incidents = len(np.unique(population.incident[is_reviewed]))
    if n_incidents < 2:
        return Corrected(None, TOO_FEW)
    stratum = _stratum(population, filled(population), np.ones_like(is_reviewed))
    if is_reviewed.all():
        return Corrected(_plain_mean(population, population.truth, is_reviewed), POWERED_T)
    return mean_at_random(stratum)


def mean_at_random(drawn: Stratum) -> Corrected:
    """The mean truth from reviews at random, of two incidents or more; something is left unreviewed.

    None where all reviews are alike: they do not show how wrong the mean may be.
    """
    value, error = (float(moment) for moment in powered_mean(drawn.reviewed, drawn.unreviewed))
    tuned = float(tuning(drawn.reviewed, drawn.unreviewed))
    below, above = _one_more(drawn, tuned, *_extremes([drawn]))
    if not error + below + above:
        return Corrected(None, TOO_FEW)
    if drawn.n_incidents >= LARGE and not below + above:
        half = ndtri((1 + LEVEL) / 2) * error
        return Corrected({"value": value, "low": value - half, "high": value + half}, POWERED)
    variance = float(jackknife_error(drawn.of_incidents, drawn.unreviewed)) ** 2
    return Corrected(_rate(value, variance + below, variance + above, drawn.n_incidents - 1), POWERED_T)


def stratified_mean(strata: Sequence[Stratum], is_powered: bool) -> Rate:
    """The mean truth of all strata; None where one has fewer than two incidents with a review, and units without, and
    where all reviews are alike.

    is_powered: by the predictions too; else by the truths alone, with Student's t as usual.
    """
    is_complete = [not float(stratum.unreviewed.n) for stratum in strata]
    if any(stratum.n_incidents < (1 if complete else 2) for stratum, complete in zip(strata, is_complete, strict=True)):
        return None
    size = sum(stratum.size for stratum in strata)
    weights = np.array([stratum.size for stratum in strata]) / size
    tuned = _tuning(strata, weights, is_complete) if is_powered else 0.0
    extremes = _extremes(strata)
    means, variances, one_more = np.zeros(len(strata)), np.zeros(len(strata)), np.zeros((len(strata), 2))
    for number, (stratum, complete) in enumerate(zip(strata, is_complete, strict=True)):
        # A stratum whose every unit is reviewed needs no prediction.
        weight = 0.0 if complete else tuned
        mean, n = stratum.reviewed.means, stratum.n_incidents
        means[number] = mean[TRUTH] - weight * (mean[PREDICTED] - stratum.unreviewed.means[PREDICTED])
        variances[number] = rectifier_variance(stratum.reviewed, np.asarray(weight)) * n / max(n - 1, 1)
        if weight:
            variances[number] += weight**2 * predicted_variance(stratum.unreviewed)
        if is_powered and not complete:
            one_more[number] = _one_more(stratum, weight, *extremes)
    value = float(weights @ means)
    parts = weights**2 * variances
    total = float(parts.sum() + weights @ (means - value) ** 2 / size)
    squares = float((parts**2 / np.array([max(stratum.n_incidents - 1, 1) for stratum in strata])).sum())
    below, above = map(float, (weights[:, None] ** 2 * one_more).max(axis=0))
    if not total + below + above and not all(is_complete):
        return None
    freedom = total**2 / squares if squares else sum(stratum.n_incidents for stratum in strata) - len(strata)
    return _rate(value, total + below, total + above, freedom)


def _extremes(strata: Sequence[Stratum]) -> tuple[float, float]:
    means = np.concatenate([stratum.of_incidents[:, TRUTH] / stratum.of_incidents[:, ROWS] for stratum in strata])
    return float(means.min()), float(means.max())


def _one_more(stratum: Stratum, tuned: float, least: float, most: float) -> tuple[float, float]:
    """What one more review adds to the variance of the mean, for the lower bound and for the upper; 0 where the reviews
    are enough by Cochran's rule.

    In: λ; the least and the most truth of all reviews.
    """
    truth, predicted, rows = stratum.of_incidents.T
    wrong = truth - tuned * predicted
    mean = wrong.sum() / rows.sum()
    wrong = wrong - mean * rows
    said = predicted / rows
    added = []
    for surprise in (least - tuned * said.max() - mean, most - tuned * said.min() - mean):
        cubes, squares = (wrong**3).sum() + surprise**3, (wrong**2).sum() + surprise**2
        n = len(wrong) + 1
        is_enough = squares > 0 and len(wrong) * squares**3 > ENOUGH * n * cubes**2
        added.append(0.0 if is_enough else float((surprise / rows.sum()) ** 2))
    return added[0], added[1]


def _plain_mean(population: Population, values: Numbers, rows: Mask) -> Rate:
    incident = population.incident[rows]
    n_incidents = len(np.unique(incident))
    if n_incidents < 2:
        return None
    sums = sums_of(incident, values[rows], values[rows])
    # Over one less than the incidents, as the usual t interval has it.
    variance = float(predicted_variance(sums)) * n_incidents / (n_incidents - 1)
    return _rate(float(sums.means[PREDICTED]), variance, variance, n_incidents - 1)


def _strata(population: Population) -> list[Stratum]:
    predicted = np.where(population.is_answered, population.predicted, 0.0)
    names = np.array([str(name) for name in population.stratum])
    return [
        _stratum(population, predicted, rows)
        for name in np.unique(names)
        for kind in (population.is_answered, ~population.is_answered)
        if (rows := (names == name) & kind).any()
    ]


def _stratum(population: Population, predicted: Numbers, rows: Mask) -> Stratum:
    reviewed, left = rows & population.is_reviewed, rows & ~population.is_reviewed
    return Stratum(
        size=int(rows.sum()),
        of_incidents=totals_by_incident(population.incident[reviewed], population.truth[reviewed], predicted[reviewed]),
        unreviewed=sums_of(population.incident[left], np.zeros(int(left.sum())), predicted[left]),
    )


def _tuning(strata: Sequence[Stratum], weights: Numbers, is_complete: Sequence[bool]) -> float:
    shared = spread = 0.0
    for stratum, weight, complete in zip(strata, weights, is_complete, strict=True):
        if complete:
            continue
        products = stratum.reviewed.about_the_mean()
        n2 = float(stratum.reviewed.n) ** 2
        shared += weight**2 * float(products[TRUTH, PREDICTED]) / n2
        spread += weight**2 * (
            float(products[PREDICTED, PREDICTED]) / n2 + float(predicted_variance(stratum.unreviewed))
        )
    return float(np.clip(shared / spread, 0.0, 1.0)) if spread > 0 else 0.0


def _rate(value: float, below: float, above: float, freedom: float) -> Rate:
    """In: the variances for the lower bound and for the upper; degrees of freedom."""
    quantile = float(stdtrit(max(freedom, 1.0), (1 + LEVEL) / 2))
    return {"value": value, "low": value - quantile * below**0.5, "high": value + quantile * above**0.5}
