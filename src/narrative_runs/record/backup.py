"""Verified copies of a record, for its owner alone."""

import os
import sqlite3
from contextlib import suppress
from pathlib import Path

from narrative_runs.errors import RecordError
from narrative_runs.permissions import file_mode, folder_mode


def back_up(path: Path, target: Path) -> None:
    """Copy the record at `path` to `target`, which appears whole and verified or not at all.

    To be called while the record is held for writing, so that no two are made at once; the copy is of what was last
    committed.

    Raises:
        RecordError: the record is damaged, the copy differs from it, or the copy cannot be written.
    """
    # Always the same name, so that what a killed process left behind is overwritten and does not pile up.
    draft = target.with_name(f".{path.name}.backup.draft")
    try:
        _remove(draft)
        target.parent.mkdir(mode=folder_mode(), parents=True, exist_ok=True)
        os.close(os.open(draft, os.O_CREAT | os.O_EXCL | os.O_RDWR, file_mode()))
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
    except (sqlite3.Error, OSError) as error:
        raise RecordError(
            f"{target}: the backup of {path} cannot be written ({error}). The record was left as it is. Free some "
            "space there (is the disk full?), then start the same command again."
        ) from None
    finally:
        with suppress(OSError):
            _remove(draft)


def _remove(draft: Path) -> None:
    for leftover in (draft, draft.with_name(f"{draft.name}-journal")):
        leftover.unlink(missing_ok=True)


def _verify(source: sqlite3.Connection, copy: sqlite3.Connection, path: Path) -> None:
    (integrity,) = copy.execute("PRAGMA integrity_check(1)").fetchone()
    if integrity != "ok":
        raise RecordError(
            f"{path} is damaged: {integrity}. It was left as it is. Restore it from a backup, or save what can be read "
            "with the sqlite3 program (its command .recover)."
        )
    if _rows(source) != _rows(copy):
        raise RecordError(f"{path}: the backup does not hold the same rows. The record was left as it is.")


def _rows(connection: sqlite3.Connection) -> dict[str, int]:
    tables = connection.execute("SELECT name FROM sqlite_master WHERE type = 'table'").fetchall()
    return {name: connection.execute(f'SELECT count(*) FROM "{name}"').fetchone()[0] for (name,) in tables}
