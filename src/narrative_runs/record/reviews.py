"""Reviews in the record: a row for the latest verdict of each coder on each narrative."""

import sqlite3
from collections.abc import Sequence

from narrative_runs import review_file
from narrative_runs.record import schema


def put_reviews(connection: sqlite3.Connection, experiment_id: str, lines: Sequence[review_file.Line]) -> None:
    """Make these the experiment's reviews, and no others.

    In: a writing transaction; all lines of its `reviews.jsonl`. Nothing is written where there is no line.
    """
    if not lines:
        return
    connection.execute(schema.REVIEWS)
    connection.execute("DELETE FROM reviews WHERE experiment_id = ?", (experiment_id,))
    weight = review_file.weights(lines)
    connection.executemany(
        "INSERT INTO reviews VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
        (
            (
                experiment_id,
                each.incident_id,
                each.narrative_type,
                each.variable,
                each.coder,
                each.verdict,
                each.notes or None,
                each.stratum,
                weight.get((each.deal, each.stratum)),
                each.reviewed_at,
                each.purpose,
            )
            for each in review_file.latest_verdicts(lines)
        ),
    )
