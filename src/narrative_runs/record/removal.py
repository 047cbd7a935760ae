"""Taking an experiment out of a record, or out of a copy of one, so that no page of the file holds a text of it."""

import csv
import sqlite3
from collections.abc import Iterator, Sequence
from contextlib import closing, contextmanager
from dataclasses import dataclass
from pathlib import Path

from narrative_runs.atomic_files import written_whole
from narrative_runs.errors import RecordError
from narrative_runs.paths import BACKUPS, RECORD
from narrative_runs.record.database import BUSY_TIMEOUT_S


@dataclass(frozen=True, slots=True)
class Held:
    """What a file holds of an experiment: its rows in `experiments`, results, and narratives of its workbook that no
    other experiment there was asked about."""

    experiments: int = 0
    results: int = 0
    narratives: int = 0

    def __bool__(self) -> bool:
        return self != Held()


def databases() -> list[Path]:
    """The record, its backups, and the copies that `migrate` made beside it, as far as they are there."""
    # Beside a copy that a kill left half written lies its rollback journal, which SQLite sees to.
    copies = RECORD.parent.glob(f"{RECORD.name}.backup-*")
    beside = sorted(path for path in copies if path.is_file() and not path.name.endswith("-journal"))
    return [path for path in (RECORD, *sorted(BACKUPS.glob("*.db")), *beside) if path.is_file()]


def lists_of_duplicates() -> list[Path]:
    """The CSV files in which `migrate` kept the rows that it removed."""
    return sorted(RECORD.parent.glob(f"{RECORD.name}.removed-duplicates-*.csv"))


def held(path: Path, experiment_ids: Sequence[str]) -> Held:
    """What the file holds of these experiments.

    Raises:
        RecordError: it cannot be read.
    """
    with _opened(path) as connection:
        tables = _tables(connection)
        sources = _own_sources(connection, experiment_ids)
        return Held(
            _count(connection, "experiments", "experiment_id", experiment_ids),
            _count(connection, "narrative_results", "experiment_id", experiment_ids),
            _count(connection, "source_narratives", "data_source", sources) if "source_narratives" in tables else 0,
        )


def remove(path: Path, experiment_ids: Sequence[str]) -> None:
    """Remove them, in one transaction; what stood in their place is overwritten with zeros.

    Raises:
        RecordError: the file cannot be written.
    """
    with _opened(path) as connection:
        connection.execute("PRAGMA secure_delete = ON")
        connection.execute("BEGIN IMMEDIATE")
        tables, sources = _tables(connection), _own_sources(connection, experiment_ids)
        if "source_narratives" in tables:
            _delete(connection, "source_narratives", "data_source", sources)
        for table in tables & {"error_patterns", "coded_values", "reviews"}:
            _delete(connection, table, "experiment_id", experiment_ids)
        _delete(connection, "narrative_results", "experiment_id", experiment_ids)
        _delete(connection, "experiments", "experiment_id", experiment_ids)
        connection.execute("COMMIT")


def remove_drafts() -> None:
    """Remove the unfinished copies of the record that killed backups left.

    Raises:
        RecordError: another program keeps the record locked.
    """
    if not RECORD.is_file():
        return
    with _opened(RECORD) as connection:
        # Backups are made while the record is held for writing: now none is.
        connection.execute("BEGIN IMMEDIATE")
        for draft in RECORD.parent.glob(f".{RECORD.name}.*"):
            draft.unlink(missing_ok=True)


def compact(path: Path) -> None:
    """Build the file anew, without the pages in which earlier deletions may have left texts.

    Raises:
        RecordError: the file cannot be written, or another program uses it.
    """
    with _opened(path) as connection:
        connection.execute("PRAGMA secure_delete = ON")
        connection.execute("VACUUM")


def remove_from_list(path: Path, experiment_ids: Sequence[str]) -> None:
    """Take the rows of these experiments out of a CSV file that `migrate` wrote."""
    with path.open(encoding="utf-8", errors="surrogateescape", newline="") as file:
        header, *rows = list(csv.reader(file)) or [[]]
    column = header.index("experiment_id") if "experiment_id" in header else None
    kept = [row for row in rows if column is None or row[column] not in experiment_ids]
    if len(kept) == len(rows):
        return
    with written_whole(path) as draft, draft.open("w", encoding="utf-8", errors="surrogateescape", newline="") as file:
        csv.writer(file).writerows([header, *kept])


@contextmanager
def _opened(path: Path) -> Iterator[sqlite3.Connection]:
    try:
        with closing(
            sqlite3.connect(f"{path.resolve().as_uri()}?mode=rw", uri=True, timeout=BUSY_TIMEOUT_S)
        ) as connection:
            connection.isolation_level = None
            yield connection
    except sqlite3.Error as error:
        raise RecordError(
            f"{path}: {error}. Close the programs that use it, or delete that file if it is damaged; then start the "
            "same command again, which does the rest."
        ) from None


def _tables(connection: sqlite3.Connection) -> set[str]:
    return {name for (name,) in connection.execute("SELECT name FROM sqlite_master WHERE type = 'table'")}


def _own_sources(connection: sqlite3.Connection, experiment_ids: Sequence[str]) -> list[str]:
    """The workbooks of these experiments that no other one in the file was asked about."""
    marks = _marks(experiment_ids)
    rows = connection.execute(
        f"SELECT DISTINCT data_file FROM experiments WHERE experiment_id IN ({marks}) AND data_file NOT IN "
        f"(SELECT data_file FROM experiments WHERE experiment_id NOT IN ({marks}) AND data_file IS NOT NULL)",
        (*experiment_ids, *experiment_ids),
    )
    return [name for (name,) in rows]


def _count(connection: sqlite3.Connection, table: str, column: str, values: Sequence[str]) -> int:
    counted = connection.execute(f"SELECT count(*) FROM {table} WHERE {column} IN ({_marks(values)})", tuple(values))
    return int(counted.fetchone()[0])


def _delete(connection: sqlite3.Connection, table: str, column: str, values: Sequence[str]) -> None:
    connection.execute(f"DELETE FROM {table} WHERE {column} IN ({_marks(values)})", tuple(values))


def _marks(values: Sequence[str]) -> str:
    return ", ".join("?" * len(values))
