"""The prevalences of one variable, or the means of its numbers: of all, of groups, and the differences of groups."""

from collections.abc import Callable, Mapping
from typing import Any

import numpy as np

from narrative_runs.codebook.variables import Number, Variable
from narrative_runs.estimates.difference import Comparison, difference, ratio
from narrative_runs.estimates.estimate import Estimate, estimate
from narrative_runs.estimates.population import Population
from narrative_runs.estimating.sampling import Sampling
from narrative_runs.estimating.units import Units, numbers, population, values_of
from narrative_runs.findings.estimates_file import DIFFERENCE, KINDS, MEAN, PREVALENCE, RATIO
from narrative_runs.findings.intervals import Rate

CENSUS = "none needed: every one has a label"

Compared = Callable[[Estimate, Estimate], Comparison]


def quantity_of(variable: Variable) -> str:
    """The quantity to estimate for a variable: PREVALENCE or MEAN."""
    return MEAN if isinstance(variable, Number) else PREVALENCE


def level(variable: Variable, units: Units, sampling: Sampling, references: Mapping[str, str]) -> dict[str, Any]:
    """The part of estimates.json about a variable in incidents, or in narratives.

    In: references: by column of groups the one with which the others are compared.
    """
    whole, _ = _measured(variable, units, sampling)
    by: dict[str, dict[str, Any]] = {}
    for column, reference in references.items():
        groups = {
            name: _measured(variable, units.at(units.group[column] == name), sampling)
            for name in sorted({name for name in units.group[column] if name is not None})
        }
        if reference in groups:
            for name, (content, of_group) in groups.items():
                other = None if name == reference else groups[reference][1]
                content |= _compared(DIFFERENCE, difference, of_group, other)
                content |= _compared(RATIO, ratio, of_group, other)
        by[column] = {name: content for name, (content, _) in groups.items()}
    return {**whole, **({"by": by} if by else {})}


def largest_groups(units: Units) -> dict[str, str]:
    """By column the group with most of the units; of several as large the first by name."""
    largest = {}
    for column, groups in units.group.items():
        names, sizes = np.unique([str(name) for name in groups if name is not None], return_counts=True)
        if len(names):
            largest[column] = str(names[sizes.argmax()])
    return largest


def _measured(variable: Variable, units: Units, sampling: Sampling) -> tuple[dict[str, Any], dict[str, Estimate]]:
    """The content of one part of the units, and the estimates by value ("" where there is one finding alone)."""
    design = sampling.design
    if isinstance(variable, Number):
        estimates = {"": _mean(units, design)}
    else:
        values = values_of(variable)
        estimates = {value or "": estimate(population(units, value), design) for value in values or (None,)}
    if sampling.is_census and not sampling.is_assumed and units.is_known.all():
        estimates = {value: each._replace(estimator=CENSUS) for value, each in estimates.items()}
    first = next(iter(estimates.values()))
    is_alone = list(estimates) == [""]
    rates = {value: _rates(each) for value, each in estimates.items()}
    estimators = {value: each.estimator for value, each in estimates.items()}
    n_errors, n_unasked = int(units.is_error.sum()), int(units.is_unasked.sum())
    return {
        quantity_of(variable): rates[""] if is_alone else rates,
        "n": len(units.incident),
        "n_answered": first.n_answered,
        "n_errors": n_errors,
        "n_unasked": n_unasked,
        "n_without_a_value": len(units.incident) - first.n_answered - n_errors - n_unasked,
        "n_reviewed": int(units.is_known.sum()),
        "design": design,
        "estimator": estimators[""] if is_alone else estimators,
    }, estimates


def _mean(units: Units, design: str) -> Estimate:
    """The mean of a number, over the units whose text gives one.

    Where some texts give none, as people say, the mean is a ratio of two means over all units: of the numbers, where
    there is one, and of whether there is one. Its interval is that of the mean of (number − ratio), over the second
    (Taylor's linearization: Cochran, Sampling Techniques, 1977, chapter 6).
    """
    given = numbers(units)
    is_silent = units.is_known & ~given.is_reviewed
    plain = estimate(given, design)
    if not is_silent.any():
        return plain
    has_number = Population(
        given.incident,
        np.where(units.is_error | units.is_unasked, np.nan, given.is_answered.astype(float)),
        np.where(units.is_known, given.is_reviewed.astype(float), np.nan),
        given.stratum,
    )
    shares = estimate(has_number, design)
    return plain._replace(
        labelled=_ratio(given, has_number, design, shares, "labelled"),
        corrected=_ratio(given, has_number, design, shares, "corrected"),
    )


def _ratio(given: Population, has_number: Population, design: str, shares: Estimate, kind: str) -> Rate:
    """The mean of the numbers where there is one, by reviews alone (`labelled`) or with the predictions
    (`corrected`)."""
    share: Rate = getattr(shares, kind)
    if share is None or not share["value"] or not given.is_reviewed.any():
        return None
    value = float(given.truth[given.is_reviewed].mean())
    bound: Rate = None
    # The mean is linear in the ratio but for λ, which hardly depends on it.
    for _ in range(20):
        around = Population(
            given.incident,
            np.where(given.is_answered, given.predicted - value, np.where(has_number.predicted == 0, 0.0, np.nan)),
            np.where(given.is_reviewed, given.truth - value, np.where(has_number.truth == 0, 0.0, np.nan)),
            given.stratum,
            is_number=True,
        )
        bound = getattr(estimate(around, design), kind)
        if bound is None:
            return None
        step = bound["value"] / share["value"]
        value += step
        if abs(step) <= 1e-12 * max(1.0, abs(value)):
            break
    assert bound is not None
    below, above = ((bound[end] - bound["value"]) / share["value"] for end in ("low", "high"))
    return {"value": value, "low": value + below, "high": value + above}


def _rates(each: Estimate) -> dict[str, Rate]:
    return {kind: getattr(each, kind) for kind in KINDS}


def _compared(name: str, compare: Compared, of_group: Mapping[str, Estimate], other: Any) -> dict[str, Any]:
    """A comparison of a group with another one, by value where there are several; None of the other one itself."""
    if other is None:
        return {name: None}
    rates = {value: compare(each, other[value])._asdict() for value, each in of_group.items()}
    return {name: rates[""] if list(rates) == [""] else rates}
