"""A verified copy of a record beside it, for its owner alone."""

import os
import sqlite3
from pathlib import Path

from narrative_runs.errors import RecordError


def back_up(path: Path, target: Path) -> None:
    """Copy the record at `path` to `target`, which appears whole and verified or not at all.

    Raises:
        RecordError: the record is damaged, or the copy differs from it.
    """
    draft = path.with_name(f".{path.name}.backup.draft")
    for leftover in (draft, draft.with_name(f"{draft.name}-journal")):
        leftover.unlink(missing_ok=True)
    os.close(os.open(draft, os.O_CREAT | os.O_EXCL | os.O_RDWR, 0o600))
    try:
        source, copy = sqlite3.connect(path), sqlite3.connect(draft)
        try:
            source.backup(copy)
            _verify(source, copy, path)
        finally:
            copy.close()
            source.close()
        with draft.open("rb+") as written:
            os.fsync(written.fileno())
        draft.replace(target)
    finally:
        draft.unlink(missing_ok=True)


def _verify(source: sqlite3.Connection, copy: sqlite3.Connection, path: Path) -> None:
    (verdict,) = copy.execute("PRAGMA integrity_check(1)").fetchone()
    if verdict != "ok":
        raise RecordError(
            f"{path} is damaged: {verdict}. It was left as it is. Restore it from a backup, or mend it with "
            "`sqlite3 DB .recover`."
        )
    if _rows(source) != _rows(copy):
        raise RecordError(f"{path}: the backup does not hold the same rows. The record was left as it is.")


def _rows(connection: sqlite3.Connection) -> dict[str, int]:
    tables = connection.execute("SELECT name FROM sqlite_master WHERE type = 'table'").fetchall()
    return {name: connection.execute(f'SELECT count(*) FROM "{name}"').fetchone()[0] for (name,) in tables}
