import krippendorff
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray

from narrative_runs.findings.by_variable.agreement import Agreement, alpha_nominal, alpha_ordinal

PAIRS = st.integers(2, 6).flatmap(
    lambda size: st.tuples(
        st.just(size),
        st.lists(st.tuples(st.integers(0, size - 1), st.integers(0, size - 1)), min_size=1, max_size=60),
    )
)
LEVELS: dict[str, Agreement] = {"nominal": alpha_nominal, "ordinal": alpha_ordinal}


def table_of_pairs(pairs: list[tuple[int, int]], size: int) -> NDArray[np.float64]:
    """How often each answer meets each label."""
    table = np.zeros((size, size))
    for label, answer in pairs:
        table[label, answer] += 1
    return table


@pytest.mark.parametrize("level", LEVELS)
@given(PAIRS)
def test_alpha_agrees_with_another_implementation(level: str, given_pairs: tuple[int, list[tuple[int, int]]]) -> None:
    """Alpha is that of the package krippendorff; where there is but one value, it is undefined."""
    size, pairs = given_pairs
    alpha = float(LEVELS[level](table_of_pairs(pairs, size)))
    if len({value for pair in pairs for value in pair}) == 1:
        assert np.isnan(alpha)
        return
    # Its type names the levels one by one.
    expected = krippendorff.alpha(
        np.array(pairs, dtype=float).T,
        level_of_measurement=level,  # type: ignore[arg-type]
        value_domain=list(range(size)),
    )
    assert alpha == pytest.approx(expected, abs=1e-9)


@pytest.mark.parametrize(
    ("first", "other", "expected"),
    [
        ("0100000010", "1110010000", 0.095),
        ("aabbdcccedda", "babbbccceddd", 0.692),
    ],
)
def test_alpha_of_the_examples_in_its_paper(first: str, other: str, expected: float) -> None:
    """Two coders, binary and nominal values: examples B and C of Krippendorff, 2011."""
    values = sorted({*first, *other})
    pairs = [(values.index(one), values.index(two)) for one, two in zip(first, other, strict=True)]
    assert float(alpha_nominal(table_of_pairs(pairs, len(values)))) == pytest.approx(expected, abs=5e-4)


@pytest.mark.parametrize("level", LEVELS)
def test_many_tables_at_once_are_each_as_alone(level: str) -> None:
    """Alpha of an array of tables is that of each of them."""
    tables = np.random.default_rng(1).integers(0, 9, size=(7, 4, 4)).astype(float)
    assert LEVELS[level](tables) == pytest.approx([float(LEVELS[level](table)) for table in tables], abs=1e-12)
    assert LEVELS[level](np.zeros((3, 2, 2))) == pytest.approx([np.nan] * 3, nan_ok=True)
