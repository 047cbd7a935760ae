"""How well the model detects: the content of metrics.json.

Rows without a label or with an error count in no rate; the detection rate needs no label, and is over all
rows without error. The tables it is made from may come in any order of rows: the outcome is the same to the
last digit.
"""

import json
from collections.abc import Collection, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from narrative_runs.findings.calibration import calibration
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
from narrative_runs.findings.incidents import agreement, by_incident, completeness
from narrative_runs.findings.intervals import bootstrap, difference, f1_interval, interval, resample
from narrative_runs.source.reading import USUAL_TYPES
from narrative_runs.whole_files import written_whole


def measure(
    results: pd.DataFrame,
    experiment_id: str,
    seed: int,
    types: Sequence[str] = USUAL_TYPES,
    unasked: Collection[str] = (),
    inconsistent: Collection[str] = (),
) -> dict[str, Any]:
    """The metrics of an experiment, as metrics.json holds them: plain numbers, texts, lists and None.

    In: the table of results, one row a narrative, with `row_num`, `incident_id`, `narrative_type`,
    `manual_flag_ind`, `manual_flag`, `detected`, `error_occurred`, and where there are any `confidence` and
    `p_detected`. The seed is that of the bootstrap; types: the narrative types of the experiment; unasked: incidents
    with a narrative that the limit left out; inconsistent: those with a blank narrative that is labelled 1.
    `agreement` is None where there are not two types.
    """
    narratives = _narratives(results)
    answered = narratives[narratives["answered"]]
    incidents = by_incident(narratives, unasked, inconsistent)
    complete = incidents[incidents["answered"]]
    is_part = complete["is_partly_labelled"]
    errors = narratives[narratives["error"]]
    return {
        "experiment_id": experiment_id,
        "n_total": len(narratives),
        "n_processed": int((narratives["answered"] | narratives["error"]).sum()),
        "n_errors": int(narratives["error"].sum()),
        "n_labelled": int(narratives["label"].notna().sum()),
        "labels": label_selection(answered),
        "overall": performance(answered, seed, len(errors)),
        "by_type": {
            kind: performance(
                answered[answered["narrative_type"] == kind], seed, int((errors["narrative_type"] == kind).sum())
            )
            for kind in types
        },
        "incident": {
            "n_incomplete": len(incidents) - len(complete),
            "n_unasked": int(incidents["is_unasked"].sum()),
            "n_partly_labelled": int(is_part.sum()),
            "n_inconsistent": int(complete["is_inconsistent"].sum()),
            **performance(complete, seed, int((~incidents["answered"] & ~incidents["is_unasked"]).sum())),
        },
        "agreement": agreement(narratives, seed, types) if len(types) == 2 else None,
        "completeness": completeness(narratives, types),
        "calibration": calibration(answered[answered["label"].notna()]),
    }


def performance(answered: pd.DataFrame, seed: int, n_errors: int = 0) -> dict[str, Any]:
    """Detections against labels, for narratives or for incidents.

    In: one row for each that was answered without error: `incident_id`, `detected` (bool), `label` (0, 1 or
    NaN); n_errors: how many were not. Out: `n_answered` (all of these), `n` (those with a label, which make up tp, fp,
    fn and tn), the rates, `labelled_rate`, and what the detection rate were if all errors were negative, and if all
    were positive; None without an error.
    """
    counted = answered[answered["label"].notna()]
    per_incident = _matrix_per_incident(counted)
    of_incidents = ConfusionMatrix(*per_incident.T)
    resamples = resample(per_incident, seed)
    whole, detected = len(answered) + n_errors, int(answered["detected"].sum())
    return {
        "n": len(counted),
        "n_answered": len(answered),
        "n_errors": n_errors,
        **ConfusionMatrix(*(int(count) for count in per_incident.sum(axis=0)))._asdict(),
        "detection_rate": interval(_per_incident(answered, answered["detected"])),
        "detection_rate_if_errors_negative": detected / whole if n_errors else None,
        "detection_rate_if_errors_positive": (detected + n_errors) / whole if n_errors else None,
        "labelled_rate": interval(Proportion(of_incidents.tp + of_incidents.fn, per_incident.sum(axis=1))),
        "accuracy": interval(accuracy(of_incidents)),
        "precision": interval(precision(of_incidents)),
        "recall": interval(recall(of_incidents)),
        "f1": f1_interval(of_incidents),
        "specificity": interval(specificity(of_incidents)),
        "kappa": bootstrap(kappa, per_incident, resamples),
        "mcc": bootstrap(mcc, per_incident, resamples),
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
    rates = [interval(_per_incident(part, part["detected"])) for part in (labelled, others)]
    apart = difference(*rates)
    return {
        "n_labelled": len(labelled),
        "n_unlabelled": len(others),
        "detected_labelled": rates[0],
        "detected_unlabelled": rates[1],
        "difference": apart,
        "differ": apart is not None and not apart["low"] <= 0 <= apart["high"],
    }


def write_metrics(metrics: dict[str, Any], path: Path) -> None:
    """Write the metrics as JSON, in the order they have, whole or not at all."""
    with written_whole(path) as draft:
        text = json.dumps(metrics, indent=2, ensure_ascii=False, allow_nan=False)
        draft.write_text(text + "\n", encoding="utf-8")


def _narratives(results: pd.DataFrame) -> pd.DataFrame:
    """What the metrics need of the results, in row order, as plain bool and float columns."""
    ordered = results.sort_values("row_num", kind="stable", ignore_index=True)
    error = ordered["error_occurred"].astype("boolean").fillna(False).astype(bool)
    detected = ordered["detected"].astype("boolean")
    answered = detected.notna() & ~error
    number = {
        name: ordered[name].astype("Float64").to_numpy(np.float64, na_value=np.nan)
        for name in ("manual_flag_ind", "manual_flag", "confidence", "p_detected")
        if name in ordered
    }
    return pd.DataFrame(
        {
            "incident_id": ordered["incident_id"],
            "narrative_type": ordered["narrative_type"],
            "error": error,
            "answered": answered,
            "detected": detected.fillna(False).astype(bool) & answered,
            "label": number["manual_flag_ind"],
            "manual_flag": number["manual_flag"],
            "confidence": number.get("confidence", np.nan),
            "p_detected": number.get("p_detected", np.nan),
        }
    )


def _per_incident(rows: pd.DataFrame, in_part: pd.Series) -> Proportion:
    """For each incident how many of its rows are in the part, and how many there are."""
    grouped = in_part.astype(np.int64).groupby(rows["incident_id"])
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
