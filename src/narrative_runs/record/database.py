"""Reading and writing the record, in short transactions beside other readers and writers."""

import os
import sqlite3
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from narrative_runs.errors import RecordError, RecordLocked
from narrative_runs.paths import RECORD
from narrative_runs.permissions import file_mode
from narrative_runs.record import release, schema
from narrative_runs.results import RESULT_COLUMNS, Result, values_of
from narrative_runs.shell import quoted

BUSY_TIMEOUT_S = 60.0


@contextmanager
def transaction(path: Path = RECORD, patience_s: float = BUSY_TIMEOUT_S) -> Iterator[sqlite3.Connection]:
    """One writing transaction on the record, which is created if missing: all of it happens, or nothing.

    A record that an earlier release wrote is backed up first. patience_s: how long to wait for readers and other
    writers.

    Raises:
        RecordLocked: another program kept the file for longer than that.
        RecordError: the file cannot be written, or is no SQLite database.
    """
    try:
        if not path.exists():
            _make(path)
        # A rollback journal, not a write-ahead log: the latter fails on network drives.
        connection = sqlite3.connect(path, timeout=patience_s, isolation_level=None)
        try:
            connection.execute("BEGIN IMMEDIATE")
            release.claim(connection, path)
            schema.create(connection)
            yield connection
            connection.execute("COMMIT")
        finally:
            if connection.in_transaction:
                connection.execute("ROLLBACK")
            connection.close()
    except (sqlite3.Error, OSError) as error:
        raise _as_record_error(path, error, patience_s) from None


def _make(path: Path) -> None:
    """Make a record, which appears with its tables: whoever looks meanwhile sees all of them, or no file."""
    path.parent.mkdir(parents=True, exist_ok=True)
    draft = path.with_name(f".{path.name}.{os.getpid()}.draft")
    try:
        os.close(os.open(draft, os.O_CREAT | os.O_RDWR, file_mode()))
        connection = sqlite3.connect(draft, isolation_level=None)
        try:
            connection.execute("BEGIN IMMEDIATE")
            release.claim(connection, draft)
            schema.create(connection)
            connection.execute("COMMIT")
        finally:
            connection.close()
        # Unlike a move, this never replaces what another run has made meanwhile.
        os.link(draft, path)
    except FileExistsError:
        pass
    except OSError:
        # A drive without hard links.
        os.close(os.open(path, os.O_CREAT | os.O_RDWR, file_mode()))
    finally:
        draft.unlink(missing_ok=True)


def query(sql: str, values: Sequence[Any] = (), path: Path = RECORD) -> list[dict[str, Any]]:
    """The rows of a reading query, as dicts; none where there is no record yet.

    Raises:
        RecordError: the file is no record.
    """
    with reading(path) as connection:
        if connection is None:
            return []
        try:
            return [dict(row) for row in connection.execute(sql, values)]
        except sqlite3.OperationalError as error:
            if "no such table" in str(error):
                return []
            raise


@contextmanager
def reading(path: Path = RECORD) -> Iterator[sqlite3.Connection | None]:
    """A connection to the record that cannot write to it, whose rows are known by their names too; None where there is
    no record yet.

    Raises:
        RecordError: the file is no record, or cannot be read.
    """
    if not path.exists():
        yield None
        return
    try:
        # Not mode=ro: what a killed writer left half done must be rolled back before anybody can read.
        connection = sqlite3.connect(f"{path.resolve().as_uri()}?mode=rw", uri=True, timeout=BUSY_TIMEOUT_S)
        try:
            connection.execute("PRAGMA query_only = 1")
            connection.row_factory = sqlite3.Row
            yield connection
        finally:
            connection.close()
    except sqlite3.Error as error:
        raise unreadable(error, path) from None


def unreadable(error: sqlite3.Error, path: Path = RECORD) -> RecordError:
    """The error for a record that cannot be read."""
    what_to_do = _older(path, error) or "Is it a record of narrative-runs?"
    return RecordError(f"{path}: {error}. {what_to_do}")


def experiment(experiment_id: str) -> dict[str, Any] | None:
    """The experiment's row, or None."""
    rows = query("SELECT * FROM experiments WHERE experiment_id = ?", (experiment_id,))
    return rows[0] if rows else None


def put_experiment(connection: sqlite3.Connection, experiment_id: str, values: Mapping[str, Any]) -> None:
    """Add the experiment's row, or set these columns of it; `values` holds at least experiment_name."""
    columns = ["experiment_id", *values]
    connection.execute(
        f"INSERT INTO experiments ({', '.join(columns)}) VALUES ({_marks(columns)}) "
        f"ON CONFLICT (experiment_id) DO UPDATE SET {_updates(list(values))}",
        (experiment_id, *values.values()),
    )


def update_experiment(connection: sqlite3.Connection, experiment_id: str, values: Mapping[str, Any]) -> None:
    """Set these columns of the experiment's row."""
    settings = ", ".join(f"{column} = ?" for column in values)
    connection.execute(f"UPDATE experiments SET {settings} WHERE experiment_id = ?", (*values.values(), experiment_id))


def put_results(connection: sqlite3.Connection, experiment_id: str, results: Iterable[Result]) -> None:
    """Add results, or put them in the place of those of an earlier or the same pass; `result_id` stays."""
    columns = ["experiment_id", *RESULT_COLUMNS]
    connection.executemany(
        f"INSERT INTO narrative_results ({', '.join(columns)}) VALUES ({_marks(columns)}) "
        "ON CONFLICT (experiment_id, incident_id, narrative_type) "
        f"DO UPDATE SET {_updates(list(RESULT_COLUMNS))} "
        "WHERE excluded.attempt_count >= narrative_results.attempt_count",
        ((experiment_id, *values_of(result)) for result in results),
    )


def _as_record_error(path: Path, error: Exception, patience_s: float) -> RecordError:
    if isinstance(error, sqlite3.OperationalError) and "locked" in str(error):
        return RecordLocked(
            f"{path} has been locked by another program for over {patience_s:.0f} s, perhaps by an unsaved change in a "
            "database browser. Close that, then start the same command again."
        )
    if older := _older(path, error):
        return RecordError(f"{path}: {error}. {older}")
    return RecordError(
        f"{path}: {error}. The answers are safe in the journals; correct the file or move it away, "
        "then start the same command again."
    )


def _older(path: Path, error: Exception) -> str:
    """What to do about a record that lacks a column or an index; empty where that is not the reason."""
    signs = ("no such column", "has no column", "ON CONFLICT clause does not match", "UNIQUE constraint failed: narr")
    if not any(sign in str(error) for sign in signs):
        return ""
    command = f"narrative-runs migrate {quoted(path)}"
    return f"It is an older record, perhaps the R system's: `{command}` brings it up to date."


def _marks(columns: Sequence[str]) -> str:
    return ", ".join("?" * len(columns))


def _updates(columns: Sequence[str]) -> str:
    return ", ".join(f"{column} = excluded.{column}" for column in columns)
