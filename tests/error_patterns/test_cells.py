from collections.abc import Callable, Iterator, Sequence

import pytest
from hypothesis import given
from hypothesis import strategies as st

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
from narrative_runs.error_patterns.outcomes import ABSENT

Cells = Callable[[Sequence[int], Sequence[int]], Iterator[Cell]]
COLUMNS = st.lists(st.tuples(st.integers(0, 100_000), st.booleans()), min_size=1, max_size=300)


@pytest.mark.parametrize("cells", [cells_of_values, cells_of_lengths, cells_of_rows, cells_of_times])
@given(column=COLUMNS)
def test_what_a_cell_counts_is_in_it(cells: Cells, column: list[tuple[int, bool]]) -> None:
    """Errors and narratives of each cell are those between its ends, and it is one of as many as were looked at."""
    ordered = sorted(value for value, _ in column)
    of_errors = sorted(value for value, is_error in column if is_error)
    seen = list(cells(ordered, of_errors))
    for cell in seen:
        assert cell.errors == sum(cell.low <= value <= cell.high for value in of_errors) >= FEWEST
        assert cell.narratives == sum(cell.low <= value <= cell.high for value in ordered)
        assert len(seen) <= cell.looked_at


def test_absent_values_are_no_cell() -> None:
    """A server that nobody names gathers no errors."""
    assert list(cells_of_values([ABSENT] * 20 + [0] * 20 + [1] * 20, [ABSENT] * 20)) == []


def test_one_value_alone_is_no_cell() -> None:
    """Where there is one shard, errors are in it and nowhere else could they be."""
    assert list(cells_of_values([0] * 50, [0] * 20)) == []


def test_lengths_are_round() -> None:
    """The limit of a length is told with two digits, however long the texts."""
    lengths = list(range(37, 20_000, 13))
    cells = list(cells_of_lengths(lengths, lengths[-200:]))
    assert cells
    for cell in cells:
        limit = str(min(cell.low - 1, cell.high) if cell.low else cell.high)
        assert not limit[2:].strip("0"), cell


def test_hours_of_the_day_need_days() -> None:
    """A run of one day has times alone; in one of a week, each hour of the day comes again."""
    hour = 3_600
    assert hours_of_day([0, 5 * hour, 47 * hour]) == []
    assert hours_of_day([0, 5 * hour, 24 * 7 * hour + 59, ABSENT]) == [0, 5, 0, ABSENT]


def test_a_window_ends_with_its_errors() -> None:
    """A window that covers a burst and more, or less, becomes the burst."""
    burst = list(range(400, 440, 2))
    ordered, of_errors = list(range(1, 2_001)), sorted([5, 900, 1_500, *burst])
    for low, high in ((384, 447), (400, 431), (256, 511)):
        assert tightened(Cell(low, high, 8, 64, 1), ordered, of_errors)[:4] == (400, 438, 20, 39)
