"""How many incidents to review, and of which strata, for an interval of the corrected prevalence of a wanted width.

The strata are the cells of `stratified`: what the model says, in each stratum of the design. Reviews are shared out so
that they narrow the interval most (Neyman, Journal of the Royal Statistical Society 97, 1934; Cochran, Sampling
Techniques, 1977, chapter 5): in proportion to the cell's size times the standard deviation of its truths, which the
reviews so far give, and where there is none, half of the truths. The width is that which the interval would have if the
new reviews were as the old.
"""

from collections.abc import Callable
from typing import NamedTuple

import numpy as np

from narrative_runs.estimates.estimators import STRATIFIED_DESIGN
from narrative_runs.estimates.population import Numbers, Population
from narrative_runs.estimates.prevalence import cells_by
from narrative_runs.estimates.stratified import Cells, cells_of, weighted_share

FEWEST = 5


class PlannedStratum(NamedTuple):
    """What the model says (1 or 0, None for errors) in a stratum. size: its incidents; n_reviewed: those reviewed so
    far; share: of true ones, 0 to 1, smoothed: half a
    review more of either; n_planned: how many to have reviewed in all."""

    stratum: str
    predicted: int | None
    size: int
    n_reviewed: int
    share: float
    n_planned: int


class Plan(NamedTuple):
    """What to review. n_planned: incidents in all, with those reviewed so far; width: of the interval that is then to
    be expected; is_wide: whether it is wider than wanted even where all is reviewed; n_at_random and n_labels_alone:
    how many it takes where incidents are drawn at random, with the model's answers and without, None where all are not
    enough."""

    strata: tuple[PlannedStratum, ...]
    n_planned: int
    width: float
    is_wide: bool
    n_at_random: int | None
    n_labels_alone: int | None


def plan(pilot: Population, width: float) -> Plan:
    """The fewest reviews that give an interval as narrow as wanted.

    In: the incidents, each a unit, and what is reviewed of them so far; width: from the lower to the upper bound, in
    points of 0 to 1.

    Raises:
        ValueError: the width is not between 0 and 1, the population holds numbers, or two units are of one incident.
    """
    if not 0 < width < 1:
        raise ValueError(f"A width lies between 0 and 1, not at {width}.")
    if pilot.is_number or not pilot.has_single_units:
        raise ValueError("Reviews are planned by incident, and for prevalences.")
    cell = cells_by(pilot, STRATIFIED_DESIGN)
    known = cells_of(cell, pilot.incident, pilot.truth)
    # A half more of either: a share of 0 or 1 would ask for no review at all.
    share = (known.part + 0.5) / (known.whole + 1)
    spread = known.size * np.sqrt(share * (1 - share))
    least = np.minimum(known.size, np.maximum(known.whole, FEWEST))

    def by_strata(steps: int) -> Numbers:
        return np.asarray(np.clip(np.ceil(steps * spread / spread.max()), least, known.size))

    all_units = int(known.size.sum())
    # The stratum with the largest product gets a review each step: all are reviewed after as many as the slowest takes.
    n_steps = int(np.ceil((known.size * spread.max() / spread).max()))
    steps = _fewest(lambda count: _width(known.size, by_strata(count), share), width, n_steps)
    planned = by_strata(n_steps if steps is None else steps)
    weight = known.size / all_units
    truth = np.array([weight @ share])
    _, first = np.unique(cell, return_index=True)
    return Plan(
        strata=tuple(
            PlannedStratum(
                stratum=str(pilot.stratum[row]),
                predicted=int(pilot.predicted[row]) if pilot.is_answered[row] else None,
                size=int(known.size[number]),
                n_reviewed=int(known.whole[number]),
                share=float(share[number]),
                n_planned=int(planned[number]),
            )
            for number, row in enumerate(first)
        ),
        n_planned=int(planned.sum()),
        width=_width(known.size, planned, share),
        is_wide=steps is None,
        n_at_random=_fewest(lambda count: _width(known.size, count * weight, share), width, all_units),
        n_labels_alone=_fewest(
            lambda count: _width(np.array([float(all_units)]), np.array([float(count)]), truth), width, all_units
        ),
    )


def _width(size: Numbers, whole: Numbers, share: Numbers) -> float:
    """The width with so many reviews in each cell, whose shares are as given."""
    part = whole * share
    expected = weighted_share(
        Cells(size, whole, part, np.diag(part), np.diag(part), np.diag(whole), np.asarray(whole.sum()))
    )
    return float(expected.high - expected.low)


def _fewest(width_of: Callable[[int], float], width: float, most: int) -> int | None:
    """The least of 1 to `most` whose width is at most that; None where that of `most` is wider."""
    if width_of(most) > width:
        return None
    low, high = 1, most
    while low < high:
        middle = (low + high) // 2
        low, high = (low, middle) if width_of(middle) <= width else (middle + 1, high)
    return low
