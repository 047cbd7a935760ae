import math

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from statsmodels.stats.multitest import multipletests

from narrative_runs.findings.significance import holm

p_values = st.floats(0, 1)


@settings(deadline=None, max_examples=25)
@given(st.lists(p_values, min_size=1, max_size=12))
@pytest.mark.slow
def test_holm_agrees_with_statsmodels(given_values: list[float]) -> None:
    """The adjusted values are those of statsmodels."""
    expected = multipletests(given_values, method="holm")[1]
    assert holm(given_values) == pytest.approx(list(expected))


@given(st.lists(st.none() | p_values, max_size=8))
def test_a_test_that_was_not_made_does_not_count(given_values: list[float | None]) -> None:
    """What is undefined stays so, and the others are adjusted for their own number."""
    tested = [value for value in given_values if value is not None]
    adjusted = holm(given_values)
    assert [value is None for value in adjusted] == [value is None for value in given_values]
    assert [value for value in adjusted if value is not None] == holm(tested)
    assert all(
        not math.isnan(high) and low <= high <= 1
        for low, high in zip(given_values, adjusted, strict=True)
        if low is not None and high is not None
    )
