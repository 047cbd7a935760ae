"""The mean of a number in the population: as the model says, as the reviews alone say, and corrected.

Intervals have the quantile of Student's t, and variances are those between incidents; of reviews at random they are the
jackknife's, unless there are many. In strata the variances of the
means are added up, each times its weight in square, and the degrees of freedom are those of Satterthwaite (Biometrics
Bulletin 2, 1946; Cochran, Sampling Techniques, 1977, chapter 5); in each the predictions correct as in PPI++, with one
λ for all (Fisch, Maynez, Hofer, Dhingra, Globerson and Cohen, Stratified Prediction-Powered Inference, arXiv
2406.04291, 2024).
"""

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
from scipy.special import ndtri, stdtrit

from narrative_runs.estimates.estimators import NOTHING, POWERED, POWERED_T, RANDOM, STRATIFIED_T, TOO_FEW
from narrative_runs.estimates.population import Mask, Numbers, Population
from narrative_runs.estimates.prediction_powered import (
    PREDICTED,
    TRUTH,
    Sums,
    added_up,
    jackknife_error,
    powered_mean,
    predicted_variance,
    rectifier_variance,
    sums_of,
    totals_by_incident,
)
from narrative_runs.estimates.prevalence import Corrected, filled
from narrative_runs.findings.intervals import LEVEL, Rate

# With fewer incidents PPI++'s own interval holds the mean of numbers that are skewed too rarely.
LARGE = 1_000


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
    return Corrected(mean_at_random(stratum), POWERED if n_incidents >= LARGE else POWERED_T)


def mean_at_random(drawn: Stratum) -> Rate:
    """The mean truth from reviews at random, of two incidents or more; something is left unreviewed."""
    moments = powered_mean(drawn.reviewed, drawn.unreviewed)
    if drawn.n_incidents >= LARGE:
        return _rate(float(moments.value), float(ndtri((1 + LEVEL) / 2) * moments.standard_error))
    error = jackknife_error(drawn.of_incidents, drawn.unreviewed)
    return _rate(float(moments.value), float(stdtrit(drawn.n_incidents - 1, (1 + LEVEL) / 2) * error))


def stratified_mean(strata: Sequence[Stratum], is_powered: bool) -> Rate:
    """The mean truth of all strata; None where one has fewer than two incidents with a review, and units without.

    is_powered: by the predictions too; else by the truths alone.
    """
    is_complete = [not float(stratum.unreviewed.n) for stratum in strata]
    if any(stratum.n_incidents < (1 if complete else 2) for stratum, complete in zip(strata, is_complete, strict=True)):
        return None
    weights = np.array([stratum.size for stratum in strata]) / sum(stratum.size for stratum in strata)
    # A stratum whose every unit is reviewed needs no prediction.
    tuned = _tuning(strata, weights, is_complete) if is_powered else 0.0
    means, variances = np.zeros(len(strata)), np.zeros(len(strata))
    for number, (stratum, complete) in enumerate(zip(strata, is_complete, strict=True)):
        weight = np.asarray(0.0 if complete else tuned)
        mean = stratum.reviewed.means
        n = stratum.n_incidents
        means[number] = mean[TRUTH] - weight * (mean[PREDICTED] - stratum.unreviewed.means[PREDICTED])
        variances[number] = rectifier_variance(stratum.reviewed, weight) * n / max(n - 1, 1)
        if weight:
            variances[number] += weight**2 * predicted_variance(stratum.unreviewed)
    value = float(weights @ means)
    parts = weights**2 * variances
    size = sum(stratum.size for stratum in strata)
    total = float(parts.sum() + weights @ (means - value) ** 2 / size)
    freedom = np.array([max(stratum.n_incidents - 1, 1) for stratum in strata])
    squares = float((parts**2 / freedom).sum())
    quantile = stdtrit(total**2 / squares, (1 + LEVEL) / 2) if squares else ndtri((1 + LEVEL) / 2)
    return _rate(value, float(quantile * np.sqrt(total)))


def _plain_mean(population: Population, values: Numbers, rows: Mask) -> Rate:
    incident = population.incident[rows]
    n_incidents = len(np.unique(incident))
    if n_incidents < 2:
        return None
    sums = sums_of(incident, values[rows], values[rows])
    # Over one less than the incidents, as the usual t interval has it.
    error = np.sqrt(predicted_variance(sums) * n_incidents / (n_incidents - 1))
    return _rate(float(sums.means[PREDICTED]), float(stdtrit(n_incidents - 1, (1 + LEVEL) / 2) * error))


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


def _rate(value: float, half: float) -> Rate:
    return {"value": value, "low": value - half, "high": value + half}
