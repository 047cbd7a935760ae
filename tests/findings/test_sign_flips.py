from itertools import product
from random import Random

import numpy as np
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray
from scipy.stats import permutation_test

from narrative_runs.findings.mcnemar import mcnemar
from narrative_runs.findings.sign_flips import DRAWS, sign_flips

fractions = st.integers(-12, 12).map(lambda number: number / 12)


def of_all_signs(gains: NDArray[np.float64]) -> float:
    """The share of all signs of the gains that give a sum as far from 0, one after another."""
    sums = [abs(float(np.dot(signs, gains))) for signs in product((-1, 1), repeat=len(gains))]
    return sum(each >= abs(float(gains.sum())) - 1e-9 for each in sums) / len(sums)


@settings(deadline=None, max_examples=60)
@given(st.lists(fractions, max_size=9), st.integers(0, 5))
@example([1 / 12, 1 / 12, 1 / 12], 1)
@example([1 / 3, 1 / 3, -2 / 3, 1 / 6], 1)
def test_draws_agree_with_all_sign_flips(gains: list[float], seed: int) -> None:
    """Of gains that are no whole numbers the p value is that of all signs, as far as 9,999 draws can tell it."""
    of_incidents = np.array(gains)
    expected = of_all_signs(of_incidents)
    spread = 6 * np.sqrt(expected * (1 - expected) / DRAWS) + 2 / DRAWS
    assert sign_flips(of_incidents, seed) == pytest.approx(expected, abs=spread)


@settings(deadline=None, max_examples=20)
@given(st.lists(fractions, min_size=2, max_size=9))
def test_draws_agree_with_scipy(gains: list[float]) -> None:
    """The p value is that of the permutation test of paired samples of scipy, as far as the draws can tell it."""
    pairs = (np.array(gains), np.zeros(len(gains)))
    # Its own slack is relative to the sum alone, which may be 0 but for rounding: whole numbers have none.
    expected = permutation_test(
        tuple(np.rint(12 * side) for side in pairs),
        lambda first, other, axis: (first - other).sum(axis=axis),
        permutation_type="samples",
        vectorized=True,
        n_resamples=np.inf,
    ).pvalue
    assert sign_flips(pairs[0], 1) == pytest.approx(expected, abs=0.035)


@given(st.lists(st.integers(-40, 40), max_size=10))
def test_whole_numbers_are_tested_exactly(gains: list[int]) -> None:
    """Of whole numbers the p value is that of all signs, whatever the seed, also where they are whole but for
    rounding."""
    of_incidents = np.array(gains, dtype=np.float64)
    expected = of_all_signs(of_incidents)
    assert sign_flips(of_incidents, 1) == sign_flips(of_incidents, 2) == pytest.approx(expected)
    assert sign_flips(of_incidents + 1e-13, 1) == pytest.approx(expected)


@settings(deadline=None, max_examples=30)
@given(st.lists(fractions, max_size=30), st.randoms(use_true_random=False))
def test_neither_order_nor_side_matters(gains: list[float], random: Random) -> None:
    """Incidents in another order, and two experiments with their sides changed, have the very same p value."""
    of_incidents = np.array(gains)
    shuffled = list(gains)
    random.shuffle(shuffled)
    assert sign_flips(of_incidents, -3) == sign_flips(np.array(shuffled), -3) == sign_flips(-of_incidents, -3)


def test_no_p_value_is_0() -> None:
    """Where none of the draws is as far from 0, what was observed is one of 10,000."""
    assert sign_flips(np.repeat([0.5, 0.25], 40), 1) == 1 / (DRAWS + 1)


def test_numbers_too_large_for_all_sums_are_drawn() -> None:
    """Whole numbers in the millions, as of amounts, take no more memory, and the p value is near that of all signs."""
    gains = np.array([3e6, 5e6 + 1, -1e6, 7e6, 2e6 + 3, -4e6, 9e6, 1e7])
    assert sign_flips(gains, 1) == pytest.approx(of_all_signs(gains), abs=0.01)
    small = np.round(gains / 1e6)
    assert sign_flips(small, 1) == mcnemar(small.astype(np.int64))


def test_without_a_gain_nothing_speaks_for_a_difference() -> None:
    """Two experiments with the same scores have a p value of 1, as have none at all."""
    assert sign_flips(np.zeros(0), 1) == sign_flips(np.array([0.0, 1e-12]), 1) == 1


def test_a_difference_that_is_none_is_seldom_significant() -> None:
    """Of 400 pairs that differ by chance alone about one in 20 has a p value of at most .05."""
    random = np.random.default_rng(7)
    p_values = [sign_flips(random.choice([-1, 1], 15) * random.random(15), 1) for _ in range(400)]
    assert 7 <= sum(value <= 0.05 for value in p_values) <= 35
