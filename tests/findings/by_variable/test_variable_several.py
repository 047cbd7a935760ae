from collections.abc import Callable

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn.metrics import jaccard_score

from narrative_runs.codebook.variables import Multi
from narrative_runs.findings.by_variable.several import measure_multi
from narrative_runs.findings.by_variable.units import Units
from narrative_runs.findings.performance import performance

VALUES = ["family", "friend", "police"]
PERSONS = Multi(values=dict.fromkeys(VALUES, ""))
MakeUnits = Callable[..., Units]
SETS = st.sets(st.sampled_from(VALUES)).map(lambda some: tuple(value for value in VALUES if value in some))


@settings(deadline=None, max_examples=60)
@given(st.lists(st.tuples(SETS, SETS), min_size=1, max_size=40))
@pytest.mark.slow
def test_jaccard_agrees_with_scikit_learn(
    make_units: MakeUnits, pairs: list[tuple[tuple[str, ...], tuple[str, ...]]]
) -> None:
    """The mean over rows is that of scikit-learn, with two empty sets as the same."""
    label, answer = ([pair[side] for pair in pairs] for side in (0, 1))
    measured = measure_multi(PERSONS, make_units(PERSONS, label, answer), 1)
    as_rows = [np.array([[value in each for value in VALUES] for each in side]) for side in (label, answer)]
    expected = jaccard_score(*as_rows, average="samples", zero_division=1)
    jaccard = measured["jaccard"]
    assert jaccard["value"] == pytest.approx(expected, abs=1e-9)
    assert 0 <= jaccard["low"] <= jaccard["value"] <= jaccard["high"] <= 1


def test_each_value_is_measured_as_a_binary_variable(make_units: MakeUnits) -> None:
    """Counts and rates are those of `performance`; the bootstrap of kappa and MCC draws anew, and agrees nearly."""
    random = np.random.default_rng(1)
    label, answer = (random.random((400, 3)) < share for share in (0.3, 0.4))
    answer = np.where(random.random((400, 3)) < 0.6, label, answer)
    incident = random.integers(0, 250, 400)
    as_sets = [[tuple(np.array(VALUES)[row]) for row in side] for side in (label, answer)]
    measured = measure_multi(PERSONS, make_units(PERSONS, *as_sets, incident), 1)
    for at, value in enumerate(VALUES):
        table = pd.DataFrame({"incident_id": incident, "detected": answer[:, at], "label": label[:, at] * 1.0})
        expected = performance(table, 1)
        own = measured["by_value"][value]
        assert set(own) < set(expected)
        for name in set(own) - {"kappa", "mcc"}:
            assert own[name] == pytest.approx(expected[name], abs=1e-12), name
        for name in ("kappa", "mcc"):
            assert own[name]["value"] == pytest.approx(expected[name]["value"], abs=1e-12)
            assert own[name] == pytest.approx(expected[name], abs=0.02)


def test_the_detection_rate_of_a_value_needs_no_label(make_units: MakeUnits) -> None:
    """It is over all answers; what is unclear counts in neither."""
    units = make_units(PERSONS, [("family",), None, None, ("police",)], [("family",), (), ("family",), None])
    measured = measure_multi(PERSONS, units, 1)
    family = measured["by_value"]["family"]
    assert family["detection_rate"]["value"] == pytest.approx(2 / 3)
    assert [family[cell] for cell in ("tp", "fp", "fn", "tn")] == [1, 0, 0, 0]
    assert measured["jaccard"]["value"] == 1 > measured["jaccard"]["low"]


def test_without_a_row_nothing_is_defined(make_units: MakeUnits) -> None:
    """No rows give counts of 0 and no rate."""
    measured = measure_multi(PERSONS, make_units(PERSONS, [], []), 1)
    assert measured["jaccard"] is None
    assert {*measured["by_value"]["friend"].values()} == {0, None}


def test_narratives_of_an_incident_that_are_alike_widen_the_interval(make_units: MakeUnits) -> None:
    """The same rows as pairs of equal narratives have a wider interval than apart."""
    random = np.random.default_rng(3)
    sets = [[tuple(np.array(VALUES)[row]) for row in random.random((200, 3)) < 0.5] for _ in range(2)]
    rows = [[each for each in side for _ in range(2)] for side in sets]
    together, apart = (
        measure_multi(PERSONS, make_units(PERSONS, *rows, incident), 1, is_brief=True)["jaccard"]
        for incident in (np.repeat(np.arange(200), 2), None)
    )
    assert together["value"] == apart["value"]
    assert together["high"] - together["low"] > 1.2 * (apart["high"] - apart["low"])
