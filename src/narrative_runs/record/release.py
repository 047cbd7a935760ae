"""Which release last wrote the record, so that a new one backs it up before it first writes.

The number stands in SQLite's own `user_version`, which nothing else here uses and the R system leaves at 0, as 0.1.0
did.
"""

import sqlite3
from pathlib import Path

from narrative_runs import __version__
from narrative_runs.record.backup import back_up


def number_of(version: str) -> int:
    """A release as one number that grows with it: 0.2.1 is 201. What follows the third part does not count."""
    major, minor, patch = (int(part) for part in version.split(".")[:3])
    return 10_000 * major + 100 * minor + patch


def claim(connection: sqlite3.Connection, path: Path) -> None:
    """Mark the record as written by this release; if an earlier one wrote it, after a backup.

    connection: in a writing transaction on the record at `path`, in which nothing was written yet. After a
    backup the mark is committed at once, so that whatever becomes of that transaction, no second backup follows; a new
    record appears with its tables.

    Raises:
        RecordError: the backup cannot be made; nothing was written.
    """
    (written_by,) = connection.execute("PRAGMA user_version").fetchone()
    this = number_of(__version__)
    if written_by >= this:
        return
    (tables,) = connection.execute("SELECT count(*) FROM sqlite_master").fetchone()
    if tables:
        back_up(path, backup_of(path))
    connection.execute(f"PRAGMA user_version = {this}")
    if tables:
        connection.execute("COMMIT")
        connection.execute("BEGIN IMMEDIATE")


def backup_of(path: Path) -> Path:
    """Where the record is kept as it was before this release; of an earlier one under that name both stay."""
    release = ".".join(__version__.split(".")[:3])
    target, others = path.parent / "backups" / f"before-{release}.db", 1
    while target.exists():
        others += 1
        target = target.with_name(f"before-{release}-{others}.db")
    return target
