"""Whether the stated probabilities can be believed, and which threshold gives which recall.

Two numbers may serve as the probability that a narrative is positive: the model's own confidence
(`confidence`), and that from its token probabilities (`p_detected`). Only labelled answers without error
count.
"""

from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from sklearn.metrics import (
    average_precision_score,
    brier_score_loss,
    precision_recall_curve,
    roc_auc_score,
    roc_curve,
)

from narrative_runs.findings.confusion import ConfusionMatrix, Proportion
from narrative_runs.findings.intervals import interval

Incidents = NDArray[np.int64] | None

BINS = 10
CURVE_POINTS = 200
# Token probabilities crowd at both ends, so the grid is finer there.
THRESHOLDS = (0.001, 0.01, *(round(0.05 * step, 2) for step in range(1, 20)), 0.99, 0.999)
WANTED_RECALLS = (0.8, 0.9, 0.95, 0.99)


def calibration(counted: pd.DataFrame) -> dict[str, Any] | None:
    """How the probabilities fit the labels; None where no labelled answer has one.

    In: one row a labelled answer, with `incident_id`, `detected` (bool), `label` (0 or 1), `confidence` and
    `p_detected` (0 to 1 or NaN). Out: under `confidence` and `p_detected` each what `fit` gives, or None without a
    value; under `p_detected` also `thresholds` and `thresholds_for_recall`.
    """
    stated = positive_probability(counted["detected"].to_numpy(bool), counted["confidence"].to_numpy(np.float64))
    measured = counted["p_detected"].to_numpy(np.float64)
    label = counted["label"].to_numpy() == 1
    incident = pd.factorize(counted["incident_id"])[0]
    is_stated, is_measured = ~np.isnan(stated), ~np.isnan(measured)
    by_confidence = fit(label[is_stated], stated[is_stated], incident[is_stated])
    by_tokens = fit(label[is_measured], measured[is_measured], incident[is_measured])
    if by_tokens is not None:
        label, measured, incident = label[is_measured], measured[is_measured], incident[is_measured]
        by_tokens["thresholds"] = [at_threshold(label, measured, threshold, incident) for threshold in THRESHOLDS]
        by_tokens["thresholds_for_recall"] = [
            {"recall": wanted, "threshold": threshold_for_recall(label, measured, wanted)} for wanted in WANTED_RECALLS
        ]
    if by_confidence is None and by_tokens is None:
        return None
    return {"confidence": by_confidence, "p_detected": by_tokens}


def positive_probability(detected: NDArray[np.bool_], confidence: NDArray[np.float64]) -> NDArray[np.float64]:
    """The probability of a positive that a stated confidence implies, 0 to 1; NaN where none was stated.

    A model states its confidence in its own answer, whichever that is: "not detected, 0.9" is a probability
    of 0.1.
    """
    probability: NDArray[np.float64] = np.where(detected, confidence, 1 - confidence)
    # 1 - 0.9 is not quite 0.1, and would fall into the bin below.
    return probability.round(12)


def fit(
    label: NDArray[np.bool_], probability: NDArray[np.float64], incident: Incidents = None
) -> dict[str, Any] | None:
    """Brier score, reliability, ROC and precision-recall of probabilities (0 to 1, no NaN); None for no rows.

    incident: the number of each row's incident, from 0; each row is one of its own when left out.

    brier: mean squared distance of probability and label; 0 (perfect) to 1. roc_auc: chance that a positive
    ranks above a negative; 0 to 1, 0.5 at chance; None with labels of one kind. average_precision: area under
    the precision-recall curve, in steps; 0 to 1; None without a positive.
    """
    if len(label) == 0:
        return None
    has_positive = bool(label.any())
    has_both = has_positive and not label.all()
    return {
        "n": len(label),
        "brier": float(brier_score_loss(label, probability, pos_label=True)),
        "roc_auc": float(roc_auc_score(label, probability)) if has_both else None,
        "average_precision": float(average_precision_score(label, probability)) if has_positive else None,
        "reliability": reliability(label, probability, incident),
        "roc_curve": _roc_points(label, probability) if has_both else None,
        "precision_recall_curve": _precision_recall_points(label, probability) if has_positive else None,
    }


def reliability(
    label: NDArray[np.bool_], probability: NDArray[np.float64], incident: Incidents = None
) -> list[dict[str, Any]]:
    """In BINS bins of equal width over 0 to 1: the mean probability, and the share of positives as a rate.

    A bin holds its lower edge, the last one also its upper edge. Bins without a row are left out.
    """
    bins = np.minimum(np.floor(np.round(probability * BINS, 9)), BINS - 1).astype(int)
    return [
        {
            "from": number / BINS,
            "to": (number + 1) / BINS,
            "n": int(inside.sum()),
            "mean_probability": float(probability[inside].mean()),
            "positive": interval(_of_incidents(label & inside, inside, incident)),
        }
        for number in range(BINS)
        if (inside := bins == number).any()
    ]


def at_threshold(
    label: NDArray[np.bool_], probability: NDArray[np.float64], threshold: float, incident: Incidents = None
) -> dict[str, Any]:
    """Confusion matrix, precision and recall if all of at least this probability were detections."""
    called = probability >= threshold
    matrix = ConfusionMatrix(
        tp=int((called & label).sum()),
        fp=int((called & ~label).sum()),
        fn=int((~called & label).sum()),
        tn=int((~called & ~label).sum()),
    )
    rates = {
        "precision": interval(_of_incidents(called & label, called, incident)),
        "recall": interval(_of_incidents(called & label, label, incident)),
    }
    return {"threshold": threshold, **matrix._asdict(), **rates}


def threshold_for_recall(label: NDArray[np.bool_], probability: NDArray[np.float64], wanted: float) -> float | None:
    """The highest threshold that still detects the wanted share of positives; None without a positive.

    It is chosen on the same data that it is judged on: expect a little less on new narratives.

    Raises ValueError where `wanted` is not above 0 and at most 1.
    """
    if not 0 < wanted <= 1:
        raise ValueError(f"A recall of {wanted} cannot be wanted: give a number above 0 and at most 1.")
    positives = np.sort(probability[label])[::-1]
    if len(positives) == 0:
        return None
    recalls = np.arange(1, len(positives) + 1) / len(positives)
    return float(positives[np.searchsorted(recalls, wanted)])


def _of_incidents(part: NDArray[np.bool_], whole: NDArray[np.bool_], incident: Incidents) -> Proportion:
    """For each incident how many of its rows are in the part, and in the whole."""
    if incident is None:
        return Proportion(part.astype(np.float64), whole.astype(np.float64))
    counts = (np.bincount(incident, weights=rows).astype(np.float64) for rows in (part, whole))
    return Proportion(*counts)


def _roc_points(label: NDArray[np.bool_], probability: NDArray[np.float64]) -> list[dict[str, float]]:
    false_positive_rate, true_positive_rate, _ = roc_curve(label, probability)
    return [
        {"false_positive_rate": float(false_positive_rate[at]), "recall": float(true_positive_rate[at])}
        for at in _evenly_chosen(len(false_positive_rate))
    ]


def _precision_recall_points(label: NDArray[np.bool_], probability: NDArray[np.float64]) -> list[dict[str, float]]:
    precisions, recalls, thresholds = precision_recall_curve(label, probability, drop_intermediate=True)
    # The curve's last point (precision 1, recall 0) belongs to no threshold: it only ends the line.
    return [
        {"threshold": float(thresholds[at]), "precision": float(precisions[at]), "recall": float(recalls[at])}
        for at in _evenly_chosen(len(thresholds))
    ]


def _evenly_chosen(points: int) -> NDArray[np.int64]:
    """Indices of at most CURVE_POINTS of the points, the first and the last among them."""
    return np.unique(np.linspace(0, points - 1, min(points, CURVE_POINTS)).round().astype(np.int64))
