"""One finding in one population: how common it is, or its mean, three ways."""

from typing import NamedTuple

import numpy as np

from narrative_runs.estimates.estimators import DESIGNS
from narrative_runs.estimates.means import corrected_mean, labelled_mean, naive_mean
from narrative_runs.estimates.population import Population
from narrative_runs.estimates.prevalence import corrected_prevalence, labelled_prevalence, naive_prevalence
from narrative_runs.findings.intervals import Rate


class Estimate(NamedTuple):
    """naive: what the model says; labelled: what the reviews alone say; corrected: both together; each with its 95%
    interval, or None. n_answered, n_reviewed, n_errors: units with an answer, with a truth, and without an answer.
    design: how reviews were drawn; estimator: which of `estimators.ESTIMATORS` gave `corrected`."""

    naive: Rate
    labelled: Rate
    corrected: Rate
    n_answered: int
    n_reviewed: int
    n_errors: int
    design: str
    estimator: str


def estimate(population: Population, design: str) -> Estimate:
    """The prevalence, 0 to 1, or where the population holds numbers their mean.

    In: a population, or the part of it that is a group; how its reviews were drawn, one of `estimators.DESIGNS`.

    Raises:
        ValueError: there is no such design.
    """
    if design not in DESIGNS:
        raise ValueError(f"{design!r} is no design: one of {', '.join(DESIGNS)}.")
    if population.is_number:
        naive, labelled = naive_mean(population), labelled_mean(population, design)
        corrected, estimator = corrected_mean(population, design)
    else:
        naive, labelled = naive_prevalence(population), labelled_prevalence(population, design)
        corrected, estimator = corrected_prevalence(population, design)
    n_answered = int(np.count_nonzero(population.is_answered))
    return Estimate(
        naive=naive,
        labelled=labelled,
        corrected=corrected,
        n_answered=n_answered,
        n_reviewed=int(np.count_nonzero(population.is_reviewed)),
        n_errors=len(population.predicted) - n_answered,
        design=design,
        estimator=estimator,
    )
