"""The values of a codebook's variables in the record: a row a variable, beside the narrative's own row."""

import sqlite3
from collections.abc import Iterable, Mapping
from typing import Any

from narrative_runs.codebook.coded import CodedValue, coded_values
from narrative_runs.codebook.variables import Codebook
from narrative_runs.record import database, schema

Row = Mapping[str, Any]
Labels = Mapping[str, str | None]


def put_coded_values(
    connection: sqlite3.Connection, experiment_id: str, codebook: Codebook, rows: Iterable[tuple[Row, Labels]]
) -> None:
    """Add the values of these narratives, or put them in the place of those that are there.

    In: a writing transaction; the experiment's codebook; of each narrative its row of results, with the columns of the
    variables, and its human labels as text, by variable. Nothing is written where the codebook has no variable beyond
    the columns of `narrative_results`.
    """
    if codebook.fits_the_record:
        return
    connection.execute(schema.CODED_VALUES)
    connection.executemany(
        f"INSERT OR REPLACE INTO coded_values (experiment_id, incident_id, narrative_type, position, label, "
        f"{', '.join(CodedValue._fields)}) VALUES (?, ?, ?, ?, ?{', ?' * len(CodedValue._fields)})",
        (
            (experiment_id, row["incident_id"], row["narrative_type"], position, labels.get(coded.variable), *coded)
            for row, labels in rows
            for position, coded in enumerate(coded_values(codebook, row), start=1)
        ),
    )


def of_narrative(experiment_id: str, incident_id: str, narrative_type: str) -> list[dict[str, Any]]:
    """The rows of a narrative's variables, in the order of the codebook; none where there are none.

    Raises:
        RecordError: the record cannot be read.
    """
    if not _is_there():
        return []
    return database.query(
        "SELECT variable, value, label, probability, error_message, confidence, not_in_text FROM coded_values "
        "WHERE experiment_id = ? AND incident_id = ? AND narrative_type = ? ORDER BY position",
        (experiment_id, incident_id, narrative_type),
    )


def has_values_of(experiment_id: str) -> bool:
    """Whether the experiment has variables beyond the columns of `narrative_results`.

    Raises:
        RecordError: the record cannot be read.
    """
    return _is_there() and bool(
        database.query("SELECT 1 FROM coded_values WHERE experiment_id = ? LIMIT 1", (experiment_id,))
    )


def _is_there() -> bool:
    return bool(database.query("SELECT 1 FROM sqlite_master WHERE type = 'table' AND name = 'coded_values'"))


def keep_coded_values_of_results(connection: sqlite3.Connection, experiment_id: str) -> None:
    """Take out the values of narratives that have no result any more, as after a rollback.

    In: a writing transaction, in which values were put before.
    """
    connection.execute(
        "DELETE FROM coded_values WHERE experiment_id = ? AND NOT EXISTS (SELECT 1 FROM narrative_results AS "
        "result WHERE result.experiment_id = coded_values.experiment_id AND result.incident_id = "
        "coded_values.incident_id AND result.narrative_type = coded_values.narrative_type)",
        (experiment_id,),
    )
