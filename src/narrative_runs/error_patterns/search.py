"""The search for what errors have in common: tests of all cells of all dimensions, the most telling first.

A cell stands out where so many errors in it are unlikely if errors fell on any narrative alike (the upper tail of the
hypergeometric distribution), after Bonferroni's correction: each dimension has an equal part of the level, and within
it all errors together have one half, the kinds of errors the other. What a pattern explains is set aside, and the rest
is searched again, so that one fault is one pattern though its errors are of one shard, and hence of one hour.
"""

from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from math import log
from sys import maxsize
from typing import NamedTuple

from narrative_runs.error_patterns.cells import (
    FEWEST,
    Cell,
    cells_of_lengths,
    cells_of_rows,
    cells_of_times,
    cells_of_values,
    hours_of_day,
    tightened,
)
from narrative_runs.error_patterns.hypergeometric import log_binomial_tail, log_tail
from narrative_runs.error_patterns.outcomes import ErrorKind, Outcomes, Table, kind_of

LENGTH, POSITION, TIME, HOUR, MESSAGE = "length", "position", "time", "hour of the day", "message"
FEWEST_ERRORS = 10
_LEVEL = 0.02
_MOST = 8
# Of errors that say more than one thing, one message is as frequent as that without any fault.
_COMMON_SHARE = 0.2
# Of two parts that hold the same errors, one that is as much less likely is no proof against the other: the span of
# time that fits best the errors of a shard, which is asked at one time, looks better than the shard by about that.
_AS_LIKELY = 6.0
_SAME_ERRORS = 0.8
_TIMES_AS_FREQUENT = 2.0


@dataclass(frozen=True)
class Pattern:
    """What some errors have in common.

    dimension: `length`, `group` and its column, `server`, `host`, `shard`, `position`, `time`, `hour of the day` or
    `message`; value: of it, in words; low, high: the same in numbers; n_errors: how many errors have it, of n_errors_of
    in the run; n_narratives: how many narratives have it, errors or not; error: what most of these errors say; also:
    what else nearly the same errors have in common, which fits them as well, such as the time of a shard.
    """

    dimension: str
    value: str
    low: int
    high: int
    n_errors: int
    n_errors_of: int
    n_narratives: int
    error: ErrorKind | None
    also: "tuple[Pattern, ...]" = ()

    @property
    def ways(self) -> "tuple[Pattern, ...]":
        """All that these errors have in common, the most telling first."""
        return (self, *self.also)

    def is_like(self, other: "Pattern") -> bool:
        """Whether both tell of one thing, of which one may have seen less."""
        return any(mine._is_near(its) for mine in self.ways for its in other.ways)

    def _is_near(self, other: "Pattern") -> bool:
        if self.dimension != other.dimension:
            return False
        if self.dimension in (LENGTH, POSITION, TIME):
            return self.low <= other.high and other.low <= self.high
        return self.value == other.value


class _Unlikely(NamedTuple):
    """A cell that stands out; tail: the logarithm of the probability of so many errors in it; kind: of the errors that
    were looked for, None for all."""

    tail: float
    dimension: str
    cell: Cell
    kind: ErrorKind | None


_CELLS: dict[str, Callable[[Sequence[int], Sequence[int]], Iterator[Cell]]] = {
    LENGTH: cells_of_lengths,
    POSITION: cells_of_rows,
    TIME: cells_of_times,
}


def search(outcomes: Outcomes) -> list[Pattern]:
    """The patterns among the errors of a run so far, the most telling first; the order of the table does not matter."""
    patterns: list[Pattern] = []
    if (errors_of_run := outcomes.n_errors) < FEWEST_ERRORS:
        return patterns
    table = outcomes.table()
    while len(patterns) < _MOST and len(table.errors) - table.errors.count(0) >= FEWEST:
        kinds = _kinds(outcomes, table)
        columns = _columns(table)
        unlikely = _most_telling(table, columns, kinds)
        if not unlikely:
            break
        ways = [_pattern(outcomes, table, columns[each.dimension], kinds, each, errors_of_run) for each in unlikely]
        patterns.append(replace(ways[0], also=tuple(ways[1:])))
        first = unlikely[0]
        table = table.without(columns[first.dimension], first.cell.low, first.cell.high)
    return patterns + _of_message(outcomes, table, errors_of_run)


def _columns(table: Table) -> dict[str, Sequence[int]]:
    """All columns that are searched, the most telling dimension first."""
    named = dict(table.columns)
    groups = {name: named.pop(name) for name in table.columns if name not in ("server", "host", "shard")}
    columns = {LENGTH: table.characters, **groups, **named, POSITION: table.narratives, TIME: table.seconds}
    return {**columns, HOUR: hours} if (hours := hours_of_day(table.seconds)) else columns


def _kinds(outcomes: Outcomes, table: Table) -> dict[int, ErrorKind]:
    """The kind of each number of an error in the table."""
    return {number: kind_of(outcomes.error(number)) for number in set(table.errors) if number}


def _most_telling(table: Table, columns: dict[str, Sequence[int]], kinds: dict[int, ErrorKind]) -> list[_Unlikely]:
    """The cell that stands out most, with those of other dimensions that hold nearly the same errors: the more telling
    dimension first; none where none stands out."""
    unlikely = [each for name in columns if (each := _least_likely(table, name, columns[name], kinds, len(columns)))]
    if not unlikely:
        return []
    least = min(unlikely, key=lambda each: each.tail)
    rows = _rows(table, columns[least.dimension], least.cell)

    def holds_the_same(each: _Unlikely) -> bool:
        its_rows = _rows(table, columns[each.dimension], each.cell)
        return len(rows & its_rows) >= _SAME_ERRORS * len(rows | its_rows)

    return [each for each in unlikely if each.tail <= least.tail + _AS_LIKELY and holds_the_same(each)]


def _least_likely(
    table: Table, dimension: str, column: Sequence[int], kinds: dict[int, ErrorKind], dimensions: int
) -> _Unlikely | None:
    """The cell of one dimension that stands out most, if one does."""
    ordered = sorted(column)
    wanted = _wanted(kinds, table)
    stand_out: list[tuple[float, int, int, _Unlikely]] = []
    for kind, numbers in wanted.items():
        of_errors = sorted(
            value for value, error in zip(column, table.errors, strict=True) if error and error in numbers
        )
        most_likely = log(_LEVEL) - log(2 * dimensions * (1 if kind is None else len(wanted) - 1))
        for cell in _CELLS.get(dimension, cells_of_values)(ordered, of_errors):
            tail = log_tail(cell.errors, len(of_errors), cell.narratives, len(ordered))
            if tail + log(cell.looked_at) > most_likely or not _is_frequent(cell, len(of_errors), len(ordered)):
                continue
            if dimension in (POSITION, TIME):
                cell = tightened(cell, ordered, of_errors)
                tail = log_tail(cell.errors, len(of_errors), cell.narratives, len(ordered))
            stand_out.append((round(tail, 6), _telling_digits(cell), cell.low, _Unlikely(tail, dimension, cell, kind)))
    return min(stand_out, key=lambda each: each[:3])[3] if stand_out else None


def _wanted(kinds: dict[int, ErrorKind], table: Table) -> dict[ErrorKind | None, set[int]]:
    """The errors that are looked for, by their numbers: all, and those of each kind that is not all."""
    counts: Counter[ErrorKind] = Counter()
    for number, count in Counter(table.errors).items():
        if number:
            counts[kinds[number]] += count
    wanted: dict[ErrorKind | None, set[int]] = {None: set(kinds)}
    for kind, count in sorted(counts.items()):
        if FEWEST <= count < counts.total():
            wanted[kind] = {number for number in kinds if kinds[number] == kind}
    return wanted


def _is_frequent(cell: Cell, errors: int, narratives: int) -> bool:
    """Whether errors are clearly more frequent in a cell than elsewhere: of many narratives little is certain soon."""
    elsewhere = narratives - cell.narratives
    return cell.errors * elsewhere >= _TIMES_AS_FREQUENT * (errors - cell.errors) * cell.narratives


def _telling_digits(cell: Cell) -> int:
    """How many digits a length needs: of equal ones a round number is told."""
    return len(str(cell.low - 1 if cell.high == maxsize else cell.high).rstrip("0"))


def _rows(table: Table, column: Sequence[int], cell: Cell) -> set[int]:
    """The narratives of the errors in a cell."""
    return {
        narrative
        for narrative, value, error in zip(table.narratives, column, table.errors, strict=True)
        if error and cell.low <= value <= cell.high
    }


def _pattern(
    outcomes: Outcomes,
    table: Table,
    column: Sequence[int],
    kinds: dict[int, ErrorKind],
    unlikely: _Unlikely,
    errors_of_run: int,
) -> Pattern:
    cell = unlikely.cell
    errors = [
        error for value, error in zip(column, table.errors, strict=True) if error and cell.low <= value <= cell.high
    ]
    if unlikely.kind is not None:
        errors = [error for error in errors if kinds[error] == unlikely.kind]
    return Pattern(
        unlikely.dimension,
        _value(outcomes, unlikely.dimension, cell),
        cell.low,
        cell.high,
        len(errors),
        errors_of_run,
        cell.narratives,
        _said_by_most(outcomes, errors, kinds),
    )


def _said_by_most(outcomes: Outcomes, errors: Iterable[int], kinds: dict[int, ErrorKind]) -> ErrorKind | None:
    """What more than half of the errors say, but for its numbers: as most of these say it."""
    counts = Counter(errors)
    of_kinds: Counter[ErrorKind] = Counter()
    for error, count in counts.items():
        of_kinds[kinds[error]] += count
    kind = min(of_kinds, key=lambda each: (-of_kinds[each], each))
    if 2 * of_kinds[kind] <= of_kinds.total():
        return None
    alike = [(-count, outcomes.error(error)) for error, count in counts.items() if kinds[error] == kind]
    return min(alike)[1]


def _of_message(outcomes: Outcomes, table: Table, errors_of_run: int) -> list[Pattern]:
    """The message that is unusually frequent among errors that nothing else explains, if there is one."""
    kinds = _kinds(outcomes, table)
    numbers = Counter(error for error in table.errors if error)
    counts: Counter[ErrorKind] = Counter()
    for number, count in numbers.items():
        counts[kinds[number]] += count
    if counts.total() < FEWEST_ERRORS:
        return []
    kind = min(counts, key=lambda each: (-counts[each], each))
    if counts[kind] < FEWEST_ERRORS or not _stands_out(counts, kind):
        return []
    error = _said_by_most(outcomes, (number for number in numbers.elements() if kinds[number] == kind), kinds)
    return [Pattern(MESSAGE, kind.message, 0, 0, counts[kind], errors_of_run, counts[kind], error)]


def _stands_out(counts: Counter[ErrorKind], kind: ErrorKind) -> bool:
    """Whether a message is more frequent than one of several is without a fault that they share."""
    if len(counts) == 1:
        return True
    share = max(_COMMON_SHARE, 1.5 / len(counts))
    second = max(count for each, count in counts.items() if each != kind)
    return 2 * counts[kind] >= 3 * second and log_binomial_tail(counts[kind], counts.total(), share) <= log(_LEVEL)


def _value(outcomes: Outcomes, dimension: str, cell: Cell) -> str:
    if dimension == LENGTH:
        is_open = cell.high == maxsize
        return f"more than {cell.low - 1:,} characters" if is_open else f"at most {cell.high:,} characters"
    if dimension == POSITION:
        return f"{cell.low:,} to {cell.high:,}"
    if dimension == TIME:
        return f"{_clock(cell.low)} and {_clock(cell.high)}"
    if dimension == HOUR:
        return f"{cell.low:02}:00 and {(cell.low + 1) % 24:02}:00"
    return outcomes.name_of(dimension, cell.low)


def _clock(second: int) -> str:
    return datetime.fromtimestamp(second, UTC).strftime("%Y-%m-%d %H:%M:%S")
