import math
from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from narrative_runs.source.cells import label_of, text_of


@given(st.text())
def test_text_stays(text: str) -> None:
    """A text cell is its own text, also where it looks like a number."""
    assert text_of(text) == text


@given(st.integers(-(2**53), 2**53))
def test_number_has_one_text(number: int) -> None:
    """A whole number has the same digits as integer, float or decimal, without decimals or exponent."""
    assert text_of(number) == text_of(float(number)) == text_of(Decimal(number)) == str(number)


def test_large_float_has_no_exponent() -> None:
    """A float beyond the digits that it can hold is still written out."""
    assert text_of(1e22) == "10000000000000000000000"


@given(st.floats(allow_nan=False, allow_infinity=False).filter(lambda number: not number.is_integer()))
def test_fraction_keeps_its_decimals(number: float) -> None:
    """A number with decimals keeps all of them."""
    assert float(text_of(number)) == number


@pytest.mark.parametrize("empty", [None, math.nan, Decimal("nan"), ""])
def test_empty_cells_have_no_text(empty: object) -> None:
    """None, NaN and the empty text are no text."""
    assert text_of(empty) == ""


def test_infinity_is_text() -> None:
    """A number without an end does not stop the reading."""
    assert text_of(math.inf) == "inf"


@given(
    st.sampled_from(
        [(1, ["1", "1.0", "yes", "true"]), (0, ["0", "0.0", "no", "false"]), (None, ["", "na"])],
    ).flatmap(lambda case: st.tuples(st.just(case[0]), st.sampled_from(case[1]))),
    st.sampled_from([str.lower, str.upper, str.title]),
    st.text(" \t\n", max_size=2),
)
def test_written_labels(case: tuple[int | None, str], style: type[str], blanks: str) -> None:
    """A written label means 0, 1 or no label, in any case and with blanks around it."""
    label, word = case
    assert label_of(blanks + style(word) + blanks) == label


@pytest.mark.parametrize(
    ("value", "label"),
    [(True, 1), (False, 0), (1, 1), (0, 0), (1.0, 1), (0.0, 0), (None, None), (math.nan, None)],
)
def test_typed_labels(value: object, label: int | None) -> None:
    """Booleans and numbers are labels as well, and an empty cell is none."""
    assert label_of(value) == label


@given(st.one_of(st.integers(min_value=2), st.floats(0.001, 0.999), st.text("bcdghijk", min_size=1)))
def test_other_labels_are_refused(value: object) -> None:
    """Anything else raises ValueError instead of becoming a label."""
    with pytest.raises(ValueError, match=r".+"):
        label_of(value)
