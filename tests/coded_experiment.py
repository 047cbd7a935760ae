"""A finished experiment with all types of variables, and labels of each kind, on disk and in the record."""

import json
from typing import Any

import pandas as pd

from narrative_runs import experiment
from narrative_runs.codebook.texts import written
from narrative_runs.codebook.variables import Codebook
from narrative_runs.experiment import ExperimentState
from narrative_runs.findings import metrics, tables
from narrative_runs.paths import ExperimentFolder
from narrative_runs.record import database
from narrative_runs.record.merging import put_merged_results
from narrative_runs.source.incidents import write_incidents
from tests import coded_tables

FOLDER = ExperimentFolder("coded")
ROW: dict[str, Any] = {"experiment_id": "id-coded", "slug": "coded"}
# Labels of the layout, of incidents in a single column, of narratives, and of incidents by name.
LABELS: dict[str, Any] = {
    "detected": "manual_flag_ind",
    "weapon": "Weapon",
    "severity": {"cme": "SeverityCME", "le": "SeverityLE"},
    "persons": {"cme": "PersonsCME", "le": "PersonsLE"},
    "age": {"incident": "Age"},
    "evidence": {"cme": "EvidenceCME", "le": "EvidenceLE"},
    "threat": "Threat",
}
CODEBOOK = Codebook.model_validate(
    {
        "variables": {
            name: {**variable.model_dump(exclude_defaults=True), "type": variable.type, "label": LABELS.get(name)}
            for name, variable in coded_tables.CODEBOOK.variables.items()
        }
    }
)


def write_experiment(n_incidents: int = 60, seed: int = 1, report: dict[str, Any] | None = None) -> pd.DataFrame:
    """Write it into the working folder; returns its finished results, and behind them the workbook's columns of labels.

    report: this section of the params.
    """
    results, labels = coded_tables.case(n_incidents, seed)
    results = tables.finish(results, CODEBOOK)
    others = _columns_of_labels(results, {name: given.narrative for name, given in labels.items()})
    FOLDER.narratives.mkdir(parents=True)
    others.to_parquet(FOLDER.other_columns)
    of_shard = results[["row_num", "incident_id"]]
    of_shard.to_parquet(FOLDER.narratives_of(1, 1))
    ids = results["incident_id"].drop_duplicates()
    write_incidents(pd.DataFrame({"incident_id": ids, "label": pd.NA, "is_inconsistent": False}), FOLDER.incidents)
    metrics.write_metrics({"layout": "labelled"}, FOLDER.data_quality)
    tables.write_tables(results, {}, {}, FOLDER.path, csv_json=False, codebook=CODEBOOK, others=others)
    metrics.write_metrics({"n_total": len(results)}, FOLDER.metrics)
    params = {"codebook": CODEBOOK.model_dump(mode="json"), "run": {"seed": 1}, "report": report or {}}
    experiment.describe(FOLDER, ExperimentState("id-coded", "md5", params, True, "2026-01-01 00:00:00"))
    with database.transaction() as connection:
        told = {"experiment_name": "Coded", "slug": "coded", "status": "completed", "hostname": "h"}
        database.put_experiment(connection, "id-coded", told)
        put_merged_results(connection, "id-coded", results, CODEBOOK, [{}] * len(results))
    return results.merge(others, on="row_num")


def _columns_of_labels(results: pd.DataFrame, labels: dict[str, pd.Series]) -> pd.DataFrame:
    """The columns that LABELS names, one row a narrative; labels: of each variable those of the narratives."""
    columns: dict[str, Any] = {"row_num": results["row_num"]}
    for name, column in LABELS.items():
        cells = pd.Series([_cell(label) for label in labels[name]], index=results.index, dtype="string")
        first = cells.groupby(results["incident_id"]).transform("first")
        if isinstance(column, str):
            columns[column] = first
        elif set(column) == {"incident"}:
            columns[column["incident"]] = first
        else:
            columns |= {each: cells.where(results["narrative_type"] == kind) for kind, each in column.items()}
    return pd.DataFrame(columns).drop(columns="manual_flag_ind")


def _cell(label: Any) -> str | None:
    if isinstance(label, tuple):
        return ";".join(label) or json.dumps([])
    return None if label is None or pd.isna(label) else written(label)
