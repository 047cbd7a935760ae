"""What came of each narrative that was asked, and how it was asked: a compact table, of which errors are searched."""

import re
from array import array
from calendar import timegm
from collections.abc import Iterable, Mapping, Sequence
from itertools import compress
from time import strptime
from typing import Generic, NamedTuple, TypeVar

# A status says what happened, unlike counts, times and ids.
_NUMBER = re.compile(r"(?<!HTTP )\b\d+(?:[.,]\d+)*")
_TIME = "%Y-%m-%d %H:%M:%S"
ABSENT = -1
# Before the name of a column of groups: it may be called as one of our own dimensions is.
GROUP = "group "
T = TypeVar("T")


class ErrorKind(NamedTuple):
    """Errors of a category whose messages differ at most in their numbers."""

    category: str
    message: str

    @classmethod
    def of(cls, category: str | None, message: str | None) -> "ErrorKind | None":
        """What a result says of its error; None where it is none."""
        return None if category is None else cls(category, message or "")


NO_ERROR = ErrorKind("", "")


class GroupColumn:
    """One column of groups, by narrative."""

    def __init__(self, groups: Sequence[str]) -> None:
        """groups: the group of each narrative, in the order of `row_num` from 1."""
        self.names = sorted(set(groups))
        numbers = {name: number for number, name in enumerate(self.names)}
        self.of_narratives = array("l", map(numbers.__getitem__, groups))


class Table(NamedTuple):
    """Columns of numbers, a row a narrative; errors: the number of its message, 0 without an error; columns: the
    numbers of its shard, server, host and groups, each by the name of its dimension, ABSENT where there is none."""

    narratives: Sequence[int]
    characters: Sequence[int]
    seconds: Sequence[int]
    errors: Sequence[int]
    columns: Mapping[str, Sequence[int]]

    def without(self, column: Sequence[int], low: int, high: int) -> "Table":
        """The rows whose value in this column of the table is not from `low` to `high`."""
        kept = [not low <= value <= high for value in column]
        narratives, characters, seconds, errors = (_kept(each, kept) for each in self[:4])
        columns = {name: _kept(each, kept) for name, each in self.columns.items()}
        return Table(narratives, characters, seconds, errors, columns)


class Outcomes:
    """The table while it grows: arrays of numbers, some 60 bytes a narrative.

    n_errors: how many of the narratives are errors.
    """

    def __init__(self, groups: Mapping[str, Sequence[str]] | None = None) -> None:
        """groups: by the name of its column the group of each narrative, in the order of `row_num` from 1."""
        self.groups = {f"{GROUP}{name}": GroupColumn(values) for name, values in (groups or {}).items()}
        self._messages = _Numbers(NO_ERROR)
        self._names: dict[str, _Numbers[str]] = {name: _Numbers() for name in ("server", "host", "shard")}
        self._columns = {name: array("l") for name in ("narratives", "characters", "seconds", "errors", *self._names)}
        self._rows = array("l")
        self._time: tuple[str | None, int] = (None, ABSENT)
        self.n_errors = 0

    def put(
        self,
        narrative: int,
        characters: int,
        shard: str,
        server: str,
        host: str,
        asked_at: str | None,
        error: ErrorKind | None,
        is_retry: bool = False,
    ) -> None:
        """Take in the result of a narrative, or of a later pass over it, which keeps its shard.

        narrative: its `row_num`; characters: the length of its text; shard: its name; server, host: empty where nobody
        says them; asked_at: `YYYY-MM-DD HH:MM:SS`, local, None where nobody says it; error: with its message as it
        stands, None without one; is_retry: whether it was asked again as an error.
        """
        if is_retry:
            # Errors alone are asked again: that they share time, server and host says nothing about these.
            server, host, asked_at = "", "", None
        if len(self._rows) <= narrative:
            self._rows.extend([ABSENT] * (narrative + 1 - len(self._rows)))
        columns, row = self._columns, self._rows[narrative]
        if row == ABSENT:
            row = self._rows[narrative] = len(columns["narratives"])
            for column in columns.values():
                column.append(0)
            columns["shard"][row] = self._names["shard"].of(shard)
        self.n_errors += (error is not None) - (columns["errors"][row] > 0)
        columns["narratives"][row] = narrative
        columns["characters"][row] = characters
        columns["seconds"][row] = self._second(asked_at)
        columns["errors"][row] = 0 if error is None else self._messages.of(error)
        columns["server"][row] = self._names["server"].of(server) if server else ABSENT
        columns["host"][row] = self._names["host"].of(host) if host else ABSENT

    def table(self) -> Table:
        """The table as it is now."""
        narratives, characters, seconds, errors = (
            self._columns[name] for name in ("narratives", "characters", "seconds", "errors")
        )
        columns: dict[str, Sequence[int]] = {
            name: array("l", [column.of_narratives[narrative - 1] for narrative in narratives])
            for name, column in self.groups.items()
        }
        columns |= {name: self._columns[name] for name in self._names}
        return Table(narratives, characters, seconds, errors, columns)

    def name_of(self, dimension: str, number: int) -> str:
        """The shard, server, host or group that a number stands for."""
        names = self.groups[dimension].names if dimension in self.groups else self._names[dimension].names
        return names[number]

    def error(self, number: int) -> ErrorKind:
        """The error that has this number in the table."""
        return self._messages.names[number]

    def _second(self, time: str | None) -> int:
        # Times repeat: many narratives are asked in a second.
        if time != self._time[0]:
            self._time = (time, _second_of(time))
        return self._time[1]


def kind_of(error: ErrorKind) -> ErrorKind:
    """The kind that an error is of: its message without its numbers."""
    return ErrorKind(error.category, _NUMBER.sub("#", error.message))


def _second_of(time: str | None) -> int:
    try:
        return ABSENT if time is None else timegm(strptime(time, _TIME))
    except ValueError:
        # Of a row that another software wrote.
        return ABSENT


class _Numbers(Generic[T]):
    """Numbers of values, in the order in which they came, from 0."""

    def __init__(self, *values: T) -> None:
        self.names = list(values)
        self._numbers = {value: number for number, value in enumerate(values)}

    def of(self, value: T) -> int:
        number = self._numbers.get(value)
        if number is None:
            number = self._numbers[value] = len(self.names)
            self.names.append(value)
        return number


def _kept(column: Sequence[int], kept: Iterable[bool]) -> Sequence[int]:
    return array("l", compress(column, kept))
