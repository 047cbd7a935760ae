"""Agreement of answers and labels, from tables of how often each answer meets each label, and from sums of numbers.

A table has a row for each label and a column for each answer, in its last two dimensions; of many tables at once a
measure gives as many numbers, NaN where it is undefined.
"""

from collections.abc import Callable
from typing import NamedTuple

import numpy as np

from narrative_runs.findings.by_variable.resamples import Numbers, ratio

Agreement = Callable[[Numbers], Numbers]


def kappa(tables: Numbers) -> Numbers:
    """Cohen's kappa, in which all disagreements count alike. At most 1, 0 at chance.

    Cohen, A coefficient of agreement for nominal scales, Educational and Psychological Measurement 20, 1960. Undefined
    where all labels and all answers are the same one value.
    """
    return _weighted_kappa(tables, 1.0 - np.eye(tables.shape[-1]))


def weighted_kappa(tables: Numbers, ranks: Numbers) -> Numbers:
    """Cohen's kappa with quadratic weights: a disagreement counts by the square of how many ranks it spans.

    1 - sum(w o) / sum(w e), with o the observed and e the expected shares: Cohen, Weighted kappa, Psychological
    Bulletin 70, 1968. In: the ranks of the values, in all that the variable can have. Undefined as kappa is.
    """
    return _weighted_kappa(tables, (ranks[:, None] - ranks[None, :]) ** 2)


def alpha_nominal(tables: Numbers) -> Numbers:
    """Krippendorff's alpha for values without an order, of two coders who both coded all units.

    1 - D_o / D_e, with all disagreements alike: Krippendorff, Computing Krippendorff's Alpha-Reliability, 2011.
    Undefined where there is but one value.
    """
    return _alpha(tables, 1.0 - np.eye(tables.shape[-1]))


def alpha_ordinal(tables: Numbers) -> Numbers:
    """The same for values from the lowest to the highest, in their order.

    The difference of two values is how many codings lie between them, with half of those that have either of the two
    values: the difference of their mean ranks.
    """
    codings = (tables + np.swapaxes(tables, -1, -2)).sum(axis=-1)
    ranks = np.cumsum(codings, axis=-1) - codings / 2
    return _alpha(tables, (ranks[..., :, None] - ranks[..., None, :]) ** 2)


class Sums(NamedTuple):
    """Sums over pairs of a label and an answer, both less some constant: their number, label plus answer, its square,
    answer minus label, its square, and its size."""

    n: Numbers
    both: Numbers
    both2: Numbers
    apart: Numbers
    apart2: Numbers
    size: Numbers


def mean_absolute_error(sums: Sums) -> Numbers:
    """The mean distance of an answer from its label. 0 or more."""
    return ratio(sums.size, sums.n)


def icc(sums: Sums) -> Numbers:
    """ICC(A,1), the intraclass correlation for absolute agreement of single measurements. At most 1.

    (MSR - MSE) / (MSR + (k - 1) MSE + k (MSC - MSE) / n), with the mean squares of rows, columns and error and k = 2:
    McGraw and Wong, Forming inferences about some intraclass correlation coefficients, Psychological Methods 1, 1996,
    table 4. For two columns MSR is half the variance of the sums of the pairs, MSE that of the differences, and MSC is
    n / 2 times the square of the mean difference. Undefined for fewer than two pairs, and where all numbers are one.
    """
    n = np.asarray(sums.n, dtype=np.float64)
    rows, error = (
        ratio(_spread(total, squares, n), n - 1) / 2
        for total, squares in ((sums.both, sums.both2), (sums.apart, sums.apart2))
    )
    columns = ratio(sums.apart**2, 2 * n)
    return ratio(rows - error, rows + error + 2 * ratio(columns - error, n))


def _spread(total: Numbers, squares: Numbers, n: Numbers) -> Numbers:
    """The sum of squares around the mean; what is but rounding is 0."""
    spread = squares - ratio(total**2, n)
    return np.where(spread > 1e-12 * squares, spread, 0.0)


def _weighted_kappa(tables: Numbers, weights: Numbers) -> Numbers:
    observed = tables.sum(axis=(-2, -1)) * (tables * weights).sum(axis=(-2, -1))
    expected = ((tables.sum(axis=-1) @ weights) * tables.sum(axis=-2)).sum(axis=-1)
    return 1.0 - ratio(observed, expected)


def _alpha(tables: Numbers, distances: Numbers) -> Numbers:
    coincidences = tables + np.swapaxes(tables, -1, -2)
    codings = coincidences.sum(axis=-1)
    observed = (codings.sum(axis=-1) - 1) * (coincidences * distances).sum(axis=(-2, -1))
    expected = (codings[..., :, None] * codings[..., None, :] * distances).sum(axis=(-2, -1))
    return 1.0 - ratio(observed, expected)
