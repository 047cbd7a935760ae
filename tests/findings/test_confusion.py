import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from sklearn import metrics as sklearn_metrics

from narrative_runs.findings.confusion import (
    ConfusionMatrix,
    Proportion,
    accuracy,
    f1,
    kappa,
    mcc,
    precision,
    recall,
    specificity,
)

counts = st.integers(min_value=1, max_value=40)
matrices = st.builds(ConfusionMatrix, tp=counts, fp=counts, fn=counts, tn=counts)


def narratives(matrix: ConfusionMatrix) -> tuple[list[int], list[int]]:
    """Labels and detections that make up the matrix."""
    tp, fp, fn, tn = (int(count) for count in matrix)
    return [1] * tp + [0] * fp + [1] * fn + [0] * tn, [1] * tp + [1] * fp + [0] * fn + [0] * tn


@given(matrices)
@pytest.mark.slow
def test_every_metric_agrees_with_scikit_learn(matrix: ConfusionMatrix) -> None:
    """Each metric is the number that scikit-learn gives for the same labels and detections."""
    labels, detections = narratives(matrix)
    expected = {
        accuracy: sklearn_metrics.accuracy_score(labels, detections),
        precision: sklearn_metrics.precision_score(labels, detections),
        recall: sklearn_metrics.recall_score(labels, detections),
        specificity: sklearn_metrics.recall_score(labels, detections, pos_label=0),
    }
    for proportion, value in expected.items():
        part, whole = proportion(matrix)
        assert part / whole == pytest.approx(value)
    assert float(f1(matrix)) == pytest.approx(sklearn_metrics.f1_score(labels, detections))
    assert float(kappa(matrix)) == pytest.approx(sklearn_metrics.cohen_kappa_score(labels, detections))
    assert float(mcc(matrix)) == pytest.approx(sklearn_metrics.matthews_corrcoef(labels, detections))


def test_many_matrices_are_measured_as_one_by_one() -> None:
    """Arrays of counts give the metrics of each matrix, NaN for the undefined ones."""
    many = ConfusionMatrix(
        tp=np.array([42.0, 0.0]), fp=np.array([14.0, 0.0]), fn=np.array([6.0, 0.0]), tn=np.array([338.0, 5.0])
    )
    for metric in (f1, kappa, mcc):
        first, second = metric(many)
        assert first == float(metric(ConfusionMatrix(42, 14, 6, 338)))
        assert math.isnan(second)


def test_a_metric_is_undefined_exactly_where_its_definition_says() -> None:
    """A metric without a denominator is a part of nothing, or NaN; never 0."""
    only_true_negatives = ConfusionMatrix(tp=0, fp=0, fn=0, tn=9)
    assert precision(only_true_negatives) == recall(only_true_negatives) == Proportion(0, 0)
    assert all(math.isnan(float(metric(only_true_negatives))) for metric in (f1, kappa, mcc))
    only_positives_found = ConfusionMatrix(tp=9, fp=0, fn=0, tn=0)
    assert specificity(only_positives_found) == Proportion(0, 0)
    assert float(f1(only_positives_found)) == 1
    assert all(math.isnan(float(metric(only_positives_found))) for metric in (kappa, mcc))


def test_a_detector_that_finds_nothing_has_an_f1_and_a_kappa_of_zero() -> None:
    """Missing every positive is measured as 0, not hidden as undefined; only the correlation has no value."""
    blind = ConfusionMatrix(tp=0, fp=0, fn=4, tn=6)
    assert float(f1(blind)) == 0
    assert float(kappa(blind)) == 0
    assert math.isnan(float(mcc(blind)))


def test_a_perfect_correlation_of_any_size_does_not_exceed_one() -> None:
    """Rounding never takes the Matthews correlation past its range."""
    sizes = np.arange(1.0, 40_000.0, 7.0)
    nothing = np.zeros_like(sizes)
    assert mcc(ConfusionMatrix(tp=sizes, fp=nothing, fn=nothing, tn=sizes + 3)).max() == 1
    assert mcc(ConfusionMatrix(tp=nothing, fp=sizes, fn=sizes + 3, tn=nothing)).min() == -1
