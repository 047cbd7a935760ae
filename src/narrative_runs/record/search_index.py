"""The search index: `results/search_index.db`, by which the page finds narratives in the record.

It holds nothing that is not in the record and the workbook: which words stand in which narrative (not the texts), and
what narratives are filtered by. Deleted, damaged or of another release it is made again. The record itself gets no
index of ours: others made it, or read it with their own programs.

A narrative's `position` is where it stands in lists: its `row_num`, or its `result_id` in a record of the R system.
"""

import hashlib
import json
import os
import sqlite3
import threading
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import closing, contextmanager, suppress
from dataclasses import dataclass
from enum import IntEnum
from pathlib import Path
from typing import Any, NamedTuple, TypeVar

from narrative_runs.codebook.texts import written
from narrative_runs.codebook.variables import Codebook, Multi, Quote, Text
from narrative_runs.errors import RecordError
from narrative_runs.paths import SEARCH_INDEX
from narrative_runs.permissions import file_mode
from narrative_runs.record import database, index_rows
from narrative_runs.record.index_rows import IndexRow
from narrative_runs.record.search_words import TOKENIZER


class Kind(IntEnum):
    """What narratives are filtered by."""

    OUTCOME = 0
    TYPE = 1
    ERROR = 2
    VALUE = 3
    GROUP = 4
    # What follows from a comparison with labels, as the findings make it.
    COMPARED_OUTCOME = 5
    LABEL = 6
    INCIDENT_OUTCOME = 7
    INCIDENT_VALUE = 8
    INCIDENT_LABEL = 9


COMPARED = (Kind.COMPARED_OUTCOME, Kind.LABEL, Kind.INCIDENT_OUTCOME, Kind.INCIDENT_VALUE, Kind.INCIDENT_LABEL)


class Property(NamedTuple):
    """What a narrative has: its outcome, its type or the category of its error; a variable's value, or what is compared
    of it (name: the variable, empty for the record's own outcome); or a group (name: the workbook's column)."""

    kind: Kind
    name: str
    value: str


Read = TypeVar("Read")
# Of each of the workbook's columns the group of each narrative, by `row_num` from 1.
Groups = Mapping[str, Sequence[str]]
# The probability of a yes of the record itself; others have the variable's name.
OF_THE_RECORD = ""
# A change of the tables, or of what they mean, is a new number: an index of another one is made again.
_VERSION = 27
_PATIENCE_S = 20.0
_ROWS_AT_ONCE = 1_000
_TABLES = """
CREATE TABLE experiments (
  number INTEGER PRIMARY KEY AUTOINCREMENT,
  experiment_id TEXT NOT NULL UNIQUE,
  has_row_nums INTEGER NOT NULL,
  n_narratives INTEGER NOT NULL DEFAULT 0,
  looked_up_to INTEGER NOT NULL DEFAULT 0,
  number_of_pass INTEGER NOT NULL DEFAULT 1,
  is_whole INTEGER NOT NULL DEFAULT 0,
  state_at_beginning TEXT,
  state_at_end TEXT,
  state_of_errors TEXT
);
CREATE TABLE narratives (
  experiment INTEGER NOT NULL,
  position INTEGER NOT NULL,
  result_id INTEGER,
  text_digest BLOB,
  properties TEXT NOT NULL,
  number_of_pass INTEGER NOT NULL,
  PRIMARY KEY (experiment, position)
) WITHOUT ROWID;
CREATE TABLE properties (
  number INTEGER PRIMARY KEY AUTOINCREMENT,
  experiment INTEGER NOT NULL,
  kind INTEGER NOT NULL,
  name TEXT NOT NULL,
  value TEXT NOT NULL,
  n_narratives INTEGER NOT NULL DEFAULT 0,
  UNIQUE (experiment, kind, name, value)
);
CREATE TABLE held_by (
  property INTEGER NOT NULL,
  position INTEGER NOT NULL,
  PRIMARY KEY (property, position)
) WITHOUT ROWID;
CREATE TABLE probabilities (
  experiment INTEGER NOT NULL,
  variable TEXT NOT NULL,
  position INTEGER NOT NULL,
  probability REAL NOT NULL,
  PRIMARY KEY (experiment, variable, position)
) WITHOUT ROWID;
CREATE INDEX in_range ON probabilities (experiment, variable, probability, position);
CREATE TABLE compared (
  experiment INTEGER NOT NULL,
  variable TEXT NOT NULL,
  state TEXT NOT NULL,
  PRIMARY KEY (experiment, variable)
) WITHOUT ROWID;
"""


class SearchIndex:
    """The search index as one process uses it, which may do so from several threads.

    A file that nobody may write, as on a disk that is open for reading alone, is left as it is: the index then lies in
    memory, for this process alone.
    """

    def __init__(self, path: Path = SEARCH_INDEX) -> None:
        self._path = path
        self._making = threading.Lock()
        # Keeps what lies in memory for as long as this object is there.
        self._in_memory: sqlite3.Connection | None = None

    @property
    def is_in_memory(self) -> bool:
        """Whether it lies in memory, and no other process sees it."""
        return self._in_memory is not None

    @contextmanager
    def connected(self) -> Iterator[sqlite3.Connection]:
        """A connection to the index, which is made or made again where that is needed.

        Raises:
            RecordError: the index was damaged, and is empty now; or another program keeps it locked.
        """
        try:
            with closing(self._connection()) as connection:
                yield connection
        except sqlite3.DatabaseError as error:
            if isinstance(error, sqlite3.OperationalError) and "no such table" not in str(error):
                raise RecordError(
                    f"{self._path} cannot be used: {error}. Close the programs that use it, and make room if the disk "
                    "is full; then try again."
                ) from None
            self._discard()
            raise RecordError(
                f"{self._path} was damaged ({error}). It is being made again from the record: try again in a while."
            ) from None

    def _connection(self) -> sqlite3.Connection:
        with self._making:
            for is_last_attempt in (False, True):
                connection = self._opened()
                try:
                    if _is_made(connection):
                        return connection
                except sqlite3.DatabaseError:
                    if is_last_attempt:
                        raise
                connection.close()
                self._discard()
            return self._opened()

    def _opened(self) -> sqlite3.Connection:
        if self._in_memory is None:
            try:
                self._path.parent.mkdir(parents=True, exist_ok=True)
                with suppress(FileExistsError):
                    os.close(os.open(self._path, os.O_CREAT | os.O_EXCL | os.O_RDWR, file_mode()))
                os.close(os.open(self._path, os.O_RDWR | os.O_NOFOLLOW))
                if not os.access(self._path.parent, os.W_OK):
                    raise PermissionError
            except OSError:
                self._in_memory = _connect(self._address_in_memory)
        return _connect(self._path.resolve().as_uri() if self._in_memory is None else self._address_in_memory)

    @property
    def _address_in_memory(self) -> str:
        return f"file:/search_index_{id(self)}?vfs=memdb"

    def _discard(self) -> None:
        if self._in_memory is not None:
            self._in_memory.close()
            self._in_memory = None
        else:
            _delete(self._path)


def _connect(address: str) -> sqlite3.Connection:
    connection = sqlite3.connect(address, uri=True, timeout=_PATIENCE_S, isolation_level=None)
    # A power cut may damage it: then it is made again. Nor is it a write-ahead log, which fails on network drives.
    connection.execute("PRAGMA synchronous = OFF")
    return connection


def _is_made(connection: sqlite3.Connection) -> bool:
    """Whether the tables are there, of this release; an empty file is given them."""
    (version,) = connection.execute("PRAGMA user_version").fetchone()
    if version == _VERSION:
        return True
    connection.execute("BEGIN IMMEDIATE")
    (n_tables,) = connection.execute("SELECT count(*) FROM sqlite_master").fetchone()
    (version,) = connection.execute("PRAGMA user_version").fetchone()
    if n_tables == 0:
        for statement in filter(str.strip, _TABLES.split(";")):
            connection.execute(statement)
        connection.execute(f"PRAGMA user_version = {_VERSION}")
    connection.execute("COMMIT")
    return bool(n_tables == 0 or version == _VERSION)


def _delete(path: Path) -> None:
    for each in (path.with_name(f"{path.name}-journal"), path):
        with suppress(OSError):
            each.unlink(missing_ok=True)


@dataclass(frozen=True, slots=True)
class Entry:
    """What the index has of an experiment.

    number: its own for it; has_row_nums: whether a position is a `row_num`; n_narratives: how many it has so far;
    is_whole: whether no row of the record was left out when it was last looked at.
    """

    number: int
    has_row_nums: bool
    n_narratives: int
    is_whole: bool


def entry_of(connection: sqlite3.Connection, experiment_id: str) -> Entry | None:
    """What the index has of an experiment; None where it has nothing yet."""
    row = connection.execute(
        "SELECT number, has_row_nums, n_narratives, is_whole FROM experiments WHERE experiment_id = ?",
        (experiment_id,),
    ).fetchone()
    return None if row is None else Entry(row[0], bool(row[1]), row[2], bool(row[3]))


def words_table(number: int) -> str:
    """The table of the words of an experiment with this number."""
    return f"words_{int(number)}"


def update(
    index: SearchIndex,
    experiment_id: str,
    codebook: Codebook,
    groups: Groups | None = None,
    is_wanted: Callable[[], bool] = lambda: True,
) -> None:
    """Bring what the index has of an experiment up to date with the record.

    Rows that came are added; errors are read again while the experiment runs, as a retry may have answered them; and
    after each merge all rows are. It is done some rows at a time, each time in a transaction that reads the record as
    it is then: what was removed from there does not come back.

    codebook: what was asked; groups: of the workbook's columns; is_wanted: whether to continue, asked now and then.

    Raises:
        RecordError: the record cannot be read, or the index cannot be written.
    """
    with database.reading() as record, index.connected() as connection:
        if record is None:
            return
        updating = _Updating(connection, record, experiment_id, codebook, groups or {})
        while is_wanted() and updating.advance():
            pass


class _Updating:
    """One experiment as it is being brought up to date."""

    def __init__(
        self,
        connection: sqlite3.Connection,
        record: sqlite3.Connection,
        experiment_id: str,
        codebook: Codebook,
        groups: Groups,
    ) -> None:
        self._connection, self._record = connection, record
        self._experiment_id, self._codebook, self._groups = experiment_id, codebook, groups
        self._number, self._pass, self._has_row_nums = 0, 0, False
        self._numbers: dict[Property, int] = {}
        self._counted: Counter[int] = Counter()

    def advance(self) -> bool:
        """Take over some rows, in one transaction; whether there are more."""
        self._connection.execute("BEGIN IMMEDIATE")
        try:
            is_more = self._advance()
            self._connection.execute("COMMIT")
        except BaseException:
            if self._connection.in_transaction:
                self._connection.execute("ROLLBACK")
            self._numbers.clear()
            raise
        return is_more

    def _advance(self) -> bool:
        state = self._read(index_rows.experiment_state, self._experiment_id)
        if state is None:
            _remove(self._connection, [self._experiment_id])
            return False
        checksum, status, has_slug = state
        if entry_of(self._connection, self._experiment_id) is None:
            self._connection.execute(
                "INSERT INTO experiments (experiment_id, has_row_nums, state_at_beginning) VALUES (?, ?, ?)",
                (self._experiment_id, has_slug, checksum),
            )
        number, has_row_nums, looked_up_to, number_of_pass, at_beginning, at_end, of_errors = self._connection.execute(
            "SELECT number, has_row_nums, looked_up_to, number_of_pass, state_at_beginning, state_at_end, "
            "state_of_errors FROM experiments WHERE experiment_id = ?",
            (self._experiment_id,),
        ).fetchone()
        if number != self._number:
            self._numbers.clear()
        self._number, self._has_row_nums, self._pass = number, bool(has_row_nums), number_of_pass
        self._connection.execute(
            f"CREATE VIRTUAL TABLE IF NOT EXISTS {words_table(number)} USING fts5 "
            f"(text, content = '', columnsize = 0, tokenize = '{TOKENIZER}')"
        )
        last = self._read(index_rows.last_id)
        if looked_up_to > last or bool(has_row_nums) != has_slug:
            # The record was made anew, or the experiment was adopted.
            return self._start_over()
        up_to = min(last, looked_up_to + _ROWS_AT_ONCE)
        if not self._put(self._read(index_rows.between, self._experiment_id, looked_up_to, up_to)):
            return self._start_over()
        self._set(looked_up_to=up_to)
        if up_to < last:
            return True
        if status == "running":
            if of_errors != checksum and not self._put(self._errors_answered()):
                return self._start_over()
            self._set(state_of_errors=checksum, is_whole=1)
            return False
        if checksum not in (at_end, at_beginning):
            self._set(state_at_beginning=checksum, looked_up_to=0, number_of_pass=number_of_pass + 1)
            return True
        if checksum != at_end:
            self._remove_rows_not_seen()
        self._set(state_at_end=checksum, is_whole=1)
        return False

    def _read(self, read: Callable[..., Read], *values: Any) -> Read:
        """What a function of `index_rows` reads; an error of the record is never taken for one of the index."""
        try:
            return read(self._record, *values)
        except sqlite3.Error as error:
            raise database.unreadable(error) from None

    def _set(self, **columns: Any) -> None:
        for column, value in columns.items():
            self._connection.execute(
                f"UPDATE experiments SET {column} = ? WHERE number = ? AND {column} IS NOT ?",
                (value, self._number, value),
            )

    def _start_over(self) -> bool:
        _remove(self._connection, [self._experiment_id])
        return True

    def _errors_answered(self) -> list[IndexRow]:
        """The rows that are errors in the index, and in the record no more."""
        ids = self._connection.execute(
            "SELECT result_id FROM properties JOIN held_by ON held_by.property = properties.number "
            "JOIN narratives ON narratives.experiment = properties.experiment AND narratives.position = "
            "held_by.position WHERE properties.experiment = ? AND kind = ?",
            (self._number, Kind.ERROR),
        )
        answered = self._read(index_rows.answered, [result_id for (result_id,) in ids])
        return self._read(index_rows.with_ids, self._experiment_id, answered)

    def _put(self, rows: Sequence[IndexRow]) -> bool:
        """Add rows or bring them up to date; False where the index holds the words of another text for one of them, and
        has to start over."""
        for row in rows:
            position = row.row_num if self._has_row_nums else row.result_id
            if position is None:
                continue
            before = self._connection.execute(
                "SELECT result_id, text_digest, properties, number_of_pass FROM narratives WHERE experiment = ? AND "
                "position = ?",
                (self._number, position),
            ).fetchone()
            if before is not None and before[0] not in (None, row.result_id) and before[3] == self._pass:
                # Before its first answer an experiment may have got another workbook: the merge sorts that out.
                continue
            digest = _digest(row.narrative_text)
            if before is not None and before[1] not in (None, digest):
                return False
            if digest is not None and (before is None or before[1] is None):
                self._connection.execute(
                    f"INSERT INTO {words_table(self._number)} (rowid, text) VALUES (?, ?)",
                    (position, row.narrative_text),
                )
            numbers = sorted({self._number_of(each) for each in self._properties_of(row)})
            had = [int(number) for number in before[2].split()] if before is not None and before[0] is not None else []
            self._put_properties(position, set(had), set(numbers))
            self._connection.execute(
                "INSERT OR REPLACE INTO narratives VALUES (?, ?, ?, ?, ?, ?)",
                (self._number, position, row.result_id, digest, " ".join(map(str, numbers)), self._pass),
            )
            self._put_probabilities(position, row, is_new=before is None)
            self._counted[0] += before is None or before[0] is None
        self._count()
        return True

    def _properties_of(self, row: IndexRow) -> Iterator[Property]:
        yield Property(Kind.OUTCOME, "", row.outcome)
        yield Property(Kind.TYPE, "", row.narrative_type)
        if row.error_category is not None:
            yield Property(Kind.ERROR, "", row.error_category)
        if self._codebook.fits_the_record and row.detected is not None:
            yield Property(Kind.VALUE, self._codebook.first_binary or "", written(row.detected) or "")
        for name, variable in self._codebook.variables.items():
            value = row.values.get(name)
            if value is None or isinstance(variable, Quote | Text):
                continue
            for each in _listed(value) if isinstance(variable, Multi) else [value]:
                yield Property(Kind.VALUE, name, each)
        if row.row_num is not None:
            for column, groups in self._groups.items():
                if 0 < row.row_num <= len(groups):
                    yield Property(Kind.GROUP, column, groups[row.row_num - 1])

    def _number_of(self, wanted: Property) -> int:
        if not self._numbers:
            known = self._connection.execute(
                "SELECT kind, name, value, number FROM properties WHERE experiment = ?", (self._number,)
            )
            self._numbers = {Property(Kind(kind), name, value): number for kind, name, value, number in known}
        if wanted not in self._numbers:
            made = self._connection.execute(
                "INSERT INTO properties (experiment, kind, name, value) VALUES (?, ?, ?, ?)", (self._number, *wanted)
            )
            self._numbers[wanted] = made.lastrowid or 0
        return self._numbers[wanted]

    def _put_properties(self, position: int, had: set[int], has: set[int]) -> None:
        self._connection.executemany(
            "DELETE FROM held_by WHERE property = ? AND position = ?", [(number, position) for number in had - has]
        )
        self._connection.executemany(
            "INSERT OR IGNORE INTO held_by VALUES (?, ?)", [(number, position) for number in has - had]
        )
        self._counted.update(has - had)
        self._counted.subtract(had - has)

    def _put_probabilities(self, position: int, row: IndexRow, is_new: bool) -> None:
        likely = dict(row.probabilities)
        if row.probability is not None:
            likely[OF_THE_RECORD] = row.probability
        if not is_new:
            self._connection.executemany(
                "DELETE FROM probabilities WHERE experiment = ? AND variable = ? AND position = ?",
                [(self._number, name, position) for name in {OF_THE_RECORD, *self._codebook.names} - set(likely)],
            )
        self._connection.executemany(
            "INSERT INTO probabilities VALUES (?, ?, ?, ?) ON CONFLICT DO UPDATE SET probability = "
            "excluded.probability WHERE probability <> excluded.probability",
            [(self._number, name, position, probability) for name, probability in likely.items()],
        )

    def _remove_rows_not_seen(self) -> None:
        """Take out the narratives that have no result any more, as after a rollback; their words stay for their return,
        and are not among what is found."""
        gone = self._connection.execute(
            "SELECT position, properties FROM narratives WHERE experiment = ? AND number_of_pass < ? AND result_id "
            "IS NOT NULL",
            (self._number, self._pass),
        ).fetchall()
        for position, properties in gone:
            self._put_properties(position, {int(number) for number in properties.split()}, set())
        self._connection.executemany(
            "UPDATE narratives SET result_id = NULL, properties = '' WHERE experiment = ? AND position = ?",
            [(self._number, position) for position, _ in gone],
        )
        self._connection.executemany(
            "DELETE FROM probabilities WHERE experiment = ? AND variable = ? AND position = ?",
            [(self._number, name, position) for position, _ in gone for name in (OF_THE_RECORD, *self._codebook.names)],
        )
        self._counted[0] -= len(gone)
        self._count()

    def _count(self) -> None:
        """Bring the counts up to date: of each property, and by 0 of all narratives."""
        more = self._counted.pop(0, 0)
        self._connection.executemany(
            "UPDATE properties SET n_narratives = n_narratives + ? WHERE number = ?",
            [(change, number) for number, change in self._counted.items() if change],
        )
        if more:
            self._connection.execute(
                "UPDATE experiments SET n_narratives = n_narratives + ? WHERE number = ?", (more, self._number)
            )
        self._counted.clear()


def _digest(text: str) -> bytes | None:
    return hashlib.blake2b(text.encode("utf-8", "replace"), digest_size=8).digest() if text else None


def _listed(value: str) -> list[str]:
    try:
        values = json.loads(value)
    except ValueError:
        return [value]
    return [str(each) for each in values] if isinstance(values, list) else [value]


def has_compared(index: SearchIndex, experiment_id: str, variable: str, state: str) -> bool:
    """Whether the index has what is compared of a variable, as it was in this state of the experiment.

    Raises:
        RecordError: the index cannot be read.
    """
    with index.connected() as connection:
        kept = connection.execute(
            "SELECT 1 FROM compared JOIN experiments ON number = experiment "
            "WHERE experiment_id = ? AND variable = ? AND state = ?",
            (experiment_id, variable, state),
        ).fetchone()
    return kept is not None


def put_compared(
    index: SearchIndex, experiment_id: str, variable: str, compared: Iterable[tuple[int, Kind, str]], state: str
) -> None:
    """Make this what is compared of a variable, and nothing else.

    compared: `result_id`, one of the kinds COMPARED, and its value in words; state: what `state_of` gave before. What
    the index does not have yet of the experiment is left out.

    Raises:
        RecordError: the index cannot be written.
    """
    with index.connected() as connection:
        connection.execute("CREATE TEMP TABLE given (result_id INTEGER, kind INTEGER, value TEXT)")
        connection.executemany("INSERT INTO temp.given VALUES (?, ?, ?)", compared)
        connection.execute("CREATE INDEX temp.by_result ON given (result_id)")
        connection.execute("BEGIN IMMEDIATE")
        entry = entry_of(connection, experiment_id)
        if entry is None:
            return
        those = f"experiment = ? AND name = ? AND kind IN ({', '.join(str(int(kind)) for kind in COMPARED)})"
        key = (entry.number, variable)
        connection.execute(f"DELETE FROM held_by WHERE property IN (SELECT number FROM properties WHERE {those})", key)
        connection.execute(
            "INSERT OR IGNORE INTO properties (experiment, name, kind, value) SELECT DISTINCT ?, ?, kind, value "
            "FROM temp.given",
            key,
        )
        connection.execute(
            "INSERT OR IGNORE INTO held_by SELECT properties.number, position FROM narratives CROSS JOIN temp.given "
            "USING (result_id) JOIN properties ON properties.experiment = narratives.experiment AND "
            "properties.kind = given.kind AND name = ? AND properties.value = given.value "
            "WHERE narratives.experiment = ?",
            (variable, entry.number),
        )
        connection.execute(
            "UPDATE properties SET n_narratives = (SELECT count(*) FROM held_by WHERE property = number) "
            f"WHERE {those}",
            key,
        )
        connection.execute("INSERT OR REPLACE INTO compared VALUES (?, ?, ?)", (entry.number, variable, state))
        connection.execute("COMMIT")


def state_of(experiment_id: str) -> str:
    """How an experiment stands in the record now: a checksum, which each change of its row changes.

    Raises:
        RecordError: the record cannot be read.
    """
    with database.reading() as record:
        state = None if record is None else index_rows.experiment_state(record, experiment_id)
    return "" if state is None else state[0]


def holds(experiment_ids: Sequence[str], path: Path = SEARCH_INDEX) -> bool:
    """Whether the file has anything of these experiments, or cannot be read."""
    if not path.exists():
        return False
    try:
        with closing(_connect(path.resolve().as_uri())) as connection:
            return any(entry_of(connection, experiment_id) for experiment_id in experiment_ids)
    except sqlite3.Error:
        return True


def remove(experiment_ids: Sequence[str], path: Path = SEARCH_INDEX) -> None:
    """Remove experiments that are in the record no more, and leave no word of them in the file; one that is damaged is
    removed whole.

    Raises:
        RecordError: another program uses the file.
    """
    if not path.exists():
        return
    try:
        with closing(_connect(path.resolve().as_uri())) as connection:
            connection.execute("PRAGMA secure_delete = ON")
            connection.execute("BEGIN IMMEDIATE")
            _remove(connection, experiment_ids)
            connection.execute("COMMIT")
            connection.execute("VACUUM")
    except sqlite3.OperationalError as error:
        if "locked" not in str(error):
            _delete(path)
            return
        raise RecordError(
            f"{path} is locked by another program. Close it, then start the same command again, which does the rest."
        ) from None
    except sqlite3.DatabaseError:
        _delete(path)


def _remove(connection: sqlite3.Connection, experiment_ids: Sequence[str]) -> None:
    """Take experiments out of the index, in a writing transaction."""
    for experiment_id in experiment_ids:
        entry = entry_of(connection, experiment_id)
        if entry is None:
            continue
        connection.execute(f"DROP TABLE IF EXISTS {words_table(entry.number)}")
        connection.execute(
            "DELETE FROM held_by WHERE property IN (SELECT number FROM properties WHERE experiment = ?)",
            (entry.number,),
        )
        for table in ("narratives", "properties", "probabilities", "compared"):
            connection.execute(f"DELETE FROM {table} WHERE experiment = ?", (entry.number,))
        connection.execute("DELETE FROM experiments WHERE number = ?", (entry.number,))
