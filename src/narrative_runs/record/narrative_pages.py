"""Pages of narratives, filtered and searched by the search index, with their rows from the record."""

import sqlite3
import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from narrative_runs.record import database
from narrative_runs.record.older import relation
from narrative_runs.record.result_rows import outcome_of
from narrative_runs.record.search_index import (
    OF_THE_RECORD,
    Entry,
    Kind,
    Property,
    SearchIndex,
    entry_of,
    words_table,
)
from narrative_runs.record.search_words import Term, as_match

# A count that takes more CPU seconds says how many there are at least.
COUNT_FOR_S = 0.03
_INSTRUCTIONS_BETWEEN_LOOKS = 10_000
_COUNTED_AT_ONCE = 250
# So few narratives are sorted, or asked one by one whether they have all that is wanted.
_FEW = 1_000
# Of up to so many narratives with a property each is asked whether it has the words, where so many have the words.
_MOST_ASKED, _MANY_WITH_WORDS = 20_000, 5_000
_BY_RANGE = "INDEXED BY in_range"


@dataclass(frozen=True, slots=True)
class Wanted:
    """Which narratives are wanted: those that have all of this.

    least, greatest: of the probability of `variable`, 0 to 1, that of the record itself where it is empty; None: any.
    """

    properties: tuple[Property, ...] = ()
    terms: tuple[Term, ...] = ()
    least: float | None = None
    greatest: float | None = None
    variable: str = OF_THE_RECORD

    @property
    def has_range(self) -> bool:
        """Whether a probability is wanted at all."""
        return self.least is not None or self.greatest is not None


@dataclass(frozen=True, slots=True)
class Page:
    """Some of the wanted narratives, in their order.

    result_ids: of each its `result_id`; first, last: the positions of the first and the last of them, 0 where there is
    none; has_earlier, has_later: whether there are more before and behind.
    """

    result_ids: tuple[int, ...] = ()
    first: int = 0
    last: int = 0
    has_earlier: bool = False
    has_later: bool = False


@dataclass(frozen=True, slots=True)
class Count:
    """How many narratives are wanted; is_all: whether they were counted to the end."""

    n: int
    is_all: bool = True


@dataclass(frozen=True, slots=True)
class Indexed:
    """How far the index is: narratives that it has of the experiment, and whether these are all that the record has."""

    n_narratives: int = 0
    is_whole: bool = False


def indexed(index: SearchIndex, experiment_id: str) -> Indexed:
    """How far the index of an experiment is.

    Raises:
        RecordError: the index cannot be read.
    """
    with index.connected() as connection:
        entry = entry_of(connection, experiment_id)
    return Indexed() if entry is None else Indexed(entry.n_narratives, entry.is_whole)


def choices(index: SearchIndex, experiment_id: str) -> dict[Property, int]:
    """What the narratives of an experiment can be filtered by, and how many have it.

    Raises:
        RecordError: the index cannot be read.
    """
    with index.connected() as connection:
        rows = connection.execute(
            "SELECT kind, name, value, properties.n_narratives FROM properties JOIN experiments "
            "ON experiments.number = experiment WHERE experiment_id = ? AND properties.n_narratives > 0 "
            "ORDER BY kind, name, value",
            (experiment_id,),
        )
        return {Property(Kind(kind), name, value): n for kind, name, value, n in rows}


def has_probabilities(index: SearchIndex, experiment_id: str, variable: str) -> bool:
    """Whether any narrative has a probability of this variable, or of the record itself where it is empty.

    Raises:
        RecordError: the index cannot be read.
    """
    with index.connected() as connection:
        any_of_it = connection.execute(
            "SELECT 1 FROM probabilities JOIN experiments ON number = experiment WHERE experiment_id = ? AND "
            "variable = ? LIMIT 1",
            (experiment_id, variable),
        )
        return any_of_it.fetchone() is not None


def page_of(
    index: SearchIndex,
    experiment_id: str,
    wanted: Wanted,
    size: int,
    after: int | None = None,
    before: int | None = None,
) -> Page:
    """One page of the wanted narratives.

    size: how many it may have; after, before: of the narratives behind or before this position those that are nearest
    to it; the first ones where both are None.

    Raises:
        RecordError: the index cannot be read.
    """
    is_backwards = before is not None
    with index.connected() as connection:
        entry = entry_of(connection, experiment_id)
        chosen = None if entry is None else _chosen(connection, entry, wanted)
        if chosen is None:
            return Page()
        edge = before if before is not None else after
        further = "" if edge is None else f" AND {chosen.position} {'<' if is_backwards else '>'} ?"
        sql, values = chosen.select(f"{chosen.position} AS position, also.result_id", True, further)
        sql += f" ORDER BY position {'DESC' if is_backwards else 'ASC'} LIMIT ?"
        rows = connection.execute(sql, (*values, *(() if edge is None else (edge,)), size + 1)).fetchall()
    is_more = len(rows) > size
    rows = sorted(rows[:size])
    if not rows:
        return Page(has_earlier=after is not None, has_later=before is not None)
    return Page(
        tuple(result_id for _, result_id in rows),
        rows[0][0],
        rows[-1][0],
        has_earlier=is_more if is_backwards else after is not None,
        has_later=True if is_backwards else is_more,
    )


def count_of(index: SearchIndex, experiment_id: str, wanted: Wanted) -> Count:
    """How many narratives are wanted; where that takes more than COUNT_FOR_S, how many there are at least.

    Raises:
        RecordError: the index cannot be read.
    """
    with index.connected() as connection:
        entry = entry_of(connection, experiment_id)
        if entry is None:
            return Count(0)
        known = _numbers(connection, entry, wanted.properties)
        if not wanted.terms and not wanted.has_range and len(known) <= 1:
            return Count(known[0][1] if known else entry.n_narratives)
        chosen = _chosen(connection, entry, wanted)
        if chosen is None:
            return Count(0)
        return _counted(connection, chosen, not any(term.is_prefix for term in wanted.terms))


def _counted(connection: sqlite3.Connection, chosen: "_Chosen", has_few_words: bool) -> Count:
    """The count of what is chosen, some at a time, so that what was counted is known when the time is over.

    has_few_words: whether it costs little to begin anew; where any of many words will do, more are counted at a time.
    """
    at_once = _COUNTED_AT_ONCE * (1 if has_few_words else 64)
    some, values = chosen.select(f"{chosen.position} AS position", False, f" AND {chosen.position} > ?")
    sql = f"SELECT count(*), max(position) FROM ({some} ORDER BY position LIMIT ?)"
    # Of this thread: on a busy machine a count has as much time as on another one.
    end, total, last = time.thread_time() + COUNT_FOR_S, 0, -1
    connection.set_progress_handler(lambda: time.thread_time() > end, _INSTRUCTIONS_BETWEEN_LOOKS)
    try:
        while True:
            n, position = connection.execute(sql, (*values, last, at_once)).fetchone()
            total += n
            if n < at_once:
                return Count(total)
            last, at_once = position, max(at_once, min(2 * at_once, 16 * _COUNTED_AT_ONCE))
    except sqlite3.OperationalError as error:
        if "interrupted" not in str(error):
            raise
        return Count(total, is_all=False)
    finally:
        connection.set_progress_handler(None, 0)


@dataclass(frozen=True, slots=True)
class _Chosen:
    """How the wanted narratives are read.

    source, where: as SQL; position: what stands for a narrative's position there; values: those of `where`;
    are_results: whether all of them have a result for sure: the words of others are kept.
    """

    entry: Entry
    source: str
    where: str
    position: str
    values: tuple[Any, ...]
    are_results: bool

    def select(self, columns: str, needs_results: bool, further: str = "") -> tuple[str, tuple[Any, ...]]:
        """These columns, as SQL, with its values; needs_results: whether they name `also`, which has the results;
        further: another condition."""
        sql, values = f"SELECT {columns} FROM {self.source}", self.values
        if needs_results or not self.are_results:
            sql += f" CROSS JOIN narratives AS also ON also.experiment = ? AND also.position = {self.position}"
            sql += " AND also.result_id IS NOT NULL"
            values = (self.entry.number, *values)
        return f"{sql} WHERE {self.where}{further}", values


def _numbers(connection: sqlite3.Connection, entry: Entry, properties: Sequence[Property]) -> list[tuple[int, int]]:
    """The number of each property and how many narratives have it, the rarest first; a number of 0 where none has."""
    known = []
    for each in dict.fromkeys(properties):
        row = connection.execute(
            "SELECT number, n_narratives FROM properties WHERE experiment = ? AND kind = ? AND name = ? AND value = ?",
            (entry.number, *each),
        ).fetchone()
        known.append(row or (0, 0))
    return sorted(known, key=lambda number_and_count: number_and_count[1])


def _chosen(connection: sqlite3.Connection, entry: Entry, wanted: Wanted) -> _Chosen | None:
    """How the wanted narratives are read, in the order of their positions; None where there is none.

    What most narrows the choice is read in order, and of each narrative there it is asked whether it has the rest.
    """
    known = _numbers(connection, entry, wanted.properties)
    if known and known[0][1] == 0:
        return None
    words, match = words_table(entry.number), as_match(wanted.terms)
    numbers = [number for number, _ in known]
    n_rarest = known[0][1] if known else entry.n_narratives
    within, limits = _within("first", wanted), (entry.number, wanted.variable, *_limits(wanted))
    has_range, has_match = wanted.has_range, bool(match)
    if has_range and n_rarest > _FEW and _are_few(connection, within, limits):
        source, first, values = f"probabilities AS first {_BY_RANGE}", within, limits
        has_range = False
    elif has_match and not (numbers and _are_asked(connection, words, wanted, n_rarest)):
        source, first, values = f"{words} AS first", f"{words} MATCH ?", (match,)
        has_match = False
    elif numbers:
        source, first, values = "held_by AS first", "first.property = ?", (numbers.pop(0),)
    elif has_range:
        source, first, values = "probabilities AS first", within, limits
        has_range = False
    else:
        source, first, values = "narratives AS first", "first.experiment = ?", (entry.number,)
    position = "first.rowid" if source.startswith(words) else "first.position"
    rest: list[str] = []
    for number in numbers:
        rest.append(f"EXISTS (SELECT 1 FROM held_by WHERE property = ? AND position = {position})")
        values += (number,)
    if has_range:
        rest.append(
            f"EXISTS (SELECT 1 FROM probabilities AS its WHERE {_within('its', wanted)} AND its.position = {position})"
        )
        values += limits
    if has_match:
        rest.append(f"EXISTS (SELECT 1 FROM {words} WHERE {words} MATCH ? AND {words}.rowid = {position})")
        values += (match,)
    return _Chosen(entry, source, " AND ".join([first, *rest]), position, values, bool(known or wanted.has_range))


def _are_asked(connection: sqlite3.Connection, words: str, wanted: Wanted, n_rarest: int) -> bool:
    """Whether the narratives with the rarest property are asked one by one whether they have the words."""
    if n_rarest > _MOST_ASKED or any(term.is_prefix for term in wanted.terms):
        # What has any of many words is gathered anew for each that is asked.
        return False
    if n_rarest <= _FEW:
        return True
    (n,) = connection.execute(
        f"SELECT count(*) FROM (SELECT 1 FROM {words} WHERE {words} MATCH ? LIMIT ?)",
        (as_match(wanted.terms), _MANY_WITH_WORDS),
    ).fetchone()
    return bool(n >= _MANY_WITH_WORDS)


def _are_few(connection: sqlite3.Connection, within: str, limits: tuple[Any, ...]) -> bool:
    (n,) = connection.execute(
        f"SELECT count(*) FROM (SELECT 1 FROM probabilities AS first {_BY_RANGE} WHERE {within} LIMIT ?)",
        (*limits, _FEW + 1),
    ).fetchone()
    return bool(n <= _FEW)


def _within(table: str, wanted: Wanted) -> str:
    conditions = [f"{table}.experiment = ?", f"{table}.variable = ?"]
    conditions += [f"{table}.probability >= ?"] if wanted.least is not None else []
    conditions += [f"{table}.probability <= ?"] if wanted.greatest is not None else []
    return " AND ".join(conditions)


def _limits(wanted: Wanted) -> Iterator[float]:
    yield from (limit for limit in (wanted.least, wanted.greatest) if limit is not None)


def position_of(index: SearchIndex, experiment_id: str, row: Mapping[str, Any]) -> int | None:
    """Where a narrative stands in lists; None where the index does not have its experiment yet.

    row: its row in the record.

    Raises:
        RecordError: the index cannot be read.
    """
    with index.connected() as connection:
        entry = entry_of(connection, experiment_id)
    if entry is None:
        return None
    position: int | None = row["row_num"] if entry.has_row_nums else row["result_id"]
    return position


def rows_with_ids(result_ids: Sequence[int], variable: str = "") -> list[dict[str, Any]]:
    """The rows of these results with their outcome in words as `outcome`, in this order; those that were removed
    meanwhile are left out.

    variable: of a codebook, whose row in `coded_values` comes with each as `of_variable`, None where there is none.

    Raises:
        RecordError: the record cannot be read.
    """
    if not result_ids:
        return []
    marks = ", ".join("?" * len(result_ids))
    is_coded = bool(database.query("SELECT 1 FROM sqlite_master WHERE name = 'coded_values'"))
    has_several = (
        "EXISTS (SELECT 1 FROM coded_values WHERE coded_values.experiment_id = results.experiment_id)"
        if is_coded
        else "0"
    )
    rows = database.query(
        f"SELECT *, CASE WHEN {has_several} THEN {outcome_of(True)} ELSE {outcome_of(False)} END AS outcome "
        f"FROM {relation('narrative_results')} AS results WHERE result_id IN ({marks})",
        tuple(result_ids),
    )
    coded = {
        row["result_id"]: row
        for row in (
            database.query(
                "SELECT result_id, coded_values.* FROM narrative_results CROSS JOIN coded_values USING (experiment_id, "
                f"incident_id, narrative_type) WHERE result_id IN ({marks}) AND variable = ?",
                (*result_ids, variable),
            )
            if variable and is_coded
            else ()
        )
    }
    by_id = {row["result_id"]: {**row, "of_variable": coded.get(row["result_id"])} for row in rows}
    return [by_id[result_id] for result_id in result_ids if result_id in by_id]
