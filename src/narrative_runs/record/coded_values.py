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


def of_variable(experiment_id: str, variable: str, is_text: bool) -> list[dict[str, Any]]:
    """One variable of all narratives in row order, with what identifies and labels each, and without any text.

    is_text: whether its values are passages or texts: `value` is then empty where there is one. Out: `result_id`,
    `row_num`, `incident_id`, `narrative_type`, `manual_flag_ind`, `value`, `failed` (1 or 0: it cannot be read), and
    `is_not_in_text` (1 or 0: a passage does not stand in the narrative; None for all but quotes).

    Raises:
        RecordError: the record cannot be read.
    """
    if not _is_there():
        return []
    value = "CASE WHEN value IS NOT NULL THEN '' END" if is_text else "value"
    return database.query(
        f"SELECT result_id, row_num, incident_id, narrative_type, manual_flag_ind, {value} AS value, "
        "coded_values.error_message IS NOT NULL AS failed, not_in_text <> '[]' AS is_not_in_text "
        "FROM narrative_results JOIN coded_values USING (experiment_id, incident_id, narrative_type) "
        "WHERE experiment_id = ? AND variable = ? ORDER BY row_num, result_id",
        (experiment_id, variable),
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
