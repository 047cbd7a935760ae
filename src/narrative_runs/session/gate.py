"""Who may ask now: slots, rate, budget and the state of the server, as pure decisions on a given time."""

import random
from collections import Counter
from dataclasses import dataclass

from narrative_runs.asking.failures import Failure, Kind

JUST_AFTER_S = 0.001
SHORTEST_PAUSE_S = 0.5
LONGEST_PAUSE_S = 60.0
# Evidence requests that may be refused in a row, with growing pauses between them, before the run ends.
REFUSALS_ENDURED = 5
# Seconds between two requests to a server that counts them by time: how learning begins, ends, grows and shrinks.
FIRST_INTERVAL_S = 0.1
SHORTEST_INTERVAL_S = 0.02
LONGEST_INTERVAL_S = 60.0
GROWS_BY = 1.5
SHRINKS_BY = 0.93
FEWEST_OUTCOMES = 4


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
        self.in_flight: Counter[int] = Counter()
        self.stopped: str | None = None
        self.paused_until = 0.0
        self.trouble_since: float | None = None
        # Since when nobody was answered, though the server failed or wants fewer requests.
        self._quiet_since: float | None = None
        self._waiting: Counter[int] = Counter()
        self._failed_in_a_row = 0
        self._pauses_in_a_row = 0
        self._refusals_in_a_row = 0
        self._last_problem = ""
        # What the server turned out to bear: requests at once, and seconds between two of them.
        self._bearable = float(limits.max_in_flight)
        self._interval = 0.0
        self._outcomes_of_before = 0
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
        self._outcome(job)
        if not tokens and self.limits.budget_tokens is not None:
            tokens = self._uncounted()
        self.answered += 1
        self.spent_tokens += tokens
        self._refusals_in_a_row = 0
        self._bearable = min(float(self.limits.max_in_flight), self._bearable + 1 / self._bearable)
        self._interval = self._interval * SHRINKS_BY if self._interval > SHORTEST_INTERVAL_S else 0.0
        self._sign_of_life()

    def evidence_answered(self, job: int, tokens: int, about_narrative: bool) -> None:
        """An evidence request of this job was answered: the server is well."""
        self._outcome(job)
        self.spent_tokens += tokens
        if about_narrative:
            self._refusals_in_a_row = 0
        self._sign_of_life()

    def evidence_failed(self, job: int, now: float, failure: Failure, anything_answered: bool) -> None:
        """An evidence request failed: it is the run's fault, and nothing else is asked until one is answered.

        anything_answered: whether this session has had an answer; before it a refusal is final.
        """
        self._outcome(job)
        self._last_problem = failure.reason or failure.message
        if failure.is_key_or_account or not (failure.passes or anything_answered):
            self._refused(failure)
        if not failure.passes:
            self._refusals_in_a_row += 1
            if self._refusals_in_a_row > REFUSALS_ENDURED:
                self._refused(failure)
        self._begin_trouble(now)
        self._pause(now, failure.retry_after)

    def unused(self, job: int) -> None:
        """A slot comes back unused."""
        _take_one(self.in_flight, job)

    def failed(self, job: int, now: float, failure: Failure) -> None:
        """A request of this job was not answered."""
        self._outcome(job)
        if self.trouble_since is None:
            self._last_problem = failure.message
        self._failed_in_a_row += 1
        if failure.is_overload:
            self._ask_for_less(failure)
        is_trouble = self._failed_in_a_row >= min(8, max(2, self.limits.max_in_flight))
        if is_trouble:
            self._begin_trouble(now)
        if failure.kind is Kind.RATE_LIMITED:
            self._quiet_since = now if self._quiet_since is None else self._quiet_since
            self._pause(now, failure.retry_after or 0.0)
        elif is_trouble and now >= self.paused_until:
            self._pause(now, None)

    def grants(self, now: float) -> list[int]:
        """The jobs that may send a request now, one entry a request."""
        granted: list[int] = []
        while self._waiting and self._may_go(now):
            job = min(self._waiting)
            _take_one(self._waiting, job)
            self.in_flight[job] += 1
            granted.append(job)
            if interval := self._seconds_between():
                self._next_by_rate = max(now, self._next_by_rate) + interval
        return granted

    def next_moment(self, now: float) -> float | None:
        """When `grants` may give more without any further event; None when only an event can."""
        if not self._waiting or self.stopped:
            return None
        later = [moment for moment in (self.paused_until, self._next_by_rate) if moment > now]
        if later and self._quiet_since is not None:
            return min(max(later), max(now, self._quiet_since + self.limits.give_up_after_s) + JUST_AFTER_S)
        return max(later, default=None)

    def check(self, now: float) -> None:
        """Stop the run when the server has been given up, or the budget is spent."""
        if self.stopped:
            return
        if self._quiet_since is not None and now - self._quiet_since >= self.limits.give_up_after_s:
            self.stopped = (
                f"the server has not answered for {now - self._quiet_since:.0f} s (run.give_up_after_s): "
                f"{self._last_problem}. Open narratives stay open. When it answers again, start the same command."
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
        slots = 1 if self.trouble_since is not None else min(self.slots, int(self._bearable))
        in_flight = self.in_flight.total()
        return in_flight < slots and not self._over_budget(in_flight + 1)

    def _over_budget(self, requests: int) -> bool:
        if self.limits.budget_tokens is None:
            return False
        mean = self.spent_tokens / self.answered if self.answered else 1
        return self.spent_tokens + requests * mean > self.limits.budget_tokens

    def _outcome(self, job: int) -> None:
        _take_one(self.in_flight, job)
        self._outcomes_of_before = max(0, self._outcomes_of_before - 1)

    def _sign_of_life(self) -> None:
        self._failed_in_a_row = 0
        self._pauses_in_a_row = 0
        self.trouble_since = self._quiet_since = None

    def _begin_trouble(self, now: float) -> None:
        if self.trouble_since is None:
            self.trouble_since = now
            self._quiet_since = now if self._quiet_since is None else self._quiet_since

    def _refused(self, failure: Failure) -> None:
        self.stopped = self.stopped or f"{failure.reason or failure.message}. Open narratives stay open."

    def _ask_for_less(self, failure: Failure) -> None:
        """Half as many at once; where the server may count requests by time, also further apart."""
        if self._outcomes_of_before:
            # These requests left before the last step; that one may be enough.
            return
        self._outcomes_of_before = max(FEWEST_OUTCOMES, self.in_flight.total())
        self._bearable = max(1.0, min(self._bearable, self.in_flight.total() + 1) / 2)
        if failure.kind is not Kind.TIMED_OUT:
            self._interval = min(LONGEST_INTERVAL_S, max(FIRST_INTERVAL_S, GROWS_BY * self._interval))

    def _seconds_between(self) -> float:
        """The least time between two requests."""
        by_limit = 60 / self.limits.requests_per_minute if self.limits.requests_per_minute else 0.0
        return max(by_limit, self._interval)

    def _uncounted(self) -> int:
        """Tokens of an answer whose tokens the server did not count: the mean of the others."""
        if not self.spent_tokens:
            self.stopped = self.stopped or (
                "the server does not count tokens, so that run.budget_tokens cannot be kept. Take it out of the "
                "params; run.max_narratives limits a run as well"
            )
            return 0
        return round(self.spent_tokens / max(1, self.answered))

    def _pause(self, now: float, asked_for: float | None) -> None:
        """Ask nothing for as long as the server wants, or longer and longer; never not at all."""
        if now < self.paused_until:
            # These requests left before the pause began: it gets no longer by each of them.
            self.paused_until = max(self.paused_until, now + (asked_for or 0.0))
            return
        if asked_for is None:
            seconds = min(LONGEST_PAUSE_S, 2.0**self._pauses_in_a_row) * random.uniform(0.75, 1.25)
        else:
            seconds = max(asked_for, min(LONGEST_PAUSE_S, SHORTEST_PAUSE_S * 2.0**self._pauses_in_a_row))
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


def not_accepted(asked: str, answered: str) -> str:
    """Why a run stops whose first answer comes from a model that is none of those accepted."""
    return (
        f"the server answers as {answered}, which is neither model.name ({asked}) nor among model.answers_as. Load the "
        "right model, or add this name to model.answers_as."
    )
