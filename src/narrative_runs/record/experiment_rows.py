"""The experiments of the record, a row each."""

from typing import Any

from narrative_runs.record import database
from narrative_runs.record.older import relation

Row = dict[str, Any]


def latest_first() -> list[Row]:
    """All experiments, the one that was started last first.

    Raises:
        RecordError: the record cannot be read.
    """
    return database.query(f"SELECT * FROM {relation('experiments')} ORDER BY start_time DESC, created_at DESC")


def slugs() -> list[str]:
    """The slugs of all experiments that have one.

    Raises:
        RecordError: the record cannot be read.
    """
    rows = database.query(f"SELECT slug FROM {relation('experiments')} WHERE slug <> ''")
    return [row["slug"] for row in rows]


def with_slug(slug: str) -> list[Row]:
    """Whose slug this is: one experiment, or none, where no record was edited by hand.

    Raises:
        RecordError: the record cannot be read.
    """
    return database.query(f"SELECT * FROM {relation('experiments')} WHERE slug = ?", (slug,))


def with_slug_or_id(which: str) -> list[Row]:
    """The experiments that this may name.

    Raises:
        RecordError: the record cannot be read.
    """
    return database.query(
        f"SELECT * FROM {relation('experiments')} WHERE slug = ? OR experiment_id = ?", (which, which)
    )
