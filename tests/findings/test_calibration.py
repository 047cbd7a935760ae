import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st
from sklearn.metrics import brier_score_loss, precision_score, recall_score, roc_auc_score

from narrative_runs.findings.calibration import (
    CURVE_POINTS,
    at_threshold,
    calibration,
    fit,
    positive_probability,
    reliability,
    threshold_for_recall,
)

probabilities = st.lists(st.tuples(st.booleans(), st.floats(0, 1)), min_size=1, max_size=50)


def counted(**columns: list[float | None]) -> pd.DataFrame:
    """Labelled answers; what is not given is missing."""
    table = pd.DataFrame(columns)
    table = table.reindex(columns=["detected", "label", "confidence", "p_detected"])
    table["incident_id"] = table.index.astype(str)
    return table.astype({"label": "float64", "confidence": "float64", "p_detected": "float64"})


def test_confidence_is_confidence_in_the_answer() -> None:
    """A confident no is a low probability of a positive, and lands in the bin of its decimal number."""
    probability = positive_probability(np.array([True, False, False]), np.array([0.9, 0.9, np.nan]))
    assert list(probability[:2]) == [0.9, 0.1]
    assert np.isnan(probability[2])


def test_without_probabilities_there_is_no_calibration() -> None:
    """Where no labelled answer has a probability, the calibration is undefined as a whole."""
    assert calibration(counted(detected=[True, False], label=[1, 0])) is None


def test_each_kind_of_probability_is_judged_on_the_rows_that_have_it() -> None:
    """Missing values of one kind do not take rows from the other, and a kind without values is undefined."""
    found = calibration(counted(detected=[True, False, True], label=[1, 0, 0], p_detected=[0.8, None, 0.4]))
    assert found is not None
    assert found["confidence"] is None
    assert found["p_detected"]["n"] == 2
    assert found["p_detected"]["brier"] == pytest.approx((0.2**2 + 0.4**2) / 2)
    assert found["p_detected"]["thresholds_for_recall"][0] == {"recall": 0.8, "threshold": 0.8}


@given(probabilities)
def test_scores_agree_with_scikit_learn_where_they_are_defined(rows: list[tuple[bool, float]]) -> None:
    """Brier score and area under the ROC curve are those of scikit-learn; one kind of label alone has no
    curve."""
    label = np.array([row[0] for row in rows])
    probability = np.array([row[1] for row in rows])
    found = fit(label, probability)
    assert found is not None
    assert found["brier"] == pytest.approx(float(np.mean((probability - label) ** 2)))
    if label.any() and not label.all():
        assert found["brier"] == pytest.approx(brier_score_loss(label, probability))
        assert found["roc_auc"] == pytest.approx(roc_auc_score(label, probability))
        assert found["roc_curve"][0] == {"false_positive_rate": 0, "recall": 0}
        assert found["roc_curve"][-1] == {"false_positive_rate": 1, "recall": 1}
    else:
        assert found["roc_auc"] is found["roc_curve"] is None
    assert (found["average_precision"] is None) == (not label.any())


@given(probabilities)
def test_average_precision_is_the_sum_of_its_definition(rows: list[tuple[bool, float]]) -> None:
    """The area under the precision-recall curve is the precision at each threshold, weighted by the recall it adds."""
    label = np.array([row[0] for row in rows])
    probability = np.array([row[1] for row in rows])
    found = fit(label, probability)
    assert found is not None
    if label.any():
        expected, recall_before = 0.0, 0.0
        for threshold in sorted(set(probability), reverse=True):
            called = probability >= threshold
            recall = label[called].sum() / label.sum()
            expected += (recall - recall_before) * label[called].mean()
            recall_before = recall
        assert found["average_precision"] == pytest.approx(expected)


@given(probabilities, st.floats(0, 1))
def test_precision_and_recall_at_a_threshold_agree_with_scikit_learn(
    rows: list[tuple[bool, float]], threshold: float
) -> None:
    """Each row of the table of thresholds is what scikit-learn gives for the calls at this threshold."""
    label = np.array([row[0] for row in rows])
    probability = np.array([row[1] for row in rows])
    found = at_threshold(label, probability, threshold)
    called = probability >= threshold
    for name, score, is_defined in (("precision", precision_score, called), ("recall", recall_score, label)):
        assert (found[name] is not None) == bool(is_defined.any())
        if found[name] is not None:
            assert found[name]["value"] == pytest.approx(score(label, called))


def test_curves_stay_short() -> None:
    """Tens of thousands of different probabilities give a curve that a page can hold, with both of its
    ends."""
    rng = np.random.default_rng(5)
    label = rng.random(30_000) < 0.2
    found = fit(label, np.clip(rng.normal(0.3 + 0.3 * label, 0.2), 0, 1))
    assert found is not None
    assert len(found["roc_curve"]) <= CURVE_POINTS
    assert len(found["precision_recall_curve"]) <= CURVE_POINTS
    assert found["precision_recall_curve"][0]["recall"] == 1


def test_reliability_puts_every_probability_into_its_own_bin() -> None:
    """Tenths open the bin they name, 1 belongs to the last one, and empty bins are left out."""
    probability = np.array([0.0, 0.1, 0.3, 0.6, 0.7, 0.99, 1.0])
    bins = reliability(probability > 0.5, probability)
    assert [(each["from"], each["n"]) for each in bins] == [
        (0, 1),
        (0.1, 1),
        (0.3, 1),
        (0.6, 1),
        (0.7, 1),
        (0.9, 2),
    ]
    assert bins[-1]["mean_probability"] == pytest.approx(0.995)
    assert bins[-1]["positive"]["value"] == 1


def test_a_threshold_includes_its_own_value() -> None:
    """A probability that equals the threshold is a detection."""
    found = at_threshold(np.array([True, True, False, False]), np.array([0.5, 0.2, 0.5, 0.1]), 0.5)
    assert [found[cell] for cell in ("tp", "fp", "fn", "tn")] == [1, 1, 1, 1]
    assert found["precision"]["value"] == found["recall"]["value"] == 0.5


@given(probabilities, st.floats(0.01, 1))
def test_the_threshold_for_a_recall_reaches_it_and_no_higher_one_does(
    rows: list[tuple[bool, float]], wanted: float
) -> None:
    """The recall at the threshold is at least the wanted one, and falls short just above it."""
    label = np.array([row[0] for row in rows])
    probability = np.array([row[1] for row in rows])
    threshold = threshold_for_recall(label, probability, wanted)
    if threshold is None:
        assert not label.any()
    else:
        assert (probability[label] >= threshold).mean() >= wanted
        assert (probability[label] > threshold).mean() < wanted


@pytest.mark.parametrize("wanted", [0, -0.5, 1.01])
def test_an_impossible_recall_is_refused(wanted: float) -> None:
    """A recall outside of 0 to 1 is an error, not some threshold."""
    with pytest.raises(ValueError, match="above 0 and at most 1"):
        threshold_for_recall(np.array([True]), np.array([0.5]), wanted)
