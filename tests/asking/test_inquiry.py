"""The inquiry is played against servers of every kind, as a run would, and judged by what those servers know."""

import random
from collections import Counter, deque
from collections.abc import Callable
from dataclasses import dataclass, field

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from narrative_runs.asking.failures import Failure, Kind
from narrative_runs.asking.inquiry import NONE_ANSWERED, Inquiry, Step

MAX_ATTEMPTS = 5
MOST_REQUESTS = MAX_ATTEMPTS + 2
REFUSED = Failure(Kind.REFUSED, "HTTP 400", 400)
FORBIDDEN = Failure(Kind.REFUSED, "HTTP 403", 403)
FAULT = Failure(Kind.SERVER_FAULT, "HTTP 500", 500)
OVERLOADED = Failure(Kind.SERVER_FAULT, "HTTP 503", 503)
TOO_LONG = Failure(Kind.REFUSED, "HTTP 400", 400, "context_length_exceeded", seems_too_long=True)
LIMITED = Failure(Kind.RATE_LIMITED, "HTTP 429", 429)
TIMED_OUT = Failure(Kind.TIMED_OUT, "no answer within 2 s")
FAILURES = [REFUSED, FORBIDDEN, FAULT, LIMITED, TIMED_OUT]

# What a server answers to a narrative of so many characters: None is an answer; narrative -1 is a short question.
Server = Callable[[int, int], Failure | None]


@dataclass
class Outcome:
    """How a run ended: narratives answered, settled and left open; requests for each; evidence requests in all."""

    answered: set[int] = field(default_factory=set)
    settled: dict[int, Step] = field(default_factory=dict)
    left_open: set[int] = field(default_factory=set)
    requests: Counter[int] = field(default_factory=Counter)
    evidence: int = 0
    stopped: bool = False


def play(
    server: Server, lengths: list[int], slots: int = 4, seed: int = 1, inquiry: Inquiry | None = None, before: int = 0
) -> Outcome:
    """A run over narratives of these lengths; before: length of a narrative that an earlier session got answered."""
    chance = random.Random(seed)
    inquiry = inquiry or Inquiry(MAX_ATTEMPTS, before)
    outcome, todo = Outcome(), deque(enumerate(lengths))
    workers: list[int | None] = [None] * slots
    in_flight: list[tuple[int, Step]] = []
    evidence_failed_in_a_row, is_in_trouble = 0, False

    def end(worker: int) -> None:
        workers[worker] = None

    for _ in range(10_000):
        for worker, narrative in enumerate(workers):
            if narrative is None and todo:
                workers[worker] = todo.popleft()[0]
        at_work = [worker for worker, narrative in enumerate(workers) if narrative is not None]
        if not at_work:
            return outcome
        moved = False
        for worker in at_work:
            narrative = workers[worker]
            assert narrative is not None
            if any(narrative == other for other, _ in in_flight):
                continue
            others = sum(step is Step.ASK for _, step in in_flight)
            step = inquiry.next_step((1, narrative), others > 0)
            if step is Step.ASK and is_in_trouble:
                step = Step.WAIT if in_flight else inquiry.probe(0)
            if step is Step.WAIT:
                continue
            moved = True
            if step is Step.ASK:
                inquiry.sent((1, narrative), 0)
                outcome.requests[narrative] += 1
                in_flight.append((narrative, step))
            elif step in (Step.EVIDENCE, Step.PROBE, Step.TRIAL):
                inquiry.evidence_sent(step, 0)
                outcome.evidence += 1
                in_flight.append((narrative, step))
            elif step is Step.SET_ASIDE:
                todo.append((narrative, lengths[narrative]))
                end(worker)
            elif step is Step.LEAVE_OPEN:
                outcome.left_open.add(narrative)
                end(worker)
            else:
                outcome.settled[narrative] = step
                end(worker)
            if inquiry.reason_to_stop or evidence_failed_in_a_row > 5:
                outcome.stopped = True
                return outcome
        assert moved or in_flight, "nothing is in flight, and everybody waits"
        if not in_flight:
            continue
        narrative, step = in_flight.pop(chance.randrange(len(in_flight)))
        if step is Step.ASK:
            failure = server(narrative, lengths[narrative])
            if failure is None:
                is_in_trouble = False
                inquiry.answered((1, narrative), lengths[narrative])
                outcome.answered.add(narrative)
                evidence_failed_in_a_row = 0
                end(workers.index(narrative))
            else:
                inquiry.failed((1, narrative), lengths[narrative], failure)
            continue
        longest = max((lengths[one] for one in outcome.answered), default=before) if step is Step.EVIDENCE else 0
        failure = server(-2 if longest else -1, longest)
        is_in_trouble = failure is not None
        if failure is None:
            inquiry.evidence_answered(0, longest)
            evidence_failed_in_a_row = 0
        else:
            inquiry.evidence_failed(0, failure)
            evidence_failed_in_a_row += 1
    raise AssertionError("the run does not end")


def bad(*narratives: int, failure: Failure = REFUSED) -> Server:
    """A server that never takes these narratives, and all others."""
    return lambda narrative, _: failure if narrative in narratives else None


@pytest.mark.parametrize("failure", FAILURES, ids=lambda failure: failure.kind)
@pytest.mark.parametrize("slots", [1, 4, 16])
@pytest.mark.parametrize("place", [0, 7, 19])
def test_one_bad_narrative_among_good_ones_is_one_error(failure: Failure, slots: int, place: int) -> None:
    """First, amid or last: it becomes a row, the others are answered, and no request is wasted on it."""
    outcome = play(bad(place, failure=failure), [100] * 20, slots)
    assert outcome.settled == {place: Step.SETTLE}
    assert outcome.answered == set(range(20)) - {place}
    assert not outcome.left_open
    allowed = MAX_ATTEMPTS if failure.passes else 2
    assert outcome.requests[place] <= allowed
    if not failure.passes:
        assert outcome.requests[place] - 1 + outcome.evidence <= 2
    assert all(outcome.requests[narrative] == 1 for narrative in outcome.answered)


@given(
    st.sets(st.integers(0, 59), max_size=12),
    st.sampled_from(FAILURES),
    st.sampled_from([1, 3, 8]),
    st.integers(0, 10_000),
)
@settings(max_examples=150, deadline=None)
@pytest.mark.slow
def test_any_bad_narratives_get_their_rows(narratives: set[int], failure: Failure, slots: int, seed: int) -> None:
    """However many narratives a sound server never takes, exactly these are errors, within the requests allowed."""
    outcome = play(bad(*narratives, failure=failure), [100] * 60, slots, seed)
    if outcome.stopped:
        # The first eight of all were bad, so that nobody could tell.
        assert len(narratives) >= NONE_ANSWERED and not outcome.settled
        return
    assert set(outcome.settled) | outcome.left_open == narratives
    assert outcome.answered == set(range(60)) - narratives
    assert not outcome.left_open
    assert max(outcome.requests.values()) <= MAX_ATTEMPTS


@pytest.mark.parametrize("failure", [REFUSED, FORBIDDEN, FAULT, OVERLOADED, LIMITED, TIMED_OUT], ids=str)
@pytest.mark.parametrize("good", [0, 1, 8, 30])
@pytest.mark.parametrize("slots", [1, 4, 16])
def test_a_server_that_fails_for_all_makes_no_error(failure: Failure, good: int, slots: int) -> None:
    """Once a server refuses everything, nothing becomes a row, whatever it answered before."""
    for seed in range(20):
        replies = Counter[str]()

        def server(narrative: int, _: int, replies: Counter[str] = replies) -> Failure | None:
            replies["all"] += 1
            return failure if replies["all"] > good else None

        outcome = play(server, [100] * 40, slots, seed)
        assert outcome.stopped
        assert not outcome.settled
        assert len(outcome.answered) == good
        assert max(outcome.requests.values()) <= MOST_REQUESTS


@given(st.sampled_from([REFUSED, FAULT, OVERLOADED]), st.sampled_from([1, 4, 8]), st.integers(0, 10_000))
@settings(max_examples=200, deadline=None)
@pytest.mark.slow
def test_one_broken_replica_of_two_makes_no_error(failure: Failure, slots: int, seed: int) -> None:
    """Where every second request fails, whoever fails with it, no narrative gets a row."""
    turn = Counter[str]()

    def server(narrative: int, _: int) -> Failure | None:
        turn["all"] += 1
        return failure if turn["all"] % 2 else None

    outcome = play(server, [100] * 40, slots, seed)
    assert not outcome.settled
    assert max(outcome.requests.values()) <= MOST_REQUESTS


def test_a_text_longer_than_any_answered_is_too_long() -> None:
    """What exceeds the context is told as too long, also where it is asked first, and what is shorter is not."""
    for slots in (1, 4):
        lengths = [9000, *range(100, 140), 8000]
        outcome = play(lambda _, length: TOO_LONG if length > 5000 else None, lengths, slots)
        assert outcome.settled == {0: Step.SETTLE_AS_TOO_LONG, 41: Step.SETTLE_AS_TOO_LONG}
        assert not outcome.left_open


@pytest.mark.parametrize("slots", [1, 4])
def test_a_shorter_context_than_before_makes_no_error(slots: int) -> None:
    """After a restart with another context nothing that is shorter than what was answered before gets a row."""
    answers = Counter[str]()

    def server(narrative: int, length: int) -> Failure | None:
        if length > (5000 if answers["all"] < 10 else 500):
            return TOO_LONG
        answers["all"] += narrative >= 0
        return None

    lengths = [100, 4000, *([300, 2000] * 20)]
    outcome = play(server, lengths, slots)
    assert not outcome.settled
    assert max(outcome.requests.values()) <= MOST_REQUESTS


def test_a_resume_with_bad_narratives_alone_is_finished() -> None:
    """Where only bad narratives are left, an answer of an earlier session, asked for again, tells that they are bad."""
    outcome = play(bad(0, 1, 2), [100] * 3, 4, before=80)
    assert set(outcome.settled) == {0, 1, 2}


def test_nothing_is_settled_while_no_narrative_was_answered() -> None:
    """A short question that is answered is no proof: narratives that all fail stay open."""
    outcome = play(lambda narrative, _: REFUSED if narrative >= 0 else None, [100] * 6, 4)
    assert not outcome.settled
    assert outcome.left_open == set(range(6))
    many = play(lambda narrative, _: REFUSED if narrative >= 0 else None, [100] * 1000, 4)
    assert many.stopped
    assert many.requests.total() <= 40


def test_a_job_that_ends_is_forgotten() -> None:
    """What belonged to a job that has ended is known no more."""
    inquiry = Inquiry(MAX_ATTEMPTS)
    inquiry.sent((1, 0), 0)
    inquiry.failed((1, 0), 10, FAULT)
    inquiry.forget(1)
    assert inquiry.next_step((1, 0), False) is Step.ASK
