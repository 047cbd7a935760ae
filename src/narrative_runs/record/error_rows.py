"""The rows of the record that are errors."""

from collections.abc import Collection
from typing import Any

from narrative_runs.record import database
from narrative_runs.record.older import relation

Key = tuple[str, str]


def error_counts(experiment_id: str) -> dict[str, int]:
    """How many rows of one experiment are errors of each category, the most frequent first.

    Raises:
        RecordError: the record cannot be read.
    """
    rows = database.query(
        "SELECT coalesce(error_category, 'unknown') AS category, count(*) AS rows "
        f"FROM {relation('narrative_results')} WHERE experiment_id = ? AND error_occurred = 1 "
        "GROUP BY 1 ORDER BY 2 DESC",
        (experiment_id,),
    )
    return {row["category"]: row["rows"] for row in rows}


def error_rows(experiment_id: str, categories: Collection[str] = ()) -> dict[Key, dict[str, Any]]:
    """The error rows of one experiment by incident and narrative type; categories: of these alone, where there are any.

    Each holds incident_id, narrative_type, attempt_count, error_message, first_error_message and category.
    """
    rows = database.query(
        "SELECT incident_id, narrative_type, attempt_count, error_message, first_error_message, "
        "coalesce(error_category, 'unknown') AS category "
        "FROM narrative_results WHERE experiment_id = ? AND error_occurred = 1",
        (experiment_id,),
    )
    wanted = (row for row in rows if not categories or row["category"] in categories)
    return {(row["incident_id"], row["narrative_type"]): row for row in wanted}
