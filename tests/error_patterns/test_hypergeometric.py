"""The tails, held against scipy's."""

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.stats import binom, hypergeom

from narrative_runs.error_patterns.hypergeometric import log_binomial_tail, log_tail


@st.composite
def counts(draw: st.DrawFn) -> tuple[int, int, int, int]:
    """Errors in a part, all errors, narratives in the part, all narratives."""
    narratives = draw(st.integers(1, 3_000))
    errors, there = draw(st.integers(0, narratives)), draw(st.integers(0, narratives))
    return draw(st.integers(0, min(errors, there) + 1)), errors, there, narratives


@given(counts())
def test_the_tail_is_that_of_scipy(numbers: tuple[int, int, int, int]) -> None:
    """The logarithm of the hypergeometric tail is scipy's, wherever scipy can tell it from zero and one."""
    errors_there, errors, there, narratives = numbers
    expected = hypergeom.sf(errors_there - 1, narratives, errors, there)
    ours = log_tail(errors_there, errors, there, narratives)
    assert ours <= 0.0
    if expected > 1e-250:
        assert ours == pytest.approx(math.log(expected), rel=1e-6, abs=1e-6)
    else:
        assert ours < math.log(1e-240)


@given(st.integers(1, 500), st.data(), st.floats(0.01, 0.99))
def test_the_binomial_tail_is_that_of_scipy(trials: int, data: st.DataObject, share: float) -> None:
    """The logarithm of the binomial tail is scipy's."""
    successes = data.draw(st.integers(0, trials))
    expected = binom.sf(successes - 1, trials, share)
    if expected > 1e-250:
        ours = log_binomial_tail(successes, trials, share)
        assert ours == pytest.approx(math.log(expected), rel=1e-6, abs=1e-6)


def test_a_tail_far_below_any_float_has_its_logarithm() -> None:
    """A thousand errors that all fall into a twentieth of a million narratives have a chance of e to about -3,000."""
    assert log_tail(1_000, 1_000, 50_000, 1_000_000) == pytest.approx(1_000 * math.log(0.05), rel=0.01)
