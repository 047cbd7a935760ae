from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn.metrics import accuracy_score, cohen_kappa_score, confusion_matrix, precision_recall_fscore_support

from narrative_runs.codebook.variables import Category, Ordinal
from narrative_runs.findings.by_variable.listed import measure_category, measure_ordinal
from narrative_runs.findings.by_variable.units import Units

VALUES = ["gun", "knife", "poison", "rope"]
WEAPON = Category(values=dict.fromkeys(VALUES, ""))
SEVERITY = Ordinal(values=dict.fromkeys(VALUES, ""))
MakeUnits = Callable[..., Units]
PAIRS = st.lists(st.tuples(st.sampled_from(VALUES), st.sampled_from(VALUES)), min_size=1, max_size=40)


@settings(deadline=None, max_examples=60)
@given(PAIRS)
@pytest.mark.slow
def test_the_measures_of_a_category_agree_with_scikit_learn(
    make_units: MakeUnits, pairs: list[tuple[str, str]]
) -> None:
    """The table, accuracy, and the micro, macro and single precision, recall and F1 are those of scikit-learn, which
    leaves what is undefined out of the mean too."""
    label, answer = ([pair[side] for pair in pairs] for side in (0, 1))
    measured = measure_category(WEAPON, make_units(WEAPON, label, answer), 1)
    expected_table = confusion_matrix(label, answer, labels=VALUES)
    assert measured["confusion"] == {"values": VALUES, "counts": expected_table.tolist()}
    assert measured["accuracy"]["value"] == pytest.approx(accuracy_score(label, answer), abs=1e-9)
    of_all: dict[str, Any] = {"labels": VALUES, "zero_division": np.nan}
    each = precision_recall_fscore_support(label, answer, average=None, **of_all)
    for kind in ("micro", "macro"):
        expected = precision_recall_fscore_support(label, answer, average=kind, **of_all)
        for name, value in zip(("precision", "recall", "f1"), expected[:3], strict=True):
            assert value_of(measured[f"{kind}_{name}"]) == pytest.approx(value, abs=1e-9)
    for at, value in enumerate(VALUES):
        of_value = measured["by_value"][value]
        assert [of_value["n_labelled"], of_value["n_answered"]] == [label.count(value), answer.count(value)]
        for name, expected in zip(("precision", "recall", "f1"), each[:3], strict=True):
            assert value_of(of_value[name]) == pytest.approx(expected[at], abs=1e-9, nan_ok=True)


@settings(deadline=None, max_examples=40)
@given(PAIRS)
@pytest.mark.slow
def test_every_rate_holds_its_value(make_units: MakeUnits, pairs: list[tuple[str, str]]) -> None:
    """Whatever the answers, low <= value <= high, and a share lies between 0 and 1."""
    label, answer = ([pair[side] for pair in pairs] for side in (0, 1))
    category = measure_category(WEAPON, make_units(WEAPON, label, answer), 1)
    ordinal = measure_ordinal(SEVERITY, make_units(SEVERITY, label, answer), 1)
    for name, rate in [*rates_of(category), *rates_of(ordinal)]:
        if rate is None:
            continue
        assert rate["low"] <= rate["value"] <= rate["high"] <= 1 + 1e-12
        if name not in ("kappa", "alpha", "weighted_kappa"):
            assert rate["low"] >= 0 and rate["high"] > rate["low"]


def test_the_weights_of_an_ordinal_variable_are_by_all_its_values(make_units: MakeUnits) -> None:
    """A miss from the lowest to the highest spans also the values that nobody gave."""
    label, answer = ["gun", "gun", "knife", "rope", "rope"], ["gun", "knife", "knife", "rope", "gun"]
    measured = measure_ordinal(SEVERITY, make_units(SEVERITY, label, answer), 1)
    expected = cohen_kappa_score(label, answer, labels=VALUES, weights="quadratic")
    assert measured["weighted_kappa"]["value"] == pytest.approx(expected, abs=1e-9)


def test_five_right_answers_are_no_proof_of_perfection(make_units: MakeUnits) -> None:
    """Without a single error each interval still has a width, and it shrinks as answers are added."""
    few, many = (
        {
            **measure_category(WEAPON, make_units(WEAPON, VALUES[:3] * size, VALUES[:3] * size), 1),
            **measure_ordinal(SEVERITY, make_units(SEVERITY, VALUES[:3] * size, VALUES[:3] * size), 1),
        }
        for size in (2, 200)
    )
    for name in ("accuracy", "kappa", "alpha", "weighted_kappa", "macro_precision", "macro_recall", "macro_f1"):
        assert few[name]["value"] == many[name]["value"] == pytest.approx(1)
        assert few[name]["low"] < 0.75 < 0.97 < many[name]["low"] < 1, name


def test_one_value_alone_has_no_agreement_beyond_chance(make_units: MakeUnits) -> None:
    """Where labels and answers are all one value, kappa and alpha are undefined, and the others are not."""
    measured = measure_category(WEAPON, make_units(WEAPON, ["gun"] * 9, ["gun"] * 9), 1)
    assert measured["kappa"] is measured["alpha"] is None
    assert measured["macro_f1"]["value"] == 1 > measured["macro_f1"]["low"] > 0.5
    assert measured["by_value"]["knife"]["recall"] is None
    ordinal = measure_ordinal(SEVERITY, make_units(SEVERITY, ["gun"] * 9, ["gun"] * 9), 1)
    assert ordinal["weighted_kappa"] is ordinal["alpha"] is None


def test_without_a_row_nothing_is_defined(make_units: MakeUnits) -> None:
    """No rows, and rows without a label or an answer, give a table of zeros and no rate."""
    for label, answer in (([], []), (["gun", None], [None, "gun"])):
        category = measure_category(WEAPON, make_units(WEAPON, label, answer), 1)
        ordinal = measure_ordinal(SEVERITY, make_units(SEVERITY, label, answer), 1)
        assert category["confusion"]["counts"] == ordinal["confusion"]["counts"] == [[0] * 4] * 4
        assert all(rate is None for _, rate in [*rates_of(category), *rates_of(ordinal)])


def test_narratives_of_an_incident_that_are_alike_widen_all_intervals(make_units: MakeUnits) -> None:
    """The same rows, as pairs of equal narratives instead of apart, have wider intervals."""
    random = np.random.default_rng(3)
    label = random.choice(VALUES, 300)
    answer = np.where(random.random(300) < 0.75, label, random.choice(VALUES, 300))
    rows = [list(np.repeat(side, 2)) for side in (label, answer)]
    together, apart = (
        {**measure_category(WEAPON, units, 1), **measure_ordinal(SEVERITY, units, 1)}
        for units in (make_units(WEAPON, *rows, np.repeat(np.arange(300), 2)), make_units(WEAPON, *rows))
    )
    for name in ("accuracy", "kappa", "alpha", "weighted_kappa", "macro_precision", "macro_recall", "macro_f1"):
        assert together[name]["value"] == apart[name]["value"]
        widths = [each[name]["high"] - each[name]["low"] for each in (together, apart)]
        assert widths[0] == pytest.approx(widths[1] * np.sqrt(2), rel=0.12), name


def test_the_brief_measures_are_those_of_the_full_ones(make_units: MakeUnits) -> None:
    """For a narrative type some measures alone are given, and they are the same."""
    random = np.random.default_rng(4)
    label, answer = list(random.choice(VALUES, 60)), list(random.choice(VALUES, 60))
    units = make_units(WEAPON, label, answer)
    category, brief_category = (measure_category(WEAPON, units, 1, is_brief) for is_brief in (False, True))
    ordinal, brief_ordinal = (measure_ordinal(SEVERITY, units, 1, is_brief) for is_brief in (False, True))
    assert brief_category == {name: category[name] for name in ("accuracy", "kappa", "macro_f1")}
    assert brief_ordinal == {name: ordinal[name] for name in ("accuracy", "weighted_kappa")}


def value_of(rate: dict[str, float] | None) -> float:
    """The value of a rate, NaN where it is undefined."""
    return np.nan if rate is None else rate["value"]


def rates_of(measured: dict[str, Any]) -> list[tuple[str, dict[str, float] | None]]:
    """All rates among the measures, by their names."""
    rates = [(name, rate) for name, rate in measured.items() if name not in ("confusion", "by_value")]
    of_values = measured.get("by_value", {}).values()
    return rates + [(name, each[name]) for each in of_values for name in ("precision", "recall", "f1")]
