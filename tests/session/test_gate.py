import math
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule

from narrative_runs.asking.failures import Failure, Kind
from narrative_runs.session.gate import LONGEST_PAUSE_S, REFUSALS_ENDURED, SHORTEST_PAUSE_S, Gate, Limits

JOBS = st.integers(1, 4)
HALF_AN_HOUR = 1800.0
AWAY = Failure(Kind.UNREACHABLE, "the server cannot be reached")
REFUSED = Failure(Kind.REFUSED, "HTTP 400", 400)


def limited(seconds: float | None = None) -> Failure:
    """What a server says that wants fewer requests."""
    return Failure(Kind.RATE_LIMITED, "HTTP 429", 429, retry_after=seconds)


def gate_of(
    max_in_flight: int = 2,
    requests_per_minute: float | None = None,
    budget_tokens: int | None = None,
    give_up_after_s: float = HALF_AN_HOUR,
    **earlier: int,
) -> Gate:
    """A gate with these limits; `earlier` is what the experiment used and got before."""
    return Gate(Limits(max_in_flight, requests_per_minute, budget_tokens, give_up_after_s), **earlier)


def fill(gate: Gate, job: int = 1, wishes: int = 20) -> Gate:
    """The gate, with this many wishes of a job."""
    for _ in range(wishes):
        gate.want(job)
    return gate


class AnyOrder(RuleBasedStateMachine):
    """A gate under events in any order, beside a plain account of what happened."""

    def __init__(self) -> None:
        super().__init__()
        self.now = 100.0
        self.limits = Limits(3, 30.0, 1000, 120.0)
        self.gate = Gate(self.limits)
        self.open: dict[int, int] = {}
        self.waiting: list[int] = []
        self.granted_at: list[float] = []
        self.wait_until = 0.0
        self.spent_at_grant = 0
        self.largest_answer = 0

    @rule(job=JOBS)
    def want(self, job: int) -> None:
        self.gate.want(job)
        self.waiting.append(job)

    @rule()
    def grant(self) -> None:
        """The oldest job first; never during a pause, never too fast, never over the budget or the slots."""
        granted = self.gate.grants(self.now)
        self.waiting.sort()
        assert granted == self.waiting[: len(granted)]
        del self.waiting[: len(granted)]
        for job in granted:
            assert self.now >= self.wait_until
            assert self.gate.spent_tokens < 1000
            assert not self.granted_at or self.now >= self.granted_at[-1] + 2 - 1e-6
            self.granted_at.append(self.now)
            self.open[job] = self.open.get(job, 0) + 1

    @rule(seconds=st.floats(0, 70))
    def let_time_pass(self, seconds: float) -> None:
        self.now += seconds

    @precondition(lambda self: self.open)
    @rule(data=st.data(), tokens=st.integers(0, 200))
    def answer(self, data: st.DataObject, tokens: int) -> None:
        self.largest_answer = max(self.largest_answer, tokens)
        self.gate.answer(self.close_one(data), tokens)
        assert self.gate.trouble_since is None

    @precondition(lambda self: self.open)
    @rule(data=st.data(), failure=st.sampled_from([AWAY, REFUSED, Failure(Kind.SERVER_FAULT, "HTTP 503", 503)]))
    def fail(self, data: st.DataObject, failure: Failure) -> None:
        self.gate.failed(self.close_one(data), self.now, failure)

    @precondition(lambda self: self.open)
    @rule(data=st.data(), seconds=st.one_of(st.none(), st.floats(0, 100)))
    def limit(self, data: st.DataObject, seconds: float | None) -> None:
        self.gate.failed(self.close_one(data), self.now, limited(seconds))
        self.wait_until = max(self.wait_until, self.now + (seconds or 0))

    @precondition(lambda self: self.open)
    @rule(data=st.data(), tokens=st.integers(0, 200), is_answered=st.booleans())
    def evidence(self, data: st.DataObject, tokens: int, is_answered: bool) -> None:
        self.largest_answer = max(self.largest_answer, tokens)
        if is_answered:
            self.gate.evidence_answered(self.close_one(data), tokens, about_narrative=True)
        else:
            self.gate.evidence_failed(self.close_one(data), self.now, AWAY, anything_answered=True)

    @precondition(lambda self: self.open)
    @rule(data=st.data())
    def give_back(self, data: st.DataObject) -> None:
        self.gate.unused(self.close_one(data))

    @rule(job=JOBS)
    def drop(self, job: int) -> None:
        self.gate.gone(job)
        self.open.pop(job, None)
        self.waiting = [other for other in self.waiting if other != job]

    @rule(job=JOBS)
    def late_word_of_a_job_that_is_gone(self, job: int) -> None:
        if job not in self.open:
            self.gate.unused(job)

    def close_one(self, data: st.DataObject) -> int:
        """A job with a request in flight, and one request less of it in the account."""
        job: int = data.draw(st.sampled_from(sorted(self.open)))
        self.open[job] -= 1
        if not self.open[job]:
            del self.open[job]
        return job

    @invariant()
    def slots_are_accounted_for(self) -> None:
        assert dict(self.gate.in_flight) == self.open
        assert self.gate.in_flight.total() <= 3
        assert self.gate.waiting == len(self.waiting)

    @invariant()
    def budget_is_exceeded_by_no_more_than_the_requests_in_flight(self) -> None:
        assert self.gate.spent_tokens < 1000 + 3 * self.largest_answer or not self.largest_answer

    @invariant()
    def the_next_moment_is_later(self) -> None:
        moment = self.gate.next_moment(self.now)
        assert moment is None or moment > self.now


TestAnyOrder = AnyOrder.TestCase


@given(st.integers(1, 50), st.integers(0, 60))
def test_a_quiet_gate_gives_all_slots_at_once(slots: int, wishes: int) -> None:
    """Without rate, budget and trouble, requests go as long as there are slots."""
    gate = fill(gate_of(max_in_flight=slots), wishes=wishes)
    assert len(gate.grants(0)) == min(slots, wishes)
    assert gate.grants(1) == []


def test_the_oldest_job_goes_first() -> None:
    """Whoever asked first, a slot goes to the oldest job that wants one, so that jobs end one after the other."""
    gate = fill(fill(fill(gate_of(max_in_flight=3), job=2, wishes=2), job=3, wishes=2), job=1, wishes=2)
    assert gate.grants(0) == [1, 1, 2]
    gate.want(1)
    gate.answer(2, 5)
    assert gate.grants(0) == [1]
    gate.answer(1, 5)
    assert gate.grants(0) == [2]


def test_slots_of_a_gone_job_come_back() -> None:
    """When a job drops its connection, others get its slots, and its wishes are forgotten."""
    gate = fill(fill(gate_of(max_in_flight=2), job=1, wishes=4), job=2, wishes=2)
    assert gate.grants(0) == [1, 1]
    gate.gone(1)
    assert gate.grants(0) == [2, 2]
    assert gate.waiting == 0


@given(st.sampled_from([0.5, 7, 60, 600]), st.integers(2, 30))
def test_requests_keep_their_distance(rate: float, requests: int) -> None:
    """At the highest rate, the gate itself says when the next may go, and they go evenly, without a burst."""
    gate = fill(gate_of(max_in_flight=50, requests_per_minute=rate), wishes=requests + 1)
    now, moments = 10.0, []
    for _ in range(requests):
        assert gate.grants(now) == [1]
        moments.append(now)
        assert gate.grants(now) == []
        moment = gate.next_moment(now)
        assert moment is not None
        now = moment
    assert [later - earlier for earlier, later in pairwise(moments)] == pytest.approx([60 / rate] * (requests - 1))


def test_a_rest_is_not_made_up_for() -> None:
    """After a quiet hour the rate is kept as before."""
    gate = fill(gate_of(max_in_flight=50, requests_per_minute=60))
    gate.grants(0)
    assert len(gate.grants(3600)) == 1
    assert gate.grants(3600.5) == []


@given(st.integers(1, 20), st.integers(1, 500), st.integers(1, 5000), st.integers(0, 4000))
def test_the_budget_is_exceeded_by_the_requests_in_flight_alone(
    slots: int, tokens: int, budget: int, spent_before: int
) -> None:
    """However many requests wait, tokens beyond the budget are those of requests that were in flight already."""
    gate = fill(gate_of(max_in_flight=slots, budget_tokens=budget, spent_tokens=spent_before), wishes=10_000)
    while granted := gate.grants(0):
        assert gate.spent_tokens < budget
        for job in granted:
            gate.answer(job, tokens)
    assert gate.spent_tokens < max(budget, spent_before + 1) + slots * tokens
    gate.check(0)
    assert gate.stopped is not None
    assert "run.budget_tokens" in gate.stopped


def test_a_spent_budget_stops_only_when_something_is_left_to_ask() -> None:
    """Requests in flight may end, and a run that wants nothing more is not stopped."""
    gate = gate_of(budget_tokens=100)
    gate.want(1)
    assert gate.grants(0) == [1]
    gate.want(1)
    gate.check(0)
    assert gate.stopped is None
    gate.answer(1, 100)
    gate.gone(1)
    gate.check(0)
    assert gate.stopped is None


@given(st.floats(0, 1e5))
def test_retry_after_is_honoured(seconds: float) -> None:
    """What the server says to wait is waited by all jobs, to the moment; without a pause it is never asked again."""
    gate = fill(gate_of(give_up_after_s=math.inf))
    gate.grants(10)
    gate.failed(1, 10, limited(seconds))
    pause = max(seconds, SHORTEST_PAUSE_S)
    assert gate.grants(10 + pause * 0.999) == []
    assert gate.next_moment(10) == 10 + pause
    gate.unused(1)
    assert gate.grants(10 + pause) == [1]


@given(st.sampled_from([0.0, 0.2, 1.0, 3600.0, None]))
def test_pauses_that_the_server_asks_for_do_not_put_off_the_end(seconds: float | None) -> None:
    """A server that asks for one pause after the other and never answers is given up like any other."""
    gate = fill(gate_of(max_in_flight=2, give_up_after_s=60), wishes=10_000)
    now, requests = 0.0, 0
    while gate.stopped is None:
        requests += len(granted := gate.grants(now))
        for job in granted:
            gate.failed(job, now, limited(seconds))
        now = gate.next_moment(now) or now + 1
        gate.check(now)
    assert 60 <= now <= 61
    assert requests <= 70
    assert "HTTP 429" in gate.stopped


def test_a_longer_wait_is_not_cut_by_a_shorter_one() -> None:
    """Of several waits the longest counts, whichever was said last."""
    gate = fill(gate_of(max_in_flight=3))
    assert len(gate.grants(0)) == 3
    gate.failed(1, 0, limited(30))
    gate.failed(1, 0, limited(5))
    gate.failed(1, 0, AWAY)
    assert gate.grants(29) == []
    assert gate.grants(30) == [1]


@given(st.integers(1, 12))
def test_pauses_grow_to_a_minute(pauses: int) -> None:
    """A server that goes on saying no is left alone longer and longer, up to a minute and some."""
    gate = fill(gate_of(max_in_flight=1, give_up_after_s=math.inf))
    now = 0.0
    for number in range(pauses):
        assert gate.grants(now) == [1]
        gate.evidence_failed(1, now, AWAY, anything_answered=True)
        pause = gate.paused_until - now
        expected = min(LONGEST_PAUSE_S, 2.0**number)
        assert 0.75 * expected <= pause <= 1.25 * expected + 1e-6
        now = gate.paused_until


def test_a_single_failure_is_no_trouble() -> None:
    """One lost request is not held against the server."""
    gate = fill(gate_of(max_in_flight=4))
    gate.grants(0)
    gate.failed(1, 0, AWAY)
    assert gate.trouble_since is None
    assert gate.grants(0) == [1]


def test_a_server_in_trouble_is_tried_with_one_request_at_a_time() -> None:
    """After failures in a row all jobs pause; then a single request tries, and an answer opens all slots again."""
    gate = fill(gate_of(max_in_flight=4))
    gate.grants(0)
    for _ in range(4):
        gate.failed(1, 0, AWAY)
    assert gate.grants(0) == []
    assert gate.grants(gate.paused_until) == [1]
    assert gate.grants(gate.paused_until) == []
    gate.answer(1, 10)
    assert len(gate.grants(gate.paused_until)) == 4


@given(st.floats(1, 1e4), st.booleans())
def test_a_dead_server_is_given_up_after_the_time_given(seconds: float, is_limited: bool) -> None:
    """Without any answer since trouble began, the run stops at `give_up_after_s` and not before."""
    gate = fill(gate_of(max_in_flight=2, give_up_after_s=seconds))
    gate.grants(50)
    for _ in range(2):
        gate.failed(1, 50, limited() if is_limited else AWAY)
    gate.check(50 + seconds * 0.99)
    assert gate.stopped is None
    gate.check(50 + seconds + 1e-3)
    assert gate.stopped is not None
    assert "run.give_up_after_s" in gate.stopped
    assert gate.grants(1e9) == []
    assert gate.next_moment(1e9) is None


@pytest.mark.parametrize("sign", ["answer", "evidence"])
def test_any_answer_ends_the_trouble(sign: str) -> None:
    """An answer, also one to an evidence request, shows that the server is well, and the time starts anew."""
    gate = fill(gate_of(max_in_flight=3, give_up_after_s=100))
    gate.grants(0)
    for _ in range(2):
        gate.failed(1, 0, AWAY)
    gate.evidence_failed(1, 0, AWAY, anything_answered=True)
    assert gate.trouble_since is not None
    assert gate.grants(1000) == [1]
    if sign == "answer":
        gate.answer(1, 5)
    else:
        gate.evidence_answered(1, 5, about_narrative=False)
    gate.check(1000)
    assert gate.stopped is None


def test_a_refusal_before_any_answer_ends_the_run() -> None:
    """What is refused from the first request on will be refused again: the run ends at once, with the reason."""
    gate = fill(gate_of())
    gate.grants(0)
    gate.evidence_failed(1, 0, Failure(Kind.REFUSED, "HTTP 400", 400, reason="the server wants a key"), False)
    assert gate.stopped == "the server wants a key. Open narratives stay open."


@pytest.mark.parametrize("status", [401, 402, 403])
def test_a_key_that_is_refused_ends_the_run_at_once(status: int) -> None:
    """A key or an account that an evidence request finds refused does not come back by itself."""
    gate = fill(gate_of())
    gate.grants(0)
    gate.evidence_failed(1, 0, Failure(Kind.REFUSED, f"HTTP {status}", status), anything_answered=True)
    assert gate.stopped is not None


def test_other_refusals_are_endured_for_a_while() -> None:
    """After answers a refusal of everything is tried again, at growing distances, before the run ends."""
    gate, now = fill(gate_of(max_in_flight=1)), 0.0
    for _ in range(REFUSALS_ENDURED):
        assert gate.grants(now) == [1]
        gate.evidence_failed(1, now, REFUSED, anything_answered=True)
        assert gate.stopped is None
        now = gate.paused_until
    gate.grants(now)
    gate.evidence_failed(1, now, REFUSED, anything_answered=True)
    assert gate.stopped is not None
    assert now > 20


@pytest.mark.parametrize("status", [429, 503])
def test_a_limit_on_requests_in_time_is_learned(status: int) -> None:
    """Of a server that takes five requests a second, far fewer are refused than answered, and it is kept busy."""
    gate = gate_of(max_in_flight=8)
    kind = Kind.RATE_LIMITED if status == 429 else Kind.SERVER_FAULT
    now, free_at, answered, refused = 0.0, 0.0, 0, 0
    while answered < 200:
        fill(gate, wishes=8 - gate.waiting)
        for job in gate.grants(now):
            if now >= free_at:
                free_at, answered = now + 0.2, answered + 1
                gate.answer(job, 1)
            else:
                refused += 1
                gate.failed(job, now, Failure(kind, f"HTTP {status}", status))
        now = max(gate.next_moment(now) or now, now + 0.001)
    assert refused < answered / 3
    assert now < 200 * 0.2 * 2.5


def test_a_server_with_few_places_is_asked_for_less_at_once() -> None:
    """Of a server that turns away whoever is the third, hardly any request is turned away in the long run."""
    gate = gate_of(max_in_flight=8)
    now, answered, refused = 0.0, 0, 0
    while answered < 300:
        fill(gate, wishes=8 - gate.waiting)
        granted = gate.grants(now)
        for place, job in enumerate(granted):
            if place < 2:
                answered += 1
                gate.answer(job, 1)
            else:
                refused += 1
                gate.failed(job, now, Failure(Kind.SERVER_FAULT, "HTTP 503", 503))
        now += 1.0
    assert refused < answered / 4
    assert now < 300


def test_tokens_that_are_not_counted_cannot_be_budgeted() -> None:
    """With a budget, a server that counts no tokens stops the run at once; a single such answer costs the mean."""
    gate = fill(gate_of(budget_tokens=1000))
    gate.grants(0)
    gate.answer(1, 0)
    assert "run.budget_tokens" in (gate.stopped or "")
    gate = fill(gate_of(budget_tokens=1000))
    gate.grants(0)
    gate.answer(1, 100)
    gate.answer(1, 0)
    assert (gate.spent_tokens, gate.stopped) == (200, None)


def test_the_first_reason_to_stop_stays() -> None:
    """A gate that was stopped says why it was, whatever comes later."""
    gate = fill(gate_of(give_up_after_s=1))
    gate.stopped = "stopped by a signal"
    gate.failed(1, 0, limited())
    gate.check(1000)
    assert gate.stopped == "stopped by a signal"
    assert gate.grants(1000) == []


def test_what_earlier_sessions_got_counts_on() -> None:
    """Answers and tokens of earlier sessions are the beginning of this one's count."""
    gate = fill(gate_of(spent_tokens=70, answered=7))
    gate.grants(0)
    gate.answer(1, 5)
    assert (gate.answered, gate.spent_tokens) == (8, 75)
