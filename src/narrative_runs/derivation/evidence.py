"""Whether findings were altered since they were derived, or whether this release only derives them differently."""

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pandas as pd
import pyarrow.parquet as pq

from narrative_runs.findings.columns import RESULT_TYPES
from narrative_runs.findings.seal import seal_of
from narrative_runs.paths import ExperimentFolder
from narrative_runs.record import database, result_rows
from narrative_runs.source.checksum import md5_of

# The figures that the record keeps beside metrics.json, by their columns.
_FIGURES = {
    "n_narratives_processed": ("n_processed",),
    "accuracy": ("overall", "accuracy", "value"),
    "precision_ipv": ("overall", "precision", "value"),
    "recall_ipv": ("overall", "recall", "value"),
    "f1_ipv": ("overall", "f1", "value"),
    "n_true_positive": ("overall", "tp"),
    "n_false_positive": ("overall", "fp"),
    "n_false_negative": ("overall", "fn"),
    "n_true_negative": ("overall", "tn"),
}


def is_altered(name: str, folder: ExperimentFolder, experiment_id: str, locked: Mapping[str, str]) -> bool | None:
    """Whether this file of the findings differs from what the merge wrote; None where nothing shows it.

    The checksums of the merge show it, and those of a dvc.lock, MD5s by path. The first release kept no checksums: for
    results.parquet the record's rows show it, and for metrics.json the record's few figures, if they differ.
    """
    path = folder.path / name
    sealed = seal_of(folder)
    if sealed is not None and name in sealed.md5:
        return md5_of(path) != sealed.md5[name]
    if locked.get(path.as_posix()) == md5_of(path):
        return False
    if path == folder.result_table:
        return not _rows_are_the_records(path, experiment_id)
    if path == folder.metrics and not _figures_are_the_records(path, experiment_id):
        return True
    return None


def _rows_are_the_records(path: Path, experiment_id: str) -> bool:
    results: pd.DataFrame = pq.read_table(path).to_pandas()
    columns = [name for name in RESULT_TYPES if name in results]
    kept = result_rows.of_experiment(experiment_id, columns)
    if len(kept) != len(results):
        return False
    record = pd.DataFrame(kept, columns=columns, dtype=object)
    return all(_typed(results[name]).equals(_typed(record[name])) for name in columns)


def _typed(column: pd.Series) -> pd.Series:
    """A column in a type that both files give: SQLite has no booleans, but 0 and 1."""
    return column.astype("string" if RESULT_TYPES[str(column.name)] == "string" else "Float64")


def _figures_are_the_records(path: Path, experiment_id: str) -> bool:
    row = database.experiment(experiment_id)
    measured = json.loads(path.read_text(encoding="utf-8"))
    return row is not None and all(row[column] == _look_up(measured, way) for column, way in _FIGURES.items())


def _look_up(measured: Any, way: tuple[str, ...]) -> Any:
    for key in way:
        measured = None if measured is None else measured[key]
    return measured
