from collections import Counter
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from narrative_runs.session.progress import RECENT_S, Progress, duration, line
from narrative_runs.session.standing import Standing


@given(st.floats(0.01, 100), st.integers(2, 100), st.floats(0.1, 30))
def test_an_even_pace_is_its_own_rate(per_note: float, notes: int, every: float) -> None:
    """Narratives that come evenly give this rate, whatever its size, and the time left follows from it."""
    done_each = max(1, round(per_note))
    progress = Progress(began=0, total=notes * done_each + 50)
    for number in range(notes):
        progress.done = number * done_each
        progress.note(number * every)
    rate = progress.rate()
    assert rate == pytest.approx(done_each / every)
    assert progress.seconds_left((notes - 1) * every) == pytest.approx((50 + done_each) / (done_each / every))


def test_the_rate_is_that_of_the_last_minutes() -> None:
    """What was slow an hour ago does not darken the view."""
    progress = Progress(began=0, total=100_000)
    for minute in range(120):
        progress.done += 1 if minute < 60 else 600
        progress.note(minute * 60)
    assert progress.rate() == pytest.approx(10)


def test_narratives_of_earlier_sessions_are_not_this_pace() -> None:
    """A resumed run starts with many done; only what comes now makes its rate."""
    progress = Progress(began=0, total=1000, done=900, done_before=900)
    progress.note(0)
    assert progress.rate() is None
    progress.done = 910
    progress.note(10)
    assert progress.rate() == pytest.approx(1)
    assert progress.seconds_left(10) == pytest.approx(90)


@pytest.mark.parametrize("notes", [[], [(0, 5)], [(0, 5), (0, 9)], [(0, 5), (10, 5)]])
def test_without_any_movement_nobody_can_say(notes: list[tuple[float, int]]) -> None:
    """No answer yet, or none in the last minutes: there is neither rate nor end."""
    progress = Progress(began=0, total=10)
    for now, done in notes:
        progress.done = done
        progress.note(now)
    assert progress.rate() is None
    assert progress.seconds_left(notes[-1][0] if notes else 0) is None


def test_a_standstill_is_no_pace() -> None:
    """When nothing came for longer than the window, the rate of before is not told any more."""
    progress = Progress(began=0, total=1000)
    for second in range(10):
        progress.done = second
        progress.note(second)
    for second in range(10, 10 + 2 * int(RECENT_S), 10):
        progress.note(second)
    assert progress.rate() is None


def test_memory_does_not_grow_with_the_run() -> None:
    """Notes older than the window are let go."""
    progress = Progress(began=0)
    for second in range(5000):
        progress.note(second)
    assert len(progress._recent) <= RECENT_S + 2


def test_errors_are_done_but_not_completed() -> None:
    """A narrative that ended in an error has a result; completed are those without."""
    progress = Progress(began=0, total=10, done=7, errors=Counter(timeout=2, parse_error=1))
    assert (progress.completed, progress.remaining) == (4, 3)


def test_nothing_is_left_below_zero_and_unknown_before_the_workbook_is_read() -> None:
    """A lowered max_narratives leaves nothing open, and without a total nobody knows what is left."""
    assert Progress(began=0, total=5, done=7).remaining == 0
    assert Progress(began=0, done=7).remaining is None


@pytest.mark.parametrize(
    ("seconds", "words"),
    [
        (0, "0s"),
        (45.9, "45s"),
        (59.99, "59s"),
        (60, "1m 0s"),
        (200, "3m 20s"),
        (3599, "59m 59s"),
        (3600, "1h 0m"),
        (8100, "2h 15m"),
        (360_000, "100h 0m"),
    ],
)
def test_durations_in_words(seconds: float, words: str) -> None:
    """Seconds are told in the two units that matter."""
    assert duration(seconds) == words


def test_the_line_has_the_form_of_the_r_system() -> None:
    """Count, share, rate, end and time stand where the R system wrote them, and errors follow by category."""
    standing = Standing(
        "Cases", 20_946, 1234, 12.34, estimated_completion_time="2025-10-05 18:00:00", elapsed_sec=100.0
    )
    assert line(standing) == (
        "[PROGRESS] 1,234/20,946 (5.9%) | Rate: 12.34/sec | ETA: 2025-10-05 18:00:00 | Elapsed: 1m 40s"
    )
    standing = replace(standing, estimated_completion_time=None, errors={"parse_error": 5, "timeout": 2})
    assert line(standing).endswith("ETA: calculating... | Elapsed: 1m 40s | Errors: 5 parse_error, 2 timeout")


def test_the_line_before_the_workbook_is_read() -> None:
    """Without a total the line holds zeros, and no error."""
    told = line(Standing("Cases", None, 0, elapsed_sec=5.0))
    assert told == "[PROGRESS] 0/0 (0.0%) | Rate: - | ETA: calculating... | Elapsed: 5s"
