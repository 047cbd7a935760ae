"""The parts of a run in which errors may gather: ranges of the values of one column, without a look at any text."""

from bisect import bisect_left, bisect_right
from collections import Counter
from collections.abc import Iterator, Sequence
from sys import maxsize
from typing import NamedTuple

from narrative_runs.error_patterns.hypergeometric import log_tail
from narrative_runs.error_patterns.outcomes import ABSENT

# Of an error or two less a chance makes as many as a fault.
FEWEST = 8
_SMALLEST_BLOCK = 16
_MINUTE, _HOUR, _DAY = 60, 3_600, 86_400
_WINDOWS = [
    *(10, 30),
    *(minutes * _MINUTE for minutes in (1, 2, 5, 10, 20, 30)),
    *(hours * _HOUR for hours in (1, 2, 4, 8)),
    *(days * _DAY for days in (1, 2, 4, 8, 16, 32, 64, 128)),
]
_MOST_WINDOWS = 2_000


class Cell(NamedTuple):
    """One part: the values from `low` to `high`. errors: how many of the errors that were looked for are in it;
    narratives: how many narratives; looked_at: among how many cells of its kind it stands out."""

    low: int
    high: int
    errors: int
    narratives: int
    looked_at: int


def cells_of_values(ordered: Sequence[int], of_errors: Sequence[int]) -> Iterator[Cell]:
    """A cell for each value.

    In, here and below: the values of all narratives, and of the errors that are looked for, both in order.
    """
    counts = Counter(ordered)
    counts.pop(ABSENT, None)
    if len(counts) > 1:
        for value, errors in Counter(of_errors).items():
            if errors >= FEWEST and value != ABSENT:
                yield Cell(value, value, errors, counts[value], len(counts))


def cells_of_lengths(ordered: Sequence[int], of_errors: Sequence[int]) -> Iterator[Cell]:
    """The longer and the shorter texts, from each length on that has two telling digits; at most half of all."""
    lengths = list(_round_lengths(ordered[0], ordered[-1]))
    for length in lengths:
        shorter, errors = bisect_right(ordered, length), bisect_right(of_errors, length)
        for cell in (
            Cell(length + 1, maxsize, len(of_errors) - errors, len(ordered) - shorter, 2 * len(lengths)),
            Cell(0, length, errors, shorter, 2 * len(lengths)),
        ):
            if cell.errors >= FEWEST and 2 * cell.narratives <= len(ordered):
                yield cell


def cells_of_rows(ordered: Sequence[int], of_errors: Sequence[int]) -> Iterator[Cell]:
    """Blocks of neighbouring narratives of the workbook, of many sizes, each half over the next one."""
    size, sizes = _SMALLEST_BLOCK, []
    while 2 * size <= ordered[-1] - ordered[0] + 1:
        sizes.append(size)
        size *= 2
    yield from _windows(ordered, of_errors, sizes)


def cells_of_times(ordered: Sequence[int], of_errors: Sequence[int]) -> Iterator[Cell]:
    """Spans of the clock, from seconds to days, each half over the next one."""
    span = _span(ordered)
    sizes = [size for size in _WINDOWS if span / _MOST_WINDOWS <= size <= span / 2]
    known, known_of_errors = (column[bisect_left(column, 0) :] for column in (ordered, of_errors))
    yield from _windows(known, known_of_errors, sizes)


def hours_of_day(seconds: Sequence[int]) -> list[int]:
    """The hour of each time; none where a run takes up to two days, in which an hour is a time like others."""
    span = _span(sorted(seconds))
    return [] if span <= 2 * _DAY else [ABSENT if each < 0 else each // _HOUR % 24 for each in seconds]


def tightened(cell: Cell, ordered: Sequence[int], of_errors: Sequence[int]) -> Cell:
    """The window of which the errors are least likely by chance, from an error to an error, that is near this one."""
    first, last = bisect_left(of_errors, cell.low), bisect_right(of_errors, cell.high) - 1

    def likely(first: int, last: int) -> float:
        narratives = bisect_right(ordered, of_errors[last]) - bisect_left(ordered, of_errors[first])
        return log_tail(last - first + 1, len(of_errors), narratives, len(ordered))

    least, step = likely(first, last), len(of_errors)
    while step:
        moves = ((first - step, last), (first + step, last), (first, last - step), (first, last + step))
        allowed = [(start, end) for start, end in moves if 0 <= start <= end < len(of_errors)]
        chances = [(likely(*move), *move) for move in allowed if move[1] - move[0] + 1 >= FEWEST]
        if chances and min(chances)[0] < least:
            least, first, last = min(chances)
        else:
            step //= 2
    low, high = of_errors[first], of_errors[last]
    narratives = bisect_right(ordered, high) - bisect_left(ordered, low)
    return Cell(low, high, last - first + 1, narratives, cell.looked_at)


def _windows(ordered: Sequence[int], of_errors: Sequence[int], sizes: Sequence[int]) -> Iterator[Cell]:
    looked_at = sum(_parts(ordered, size // 2) for size in sizes)
    for size in sizes:
        step = size // 2
        halves = Counter(value // step for value in of_errors)
        for half in sorted({*halves, *(half - 1 for half in halves)}):
            if (errors := halves[half] + halves[half + 1]) >= FEWEST:
                low, high = half * step, half * step + size - 1
                narratives = bisect_right(ordered, high) - bisect_left(ordered, low)
                yield Cell(low, high, errors, narratives, looked_at)


def _parts(ordered: Sequence[int], size: int) -> int:
    """How many of the parts of this size have a narrative."""
    parts = row = 0
    while row < len(ordered):
        parts += 1
        row = bisect_left(ordered, (ordered[row] // size + 1) * size, row)
    return parts


def _round_lengths(shortest: int, longest: int) -> Iterator[int]:
    size = 1
    while 10 * size <= longest:
        yield from (length for digits in range(10, 100) if shortest <= (length := digits * size) < longest)
        size *= 10


def _span(ordered: Sequence[int]) -> int:
    first = bisect_left(ordered, 0)
    return ordered[-1] - ordered[first] if first < len(ordered) else 0
