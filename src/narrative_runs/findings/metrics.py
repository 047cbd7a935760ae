"""How well the model detects: the content of metrics.json.

Rows without a label or with an error count in no rate; the detection rate needs no label, and is over all
rows without error. The tables it is made from may come in any order of rows: the outcome is the same to the
last digit.
"""

import json
from collections.abc import Collection, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from narrative_runs.atomic_files import written_whole
from narrative_runs.codebook.default import DEFAULT
from narrative_runs.codebook.variables import Codebook, missing_column
from narrative_runs.data_columns import USUAL_TYPES
from narrative_runs.findings.answer_quality import is_refused
from narrative_runs.findings.answers_by_variable import is_error
from narrative_runs.findings.by_group import by_group
from narrative_runs.findings.by_variable.measure import measure_variables
from narrative_runs.findings.by_variable.units import VariableLabels
from narrative_runs.findings.calibration import calibration
from narrative_runs.findings.incidents import agreement, by_incident, completeness
from narrative_runs.findings.performance import label_selection, performance

_OF_THE_UNSEEN = ("n_labelled", "overall", "by_type", "incident", "variables")


def measure(
    results: pd.DataFrame,
    experiment_id: str,
    seed: int,
    types: Sequence[str] = USUAL_TYPES,
    unasked: Collection[str] = (),
    inconsistent: Collection[str] = (),
    grouped: pd.DataFrame | None = None,
    codebook: Codebook = DEFAULT,
    labels: Mapping[str, VariableLabels] | None = None,
    seen: Mapping[str, int] | None = None,
) -> dict[str, Any]:
    """The metrics of an experiment, as metrics.json holds them: plain numbers, texts, lists and None.

    In: the table of results, one row a narrative, with `row_num`, `incident_id`, `narrative_type`,
    `manual_flag_ind`, `manual_flag`, `detected`, `error_occurred`, and where there are any `confidence` and
    `p_detected`. The seed is that of the bootstrap; types: the narrative types of the experiment; unasked: incidents
    with a narrative that the limit left out; inconsistent: those with a blank narrative that is labelled 1.
    grouped: what `read_groups` gives, by `row_num`, for `groups`, which is left out without. codebook: what was asked:
    its first binary variable is measured, of which only its own errors are left out; where there are others,
    `variables` has the measures of each, against these labels.
    `agreement` is None where there are not two types. seen: how many narratives of an incident were seen before the
    first answer; where there are such incidents, `unseen` has the same measures without them.
    """
    narratives = _narratives(results, codebook)
    answered = narratives[narratives["answered"]]
    incidents = by_incident(narratives, unasked, inconsistent)
    complete = incidents[incidents["answered"]]
    is_part = complete["is_partly_labelled"]
    errors = narratives[narratives["error"]]
    by_row = narratives.set_index("row_num")
    measured = {
        "experiment_id": experiment_id,
        "n_total": len(narratives),
        "n_processed": int(narratives["processed"].sum()),
        "n_errors": int(narratives["any_error"].sum()),
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
        **({} if grouped is None else {"groups": by_group(by_row, incidents, grouped, seed)}),
        **(
            {}
            if codebook.fits_the_record
            else {"variables": measure_variables(results, codebook, seed, labels or {}, types, unasked, grouped)}
        ),
    }
    n_seen = seen or {}
    if left_out := set(results["incident_id"]) & set(n_seen):
        rest, labels_of_rest = _without(left_out, results, labels or {})
        unseen = measure(
            rest, experiment_id, seed, types, unasked, inconsistent, codebook=codebook, labels=labels_of_rest
        )
        measured["unseen"] = {
            "n_seen_narratives": sum(n_seen[each] for each in left_out),
            "n_seen_incidents": len(left_out),
            **{name: unseen[name] for name in _OF_THE_UNSEEN if name in unseen},
        }
    return measured


def _without(
    left_out: Collection[str], results: pd.DataFrame, labels: Mapping[str, VariableLabels]
) -> tuple[pd.DataFrame, dict[str, VariableLabels]]:
    """Results and labels without these incidents: whole ones, as the narratives of one are about the same death."""
    is_left = ~results["incident_id"].isin(list(left_out))
    of_the_rest = {
        name: VariableLabels(each.narrative[is_left], each.incident, each.inconsistent) for name, each in labels.items()
    }
    return results[is_left], of_the_rest


def write_metrics(metrics: dict[str, Any], path: Path) -> None:
    """Write the metrics as JSON, in the order they have, whole or not at all."""
    with written_whole(path) as draft:
        text = json.dumps(metrics, indent=2, ensure_ascii=False, allow_nan=False)
        draft.write_text(text + "\n", encoding="utf-8")


def _narratives(results: pd.DataFrame, codebook: Codebook) -> pd.DataFrame:
    """What the metrics need of the results, in row order, as plain bool and float columns."""
    ordered = results.sort_values("row_num", kind="stable", ignore_index=True)
    any_error = ordered["error_occurred"].astype("boolean").fillna(False).astype(bool)
    error = any_error
    if not codebook.fits_the_record:
        first = codebook.first_binary
        error = error if first is None else is_error(ordered[missing_column(first)])
    detected = ordered["detected"].astype("boolean")
    answered = detected.notna() & ~error
    number = {
        name: ordered[name].astype("Float64").to_numpy(np.float64, na_value=np.nan)
        for name in ("manual_flag_ind", "manual_flag", "confidence", "p_detected")
        if name in ordered
    }
    return pd.DataFrame(
        {
            "row_num": ordered["row_num"],
            "incident_id": ordered["incident_id"],
            "narrative_type": ordered["narrative_type"],
            "error": error,
            "any_error": any_error,
            # The text may not tell, which is an answer too.
            "processed": answered | error | (not codebook.fits_the_record),
            "refused": is_refused(ordered),
            "answered": answered,
            "detected": detected.fillna(False).astype(bool) & answered,
            "label": number["manual_flag_ind"],
            "manual_flag": number["manual_flag"],
            "confidence": number.get("confidence", np.nan),
            "p_detected": number.get("p_detected", np.nan),
        }
    )
