"""How well the model detects: the content of metrics.json.

Rows without a label or with an error count in no rate; the detection rate needs no label, and is over all
rows without error. The tables it is made from may come in any order of rows: the outcome is the same to the
last digit.
"""

import json
from collections.abc import Sequence
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
    f1,
    kappa,
    mcc,
    precision,
    recall,
    specificity,
)
from narrative_runs.findings.incidents import agreement, by_incident, completeness
from narrative_runs.findings.intervals import bootstrap, resample, wilson
from narrative_runs.source.reading import USUAL_TYPES
from narrative_runs.whole_files import written_whole


def measure(results: pd.DataFrame, experiment_id: str, seed: int, types: Sequence[str] = USUAL_TYPES) -> dict[str, Any]:
    """The metrics of an experiment, as metrics.json holds them: plain numbers, texts, lists and None.

    In: the table of results, one row a narrative, with `row_num`, `incident_id`, `narrative_type`,
    `manual_flag_ind`, `manual_flag`, `detected`, `error_occurred`, and where there are any `confidence` and
    `p_detected`. The seed is that of the bootstrap; types: the narrative types of the experiment. `agreement` is
    None where these are not two.
    """
    narratives = _narratives(results)
    answered = narratives[narratives["answered"]]
    incidents = by_incident(narratives)
    complete = incidents[incidents["answered"]]
    return {
        "experiment_id": experiment_id,
        "n_total": len(narratives),
        "n_processed": int((narratives["answered"] | narratives["error"]).sum()),
        "n_errors": int(narratives["error"].sum()),
        "n_labelled": int(narratives["label"].notna().sum()),
        "overall": performance(answered, seed),
        "by_type": {kind: performance(answered[answered["narrative_type"] == kind], seed) for kind in types},
        "incident": {"n_incomplete": len(incidents) - len(complete), **performance(complete, seed)},
        "agreement": agreement(narratives, seed, types) if len(types) == 2 else None,
        "completeness": completeness(narratives, types),
        "calibration": calibration(answered[answered["label"].notna()]),
    }


def performance(answered: pd.DataFrame, seed: int) -> dict[str, Any]:
    """Detections against labels, for narratives or for incidents.

    In: one row for each that was answered without error: `incident_id`, `detected` (bool), `label` (0, 1 or
    NaN). Out: `n_answered` (all of these), `n` (those with a label, which make up tp, fp, fn and tn), and the
    rates.
    """
    counted = answered[answered["label"].notna()]
    per_incident = _matrix_per_incident(counted)
    matrix = ConfusionMatrix(*(int(count) for count in per_incident.sum(axis=0)))
    resamples = resample(per_incident, seed)
    return {
        "n": len(counted),
        "n_answered": len(answered),
        **matrix._asdict(),
        "detection_rate": wilson(Proportion(int(answered["detected"].sum()), len(answered))),
        "accuracy": wilson(accuracy(matrix)),
        "precision": wilson(precision(matrix)),
        "recall": wilson(recall(matrix)),
        "f1": bootstrap(f1, matrix, resamples),
        "specificity": wilson(specificity(matrix)),
        "kappa": bootstrap(kappa, matrix, resamples),
        "mcc": bootstrap(mcc, matrix, resamples),
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
