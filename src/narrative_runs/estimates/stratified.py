"""The share of true units in a population whose parts, the cells, are reviewed to different extents.

A cell is what the model says (yes, no, nothing) in a stratum of the design. The estimate is the mean of the cells'
shares, weighted by their sizes in the population (Horvitz and Thompson, JASA 47, 1952; Cochran, Sampling Techniques,
1977, chapter 5). Each share has the Jeffreys interval (Brown, Cai and DasGupta, Statistical Science 16, 2001) of the
effective number of reviews: their number over the design effect of incidents, with the quantile of Student's t (Korn
and Graubard, Survey Methodology 24, 1998), and over the part of the cell that is left unreviewed. The distances from
the shares to their bounds, each times its weight, are added up in squares (MOVER: Zou and Donner, Statistics in
Medicine 27, 2008), with that of Wilson's interval of the population itself. A cell without a review may hold any share,
from 0 to 1.

`python -m benchmarks.coverage estimates` shows why this rule was chosen.
"""

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray
from scipy.special import betaincinv, ndtri, stdtrit

from narrative_runs.findings.intervals import LEVEL, wilson

Numbers = NDArray[np.float64]

_TAIL = (1 - LEVEL) / 2


class Cells(NamedTuple):
    """What is known of the cells.

    size: units of the population; whole: reviewed units; part: those of them that are true; all of shape (..., cells).
    part_part, part_whole, whole_whole: sums over incidents of the products of an incident's parts and wholes in two
    cells, of shape (..., cells, cells), the part's cell first; n_incidents: incidents with a review, of shape (...).
    """

    size: Numbers
    whole: Numbers
    part: Numbers
    part_part: Numbers
    part_whole: Numbers
    whole_whole: Numbers
    n_incidents: Numbers

    @property
    def weight(self) -> Numbers:
        """The part of the population in each cell."""
        return np.asarray(self.size / self.size.sum(axis=-1, keepdims=True))

    @property
    def share(self) -> Numbers:
        """The share of true units in each cell; where none is reviewed, that of all others together."""
        is_reviewed = self.whole > 0
        share = np.where(is_reviewed, self.part / np.maximum(self.whole, 1.0), 0.0)
        weight = np.where(is_reviewed, self.weight, 0.0)
        of_others = (weight * share).sum(axis=-1, keepdims=True) / weight.sum(axis=-1, keepdims=True)
        return np.where(is_reviewed, share, of_others)


class Bounds(NamedTuple):
    """A share with its bounds, 0 to 1; of shape (...)."""

    value: Numbers
    low: Numbers
    high: Numbers


def cells_of(cell: NDArray[np.int64], incident: NDArray[np.int64], truth: Numbers, n_cells: int | None = None) -> Cells:
    """The cells of a population; arrays of shape (units,), `cell` counted from 0, truths NaN where not reviewed."""
    n_cells = int(cell.max()) + 1 if n_cells is None else n_cells
    is_reviewed = ~np.isnan(truth)
    known, code = np.unique(incident[is_reviewed], return_inverse=True)
    whole, part = np.zeros((len(known), n_cells)), np.zeros((len(known), n_cells))
    np.add.at(whole, (code, cell[is_reviewed]), 1.0)
    np.add.at(part, (code, cell[is_reviewed]), truth[is_reviewed])
    return Cells(
        size=np.bincount(cell, minlength=n_cells).astype(np.float64),
        whole=whole.sum(axis=0),
        part=part.sum(axis=0),
        part_part=part.T @ part,
        part_whole=part.T @ whole,
        whole_whole=whole.T @ whole,
        n_incidents=np.asarray(float(len(known))),
    )


def weighted_share(cells: Cells) -> Bounds:
    """The share in the population, with its interval; at least one unit is reviewed."""
    weight, share = cells.weight, cells.share
    value = (weight * share).sum(axis=-1)
    low, high = share_bounds(cells)
    size = cells.size.sum(axis=-1)
    around = wilson(value, size / _largest_effect(cells), _students_t(size - 1))
    below = np.hypot(value - around[0], np.sqrt((weight**2 * (share - low) ** 2).sum(axis=-1)))
    above = np.hypot(around[1] - value, np.sqrt((weight**2 * (high - share) ** 2).sum(axis=-1)))
    return Bounds(value, np.clip(value - below, 0.0, 1.0), np.clip(value + above, 0.0, 1.0))


def share_bounds(cells: Cells) -> tuple[Numbers, Numbers]:
    """The lower and the upper bound of each cell's share; the share itself where the whole cell is reviewed."""
    share, is_reviewed = cells.share, cells.whole > 0
    unreviewed = 1 - cells.whole / np.maximum(cells.size, 1.0)
    freedom = cells.n_incidents - is_reviewed.sum(axis=-1)
    narrowing = (ndtri(1 - _TAIL) / _students_t(freedom)) ** 2
    is_complete = is_reviewed & (unreviewed <= 0)
    effective = cells.whole * narrowing[..., None] / design_effects(cells) / np.where(unreviewed > 0, unreviewed, 1.0)
    low, high = jeffreys(share, np.where(is_reviewed, effective, 1.0))
    low = np.where(is_complete, share, np.where(is_reviewed, low, 0.0))
    high = np.where(is_complete, share, np.where(is_reviewed, high, 1.0))
    return low, high


def jeffreys(share: Numbers, n: Numbers) -> tuple[Numbers, Numbers]:
    """The Jeffreys interval of a share of `n` units; it ends at 0 where none is in the part, and at 1 where all are."""
    part, rest = share * n, (1 - share) * n
    low = np.where(part > 0, betaincinv(part + 0.5, rest + 0.5, _TAIL), 0.0)
    high = np.where(rest > 0, betaincinv(part + 0.5, rest + 0.5, 1 - _TAIL), 1.0)
    return np.minimum(low, share), np.maximum(high, share)


def design_effects(cells: Cells) -> Numbers:
    """How many times the variance of each cell's share is that of independent units; at least 1.

    It is one number for all cells, since the narratives of an incident may lie in two: the variance of the weighted
    share, by linearization, over that of independent units. Where all of a cell is true, or nothing, that cell does not
    show it: there it is the largest that the sizes of the incidents allow.
    """
    share = cells.share
    factor = np.where(cells.whole > 0, cells.weight / np.maximum(cells.whole, 1.0), 0.0)
    independent = (factor**2 * cells.whole * share * (1 - share)).sum(axis=-1)
    cross = cells.part_whole * share[..., None, :]
    squares = (
        cells.part_part
        - cross
        - np.swapaxes(cross, -1, -2)
        + cells.whole_whole * share[..., :, None] * share[..., None, :]
    )
    between = (factor[..., :, None] * factor[..., None, :] * squares).sum(axis=(-2, -1))
    largest = _largest_effect(cells)
    shown = np.divide(between, independent, out=np.ones_like(independent), where=independent > 0)
    effect = np.maximum(shown, 1.0)
    return np.where((share > 0) & (share < 1), effect[..., None], largest[..., None])


def _largest_effect(cells: Cells) -> Numbers:
    return np.asarray(cells.whole_whole.sum(axis=(-2, -1)) / cells.whole.sum(axis=-1))


def _students_t(freedom: Numbers) -> Numbers:
    return np.asarray(stdtrit(np.maximum(freedom, 1.0), 1 - _TAIL))
