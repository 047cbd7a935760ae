"""The finished results of an experiment in the record, once all of its shards are merged."""

import sqlite3
from collections.abc import Iterable, Iterator, Mapping
from typing import Any

import pandas as pd
import pyarrow as pa

from narrative_runs.codebook.result_columns import RECORD_NAMES
from narrative_runs.codebook.variables import Codebook
from narrative_runs.record.coded_values import keep_coded_values_of_results, put_coded_values

_ROWS_AT_ONCE = 1_000


def put_merged_results(
    connection: sqlite3.Connection,
    experiment_id: str,
    results: pd.DataFrame,
    codebook: Codebook,
    labels: Iterable[Mapping[str, str | None]] = (),
) -> None:
    """Make the experiment's rows in the record the finished results and no others; `result_id` stays.

    In: a writing transaction; the id of an experiment that is in the record; all its finished results, one row a
    narrative, with columns as `narrative_results` names them, and those of the codebook's variables; of each row the
    human labels by variable, as text.
    """
    columns = [name for name in results.columns if name in RECORD_NAMES]
    updates = ", ".join(f"{column} = excluded.{column}" for column in columns)
    connection.executemany(
        f"INSERT INTO narrative_results (experiment_id, {', '.join(columns)}) "
        f"VALUES (?{', ?' * len(columns)}) "
        f"ON CONFLICT (experiment_id, incident_id, narrative_type) DO UPDATE SET {updates}",
        ((experiment_id, *row) for row in _rows(results[columns])),
    )
    # Before the first answer the workbook, or how it is read, may have changed: errors of narratives that are none any
    # more.
    keys = set(zip(results["incident_id"], results["narrative_type"], strict=True))
    kept = connection.execute(
        "SELECT result_id, incident_id, narrative_type FROM narrative_results WHERE experiment_id = ?",
        (experiment_id,),
    )
    connection.executemany(
        "DELETE FROM narrative_results WHERE result_id = ?",
        [(result_id,) for result_id, *key in kept if tuple(key) not in keys],
    )
    if not codebook.fits_the_record:
        names = results.columns.tolist()
        rows = (dict(zip(names, row, strict=True)) for row in _rows(results))
        put_coded_values(connection, experiment_id, codebook, zip(rows, labels, strict=True))
        keep_coded_values_of_results(connection, experiment_id)


def _rows(results: pd.DataFrame) -> Iterator[tuple[Any, ...]]:
    """The cells of each row as SQLite takes them, None for what is missing; only some rows are such objects at once."""
    for first in range(0, len(results), _ROWS_AT_ONCE):
        part = pa.Table.from_pandas(results.iloc[first : first + _ROWS_AT_ONCE], preserve_index=False)
        yield from zip(*(column.to_pylist() for column in part.columns), strict=True)
