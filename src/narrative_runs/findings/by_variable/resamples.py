"""The bootstrap over incidents of measures that are made from sums over rows (Efron and Tibshirani, An Introduction to
the Bootstrap, 1993, chapter 13: percentile intervals).

Incidents whose sums are equal are drawn together, as in `findings.intervals`; where nearly each has sums of its own, as
with numbers, incidents are drawn one by one, which is faster then.
"""

from collections.abc import Callable, Iterator, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.sparse import csr_array

from narrative_runs.findings.by_variable.coding import Codes
from narrative_runs.findings.confusion import Proportion
from narrative_runs.findings.intervals import LEVEL, RESAMPLES, Rate, interval

Numbers = NDArray[np.float64]

# What a draw of one kind takes, in draws of one incident.
_KIND_IN_INCIDENTS = 8
_NUMBERS_AT_ONCE = 2_000_000


def resampled_cells(incident: Codes, cell: Codes, n_cells: int, seed: int) -> Numbers:
    """Draw the incidents with replacement, RESAMPLES times, and count how often each cell occurs.

    In: of each row its incident and the cell of a table that it counts in, from 0. Out: (RESAMPLES, n_cells); the order
    of the rows, and the names of the incidents, do not matter.
    """
    if not len(cell):
        return np.zeros((RESAMPLES, n_cells))
    by_incident = np.lexsort((cell, incident))
    incident, cell = incident[by_incident], cell[by_incident]
    first = np.flatnonzero(np.r_[True, incident[1:] != incident[:-1]])
    sizes = np.diff(np.r_[first, len(incident)])
    row, column = np.repeat(np.arange(len(first)), sizes), np.arange(len(incident)) - np.repeat(first, sizes)
    cells = np.full((len(first), int(sizes.max())), -1, dtype=np.int64)
    cells[row, column] = cell
    example, n_alike = _kinds(list(cells.T))
    kind, at = np.nonzero(cells[example] >= 0)
    counts = csr_array((np.ones(len(kind)), (cells[example][kind, at], kind)), shape=(n_cells, len(example)))
    return np.concatenate([(counts @ draws.T).T for draws in _draws(n_alike, seed)])


def resampled_sums(incident: Codes, columns: Sequence[NDArray[Any]], seed: int) -> Numbers:
    """The same for sums of numbers: (RESAMPLES, columns)."""
    if not len(incident):
        return np.zeros((RESAMPLES, len(columns)))
    sums = sums_of_incidents(incident, columns)
    example, n_alike = _kinds(list(sums.T))
    return np.concatenate([draws @ sums[example] for draws in _draws(n_alike, seed)])


def sums_of_incidents(incident: Codes, columns: Sequence[NDArray[Any]]) -> Numbers:
    """The sums of each incident that has a row: (incidents, columns)."""
    _, number = np.unique(incident, return_inverse=True)
    return np.column_stack([np.bincount(number, weights=column) for column in columns])


def proportion(incident: Codes, in_part: NDArray[Any], in_whole: NDArray[Any] | None = None) -> Rate:
    """The share of the part, with the interval of a proportion; in_whole: whether each row counts, or how often."""
    whole = np.ones(len(incident)) if in_whole is None else in_whole
    return interval(Proportion(*sums_of_incidents(incident, [in_part, whole]).T))


def mean(incident: Codes, scores: Numbers, seed: int) -> Rate:
    """The mean of scores from 0 to 1, with its bootstrap interval; None without a score.

    Where all scores are alike, the interval is that of a proportion, which is wider than needed.
    """
    if not len(scores):
        return None
    sums = resampled_sums(incident, [scores, np.ones(len(scores))], seed)
    whole = proportion(incident, scores)
    assert whole is not None
    return rate(whole["value"], sums[:, 0] / sums[:, 1], lambda: (whole["low"], whole["high"]))


def rate(value: float, resampled: Numbers, outer: Callable[[], tuple[float, float]]) -> Rate:
    """The value with the percentile interval of its resamples; None where it is undefined.

    Resamples in which it is undefined are left out. Where the others say nothing about the spread, the interval spans
    what `outer` gives. It always holds the value.
    """
    if np.isnan(value):
        return None
    resampled = resampled[~np.isnan(resampled)]
    low, high = np.quantile(resampled, [(1 - LEVEL) / 2, (1 + LEVEL) / 2]) if len(resampled) else (value, value)
    # Sums of fractions may differ by a last digit where they are the same.
    if not high - low > 1e-9 * max(1.0, abs(value)):
        low, high = outer()
    return {"value": float(value), "low": float(np.fmin(low, value)), "high": float(np.fmax(high, value))}


def ratio(part: NDArray[Any], whole: NDArray[Any]) -> Numbers:
    """part / whole, and NaN where whole is 0."""
    part, whole = np.asarray(part, dtype=np.float64), np.asarray(whole, dtype=np.float64)
    shares = np.full(np.broadcast_shapes(part.shape, whole.shape), np.nan)
    np.divide(part, whole, out=shares, where=whole != 0)
    return shares


def _kinds(columns: list[NDArray[Any]]) -> tuple[Codes, Codes]:
    """Of rows that are alike in all columns, the index of one, and how many there are."""
    kind = np.zeros(len(columns[0]), dtype=np.int64)
    for column in columns:
        _, code = np.unique(column, return_inverse=True)
        _, kind = np.unique(kind * (int(code.max()) + 1) + code, return_inverse=True)
    _, example, n_alike = np.unique(kind, return_index=True, return_counts=True)
    return example, n_alike


def _draws(n_alike: Codes, seed: int) -> Iterator[Numbers]:
    """How often each kind is drawn, RESAMPLES times, some at once: (some, kinds)."""
    # A seed below 0 is a valid one elsewhere, but not for numpy.
    random = np.random.default_rng(seed % 2**64)
    n, n_kinds = int(n_alike.sum()), len(n_alike)
    is_by_kind = n_kinds * _KIND_IN_INCIDENTS <= n
    kind = np.repeat(np.arange(n_kinds), n_alike)
    at_once = max(1, _NUMBERS_AT_ONCE // (n_kinds if is_by_kind else n))
    for first in range(0, RESAMPLES, at_once):
        some = min(at_once, RESAMPLES - first)
        if is_by_kind:
            yield random.multinomial(n, n_alike / n, size=some).astype(np.float64)
        else:
            drawn = random.integers(0, n, size=(some, n), dtype=np.int32)
            yield np.array([np.bincount(kind.take(each), minlength=n_kinds) for each in drawn], dtype=np.float64)
