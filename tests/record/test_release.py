import sqlite3
from pathlib import Path

import pytest

from narrative_runs.errors import RecordError
from narrative_runs.record import database, release


@pytest.fixture
def earlier(tmp_path: Path) -> Path:
    """A record as an earlier release left it."""
    path = tmp_path / "experiments.db"
    with database.transaction(path) as connection:
        database.put_experiment(connection, "a", {"experiment_name": "A"})
    connection = sqlite3.connect(path)
    connection.execute("PRAGMA user_version = 0")
    connection.close()
    return path


def backups(path: Path) -> list[str]:
    return sorted(backup.name for backup in (path.parent / "backups").glob("*"))


def test_an_earlier_record_is_backed_up_once(earlier: Path) -> None:
    """The first write of a release copies the record before it, later ones do not; a new record needs no copy."""
    assert backups(earlier) == []
    for name in ("b", "c"):
        with database.transaction(earlier) as connection:
            database.put_experiment(connection, name, {"experiment_name": name})
    assert backups(earlier) == ["before-0.2.0.db"]
    kept = database.query("SELECT experiment_id FROM experiments", path=earlier.parent / "backups/before-0.2.0.db")
    assert kept == [{"experiment_id": "a"}]


def test_a_failed_write_leaves_no_second_backup(earlier: Path) -> None:
    """A transaction that fails after the backup is rolled back, and the next one makes no further copy."""
    for _ in range(2):
        with pytest.raises(RuntimeError), database.transaction(earlier) as connection:
            database.put_experiment(connection, "b", {"experiment_name": "B"})
            raise RuntimeError
    assert backups(earlier) == ["before-0.2.0.db"]
    assert len(database.query("SELECT * FROM experiments", path=earlier)) == 1


def test_without_a_backup_nothing_is_written(earlier: Path) -> None:
    """Where the backup cannot be made, the record stays as it is, and the message says what to do."""
    (earlier.parent / "backups").write_text("in the way")
    with pytest.raises(RecordError, match=r"backup .* cannot be written"), database.transaction(earlier) as connection:
        database.put_experiment(connection, "b", {"experiment_name": "B"})
    assert len(database.query("SELECT * FROM experiments", path=earlier)) == 1


@pytest.mark.parametrize(
    ("version", "number"), [("0.1.0", 100), ("0.2.0.dev0", 200), ("0.2.1", 201), ("1.0.0", 10_000)]
)
def test_releases_are_ordered(version: str, number: int) -> None:
    """A later release has the higher number; a release under development counts as itself."""
    assert release.number_of(version) == number
