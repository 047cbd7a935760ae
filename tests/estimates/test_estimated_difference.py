import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.optimize import brentq
from statsmodels.stats.proportion import confint_proportions_2indep, proportion_confint

from narrative_runs.estimates.difference import Comparison, difference, difference_of, ratio, ratio_of
from narrative_runs.estimates.estimate import estimate
from narrative_runs.estimates.stratified import Bounds
from tests.estimates.populations import of_arrays, population_of_counts

COUNTS = st.integers(2, 400).flatmap(lambda n: st.tuples(st.integers(0, n), st.just(n)))
SOME = st.integers(2, 400).flatmap(lambda n: st.tuples(st.integers(1, n), st.just(n)))


def wilson_of(part: int, n: int) -> Bounds:
    low, high = proportion_confint(part, n, method="wilson")
    return Bounds(np.array(part / n), np.array(low), np.array(high))


@given(COUNTS, COUNTS)
def test_the_difference_is_newcombes(first: tuple[int, int], other: tuple[int, int]) -> None:
    """Of two shares with Wilson's intervals the difference has the interval of an independent implementation."""
    actual = difference_of(wilson_of(*first), wilson_of(*other))
    expected = confint_proportions_2indep(*first, *other, method="newcomb", compare="diff")
    assert float(actual.value) == pytest.approx(first[0] / first[1] - other[0] / other[1])
    assert [float(actual.low), float(actual.high)] == pytest.approx(expected, abs=1e-9)


@given(SOME, SOME)
def test_the_ratio_is_what_a_difference_of_zero_allows(first: tuple[int, int], other: tuple[int, int]) -> None:
    """A bound of the ratio is the number of times the other by which the difference of both just reaches 0."""
    one, two = wilson_of(*first), wilson_of(*other)
    actual = ratio_of(one, two)

    def reaches(bound: str, times: float) -> float:
        return float(getattr(difference_of(one, Bounds(*(times * each for each in two))), bound))

    lowest = brentq(lambda times: reaches("low", times), 0, float(actual.value))
    highest = brentq(lambda times: reaches("high", times), float(actual.value), 1e7)
    assert [float(actual.low), float(actual.high)] == pytest.approx([lowest, highest], rel=1e-6, abs=1e-9)


def test_two_groups_are_compared_three_ways() -> None:
    """The comparison of two groups holds what the model says, what the reviews alone say, and the corrected; of a ratio
    whose lower group may be none there is no interval."""
    first = estimate(population_of_counts((42, 14, 6, 138), (488, 3_002)), "random")
    other = estimate(population_of_counts((22, 14, 6, 238), (488, 3_002)), "random")
    none = estimate(population_of_counts((0, 4, 0, 138), (88, 3_002)), "random")
    compared = difference(first, other)
    assert isinstance(compared, Comparison)
    for actual, one, two in zip(compared, first[:3], other[:3], strict=True):
        assert actual is not None and one is not None and two is not None
        assert actual["value"] == pytest.approx(one["value"] - two["value"])
        assert actual["low"] < actual["value"] < actual["high"]
    times = ratio(first, other).corrected
    assert times is not None and times["low"] < times["value"] < times["high"]
    assert ratio(first, none).corrected is None
    zero = ratio(none, other).corrected
    assert zero is not None and zero["value"] == zero["low"] == 0 < zero["high"]


def test_what_one_group_lacks_is_not_compared() -> None:
    """Where a group has no review, only what the model says of both is compared."""
    first = estimate(population_of_counts((42, 14, 6, 138), (488, 3_002)), "random")
    other = estimate(population_of_counts((0, 0, 0, 0), (488, 3_002)), "random")
    compared = difference(first, other)
    assert compared.naive is not None and compared.labelled is None and compared.corrected is None


def test_numbers_may_differ_by_any_amount() -> None:
    """The difference of two means is not held within the bounds of shares."""
    of_groups = [
        estimate(of_arrays(level + np.arange(40.0), level + np.arange(40.0), is_number=True), "random")
        for level in (500.0, 100.0)
    ]
    actual = difference(*of_groups).labelled
    assert actual is not None and actual["value"] == pytest.approx(400) and actual["low"] > 390
