from fractions import Fraction
from itertools import product
from math import comb

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray
from statsmodels.stats.contingency_tables import mcnemar as statsmodels_mcnemar

from narrative_runs.findings.mcnemar import mcnemar

counts = st.integers(0, 2_000)


def gains(only_first: int, only_other: int) -> NDArray[np.int64]:
    """Incidents with one narrative each, of which so many only the one, or only the other, has right."""
    return np.repeat([1, -1, 0], [only_first, only_other, 3])


@given(counts, counts)
def test_mcnemar_agrees_with_statsmodels(only_first: int, only_other: int) -> None:
    """With one narrative an incident, the p value is that of the exact test of statsmodels, whatever the counts; and
    where that one rounds to 0, it is the share counted in whole numbers."""
    p_value = mcnemar(gains(only_first, only_other))
    expected = statsmodels_mcnemar([[0, only_first], [only_other, 0]], exact=True).pvalue
    if expected == 0:
        tosses = only_first + only_other
        tail = sum(comb(tosses, heads) for heads in range(min(only_first, only_other) + 1))
        assert p_value == pytest.approx(float(Fraction(2 * tail, 2**tosses)), rel=1e-6, abs=1e-307)
    else:
        assert p_value == pytest.approx(expected, rel=1e-6, abs=1e-307)


@given(st.lists(st.integers(-2, 2), max_size=10))
def test_incidents_are_the_coins_that_are_tossed(of_incidents: list[int]) -> None:
    """With several narratives an incident, the p value is the share of all signs of the incidents' gains that give a
    sum as far from 0."""
    sums = [
        abs(sum(sign * gain for sign, gain in zip(signs, of_incidents, strict=True)))
        for signs in product((-1, 1), repeat=len(of_incidents))
    ]
    expected = sum(each >= abs(sum(of_incidents)) for each in sums) / len(sums)
    assert mcnemar(np.array(of_incidents, dtype=np.int64)) == pytest.approx(expected)


@given(st.lists(st.integers(-3, 3), max_size=200))
def test_mcnemar_does_not_depend_on_who_is_first(of_incidents: list[int]) -> None:
    """Two experiments in the other order give the same p value, between 0 and 1."""
    found = np.array(of_incidents, dtype=np.int64)
    assert mcnemar(found) == pytest.approx(mcnemar(-found))
    assert 0 <= mcnemar(found) <= 1


def test_mcnemar_by_hand() -> None:
    """Of 10 discordant narratives, 1 or fewer on one side, or as few on the other: 2 (1 + 10) / 2**10."""
    assert mcnemar(gains(1, 9)) == pytest.approx(22 / 1024)


def test_without_a_discordant_narrative_nothing_speaks_for_a_difference() -> None:
    """Two experiments that are right about the same narratives have a p value of 1."""
    assert mcnemar(gains(0, 0)) == mcnemar(np.zeros(0, dtype=np.int64)) == 1
