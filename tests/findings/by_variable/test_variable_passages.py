from collections.abc import Callable

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from narrative_runs.codebook.variables import Quote
from narrative_runs.findings.by_variable.passages import Passages, token_f1
from narrative_runs.findings.by_variable.units import Units

EVIDENCE = Quote()
MakeUnits = Callable[..., Units]


@pytest.mark.parametrize(
    ("passages", "label", "expected"),
    [
        (["her husband"], "her husband", 1.0),
        (["Her HUSBAND,"], "“her” husband", 1.0),
        (["husband", "her"], "her husband", 1.0),
        (["her husband"], "her", 2 / 3),
        (["her her"], "her", 2 / 3),
        (["cafe\u0301"], "caf\u00e9", 1.0),
        (["a knife"], "the gun", 0.0),
        ([], "the gun", 0.0),
        ([], "", 1.0),
        (["—"], "…", 1.0),
    ],
)
def test_words_count_and_their_order_does_not(passages: list[str], label: str, expected: float) -> None:
    """Case and punctuation make no difference, and neither does into how many passages the words are cut."""
    assert token_f1(passages, [label]) == pytest.approx(expected)


@given(st.lists(st.text("ab -", max_size=8), max_size=3), st.lists(st.text("ab -", max_size=8), max_size=3))
def test_it_does_not_matter_which_of_the_two_is_right(first: list[str], other: list[str]) -> None:
    """Token F1 is from 0 to 1, the same from either side, and 1 of the same passages."""
    assert 0 <= token_f1(first, other) == token_f1(other, first) <= 1
    assert token_f1(first, first) == 1


def test_passages_that_stand_in_the_text_are_counted_without_a_label(make_units: MakeUnits) -> None:
    """The share is over passages; where the text is not at hand, they do not count; an empty answer has none."""
    answers = ['["a", "b"]', '["c"]', "[]", '["d"]', None]
    units = make_units(EVIDENCE, [None, "c d", None, None, "e"], answers)
    not_in_text = pd.Series(["[]", '["c"]', "[]", None, None], dtype=object)
    measured = Passages(units, not_in_text).measure(units, np.ones(5, dtype=bool), 1)
    assert measured["n_passages"] == 4
    assert measured["in_text"]["value"] == pytest.approx(2 / 3)
    assert measured["token_f1"]["value"] == pytest.approx(2 / 3)


def test_a_part_of_the_narratives_is_measured_alone(make_units: MakeUnits) -> None:
    """Only the given rows count."""
    units = make_units(EVIDENCE, ["a", "b"], ['["a"]', '["c"]'])
    passages = Passages(units, pd.Series(["[]", '["c"]'], dtype=object))
    first = passages.measure(units, np.array([True, False]), 1)
    assert first["token_f1"]["value"] == first["in_text"]["value"] == first["n_passages"] == 1
    nothing = passages.measure(units, np.zeros(2, dtype=bool), 1)
    assert nothing == {"n_passages": 0, "in_text": None, "token_f1": None}
