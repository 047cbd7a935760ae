"""How far a run is, and when it will end: pure arithmetic on counts and times."""

from collections import Counter, deque
from dataclasses import dataclass, field

RECENT_S = 300.0


@dataclass
class Progress:
    """Counts of an experiment, and the pace of this session. Times are seconds of a monotonic clock.

    total: narratives to classify, None until the workbook is read; done: narratives with a result, errors included;
    errors: results that are errors, by category; adopted: answers that were asked for elsewhere; tokens: used by the
    experiment over all sessions.
    """

    began: float
    total: int | None = None
    done: int = 0
    done_before: int = 0
    adopted: int = 0
    tokens: int = 0
    errors: Counter[str] = field(default_factory=Counter)
    _recent: deque[tuple[float, int]] = field(default_factory=deque)

    @property
    def completed(self) -> int:
        """Narratives with a result that is no error."""
        return self.done - self.errors.total()

    @property
    def remaining(self) -> int | None:
        """Narratives without a result."""
        return None if self.total is None else max(0, self.total - self.done)

    def note(self, now: float) -> None:
        """Remember how far it is at this time, for the rate of the last minutes."""
        self._recent.append((now, self.done))
        while now - self._recent[0][0] > RECENT_S and len(self._recent) > 2:
            self._recent.popleft()

    def rate(self) -> float | None:
        """Narratives a second over the last minutes of this session, None before there is any."""
        if len(self._recent) < 2:
            return None
        (first_time, first_done), (last_time, last_done) = self._recent[0], self._recent[-1]
        if last_time <= first_time or last_done <= first_done:
            return None
        return (last_done - first_done) / (last_time - first_time)

    def seconds_left(self) -> float | None:
        """Seconds until the last narrative has a result, None while nobody can say."""
        rate, remaining = self.rate(), self.remaining
        return None if rate is None or remaining is None else remaining / rate


def duration(seconds: float) -> str:
    """Seconds in words, such as `45s`, `3m 20s` or `2h 15m`."""
    whole = int(seconds)
    if whole < 60:
        return f"{whole}s"
    if whole < 3600:
        return f"{whole // 60}m {whole % 60}s"
    return f"{whole // 3600}h {whole % 3600 // 60}m"


def line(progress: Progress, now: float, eta: str | None) -> str:
    """One line of progress in the form of the R system; `eta` is a local time."""
    total = progress.total or 0
    share = 100 * progress.done / total if total else 0.0
    rate = progress.rate()
    pace = "-" if rate is None else f"{rate:.2f}/sec"
    text = (
        f"[PROGRESS] {progress.done:,}/{total:,} ({share:.1f}%) | Rate: {pace} | "
        f"ETA: {eta or 'calculating...'} | Elapsed: {duration(now - progress.began)}"
    )
    if progress.errors:
        told = ", ".join(f"{count} {category}" for category, count in progress.errors.most_common())
        text += f" | Errors: {told}"
    return text
