from collections.abc import Callable

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn.metrics import mean_absolute_error

from narrative_runs.codebook.variables import Number
from narrative_runs.findings.by_variable.number import measure_number
from narrative_runs.findings.by_variable.units import Units

AGE = Number(tolerance=2)
MakeUnits = Callable[..., Units]
NUMBERS = st.integers(-20, 100).map(float) | st.floats(-1e6, 1e6)


@settings(deadline=None, max_examples=60)
@given(st.lists(st.tuples(NUMBERS, NUMBERS), min_size=1, max_size=40))
@pytest.mark.slow
def test_the_measures_of_numbers_hold_their_values(make_units: MakeUnits, pairs: list[tuple[float, float]]) -> None:
    """The mean error is that of scikit-learn, the share that of its definition, and each interval holds its value."""
    label, answer = ([pair[side] for pair in pairs] for side in (0, 1))
    measured = measure_number(AGE, make_units(AGE, label, answer), 1)
    assert measured["mae"]["value"] == pytest.approx(mean_absolute_error(label, answer), rel=1e-9, abs=1e-9)
    near = np.abs(np.array(label) - answer) <= 2 + 1e-9 * np.maximum(np.abs(label), np.abs(answer)).clip(1)
    assert measured["within_tolerance"]["value"] == pytest.approx(near.mean())
    for name in ("mae", "within_tolerance", "icc"):
        rate = measured[name]
        assert rate is None or rate["low"] <= rate["value"] <= rate["high"]
    assert measured["mae"]["low"] >= 0 and (measured["icc"] is None or measured["icc"]["value"] <= 1 + 1e-12)


@pytest.mark.parametrize(
    ("tolerance", "label", "answer", "is_near"),
    [
        (None, 34.0, 34.0, True),
        (None, 34.0, 34.5, False),
        (0.1, 3.1, 3.0, True),
        (0.1, 3.2, 3.0, False),
        (2, 34.0, 32.0, True),
        (2, 34.0, 36.5, False),
    ],
)
def test_the_tolerance_is_a_distance_to_either_side(
    make_units: MakeUnits, tolerance: float | None, label: float, answer: float, is_near: bool
) -> None:
    """A number that is just so far away agrees; without a tolerance it must be the same."""
    variable = Number(tolerance=tolerance)
    measured = measure_number(variable, make_units(variable, [label], [answer]), 1)
    assert measured["within_tolerance"]["value"] == is_near
    assert measured["tolerance"] == (tolerance or 0)


def test_right_answers_alone_are_no_proof_of_perfection(make_units: MakeUnits) -> None:
    """Without a single error the intervals still have a width, and it shrinks as answers are added."""
    few, many = (measure_number(AGE, make_units(AGE, [20.0, 40.0] * n, [20.0, 40.0] * n), 1) for n in (3, 300))
    assert few["mae"]["value"] == few["mae"]["low"] == 0 < many["mae"]["high"] < 0.5 < few["mae"]["high"]
    assert few["icc"]["value"] == 1 > many["icc"]["low"] > 0.98 > few["icc"]["low"]


def test_where_there_is_too_little_nothing_is_defined(make_units: MakeUnits) -> None:
    """No rows give no rate; one row, and one number alone, no ICC."""
    nothing = measure_number(AGE, make_units(AGE, [], []), 1)
    assert nothing == {"tolerance": 2.0, "within_tolerance": None, "mae": None, "icc": None}
    for numbers in ([3.0], [0.1] * 5):
        measured = measure_number(AGE, make_units(AGE, numbers, numbers), 1)
        assert measured["icc"] is None and measured["mae"]["value"] == 0


def test_narratives_of_an_incident_that_are_alike_widen_all_intervals(make_units: MakeUnits) -> None:
    """The same rows as pairs of equal narratives have wider intervals than apart."""
    random = np.random.default_rng(3)
    label = random.normal(40, 12, 300)
    answer = label + random.normal(1, 3, 300)
    rows = [list(np.repeat(side, 2)) for side in (label, answer)]
    together, apart = (
        measure_number(AGE, make_units(AGE, *rows, incident), 1) for incident in (np.repeat(np.arange(300), 2), None)
    )
    for name in ("mae", "within_tolerance", "icc"):
        assert together[name]["value"] == apart[name]["value"]
        widths = [each[name]["high"] - each[name]["low"] for each in (together, apart)]
        assert widths[0] == pytest.approx(widths[1] * np.sqrt(2), rel=0.12), name
