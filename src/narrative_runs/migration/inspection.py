"""Looks at a record of the R system, or an older one of ours, without leaving a trace."""

import shutil
import sqlite3
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path

from narrative_runs.atomic_files import temporary_folder
from narrative_runs.errors import RecordError
from narrative_runs.record import schema

_MAGIC = b"SQLite format 3\x00"
_WAL = b"\x02"
# What makes a file a record at all; everything else can be added.
_MUST_HAVE = {
    "experiments": {"experiment_id", "experiment_name", "status"},
    "narrative_results": {"result_id", "experiment_id", "incident_id", "narrative_type"},
}
_MUST_HAVE_IF_THERE = {"source_narratives": {"incident_id", "narrative_type", "data_source"}}


@dataclass(frozen=True)
class Column:
    """A column as SQLite describes it; `default` is an SQL expression, or None."""

    name: str
    declared_type: str
    default: str | None


@dataclass(frozen=True)
class RecordContent:
    """What an older record holds.

    columns: names by table; unique: the groups of columns that are unique, by table; rows: numbers of rows by table;
    indexes: names; duplicates: results that a later one for the same narrative of the same experiment replaces;
    without_id: results whose experiment, incident or narrative type is NULL, which no unique index can tell apart;
    double_sources: narratives of a workbook that are there more than once.
    """

    columns: dict[str, tuple[str, ...]]
    unique: dict[str, frozenset[tuple[str, ...]]]
    rows: dict[str, int]
    indexes: frozenset[str]
    duplicates: int
    without_id: int
    double_sources: int


@contextmanager
def read_only(path: Path, not_utf8: str = "surrogateescape") -> Iterator[sqlite3.Connection]:
    """A connection that cannot write, and leaves neither file nor time changed.

    What a killed program left half done is rolled back in a copy beside the record, which is then removed.
    not_utf8: how texts that are not UTF-8 come out, an error handler of `bytes.decode`.

    Raises:
        RecordError: there is no such file, it is not an SQLite database, or it cannot be read.
    """
    try:
        with path.open("rb") as file:
            head = file.read(100)
    except OSError as error:
        raise RecordError(f"{path} cannot be read: {error.strerror}. Give the path of an SQLite record.") from None
    if not head.startswith(_MAGIC):
        raise RecordError(f"{path} is no SQLite database. It was left as it is.")
    log = path.with_name(f"{path.name}-wal")
    # Of a write-ahead log that is empty or absent nothing is missed, and none need be made to read the file.
    is_whole = head[18:19] == _WAL and not (log.exists() and log.stat().st_size)
    try:
        with ExitStack() as until_read:
            try:
                connection = _connected(path, f"mode=ro{'&immutable=1' if is_whole else ''}")
            except sqlite3.OperationalError:
                connection = _connected(until_read.enter_context(_copied(path)), "mode=rw")
            until_read.callback(connection.close)
            connection.text_factory = lambda text: text.decode("utf-8", not_utf8)
            connection.row_factory = sqlite3.Row
            yield connection
    except (sqlite3.Error, OSError) as error:
        raise RecordError(f"{path} cannot be read: {error}. It was left as it is.") from None


def _connected(path: Path, how: str) -> sqlite3.Connection:
    """A connection that sees one state, whatever another program writes meanwhile."""
    connection = sqlite3.connect(f"{path.resolve().as_uri()}?{how}", uri=True, isolation_level=None)
    try:
        connection.execute("BEGIN")
        connection.execute("SELECT count(*) FROM sqlite_master")
    except sqlite3.Error:
        connection.close()
        raise
    return connection


@contextmanager
def _copied(path: Path) -> Iterator[Path]:
    """A copy of a record and of the journal that a killed program left; removed at the end."""
    with temporary_folder(f".{path.name}-", path.parent) as folder:
        copy = folder / path.name
        for name in (path.name, f"{path.name}-journal"):
            if path.with_name(name).exists():
                shutil.copyfile(path.with_name(name), copy.with_name(name))
        yield copy


def look(connection: sqlite3.Connection, path: Path) -> RecordContent:
    """What the record at `path` holds.

    Raises:
        RecordError: it is neither a record of the R system nor one of ours.
    """
    tables = {row[0] for row in connection.execute("SELECT name FROM sqlite_master WHERE type = 'table'")}
    columns = {table: tuple(column.name for column in columns_of(connection, table)) for table in tables}
    for table in _MUST_HAVE:
        if table not in columns:
            raise RecordError(f"{path} is no record of experiments: it has no table {table}. It was left as it is.")
    for table, wanted in (_MUST_HAVE | _MUST_HAVE_IF_THERE).items():
        if table in columns and (missing := wanted - set(columns[table])):
            raise RecordError(
                f"{path} is no record of experiments: {table} has no column {', '.join(sorted(missing))}. "
                "It was left as it is."
            )
    columns = {table: columns[table] for table in schema.TABLES if table in columns}
    with_checksum = "data_checksum" in columns.get("source_narratives", ())
    return RecordContent(
        columns=columns,
        unique={table: frozenset(_unique(connection, table)) for table in columns},
        rows={table: _number(connection, f"SELECT count(*) FROM {table}") for table in columns},
        indexes=frozenset(row[0] for row in connection.execute("SELECT name FROM sqlite_master WHERE type = 'index'")),
        duplicates=_number(connection, f"SELECT count(*) FROM narrative_results WHERE {DUPLICATES}"),
        without_id=_number(
            connection,
            "SELECT count(*) FROM narrative_results "
            "WHERE experiment_id IS NULL OR incident_id IS NULL OR narrative_type IS NULL",
        ),
        double_sources=_number(connection, _DOUBLE_SOURCES) if with_checksum else 0,
    )


# As the R design says: of several results for one narrative the last counts. NULLs are no narrative, hence no group.
DUPLICATES = """experiment_id IS NOT NULL AND incident_id IS NOT NULL AND narrative_type IS NOT NULL
  AND result_id NOT IN (
    SELECT max(result_id) FROM narrative_results GROUP BY experiment_id, incident_id, narrative_type
  )"""
_DOUBLE_SOURCES = """
SELECT coalesce(sum(times - 1), 0) FROM (
  SELECT count(*) AS times FROM source_narratives
  WHERE data_source IS NOT NULL AND data_checksum IS NOT NULL
  GROUP BY data_source, data_checksum, incident_id, narrative_type
)"""


def columns_of(connection: sqlite3.Connection, table: str) -> list[Column]:
    """The columns of a table, in its order."""
    return [Column(row[1], row[2], row[4]) for row in connection.execute(f'PRAGMA table_info("{table}")')]


def columns_of_ours() -> dict[str, list[Column]]:
    """The columns of each of our tables, as record/schema.py declares them."""
    connection = sqlite3.connect(":memory:")
    try:
        schema.create(connection)
        return {table: columns_of(connection, table) for table in schema.TABLES}
    finally:
        connection.close()


def _unique(connection: sqlite3.Connection, table: str) -> Iterator[tuple[str, ...]]:
    key = [row[1] for row in connection.execute(f"PRAGMA table_info({table})") if row[5]]
    if key:
        yield tuple(key)
    for index in connection.execute(f"PRAGMA index_list({table})").fetchall():
        # An index on a part of the rows keeps only these apart.
        if index[2] and not index[4]:
            yield tuple(row[2] for row in connection.execute(f'PRAGMA index_info("{index[1]}")'))


def _number(connection: sqlite3.Connection, sql: str) -> int:
    return int(connection.execute(sql).fetchone()[0])
