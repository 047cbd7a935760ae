"""A run's progress, and when it will end: pure arithmetic on counts and times."""

from collections import Counter, deque
from dataclasses import dataclass, field
from typing import NamedTuple

from narrative_runs.observation.run_status import RunStatus

RECENT_S = 300.0
# Longer than a locked record can hold up the one who looks.
SLEPT_S = 120.0


class Note(NamedTuple):
    """A session's progress at one time: narratives with a result, and these with half of those in flight."""

    at: float
    done: int
    work: float


@dataclass
class Progress:
    """Counts of an experiment, and the pace of this session. Times are seconds of a monotonic clock.

    total: narratives to classify, None until the workbook is read; done: narratives with a result, errors included;
    done_before: those that had it before this session; adopted: answers that were asked for elsewhere; errors: results
    that are errors, by category; tokens: used by the experiment over all sessions, its retries included, and of them
    those of prompts and of completions; in_flight: requests that the server has.

    The pace is that of the session's own answers, counted from its first request on, so that it includes neither its
    start nor what earlier sessions did. A request in flight counts as half done, which it is on average: answers of
    many slots come in bursts, which weigh heavily at the beginning.
    """

    began: float
    total: int | None = None
    done: int = 0
    done_before: int = 0
    adopted: int = 0
    tokens: int = 0
    prompt_tokens: int = 0
    completion_tokens: int = 0
    errors: Counter[str] = field(default_factory=Counter)
    in_flight: int = 0
    _recent: deque[Note] = field(default_factory=deque)
    _asking_since: float | None = None
    _noted_at: float = 0.0
    _slept: float = 0.0

    @property
    def completed(self) -> int:
        """Narratives with a result that is no error."""
        return self.done - self.errors.total()

    @property
    def remaining(self) -> int | None:
        """Narratives without a result."""
        return None if self.total is None else max(0, self.total - self.done)

    @property
    def done_now(self) -> int:
        """Narratives with a result of this session."""
        return self.done - self.done_before

    def begin_asking(self, now: float) -> None:
        """The session sends its first request: the pace is counted from here on."""
        if self._asking_since is None:
            self._asking_since = now
            self._recent = deque([Note(now, self.done_now, self.done_now)])

    def note(self, now: float) -> None:
        """Remember the progress at this time, for the rate of the last minutes."""
        self._noted_at = now
        awake = now - self._slept
        if self._recent:
            last = self._recent[-1].at
            if awake - last > SLEPT_S:
                # Nobody looked for so long: the machine slept, or this process was stopped.
                self._slept += awake - last
                awake = last
        self._recent.append(Note(awake, self.done_now, self.done_now + self.in_flight / 2))
        while awake - self._recent[0].at > RECENT_S and len(self._recent) > 2:
            self._recent.popleft()

    def rate(self) -> float | None:
        """Narratives a second over the last minutes of this session, None before there is any."""
        return _rate(self._recent[0], self._recent[-1]) if self._recent else None

    def session_rate(self) -> float | None:
        """Narratives a second over this session, since its first request; None before there is any."""
        if self._asking_since is None or not self._recent:
            return None
        return _rate(Note(self._asking_since, 0, 0), self._recent[-1])

    def seconds_left(self, now: float) -> float | None:
        """Seconds until the last narrative has a result, None while nobody can say."""
        rate, remaining = self.rate(), self.remaining
        if remaining == 0:
            return 0.0
        if rate is None or remaining is None:
            return None
        return max(0.0, (remaining - min(remaining, self.in_flight) / 2) / rate - (now - self._noted_at))


class Interval:
    """When it is time for a line of progress: every 100 narratives or 30 seconds."""

    NARRATIVES = 100
    SECONDS = 30.0

    def __init__(self, now: float, done: int = 0) -> None:
        self._at, self._done = now, done

    def is_due(self, now: float, done: int) -> bool:
        """Whether a line is due now; if so, it counts as shown."""
        if done - self._done < self.NARRATIVES and now - self._at <= self.SECONDS:
            return False
        self._at, self._done = now, done
        return True


def duration(seconds: float) -> str:
    """Seconds in words, such as `45s`, `3m 20s` or `2h 15m`."""
    whole = int(seconds)
    if whole < 60:
        return f"{whole}s"
    if whole < 3600:
        return f"{whole // 60}m {whole % 60}s"
    return f"{whole // 3600}h {whole % 3600 // 60}m"


def percent_done(done: int, total: int) -> str:
    """The share that is done, such as `12.5%`; never 100.0% before all is done."""
    share = 100 * done / total if total else 0.0
    return f"{share if done >= total else min(share, 99.9):.1f}%"


def line(status: RunStatus) -> str:
    """One line of progress in the form of the R system."""
    total = status.n_narratives_total or 0
    done = status.n_narratives_processed
    counts = f"[PROGRESS] {done:,}/{total:,} ({percent_done(done, total)})"
    pace = "-" if status.rate_recent is None else f"{status.rate_recent:.2f}/sec"
    # After the last answer there is no rate any more, and nothing to wait for but the merge.
    ahead = f"Rate: {pace} | ETA: {status.estimated_completion_time or 'calculating...'}"
    if total and status.n_narratives_processed >= total:
        ahead = "All answered"
    text = f"{counts} | {ahead} | Elapsed: {duration(status.elapsed_sec)}"
    if status.errors:
        text += " | Errors: " + ", ".join(f"{count} {category}" for category, count in status.errors.items())
    return text


def _rate(first: Note, last: Note) -> float | None:
    if last.at <= first.at or last.done <= first.done or last.work <= first.work:
        return None
    return (last.work - first.work) / (last.at - first.at)
