import pytest
from hypothesis import given
from hypothesis import strategies as st

from narrative_runs.findings.rounding import count_of, p_value, percent, rounded, rounded_down, shown, telling_decimals


@pytest.mark.parametrize(
    ("number", "text"),
    [
        (0.9996, ">0.999"),
        (1.0, "1.000"),
        (0.0, "0.000"),
        (-0.0, "0.000"),
        (0.0004, "<0.001"),
        (-0.0004, ">-0.001"),
        (-1.0, "-1.000"),
        (-0.9996, "<-0.999"),
        (0.1235, "0.123"),
        (0.75, "0.750"),
    ],
)
def test_no_rounding_claims_more_than_is_known(number: float, text: str) -> None:
    """1.000 is one without exception, 0.000 is nothing at all, and there is no -0.000."""
    assert shown(number, 3) == text


@given(st.floats(-1, 1), st.integers(2, 3))
def test_what_is_shown_is_near(number: float, decimals: int) -> None:
    """Whatever is shown, the number is at most a step away, on the side that is said."""
    text, step = shown(number, decimals), 10.0**-decimals
    edge = float(text.lstrip("<>"))
    assert abs(number - edge) <= step
    assert not text.startswith("<") or number < edge
    assert not text.startswith(">") or number > edge
    assert not text.startswith("-0.000") and text != "-0.00"


@pytest.mark.parametrize(
    ("number", "decimals"),
    [
        (0.86, 2),
        (0.1, 2),
        (0.0123, 3),
        (0.905, 2),
        (0.9962, 3),
        (0.0012, 4),
        (0.00004, 4),
        (1.0, 2),
        (0.0, 2),
        (-0.5, 2),
    ],
)
def test_a_rate_shows_two_significant_decimals(number: float, decimals: int) -> None:
    """A rate near 0 or 1 gets the decimals in which it differs from them, and no rate gets more than it needs."""
    assert telling_decimals(number) == decimals


@pytest.mark.parametrize(
    ("share", "decimals", "text"),
    [
        (0.9996, 1, ">99.9%"),
        (1.0, 1, "100.0%"),
        (0.00003, 2, "<0.01%"),
        (0.0, 2, "0.00%"),
        (0.123, 1, "12.3%"),
        (0.997, 0, ">99%"),
    ],
)
def test_no_percentage_claims_all_or_nothing(share: float, decimals: int, text: str) -> None:
    """100% is all of them, and 0% none: one error of 35,000 is not 0.00%."""
    assert percent(share, decimals) == text


@pytest.mark.parametrize(("chance", "text"), [(0.04249, ".042"), (0.0004, "<.001"), (0.9998, ">.999"), (1.0, "1.000")])
def test_p_values_have_three_decimals(chance: float, text: str) -> None:
    """A p value stands without its zero, and none is .000."""
    assert p_value(chance) == text


@given(st.floats(-100, 100))
def test_a_rounded_cell_is_near_and_whole_only_where_the_number_is(number: float) -> None:
    """A cell is at most half a thousandth from its number, and no cell claims a whole number that it is not."""
    near = rounded(number)
    assert abs(near - number) <= 0.0005 + 1e-12
    assert not near.is_integer() or abs(near - number) <= 1e-12
    assert str(near) != "-0.0"


@given(st.floats(1e-12, 1))
def test_a_threshold_is_never_rounded_up(number: float) -> None:
    """A rounded threshold is at most the threshold, and less than a thousandth of it below."""
    rounded = rounded_down(number)
    assert rounded <= number and number - rounded <= number / 1_000
    assert float(f"{rounded:.4g}") == rounded


@pytest.mark.parametrize(
    ("number", "text"), [(0, "0 incidents"), (1, "1 incident"), (2, "2 incidents"), (1_200, "1,200 incidents")]
)
def test_what_is_counted_is_singular_or_plural(number: int, text: str) -> None:
    """A count has its noun in the number that fits."""
    assert count_of(number, "incident") == text
