"""`narrative-runs migrate`: brings an older record up to date in one transaction, after a verified backup."""

import csv
import os
import sqlite3
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import datetime
from pathlib import Path

from narrative_runs.errors import RecordError
from narrative_runs.migration.inspection import DUPLICATES, RecordContent, columns_of_ours, look, read_only
from narrative_runs.migration.steps import Step, steps
from narrative_runs.permissions import file_mode, restrict
from narrative_runs.record.backup import back_up

BUSY_TIMEOUT_S = 60.0
LISTED = 5
_HISTORY = "CREATE TABLE IF NOT EXISTS schema_migrations (name TEXT PRIMARY KEY, applied_at TEXT)"

Tell = Callable[[str], None]


def migrate(path: Path, dry_run: bool, tell: Tell) -> None:
    """Bring the record at `path` up to date, or with `dry_run` say what that would be and change nothing.

    Safe to repeat, and to kill at any moment: all of it is done, or nothing.
    tell: shows a line to the user.

    Raises:
        RecordError: it is not such a record, is damaged, locked, or cannot be written; it is left as it was.
    """
    with read_only(path) as connection:
        content = look(connection, path)
        planned = steps(content, columns_of_ours())
        if not planned or dry_run:
            _tell_steps(path, content, planned, tell)
            for line in _duplicates_listed(connection) if content.duplicates else ():
                tell(line)
            if planned:
                tell("Nothing was changed. Without --dry-run, these steps are carried out after a backup.")
            if not dry_run:
                restrict(path)
            return
    with _writing(path) as connection:
        # Looked at again under the lock: nobody can have changed it since.
        content = look(connection, path)
        planned = steps(content, columns_of_ours())
        now = datetime.now()
        _tell_steps(path, content, planned, tell)
        backup = _free(path, f"backup-{now:%Y%m%d-%H%M%S}")
        back_up(path, backup)
        tell(f"Backup: {backup}, verified")
        if content.duplicates:
            removed = _free(path, f"removed-duplicates-{now:%Y%m%d-%H%M%S}.csv")
            _save_duplicates(connection, removed)
            tell(f"Removed rows, all columns: {removed}")
            for line in _duplicates_listed(connection):
                tell(line)
        _take(connection, planned, f"{now:%Y-%m-%d %H:%M:%S}")
        after = look(connection, path)
        _check_rows(path, content, after)
        connection.execute("COMMIT")
    for table, count in after.rows.items():
        before = content.rows.get(table, 0)
        removed_rows = f" - {before - count:,} duplicates" if before != count else ""
        tell(f"{table}: {before:,} rows before{removed_rows} = {count:,} rows after")
    restrict(path)
    tell(f"{path} is up to date. The R system can still open it; to go back, replace it with the backup.")


def _tell_steps(path: Path, content: RecordContent, planned: list[Step], tell: Tell) -> None:
    if not planned:
        tell(f"{path} is up to date: nothing to do.")
    for step in planned:
        tell(f"{step.name}: {step.about}")
    if content.without_id:
        tell(f"{content.without_id:,} results without experiment, incident id or narrative type: kept as they are.")
    if content.double_sources:
        tell(
            f"{content.double_sources:,} rows of source_narratives are there twice: kept, so they get no unique index."
        )


@contextmanager
def _writing(path: Path) -> Iterator[sqlite3.Connection]:
    """A connection in a writing transaction; what is not committed is rolled back."""
    try:
        connection = sqlite3.connect(f"{path.resolve().as_uri()}?mode=rw", uri=True, timeout=BUSY_TIMEOUT_S)
        connection.isolation_level = None
        connection.text_factory = lambda text: text.decode("utf-8", "surrogateescape")
        try:
            connection.execute("BEGIN IMMEDIATE")
            yield connection
        finally:
            if connection.in_transaction:
                connection.execute("ROLLBACK")
            connection.close()
    except (sqlite3.Error, OSError) as error:
        raise RecordError(
            f"{path}: {error}. Nothing was changed. Is it open in another program, or is the disk full? Correct "
            "that, then start the same command again."
        ) from None


def _take(connection: sqlite3.Connection, planned: list[Step], now: str) -> None:
    connection.execute(_HISTORY)
    for step in planned:
        for statement in step.statements:
            connection.execute(statement)
        connection.execute(
            "INSERT OR REPLACE INTO schema_migrations (name, applied_at) VALUES (?, ?)", (step.name, now)
        )


def _check_rows(path: Path, before: RecordContent, after: RecordContent) -> None:
    expected = {**dict.fromkeys(after.rows, 0), **before.rows}
    expected["narrative_results"] -= before.duplicates
    if after.rows != expected or after.duplicates:
        raise RecordError(f"{path}: {after.rows} rows where {expected} were expected. Nothing was changed.")


def _duplicates_listed(connection: sqlite3.Connection) -> Iterator[str]:
    """The first duplicates in words, and how many more there are."""
    listed = connection.execute(
        "SELECT result_id, experiment_id, incident_id, narrative_type FROM narrative_results "
        f"WHERE {DUPLICATES} ORDER BY result_id"
    ).fetchall()
    for row in listed[:LISTED]:
        yield "  result_id {}: {} {} {}".format(*row)
    if len(listed) > LISTED:
        yield f"  and {len(listed) - LISTED:,} more"


def _save_duplicates(connection: sqlite3.Connection, path: Path) -> None:
    """Write the rows that are to be removed to a CSV file, for its owner alone; it is on the disk at return."""
    rows = connection.execute(f"SELECT * FROM narrative_results WHERE {DUPLICATES} ORDER BY result_id")
    os.close(os.open(path, os.O_CREAT | os.O_EXCL | os.O_WRONLY, file_mode()))
    with path.open("w", encoding="utf-8", errors="surrogateescape", newline="") as file:
        writer = csv.writer(file)
        writer.writerow([column[0] for column in rows.description])
        writer.writerows(rows)
        file.flush()
        os.fsync(file.fileno())


def _free(path: Path, ending: str) -> Path:
    """`<path>.<ending>`, with a number if that is taken."""
    stem, dot, suffix = ending.partition(".")
    taken = 1
    target = path.with_name(f"{path.name}.{ending}")
    while target.exists():
        taken += 1
        target = path.with_name(f"{path.name}.{stem}-{taken}{dot}{suffix}")
    return target
