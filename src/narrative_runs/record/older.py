"""Records of earlier releases and of the R system, read as they are: columns that they lack are empty."""

import sqlite3
from functools import cache

from narrative_runs.record import database, schema


def relation(table: str) -> str:
    """What to read from in the place of a table of the record, as SQL: with all its columns, those empty that this
    record has not.

    Raises:
        RecordError: the record cannot be read.
    """
    with database.reading() as connection:
        return table if connection is None else relation_in(connection, table)


def relation_in(connection: sqlite3.Connection, table: str) -> str:
    """The same, where the record is being read already."""
    there = _columns(connection, table)
    lacking = [column for column in _columns_of_this_release(table) if column not in there] if there else []
    if not lacking:
        return table
    return f"(SELECT *, {', '.join(f'NULL AS {column}' for column in lacking)} FROM {table})"


@cache
def _columns_of_this_release(table: str) -> tuple[str, ...]:
    connection = sqlite3.connect(":memory:")
    try:
        connection.execute(schema.TABLES[table])
        return _columns(connection, table)
    finally:
        connection.close()


def _columns(connection: sqlite3.Connection, table: str) -> tuple[str, ...]:
    return tuple(row[1] for row in connection.execute(f"PRAGMA table_info({table})"))
