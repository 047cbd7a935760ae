"""How far coders agree, with 95% intervals from a bootstrap over incidents.

Rows are narratives that several coders reviewed, as drawn: rare strata make up a larger part of them than of the
workbook.
"""

from collections.abc import Mapping, Sequence
from itertools import combinations
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from narrative_runs.codebook.texts import written
from narrative_runs.codebook.values import UNCLEAR
from narrative_runs.codebook.variables import Number, Ordinal, Quote, Text, Variable
from narrative_runs.findings.by_variable.agreement import alpha_nominal, alpha_ordinal, kappa, weighted_kappa
from narrative_runs.findings.by_variable.resamples import (
    Numbers,
    proportion,
    rate,
    ratio,
    resampled_cells,
    resampled_sums,
    sums_of_incidents,
)
from narrative_runs.findings.intervals import Rate

ByNarrative = Mapping[tuple[str, str], Mapping[str, Any]]


class PairAgreement(NamedTuple):
    """Two coders. n: narratives that both reviewed; same: the share of equal verdicts; kappa: Cohen's, of ordinal
    values with quadratic weights, None where it is undefined."""

    coders: tuple[str, str]
    n: int
    same: Rate
    kappa: Rate


class Agreement(NamedTuple):
    """All coders of a variable. n: narratives that two or more reviewed; alpha: Krippendorff's, None where it is
    undefined."""

    n: int
    alpha: Rate
    pairs: Sequence[PairAgreement]


def agreement(variable: Variable, values: ByNarrative, seed: int) -> Agreement | None:
    """The agreement of coders; None for texts and passages, on which no two agree to the letter.

    In: by incident and type the value of each coder; the seed of the bootstrap. `unclear` is a value like others where
    values have no order; else it is left out.
    """
    if isinstance(variable, Quote | Text):
        return None
    is_ordered = isinstance(variable, Number | Ordinal)
    known = {
        key: {coder: value for coder, value in of.items() if not (is_ordered and value == UNCLEAR)}
        for key, of in sorted(values.items())
    }
    known = {key: of for key, of in known.items() if len(of) > 1}
    coders = sorted({coder for of in known.values() for coder in of})
    incidents = {incident: code for code, incident in enumerate(sorted({incident for incident, _ in known}))}
    at = np.array([incidents[incident] for incident, _ in known], dtype=np.int64)
    pairs = [
        _pair(variable, pair, [(incidents[key[0]], *(of[coder] for coder in pair)) for key, of in both], seed)
        for pair in combinations(coders, 2)
        if (both := [(key, of) for key, of in known.items() if of.keys() >= {*pair}])
    ]
    return Agreement(len(known), _alpha(variable, [list(of.values()) for of in known.values()], at, seed), pairs)


def _pair(variable: Variable, pair: tuple[str, str], rows: Sequence[tuple[Any, ...]], seed: int) -> PairAgreement:
    at = np.array([row[0] for row in rows], dtype=np.int64)
    is_same = np.array([row[1] == row[2] for row in rows])
    same = proportion(at, is_same)
    if isinstance(variable, Number):
        return PairAgreement(pair, len(rows), same, None)
    names = _names(variable, [value for row in rows for value in row[1:]])
    index = {name: number for number, name in enumerate(names)}
    first, second = (np.array([index[_word(row[side])] for row in rows], dtype=np.int64) for side in (1, 2))
    cells = first * len(names) + second

    def measure(tables: Numbers) -> Numbers:
        if isinstance(variable, Ordinal):
            return weighted_kappa(tables, np.arange(len(names), dtype=np.float64))
        return kappa(tables)

    shape = (-1, len(names), len(names))
    whole = np.bincount(cells, minlength=len(names) ** 2).astype(np.float64).reshape(shape)
    resampled = measure(resampled_cells(at, cells, len(names) ** 2, seed).reshape(shape))
    return PairAgreement(pair, len(rows), same, rate(float(measure(whole)[0]), resampled, lambda: (-1.0, 1.0)))


def _alpha(variable: Variable, values: Sequence[Sequence[Any]], at: NDArray[np.int64], seed: int) -> Rate:
    """Krippendorff's alpha of any number of coders, of whom not all reviewed all: Krippendorff, Computing
    Krippendorff's Alpha-Reliability, 2011. For numbers the difference is squared, for ordinal values that of their mean
    ranks."""
    if not len(values):
        return None
    if isinstance(variable, Number):
        columns, measure = _sums_of_numbers(values), _alpha_of_numbers
    else:
        names = _names(variable, [value for each in values for value in each])
        columns = _coincidences(values, {name: number for number, name in enumerate(names)})
        of_tables = alpha_ordinal if isinstance(variable, Ordinal) else alpha_nominal

        def measure(sums: Numbers) -> Numbers:
            # What counts both orders of a pair is half of what the measure makes of it.
            return of_tables(sums.reshape(-1, len(names), len(names)) / 2)

    listed = list(columns.T)
    whole = measure(sums_of_incidents(at, listed).sum(axis=0)[None, :])
    return rate(float(whole[0]), measure(resampled_sums(at, listed, seed)), lambda: (-1.0, 1.0))


def _coincidences(values: Sequence[Sequence[Any]], index: Mapping[str, int]) -> Numbers:
    """For each narrative how often each value meets each other one, in both orders: a table of values by values, as a
    row; a coding counts once, however many other codings the narrative has."""
    size = len(index)
    tables = np.zeros((len(values), size, size))
    for table, each in zip(tables, values, strict=True):
        counts = np.bincount([index[_word(value)] for value in each], minlength=size).astype(np.float64)
        table[:] = (np.outer(counts, counts) - np.diag(counts)) / (len(each) - 1)
    return tables.reshape(len(values), size * size)


def _sums_of_numbers(values: Sequence[Sequence[float]]) -> Numbers:
    """For each narrative: the codings, their sum, the sum of their squares, and the squared differences of all ordered
    pairs, by the number of others."""
    rows = []
    for each in values:
        numbers = np.asarray(each, dtype=np.float64)
        apart = ((numbers[:, None] - numbers[None, :]) ** 2).sum() / (len(numbers) - 1)
        rows.append((len(numbers), numbers.sum(), (numbers**2).sum(), apart))
    return np.array(rows)


def _alpha_of_numbers(sums: Numbers) -> Numbers:
    n, total, squares, apart = np.moveaxis(sums, -1, 0)
    # All ordered pairs of codings, each with itself too, which adds nothing.
    expected = 2 * (n * squares - total**2)
    expected = np.where(expected > 1e-9 * n * squares, expected, 0.0)
    return 1.0 - ratio((n - 1) * apart, expected)


def _names(variable: Variable, values: Sequence[Any]) -> list[str]:
    """The values as texts: all values of an ordinal variable, from the lowest to the highest, else those that occur."""
    return list(variable.value_names) if isinstance(variable, Ordinal) else sorted({_word(value) for value in values})


def _word(value: Any) -> str:
    return written(value) or ""
