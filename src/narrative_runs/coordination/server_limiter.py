"""What one model server bears: requests at once, how far apart, and pauses, as pure decisions on a given time."""

import random

from narrative_runs.asking.failures import Failure, Kind

SHORTEST_PAUSE_S = 0.5
LONGEST_PAUSE_S = 60.0
# Evidence requests that may be refused in a row, with growing pauses between them, before the server is given up.
REFUSALS_ENDURED = 5
# Seconds between two requests to a server that counts them by time: how learning begins, ends, grows and shrinks.
FIRST_INTERVAL_S = 0.1
SHORTEST_INTERVAL_S = 0.02
LONGEST_INTERVAL_S = 60.0
GROWS_BY = 1.5
SHRINKS_BY = 0.93
FEWEST_OUTCOMES = 4


class ServerLimiter:
    """The state of one server. Times are seconds of a monotonic clock.

    slots: requests at once that it gets at most; in_flight: that it has now; paused_until: when it may be asked again;
    trouble_since: since when it fails again and again, and is tried with one request at a time; quiet_since: since when
    it answered nothing, though it failed or wants fewer requests; problem: what it said last; left_out: why it is not
    asked any more, empty while it is; answers, failures: requests about narratives that were answered, or failed, in
    this session.
    """

    def __init__(self, slots: int) -> None:
        self.slots = slots
        self.in_flight = 0
        self.paused_until = 0.0
        self.trouble_since: float | None = None
        self.quiet_since: float | None = None
        self.problem = ""
        self.left_out = ""
        self._most_slots = slots
        self.answers = 0
        self.failures = 0
        self._failed_in_a_row = 0
        self._pauses_in_a_row = 0
        self._refusals_in_a_row = 0
        # What it turned out to bear: requests at once, and seconds between two of them.
        self._bearable = float(slots)
        self._interval = 0.0
        self._outcomes_of_before = 0
        self._next_by_interval = 0.0

    def may_take(self, now: float) -> bool:
        """Whether it may be sent one request more."""
        if self.left_out or now < self.paused_until or now < self._next_by_interval:
            return False
        # In trouble it is tried with one request at a time.
        slots = 1 if self.trouble_since is not None else min(self.slots, int(self._bearable))
        return self.in_flight < slots

    @property
    def load(self) -> float:
        """The part of its slots that is in use."""
        return self.in_flight / max(1, self.slots)

    def take(self, now: float) -> None:
        """A request is sent to it now."""
        self.in_flight += 1
        if self._interval:
            self._next_by_interval = max(now, self._next_by_interval) + self._interval

    def release(self, count: int = 1) -> None:
        """Requests come to nothing: they say nothing about it."""
        self.in_flight = max(0, self.in_flight - count)

    def next_moment(self, now: float) -> float | None:
        """When it may be sent more without any further event; None when only an event can."""
        return max((at for at in (self.paused_until, self._next_by_interval) if at > now), default=None)

    def answered(self) -> None:
        """It answered a request about a narrative."""
        self._outcome()
        self.answers += 1
        self._refusals_in_a_row = 0
        self._bearable = min(float(self._most_slots), self._bearable + 1 / self._bearable)
        self._interval = self._interval * SHRINKS_BY if self._interval > SHORTEST_INTERVAL_S else 0.0
        self._sign_of_life()

    def evidence_answered(self, about_narrative: bool) -> None:
        """It answered an evidence request, and is well."""
        self._outcome()
        if about_narrative:
            self._refusals_in_a_row = 0
        self._sign_of_life()

    def evidence_failed(self, now: float, failure: Failure) -> bool:
        """An evidence request failed: it is the server's fault, and nothing else is asked there until one is answered.

        Returns whether it is to be given up: before its first answer a refusal is final.
        """
        self._outcome()
        self.problem = failure.reason or failure.message
        self._refusals_in_a_row += not failure.passes
        self._begin_trouble(now)
        self._pause(now, failure.retry_after)
        is_final = failure.is_key_or_account or not (failure.passes or self.answers)
        return is_final or self._refusals_in_a_row > REFUSALS_ENDURED

    def is_away(self, now: float) -> None:
        """It did not answer when it was looked at: it is tried from time to time."""
        self._begin_trouble(now)
        self._pause(now, None)

    def failed(self, now: float, failure: Failure) -> None:
        """A request about a narrative was not answered."""
        self._outcome()
        self.failures += 1
        if self.trouble_since is None:
            self.problem = failure.message
        self._failed_in_a_row += 1
        if failure.is_overload:
            self._ask_for_less(failure)
        # Of an account that is used up, the first failure says all: a short question settles it.
        is_trouble = failure.is_used_up or self._failed_in_a_row >= min(8, max(2, self._most_slots))
        if is_trouble:
            self._begin_trouble(now)
        if failure.kind is Kind.RATE_LIMITED:
            self.quiet_since = now if self.quiet_since is None else self.quiet_since
            self._pause(now, failure.retry_after or 0.0)
        elif is_trouble and now >= self.paused_until:
            self._pause(now, None)

    def _outcome(self) -> None:
        self.release()
        self._outcomes_of_before = max(0, self._outcomes_of_before - 1)

    def _sign_of_life(self) -> None:
        self._failed_in_a_row = 0
        self._pauses_in_a_row = 0
        self.trouble_since = self.quiet_since = None

    def _begin_trouble(self, now: float) -> None:
        if self.trouble_since is None:
            self.trouble_since = now
            self.quiet_since = now if self.quiet_since is None else self.quiet_since

    def _ask_for_less(self, failure: Failure) -> None:
        """Half as many at once; where the server may count requests by time, also further apart."""
        if self._outcomes_of_before:
            # These requests left before the last step; that one may be enough.
            return
        self._outcomes_of_before = max(FEWEST_OUTCOMES, self.in_flight)
        self._bearable = max(1.0, min(self._bearable, self.in_flight + 1) / 2)
        if failure.kind is not Kind.TIMED_OUT:
            self._interval = min(LONGEST_INTERVAL_S, max(FIRST_INTERVAL_S, GROWS_BY * self._interval))

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
