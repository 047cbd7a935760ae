from collections import Counter
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from narrative_runs.observation.progress import RECENT_S, Interval, Progress, duration, line, percent_done
from narrative_runs.observation.run_status import RunStatus


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
    standing = RunStatus(
        "Cases", 20_946, 1234, 12.34, estimated_completion_time="2025-10-05 18:00:00", elapsed_sec=100.0
    )
    assert line(standing) == (
        "[PROGRESS] 1,234/20,946 (5.9%) | Rate: 12.34/sec | ETA: 2025-10-05 18:00:00 | Elapsed: 1m 40s"
    )
    standing = replace(standing, estimated_completion_time=None, errors={"parse_error": 5, "timeout": 2})
    assert line(standing).endswith("ETA: calculating... | Elapsed: 1m 40s | Errors: 5 parse_error, 2 timeout")


def test_the_line_before_the_workbook_is_read() -> None:
    """Without a total the line holds zeros, and no error."""
    told = line(RunStatus("Cases", None, 0, elapsed_sec=5.0))
    assert told == "[PROGRESS] 0/0 (0.0%) | Rate: - | ETA: calculating... | Elapsed: 5s"


def asked_evenly(progress: Progress, began: float, seconds: int, a_second: int) -> None:
    """Narratives that come evenly from `began` on, noted every second."""
    progress.begin_asking(began)
    for second in range(1, seconds + 1):
        progress.done += a_second
        progress.note(began + second)


@given(st.floats(0, 60), st.integers(1, 50), st.integers(0, 10_000))
def test_the_start_of_a_session_is_no_pace(start_s: float, a_second: int, before: int) -> None:
    """However long it takes until the first request, and whatever was done before, the pace is that of the asking."""
    progress = Progress(began=0, total=before + 1000, done=before, done_before=before)
    for second in range(int(start_s)):
        progress.note(second)
    asked_evenly(progress, start_s, 5, a_second)
    assert progress.rate() == pytest.approx(a_second)
    assert progress.session_rate() == pytest.approx(a_second)
    assert progress.seconds_left(start_s + 5) == pytest.approx((1000 - 5 * a_second) / a_second)


@given(st.integers(1, 64), st.floats(0.1, 3), st.integers(2, 30))
def test_bursts_are_no_slower_pace(slots: int, latency_s: float, bursts: int) -> None:
    """Just before a burst of answers and just after it, the pace is the true one but for half a burst."""
    for done_bursts in (bursts - 1, bursts):
        progress = Progress(began=0, total=100 * slots * bursts, done_before=0)
        progress.begin_asking(0)
        progress.done, progress.in_flight = done_bursts * slots, slots
        progress.note(bursts * latency_s)
        true = slots / latency_s
        assert progress.rate() == pytest.approx(true, rel=0.5 / bursts + 1e-9)


def test_earlier_answers_that_are_found_late_are_no_pace() -> None:
    """When what earlier sessions did is counted only after the asking has begun, the pace stays as it is."""
    progress = Progress(began=0, total=2000)
    asked_evenly(progress, 1, 5, 4)
    progress.done += 900
    progress.done_before += 900
    progress.note(6)
    assert progress.rate() == pytest.approx(4)


def test_sleep_is_no_time() -> None:
    """A laptop that sleeps for hours, by whatever clock, has the same pace after it as before."""
    progress = Progress(began=0, total=100_000)
    asked_evenly(progress, 0, 100, 5)
    for second in range(1, 11):
        progress.done += 5
        progress.note(8 * 3600 + second)
    assert progress.rate() == pytest.approx(5, rel=0.02)
    assert progress.session_rate() == pytest.approx(5, rel=0.02)


def test_the_end_comes_nearer_between_two_notes() -> None:
    """Time that passes after a note is no time that is left."""
    progress = Progress(began=0, total=100)
    asked_evenly(progress, 0, 10, 1)
    assert progress.seconds_left(13) == pytest.approx(87)
    assert progress.seconds_left(500) == 0


def test_after_the_last_answer_nothing_is_left() -> None:
    """When all have a result the end is now, even where this session asked nothing."""
    assert Progress(began=0, total=5, done=5, done_before=5).seconds_left(9) == 0


def test_when_progress_is_told() -> None:
    """It is told after 100 narratives or 30 seconds, whichever comes first, and counted from there."""
    interval = Interval(now=0)
    assert not interval.is_due(1, 99) and interval.is_due(2, 100)
    assert not interval.is_due(30, 199) and interval.is_due(32.5, 100)
    assert not interval.is_due(33, 100)


@pytest.mark.parametrize(("done", "total", "text"), [(34_999, 35_000, "99.9%"), (8, 8, "100.0%"), (1, 8, "12.5%")])
def test_nothing_is_done_before_all_is(done: int, total: int, text: str) -> None:
    """100.0% is shown when the last narrative has its result, and not before."""
    assert percent_done(done, total) == text
