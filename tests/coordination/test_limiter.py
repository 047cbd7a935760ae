import math
from collections import Counter
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule

from narrative_runs.asking.failures import Failure, Kind
from narrative_runs.coordination.limiter import Limiter, Limits, Slot, Wish
from narrative_runs.coordination.server_limiter import LONGEST_PAUSE_S, REFUSALS_ENDURED, SHORTEST_PAUSE_S

SHARDS = st.integers(1, 4)
HALF_AN_HOUR = 1800.0
AWAY = Failure(Kind.UNREACHABLE, "the server cannot be reached")
REFUSED = Failure(Kind.REFUSED, "HTTP 400", 400)


def limited(seconds: float | None = None) -> Failure:
    """What a server says that wants fewer requests."""
    return Failure(Kind.RATE_LIMITED, "HTTP 429", 429, retry_after=seconds)


def limiter_of(
    max_in_flight: int = 2,
    requests_per_minute: float | None = None,
    budget_tokens: int | None = None,
    give_up_after_s: float = HALF_AN_HOUR,
    **earlier: int,
) -> Limiter:
    """A limiter with these limits; `earlier` is what the experiment used and got before."""
    return Limiter(Limits(max_in_flight, requests_per_minute, budget_tokens, give_up_after_s), **earlier)


def granted(limiter: Limiter, now: float) -> list[int]:
    """The shards that may send a request now, one entry a request."""
    return [wish.shard for wish, _ in limiter.granted(now)]


def fill(limiter: Limiter, shard: int = 1, wishes: int = 20) -> Limiter:
    """The limiter, with this many wishes of a shard."""
    for _ in range(wishes):
        limiter.acquire(Wish(shard))
    return limiter


class AnyOrder(RuleBasedStateMachine):
    """A limiter under events in any order, beside a plain account of what happened."""

    def __init__(self) -> None:
        super().__init__()
        self.now = 100.0
        self.limits = Limits(3, 30.0, 1000, 120.0)
        self.limiter = Limiter(self.limits)
        self.open: dict[int, int] = {}
        self.waiting: list[int] = []
        self.granted_at: list[float] = []
        self.wait_until = 0.0
        self.spent_at_grant = 0
        self.largest_answer = 0

    @rule(shard=SHARDS)
    def acquire(self, shard: int) -> None:
        self.limiter.acquire(Wish(shard))
        self.waiting.append(shard)

    @rule()
    def grant(self) -> None:
        """The oldest shard first; never during a pause, never too fast, never over the budget or the slots."""
        now_granted = granted(self.limiter, self.now)
        self.waiting.sort()
        assert now_granted == self.waiting[: len(now_granted)]
        del self.waiting[: len(now_granted)]
        for shard in now_granted:
            assert self.now >= self.wait_until
            assert self.limiter.spent_tokens < 1000
            assert not self.granted_at or self.now >= self.granted_at[-1] + 2 - 1e-6
            self.granted_at.append(self.now)
            self.open[shard] = self.open.get(shard, 0) + 1

    @rule(seconds=st.floats(0, 70))
    def let_time_pass(self, seconds: float) -> None:
        self.now += seconds

    @precondition(lambda self: self.open)
    @rule(data=st.data(), tokens=st.integers(0, 200))
    def answer(self, data: st.DataObject, tokens: int) -> None:
        self.largest_answer = max(self.largest_answer, tokens)
        self.limiter.answered(Slot(self.close_one(data), 0), tokens)
        assert self.limiter.servers[0].trouble_since is None

    @precondition(lambda self: self.open)
    @rule(data=st.data(), failure=st.sampled_from([AWAY, REFUSED, Failure(Kind.SERVER_FAULT, "HTTP 503", 503)]))
    def fail(self, data: st.DataObject, failure: Failure) -> None:
        self.limiter.failed(Slot(self.close_one(data), 0), self.now, failure)

    @precondition(lambda self: self.open)
    @rule(data=st.data(), seconds=st.one_of(st.none(), st.floats(0, 100)))
    def limit(self, data: st.DataObject, seconds: float | None) -> None:
        self.limiter.failed(Slot(self.close_one(data), 0), self.now, limited(seconds))
        self.wait_until = max(self.wait_until, self.now + (seconds or 0))

    @precondition(lambda self: self.open)
    @rule(data=st.data(), tokens=st.integers(0, 200), is_answered=st.booleans())
    def evidence(self, data: st.DataObject, tokens: int, is_answered: bool) -> None:
        self.largest_answer = max(self.largest_answer, tokens)
        if is_answered:
            self.limiter.evidence_answered(Slot(self.close_one(data), 0), tokens, about_narrative=True)
        else:
            self.limiter.evidence_failed(Slot(self.close_one(data), 0), self.now, AWAY)

    @precondition(lambda self: self.open)
    @rule(data=st.data())
    def give_back(self, data: st.DataObject) -> None:
        self.limiter.release(Slot(self.close_one(data), 0))

    @rule(shard=SHARDS)
    def drop(self, shard: int) -> None:
        self.limiter.lost(shard)
        self.open.pop(shard, None)
        self.waiting = [other for other in self.waiting if other != shard]

    @rule(shard=SHARDS)
    def late_word_of_a_job_that_is_gone(self, shard: int) -> None:
        if shard not in self.open:
            self.limiter.release(Slot(shard, 0))

    def close_one(self, data: st.DataObject) -> int:
        """A shard with a request in flight, and one request less of it in the account."""
        shard: int = data.draw(st.sampled_from(sorted(self.open)))
        self.open[shard] -= 1
        if not self.open[shard]:
            del self.open[shard]
        return shard

    @invariant()
    def slots_are_accounted_for(self) -> None:
        assert {slot.shard: count for slot, count in self.limiter.in_flight.items()} == self.open
        assert self.limiter.in_flight.total() <= 3
        assert self.limiter.waiting == len(self.waiting)

    @invariant()
    def budget_is_exceeded_by_no_more_than_the_requests_in_flight(self) -> None:
        assert self.limiter.spent_tokens < 1000 + 3 * self.largest_answer or not self.largest_answer

    @invariant()
    def the_next_moment_is_later(self) -> None:
        moment = self.limiter.next_moment(self.now)
        assert moment is None or moment > self.now


TestAnyOrder = AnyOrder.TestCase


@given(st.integers(1, 50), st.integers(0, 60))
def test_a_quiet_gate_gives_all_slots_at_once(slots: int, wishes: int) -> None:
    """Without rate, budget and trouble, requests go as long as there are slots."""
    limiter = fill(limiter_of(max_in_flight=slots), wishes=wishes)
    assert len(granted(limiter, 0)) == min(slots, wishes)
    assert granted(limiter, 1) == []


def test_the_oldest_job_goes_first() -> None:
    """Whoever asked first, a slot goes to the oldest shard that wants one, so that shards end one after the other."""
    limiter = fill(fill(fill(limiter_of(max_in_flight=3), shard=2, wishes=2), shard=3, wishes=2), shard=1, wishes=2)
    assert granted(limiter, 0) == [1, 1, 2]
    limiter.acquire(Wish(1))
    limiter.answered(Slot(2, 0), 5)
    assert granted(limiter, 0) == [1]
    limiter.answered(Slot(1, 0), 5)
    assert granted(limiter, 0) == [2]


def test_slots_of_a_gone_job_come_back() -> None:
    """When a shard drops its connection, others get its slots, and its wishes are forgotten."""
    limiter = fill(fill(limiter_of(max_in_flight=2), shard=1, wishes=4), shard=2, wishes=2)
    assert granted(limiter, 0) == [1, 1]
    limiter.lost(1)
    assert granted(limiter, 0) == [2, 2]
    assert limiter.waiting == 0


@given(st.sampled_from([0.5, 7, 60, 600]), st.integers(2, 30))
def test_requests_keep_their_distance(rate: float, requests: int) -> None:
    """At the highest rate, the limiter itself says when the next may go, and they go evenly, without a burst."""
    limiter = fill(limiter_of(max_in_flight=50, requests_per_minute=rate), wishes=requests + 1)
    now, moments = 10.0, []
    for _ in range(requests):
        assert granted(limiter, now) == [1]
        moments.append(now)
        assert granted(limiter, now) == []
        moment = limiter.next_moment(now)
        assert moment is not None
        now = moment
    assert [later - earlier for earlier, later in pairwise(moments)] == pytest.approx([60 / rate] * (requests - 1))


def test_a_rest_is_not_made_up_for() -> None:
    """After a quiet hour the rate is kept as before."""
    limiter = fill(limiter_of(max_in_flight=50, requests_per_minute=60))
    granted(limiter, 0)
    assert len(granted(limiter, 3600)) == 1
    assert granted(limiter, 3600.5) == []


@given(st.integers(1, 20), st.integers(1, 500), st.integers(1, 5000), st.integers(0, 4000))
def test_the_budget_is_exceeded_by_the_requests_in_flight_alone(
    slots: int, tokens: int, budget: int, spent_before: int
) -> None:
    """However many requests wait, tokens beyond the budget are those of requests that were in flight already."""
    limiter = fill(limiter_of(max_in_flight=slots, budget_tokens=budget, spent_tokens=spent_before), wishes=10_000)
    while now_granted := granted(limiter, 0):
        assert limiter.spent_tokens < budget
        for shard in now_granted:
            limiter.answered(Slot(shard, 0), tokens)
    assert limiter.spent_tokens < max(budget, spent_before + 1) + slots * tokens
    limiter.check(0)
    assert limiter.stopped is not None
    assert "run.budget_tokens" in limiter.stopped


def test_a_spent_budget_stops_only_when_something_is_left_to_ask() -> None:
    """Requests in flight may end, and a run that wants nothing more is not stopped."""
    limiter = limiter_of(budget_tokens=100)
    limiter.acquire(Wish(1))
    assert granted(limiter, 0) == [1]
    limiter.acquire(Wish(1))
    limiter.check(0)
    assert limiter.stopped is None
    limiter.answered(Slot(1, 0), 100)
    limiter.lost(1)
    limiter.check(0)
    assert limiter.stopped is None


@given(st.floats(0, 1e5))
def test_retry_after_is_honoured(seconds: float) -> None:
    """What the server says to wait is waited by all shards, to the moment; without a pause it is never asked again."""
    limiter = fill(limiter_of(give_up_after_s=math.inf))
    granted(limiter, 10)
    limiter.failed(Slot(1, 0), 10, limited(seconds))
    pause = max(seconds, SHORTEST_PAUSE_S)
    assert granted(limiter, 10 + pause * 0.999) == []
    assert limiter.next_moment(10) == 10 + pause
    limiter.release(Slot(1, 0))
    assert granted(limiter, 10 + pause) == [1]


@given(st.sampled_from([0.0, 0.2, 1.0, 3600.0, None]))
def test_pauses_that_the_server_asks_for_do_not_put_off_the_end(seconds: float | None) -> None:
    """A server that asks for one pause after the other and never answers is given up like any other."""
    limiter = fill(limiter_of(max_in_flight=2, give_up_after_s=60), wishes=10_000)
    now, requests = 0.0, 0
    while limiter.stopped is None:
        requests += len(now_granted := granted(limiter, now))
        for shard in now_granted:
            limiter.failed(Slot(shard, 0), now, limited(seconds))
        now = limiter.next_moment(now) or now + 1
        limiter.check(now)
    assert 60 <= now <= 61
    assert requests <= 70
    assert "HTTP 429" in limiter.stopped


def test_a_longer_wait_is_not_cut_by_a_shorter_one() -> None:
    """Of several waits the longest counts, whichever was said last."""
    limiter = fill(limiter_of(max_in_flight=3))
    assert len(granted(limiter, 0)) == 3
    limiter.failed(Slot(1, 0), 0, limited(30))
    limiter.failed(Slot(1, 0), 0, limited(5))
    limiter.failed(Slot(1, 0), 0, AWAY)
    assert granted(limiter, 29) == []
    assert granted(limiter, 30) == [1]


@given(st.integers(1, 12))
def test_pauses_grow_to_a_minute(pauses: int) -> None:
    """A server that goes on saying no is left alone longer and longer, up to a minute and some."""
    limiter = fill(limiter_of(max_in_flight=1, give_up_after_s=math.inf))
    now = 0.0
    for number in range(pauses):
        assert granted(limiter, now) == [1]
        limiter.evidence_failed(Slot(1, 0), now, AWAY)
        pause = limiter.paused_until - now
        expected = min(LONGEST_PAUSE_S, 2.0**number)
        assert 0.75 * expected <= pause <= 1.25 * expected + 1e-6
        now = limiter.paused_until


def test_a_single_failure_is_no_trouble() -> None:
    """One lost request is not held against the server."""
    limiter = fill(limiter_of(max_in_flight=4))
    granted(limiter, 0)
    limiter.failed(Slot(1, 0), 0, AWAY)
    assert limiter.servers[0].trouble_since is None
    assert granted(limiter, 0) == [1]


@pytest.mark.parametrize("code", ["insufficient_quota", "billing_hard_limit_reached"])
def test_of_a_used_up_account_one_failure_says_all(code: str) -> None:
    """The first refusal of a used-up account leads to a short question, and its refusal ends the run, before any other
    is asked for longer than the first pause."""
    limiter = fill(limiter_of(max_in_flight=16))
    granted(limiter, 0)
    used_up = Failure(Kind.RATE_LIMITED, f"HTTP 429 ({code})", 429, code, reason="the account is used up")
    limiter.failed(Slot(1, 0), 0, used_up)
    assert limiter.servers[0].trouble_since == 0 and limiter.paused_until == SHORTEST_PAUSE_S
    for _ in range(15):
        limiter.failed(Slot(1, 0), 0, used_up)
    assert granted(limiter, SHORTEST_PAUSE_S) == [1]
    limiter.evidence_failed(Slot(1, 0), SHORTEST_PAUSE_S, used_up)
    assert limiter.stopped == "the account is used up. Open narratives stay open."


def test_a_server_in_trouble_is_tried_with_one_request_at_a_time() -> None:
    """After failures in a row all shards pause; then a single request tries, and an answer opens all slots again."""
    limiter = fill(limiter_of(max_in_flight=4))
    granted(limiter, 0)
    for _ in range(4):
        limiter.failed(Slot(1, 0), 0, AWAY)
    assert granted(limiter, 0) == []
    assert granted(limiter, limiter.paused_until) == [1]
    assert granted(limiter, limiter.paused_until) == []
    limiter.answered(Slot(1, 0), 10)
    assert len(granted(limiter, limiter.paused_until)) == 4


@given(st.floats(1, 1e4), st.booleans())
def test_a_dead_server_is_given_up_after_the_time_given(seconds: float, is_limited: bool) -> None:
    """Without any answer since trouble began, the run stops at `give_up_after_s` and not before."""
    limiter = fill(limiter_of(max_in_flight=2, give_up_after_s=seconds))
    granted(limiter, 50)
    for _ in range(2):
        limiter.failed(Slot(1, 0), 50, limited() if is_limited else AWAY)
    limiter.check(50 + seconds * 0.99)
    assert limiter.stopped is None
    limiter.check(50 + seconds + 1e-3)
    assert limiter.stopped is not None
    assert "run.give_up_after_s" in limiter.stopped
    assert granted(limiter, 1e9) == []
    assert limiter.next_moment(1e9) is None


@pytest.mark.parametrize("sign", ["answer", "evidence"])
def test_any_answer_ends_the_trouble(sign: str) -> None:
    """An answer, also one to an evidence request, shows that the server is well, and the time starts anew."""
    limiter = fill(limiter_of(max_in_flight=3, give_up_after_s=100))
    granted(limiter, 0)
    for _ in range(2):
        limiter.failed(Slot(1, 0), 0, AWAY)
    limiter.evidence_failed(Slot(1, 0), 0, AWAY)
    assert limiter.servers[0].trouble_since is not None
    assert granted(limiter, 1000) == [1]
    if sign == "answer":
        limiter.answered(Slot(1, 0), 5)
    else:
        limiter.evidence_answered(Slot(1, 0), 5, about_narrative=False)
    limiter.check(1000)
    assert limiter.stopped is None


def test_a_refusal_before_any_answer_ends_the_run() -> None:
    """What is refused from the first request on will be refused again: the run ends at once, with the reason."""
    limiter = fill(limiter_of())
    granted(limiter, 0)
    limiter.evidence_failed(Slot(1, 0), 0, Failure(Kind.REFUSED, "HTTP 400", 400, reason="the server wants a key"))
    assert limiter.stopped == "the server wants a key. Open narratives stay open."


@pytest.mark.parametrize("status", [401, 402, 403])
def test_a_key_that_is_refused_ends_the_run_at_once(status: int) -> None:
    """A key or an account that an evidence request finds refused does not come back by itself."""
    limiter = fill(limiter_of())
    granted(limiter, 0)
    limiter.evidence_failed(Slot(1, 0), 0, Failure(Kind.REFUSED, f"HTTP {status}", status))
    assert limiter.stopped is not None


def test_other_refusals_are_endured_for_a_while() -> None:
    """After answers a refusal of everything is tried again, at growing distances, before the run ends."""
    limiter, now = fill(limiter_of(max_in_flight=1)), 0.0
    granted(limiter, now)
    limiter.answered(Slot(1, 0), 10)
    for _ in range(REFUSALS_ENDURED):
        assert granted(limiter, now) == [1]
        limiter.evidence_failed(Slot(1, 0), now, REFUSED)
        assert limiter.stopped is None
        now = limiter.paused_until
    granted(limiter, now)
    limiter.evidence_failed(Slot(1, 0), now, REFUSED)
    assert limiter.stopped is not None
    assert now > 20


@pytest.mark.parametrize("status", [429, 503])
def test_a_limit_on_requests_in_time_is_learned(status: int) -> None:
    """Of a server that takes five requests a second, far fewer are refused than answered, and it is kept busy."""
    limiter = limiter_of(max_in_flight=8)
    kind = Kind.RATE_LIMITED if status == 429 else Kind.SERVER_FAULT
    now, free_at, answered, refused = 0.0, 0.0, 0, 0
    while answered < 200:
        fill(limiter, wishes=8 - limiter.waiting)
        for shard in granted(limiter, now):
            if now >= free_at:
                free_at, answered = now + 0.2, answered + 1
                limiter.answered(Slot(shard, 0), 1)
            else:
                refused += 1
                limiter.failed(Slot(shard, 0), now, Failure(kind, f"HTTP {status}", status))
        now = max(limiter.next_moment(now) or now, now + 0.001)
    assert refused < answered / 3
    assert now < 200 * 0.2 * 2.5


def test_a_server_with_few_places_is_asked_for_less_at_once() -> None:
    """Of a server that turns away whoever is the third, hardly any request is turned away in the long run."""
    limiter = limiter_of(max_in_flight=8)
    now, answered, refused = 0.0, 0, 0
    while answered < 300:
        fill(limiter, wishes=8 - limiter.waiting)
        now_granted = granted(limiter, now)
        for place, shard in enumerate(now_granted):
            if place < 2:
                answered += 1
                limiter.answered(Slot(shard, 0), 1)
            else:
                refused += 1
                limiter.failed(Slot(shard, 0), now, Failure(Kind.SERVER_FAULT, "HTTP 503", 503))
        now += 1.0
    assert refused < answered / 4
    assert now < 300


def test_tokens_that_are_not_counted_cannot_be_budgeted() -> None:
    """With a budget, a server that counts no tokens stops the run at once; a single such answer costs the mean."""
    limiter = fill(limiter_of(budget_tokens=1000))
    granted(limiter, 0)
    limiter.answered(Slot(1, 0), 0)
    assert "run.budget_tokens" in (limiter.stopped or "")
    limiter = fill(limiter_of(budget_tokens=1000))
    granted(limiter, 0)
    limiter.answered(Slot(1, 0), 100)
    limiter.answered(Slot(1, 0), 0)
    assert (limiter.spent_tokens, limiter.stopped) == (200, None)


def test_the_first_reason_to_stop_stays() -> None:
    """A limiter that was stopped says why it was, whatever comes later."""
    limiter = fill(limiter_of(give_up_after_s=1))
    limiter.stopped = "stopped by a signal"
    limiter.failed(Slot(1, 0), 0, limited())
    limiter.check(1000)
    assert limiter.stopped == "stopped by a signal"
    assert granted(limiter, 1000) == []


def test_what_earlier_sessions_got_counts_on() -> None:
    """Answers and tokens of earlier sessions are the beginning of this one's count."""
    limiter = fill(limiter_of(spent_tokens=70, answers=7))
    granted(limiter, 0)
    limiter.answered(Slot(1, 0), 5)
    assert (limiter.answers, limiter.spent_tokens) == (8, 75)


def at(limiter: Limiter, now: float) -> list[int]:
    """The servers that the next requests go to."""
    return [slot.server for _, slot in limiter.granted(now)]


def several(servers: int, max_in_flight: int = 2, give_up_after_s: float = HALF_AN_HOUR) -> Limiter:
    """A limiter over so many servers."""
    return Limiter(Limits(max_in_flight, None, None, give_up_after_s), servers=servers)


@given(st.integers(1, 8), st.integers(1, 8), st.integers(0, 100))
def test_each_server_gets_its_slots_and_the_least_loaded_first(servers: int, slots: int, wishes: int) -> None:
    """Each server has at most max_in_flight, and at no time two more than another that could take one."""
    granted_at = Counter(at(fill(several(servers, slots), wishes=wishes), 0))
    assert granted_at.total() == min(wishes, servers * slots)
    counts = [granted_at[server] for server in range(servers)]
    assert max(counts) <= slots and max(counts) - min(counts) <= 1


def test_a_server_that_is_away_is_tried_while_the_others_are_asked() -> None:
    """One server in trouble pauses alone, is tried with one request at a time, and gets all its slots back."""
    limiter = fill(several(2))
    limiter.granted(0)
    for _ in range(2):
        limiter.failed(Slot(1, 0), 0, AWAY)
    assert at(limiter, 0) == [] and not limiter.is_well(0) and limiter.is_well(1)
    limiter.answered(Slot(1, 1), 10)
    assert at(limiter, 0) == [1]
    later = limiter.servers[0].paused_until
    assert at(limiter, later) == [0]
    limiter.evidence_answered(Slot(1, 0), 1, about_narrative=False)
    assert at(limiter, later) == [0, 0]


def test_the_run_is_given_up_when_all_servers_are_away() -> None:
    """As long as one server answers, others may be away for ever; once none did for give_up_after_s, the run stops."""
    limiter = fill(several(2, give_up_after_s=100))
    limiter.granted(0)
    for _ in range(2):
        limiter.failed(Slot(1, 0), 0, AWAY)
    limiter.check(1000)
    assert limiter.stopped is None
    for _ in range(2):
        limiter.failed(Slot(1, 1), 1000, AWAY)
    limiter.check(1099)
    assert limiter.stopped is None
    limiter.check(1101)
    assert limiter.stopped is not None and limiter.stopped.startswith("the servers have not answered for 101 s")


def test_a_server_that_refuses_everything_is_left_out() -> None:
    """It is asked no more while another one is; who waited for it takes another; the last such one ends the run."""
    refused = Failure(Kind.REFUSED, "HTTP 401", 401, reason="the server wants a key")
    limiter = several(2, max_in_flight=1)
    for servers in ((0,), (1,), (0,)):
        limiter.acquire(Wish(1, servers))
    assert at(limiter, 0) == [0, 1]
    limiter.evidence_failed(Slot(1, 0), 0, refused)
    assert limiter.servers[0].left_out == "the server wants a key" and limiter.stopped is None and limiter.slots == 1
    limiter.answered(Slot(1, 1), 10)
    assert at(limiter, 1000) == [1]
    limiter.evidence_failed(Slot(1, 1), 1000, refused)
    assert limiter.stopped == "the server wants a key. Open narratives stay open."


def test_a_wish_for_a_server_waits_for_that_server() -> None:
    """A request that only one server may answer goes to no other, and keeps nobody else from asking."""
    limiter = several(2, max_in_flight=1)
    for servers in ((0,), (0,), ()):
        limiter.acquire(Wish(1, servers))
    assert sorted(at(limiter, 0)) == [0, 1] and limiter.waiting == 1
    limiter.answered(Slot(1, 1), 10)
    assert at(limiter, 0) == []
    limiter.answered(Slot(1, 0), 10)
    assert at(limiter, 0) == [0]


@given(st.floats(1, 600), st.floats(0, 100))
def test_the_next_moment_is_that_of_the_server_that_comes_first(pause: float, other: float) -> None:
    """Where all servers pause, the run looks again as soon as the first of them may be asked."""
    limiter = fill(several(2, max_in_flight=1))
    limiter.granted(0)
    limiter.failed(Slot(1, 0), 0, limited(pause))
    limiter.failed(Slot(1, 1), 0, limited(other))
    moment = limiter.next_moment(0)
    assert moment == min(server.paused_until for server in limiter.servers)
    assert len(at(limiter, moment)) >= 1
