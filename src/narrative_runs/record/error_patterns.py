"""The patterns among the errors of an experiment: a row each."""

import sqlite3
from collections.abc import Sequence

from narrative_runs.error_patterns.search import Pattern
from narrative_runs.record import database

# A pattern, and what the user reads of it.
PatternAndMessage = tuple[Pattern, str]


def put_error_patterns(
    connection: sqlite3.Connection, experiment_id: str, patterns: Sequence[PatternAndMessage], noticed_at: str
) -> None:
    """Make these the experiment's patterns, and no others; each keeps the time at which it was noticed first.

    In: a writing transaction; the patterns, each with its message; the time of now, as the record writes it.
    """
    before = {
        (dimension, value): when
        for dimension, value, when in connection.execute(
            "SELECT dimension, value, noticed_at FROM error_patterns WHERE experiment_id = ?", (experiment_id,)
        )
    }
    connection.execute("DELETE FROM error_patterns WHERE experiment_id = ?", (experiment_id,))
    connection.executemany(
        "INSERT INTO error_patterns VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
        (
            (
                experiment_id,
                pattern.dimension,
                pattern.value,
                pattern.n_errors,
                pattern.n_errors_of,
                pattern.n_narratives,
                pattern.error.category if pattern.error else None,
                pattern.error.message if pattern.error else None,
                message,
                before.get((pattern.dimension, pattern.value), noticed_at),
            )
            for pattern, message in patterns
        ),
    )


def messages_of_patterns(experiment_id: str) -> list[str]:
    """What the user reads of an experiment's patterns, those that were noticed first before others; none of a record of
    an earlier release.

    Raises:
        RecordError: the record cannot be read.
    """
    rows = database.query(
        "SELECT message FROM error_patterns WHERE experiment_id = ? ORDER BY noticed_at, rowid", (experiment_id,)
    )
    return [str(row["message"]) for row in rows]
