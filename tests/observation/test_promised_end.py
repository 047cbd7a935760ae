import pytest

from narrative_runs.observation.promised_end import PromisedEnd

HOUR = 3600.0


def promised(left: float = 10 * HOUR) -> PromisedEnd:
    """The end of a run that had so many seconds left at time 300, after which it is trusted."""
    mine = PromisedEnd()
    for now in (0, 300):
        assert mine.see(now, left + 300 - now, 500) is None
    return mine


def looks(mine: PromisedEnd, begin: float, end: float, left: float | None) -> list[tuple[float, float]]:
    """What is said between two times, where each second so much is left."""
    return [slip for now in range(int(begin), int(end) + 1) if (slip := mine.see(now, left, 500))]


def test_an_end_that_slips_by_more_than_a_quarter_is_told_once() -> None:
    """Of ten hours, what takes two and a half longer is told, with both ends; from then on the new one counts."""
    mine = promised()
    assert looks(mine, 301, 2000, 12 * HOUR) == []
    (slip,) = looks(mine, 2001, 5000, 14 * HOUR)
    assert slip == (300 + 10 * HOUR, 2601 + 14 * HOUR)
    assert looks(mine, 5001, 8000, 16 * HOUR) == []
    assert len(looks(mine, 8001, 12_000, 18 * HOUR)) == 1


@pytest.mark.parametrize(("until", "done"), [(299, 500), (5000, 99)])
def test_nobody_counts_on_a_first_guess(until: int, done: int) -> None:
    """Within five minutes, or with fewer than 100 narratives, no estimate is a promise."""
    mine = PromisedEnd()
    assert mine.see(0, HOUR, done) is None
    assert mine.see(until, 10 * HOUR, done) is None
    assert all(mine.see(until + second, 30 * HOUR, done) is None for second in range(700))


def test_a_short_pause_of_the_server_is_no_slip() -> None:
    """For some minutes the rate is poor, then nothing comes, then it recovers: it ends little later."""
    mine = promised()
    assert looks(mine, 301, 600, 20 * HOUR) == []
    assert looks(mine, 601, 1500, None) == []
    assert looks(mine, 1501, 1800, 20 * HOUR) == []
    assert looks(mine, 1801, 4000, 10 * HOUR) == []


@pytest.mark.parametrize("left", [None, 10 * HOUR])
def test_the_time_that_nothing_is_asked_counts(left: float | None) -> None:
    """A server that is away for hours, or a machine that sleeps so long, ends the run so much later."""
    mine = promised()
    assert looks(mine, 301, 400, left) == []
    later = 400 + 3 * HOUR
    ((before, then),) = looks(mine, later, later + 600, left)
    assert before == 300 + 10 * HOUR and then == pytest.approx(later + 600 + 10 * HOUR)


def test_at_the_end_nothing_slips() -> None:
    """A run that only retries, or has all its answers, has no end to be promised."""
    mine = PromisedEnd()
    assert all(mine.see(second, 0.0, 500) is None for second in range(2000))
