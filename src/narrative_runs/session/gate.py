"""Who may ask now: slots, rate, budget and the state of the server, as pure decisions on a given time."""

import random
from collections import Counter
from dataclasses import dataclass

LONGEST_PAUSE_S = 60.0


@dataclass(frozen=True)
class Limits:
    """What holds over all jobs: requests at once, per minute, tokens of the experiment, seconds without an answer."""

    max_in_flight: int
    requests_per_minute: float | None
    budget_tokens: int | None
    give_up_after_s: float


class Gate:
    """The slots of one run, handed out to the oldest job first. Times are seconds of a monotonic clock.

    Jobs that shared the slots evenly would all end together, and slots would idle while new jobs start.
    """

    def __init__(self, limits: Limits, spent_tokens: int = 0, answered: int = 0) -> None:
        """spent_tokens, answered: what this experiment used and got in earlier sessions."""
        self.limits = limits
        self.slots = limits.max_in_flight
        self.spent_tokens = spent_tokens
        self.answered = answered
        self.signs_of_life = 0
        self.in_flight: Counter[int] = Counter()
        self.stopped: str | None = None
        self.paused_until = 0.0
        self.trouble_since: float | None = None
        self._waiting: Counter[int] = Counter()
        self._failed_in_a_row = 0
        self._pauses_in_a_row = 0
        self._next_by_rate = 0.0

    @property
    def waiting(self) -> int:
        """Requests that wait for a slot."""
        return self._waiting.total()

    def want(self, job: int) -> None:
        """A job wants to send one request; of two jobs the one with the lower number is older."""
        self._waiting[job] += 1

    def gone(self, job: int) -> None:
        """A job's connection dropped: its slots come back."""
        self.in_flight.pop(job, None)
        self._waiting.pop(job, None)

    def answer(self, job: int, tokens: int) -> None:
        """A request of this job was answered."""
        _take_one(self.in_flight, job)
        self.answered += 1
        self.spent_tokens += tokens
        self.sign_of_life()

    def rejected(self, job: int) -> None:
        """The server rejected one request, so that it is alive."""
        _take_one(self.in_flight, job)
        self.sign_of_life()

    def sign_of_life(self) -> None:
        """The server has answered somebody."""
        self._failed_in_a_row = 0
        self._pauses_in_a_row = 0
        self.trouble_since = None
        self.signs_of_life += 1

    def unused(self, job: int) -> None:
        """A slot comes back unused."""
        _take_one(self.in_flight, job)

    def failed(self, job: int, now: float) -> None:
        """The server could not be reached, failed, or gave no reply in time."""
        _take_one(self.in_flight, job)
        self._failed_in_a_row += 1
        if self.trouble_since is None and self._failed_in_a_row >= min(8, max(2, self.limits.max_in_flight)):
            self.trouble_since = now
        if self.trouble_since is not None and now >= self.paused_until:
            self._pause(now, None)

    def limited(self, job: int, now: float, retry_after: float | None) -> None:
        """The server wants fewer requests."""
        _take_one(self.in_flight, job)
        if self.trouble_since is None:
            self.trouble_since = now
        self._pause(now, retry_after)

    def grants(self, now: float) -> list[int]:
        """The jobs that may send a request now, one entry a request."""
        granted: list[int] = []
        while self._waiting and self._may_go(now):
            job = min(self._waiting)
            _take_one(self._waiting, job)
            self.in_flight[job] += 1
            granted.append(job)
            if self.limits.requests_per_minute:
                self._next_by_rate = max(now, self._next_by_rate) + 60 / self.limits.requests_per_minute
        return granted

    def next_moment(self, now: float) -> float | None:
        """When `grants` may give more without any further event; None when only an event can."""
        if not self._waiting or self.stopped:
            return None
        later = [moment for moment in (self.paused_until, self._next_by_rate) if moment > now]
        return max(later, default=None)

    def check(self, now: float) -> None:
        """Stop the run when the server has been given up, or the budget is spent."""
        if self.stopped:
            return
        if self.trouble_since is not None and now - self.trouble_since >= self.limits.give_up_after_s:
            self.stopped = (
                f"the server has not answered for {now - self.trouble_since:.0f} s (run.give_up_after_s). "
                "Open narratives stay open. Start the server, then start the same command again."
            )
        elif self._waiting and not self.in_flight.total() and self._over_budget(1):
            self.stopped = (
                f"the budget is reached: {self.spent_tokens:,} of {self.limits.budget_tokens:,} tokens "
                "(run.budget_tokens) are spent. Raise it to go on."
            )

    def _may_go(self, now: float) -> bool:
        if self.stopped or now < self.paused_until or now < self._next_by_rate:
            return False
        # A server in trouble is tried with one request at a time.
        slots = 1 if self.trouble_since is not None else self.slots
        in_flight = self.in_flight.total()
        return in_flight < slots and not self._over_budget(in_flight + 1)

    def _over_budget(self, requests: int) -> bool:
        if self.limits.budget_tokens is None:
            return False
        mean = self.spent_tokens / self.answered if self.answered else 1
        return self.spent_tokens + requests * mean > self.limits.budget_tokens

    def _pause(self, now: float, seconds: float | None) -> None:
        if seconds is None:
            seconds = min(LONGEST_PAUSE_S, 2.0**self._pauses_in_a_row) * random.uniform(0.75, 1.25)
        elif self.trouble_since is not None:
            # A wait that the server asked for is no sign of its death.
            self.trouble_since = max(self.trouble_since, now + seconds)
        self._pauses_in_a_row += 1
        self.paused_until = max(self.paused_until, now + seconds)


def _take_one(counts: Counter[int], job: int) -> None:
    """One less of this job; one of which nothing is left is not counted any more."""
    if counts[job] > 1:
        counts[job] -= 1
    else:
        counts.pop(job, None)


def another_model(before: str, now: str) -> str:
    """Why a run stops whose server serves another model than before."""
    return (
        f"the server now answers as {now}, and not as {before} as before. Load {before} again, "
        "then start the same command; for the other model, start a new experiment."
    )
