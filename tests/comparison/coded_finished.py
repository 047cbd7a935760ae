"""Finished experiments with a codebook, for comparisons."""

from dataclasses import replace
from typing import Any

import numpy as np
import pandas as pd

from narrative_runs.codebook.variables import Codebook
from narrative_runs.experiment import ExperimentState
from narrative_runs.findings.by_variable.units import VariableLabels
from narrative_runs.findings.metrics import measure
from narrative_runs.finished import Finished
from narrative_runs.paths import ExperimentFolder
from tests.coded_tables import CODEBOOK, Labels, case


def coded_finished(slug: str, results: pd.DataFrame, labels: Labels, codebook: Codebook | None = CODEBOOK) -> Finished:
    """A finished experiment with these results and labels; without a codebook one of the usual question."""
    params: dict[str, Any] = {"experiment": {"slug": slug}, "model": {"name": "fake"}, "run": {"seed": 1}}
    if codebook is None:
        metrics = measure(results, f"id-{slug}", 1)
    else:
        params["codebook"] = codebook.model_dump()
        metrics = measure(results, f"id-{slug}", 1, codebook=codebook, labels=labels)
    begun = ExperimentState(f"id-{slug}", "md5", params, True, "2026-01-01 00:00:00")
    return Finished(ExperimentFolder(slug), begun, metrics, results, labels=labels)


def two_cases(n_incidents: int, seed: int) -> tuple[tuple[pd.DataFrame, Labels], tuple[pd.DataFrame, Labels]]:
    """Two tables of results over mostly the same narratives, each with answers of its own; a tenth of the texts of the
    other, and of its labels, are not those of the first."""
    (first, first_labels), (other, other_labels) = (case(n_incidents, seed + number) for number in (0, 1_000))
    random = np.random.default_rng(seed)
    for table in (first, other):
        table["narrative_text"] = (table["incident_id"] + " " + table["narrative_type"]).astype("string")
    of_first = pd.Series(first.index, index=pd.MultiIndex.from_frame(first[["incident_id", "narrative_type"]]))
    in_first = of_first.reindex(pd.MultiIndex.from_frame(other[["incident_id", "narrative_type"]])).to_numpy()
    is_changed = random.random(len(other)) < 0.1
    other.loc[is_changed, "narrative_text"] = other["narrative_text"] + ", mended"
    for name, labels in other_labels.items():
        is_own = np.isnan(in_first) | (random.random(len(other)) < 0.1)
        values = [
            own if is_its else first_labels[name].narrative.iloc[int(row)]
            for own, row, is_its in zip(labels.narrative, in_first, is_own, strict=True)
        ]
        given = pd.Series(values, index=other.index, dtype=object)
        other_labels[name] = VariableLabels(given.where(given.notna(), None))
    return (first, first_labels), (other, other_labels)


def labels_of_incidents_alone(labels: Labels, results: pd.DataFrame) -> Labels:
    """The same labels as a workbook has them whose rows are incidents: the first of each incident."""
    return {
        name: replace(
            each,
            narrative=pd.Series(None, index=results.index, dtype=object),
            incident=each.narrative.astype(object).groupby(results["incident_id"]).first(),
        )
        for name, each in labels.items()
    }
