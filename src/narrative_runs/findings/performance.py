"""Detections against labels, over some narratives or incidents: what metrics.json holds of each such part."""

from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from narrative_runs.findings.confusion import (
    ConfusionMatrix,
    Proportion,
    accuracy,
    kappa,
    mcc,
    precision,
    recall,
    specificity,
)
from narrative_runs.findings.intervals import bootstrap, difference, f1_interval, interval, resample


def performance(answered: pd.DataFrame, seed: int, n_errors: int = 0) -> dict[str, Any]:
    """Detections against labels, for narratives or for incidents.

    In: one row for each that was answered without error: `incident_id`, `detected` (bool), `label` (0, 1 or
    NaN); n_errors: how many were not. Out: `n_answered` (all of these), `n` (those with a label, which make up tp, fp,
    fn and tn), the rates, `labelled_rate`, and what the detection rate were if all errors were negative, and if all
    were positive; None without an error.
    """
    counted = answered[answered["label"].notna()]
    matrices = _matrix_per_incident(counted)
    of_incidents = ConfusionMatrix(*matrices.T)
    resamples = resample(matrices, seed)
    whole, detected = len(answered) + n_errors, int(answered["detected"].sum())
    return {
        "n": len(counted),
        "n_answered": len(answered),
        "n_errors": n_errors,
        **ConfusionMatrix(*(int(count) for count in matrices.sum(axis=0)))._asdict(),
        "detection_rate": interval(per_incident(answered["incident_id"], answered["detected"])),
        "detection_rate_if_errors_negative": detected / whole if n_errors else None,
        "detection_rate_if_errors_positive": (detected + n_errors) / whole if n_errors else None,
        "labelled_rate": interval(Proportion(of_incidents.tp + of_incidents.fn, matrices.sum(axis=1))),
        "accuracy": interval(accuracy(of_incidents)),
        "precision": interval(precision(of_incidents)),
        "recall": interval(recall(of_incidents)),
        "f1": f1_interval(of_incidents),
        "specificity": interval(specificity(of_incidents)),
        "kappa": bootstrap(kappa, matrices, resamples),
        "mcc": bootstrap(mcc, matrices, resamples),
    }


def label_selection(answered: pd.DataFrame) -> dict[str, Any] | None:
    """Whether the labelled narratives are detected as often as the others; None where all are labelled, or none.

    In: as for `performance`. Out: the numbers of both, the detection rates of both, their `difference`, and whether
    they `differ`: then the labels are of a chosen part, and recall and specificity on it do not hold for the rest.
    """
    is_labelled = answered["label"].notna()
    labelled, others = answered[is_labelled], answered[~is_labelled]
    if not len(labelled) or not len(others):
        return None
    rates = [interval(per_incident(part["incident_id"], part["detected"])) for part in (labelled, others)]
    apart = difference(*rates)
    return {
        "n_labelled": len(labelled),
        "n_unlabelled": len(others),
        "detected_labelled": rates[0],
        "detected_unlabelled": rates[1],
        "difference": apart,
        "differ": apart is not None and not apart["low"] <= 0 <= apart["high"],
    }


def per_incident(incident: pd.Series, in_part: pd.Series) -> Proportion:
    """For each incident how many of its rows are in the part, and how many there are.

    In: of each row its incident, and whether it is in the part.
    """
    grouped = in_part.astype(np.int64).groupby(incident)
    return Proportion(np.asarray(grouped.sum(), np.float64), np.asarray(grouped.size(), np.float64))


def _matrix_per_incident(counted: pd.DataFrame) -> NDArray[np.int64]:
    """The tp, fp, fn and tn of each incident that counts: an array of shape (incidents, 4)."""
    detected, positive = counted["detected"], counted["label"] == 1
    cells = pd.DataFrame(
        {
            "tp": detected & positive,
            "fp": detected & ~positive,
            "fn": ~detected & positive,
            "tn": ~detected & ~positive,
        }
    )
    counts = cells.astype(np.int64).groupby(counted["incident_id"]).sum()
    return np.asarray(counts, dtype=np.int64).reshape(-1, 4)
