"""The experiments of the record, a row each."""

from typing import Any

from narrative_runs.record import database

Row = dict[str, Any]


def latest_first() -> list[Row]:
    """All experiments, the one that was started last first.

    Raises:
        RecordError: the record cannot be read.
    """
    return database.query("SELECT * FROM experiments ORDER BY start_time DESC, created_at DESC")


def slugs() -> list[str]:
    """The slugs of all experiments that have one.

    Raises:
        RecordError: the record cannot be read.
    """
    return [row["slug"] for row in database.query("SELECT slug FROM experiments WHERE slug <> ''")]


def with_slug(slug: str) -> list[Row]:
    """Whose slug this is: one experiment, or none, where no record was edited by hand.

    Raises:
        RecordError: the record cannot be read.
    """
    return database.query("SELECT * FROM experiments WHERE slug = ?", (slug,))


def with_slug_or_id(which: str) -> list[Row]:
    """The experiments that this may name.

    Raises:
        RecordError: the record cannot be read.
    """
    return database.query("SELECT * FROM experiments WHERE slug = ? OR experiment_id = ?", (which, which))
