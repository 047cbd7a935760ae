"""Leave to ask, granted within one event loop; its time is that of the loop, in which nothing is waited for."""

import asyncio
import json
import random
import selectors
from collections import Counter, deque
from collections.abc import Callable, Coroutine
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import suppress
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tests.fake_server import completion
from tests.small_experiment import params_of, spec_of

from narrative_runs.asking.ask import LeftOpen, Open, SetAside, ask
from narrative_runs.asking.client import Client
from narrative_runs.asking.failures import Failure, Kind, RequestFailed
from narrative_runs.asking.inquiry import NONE_ANSWERED, Inquiry, Key, Step
from narrative_runs.asking.permits import Grant, Stopped
from narrative_runs.asking.request import Question
from narrative_runs.asking.trial import Evidence
from narrative_runs.coordination import permits as permits_module
from narrative_runs.coordination.limiter import Limiter, Limits, Slot
from narrative_runs.coordination.permits import EVIDENCE_STEPS, LocalPermits
from narrative_runs.observation.run_monitor import RunMonitor
from narrative_runs.params import Params
from narrative_runs.source.shards import Narrative

REFUSED = Failure(Kind.REFUSED, "HTTP 400", 400)
FAULT = Failure(Kind.SERVER_FAULT, "HTTP 500", 500)
AWAY = Failure(Kind.UNREACHABLE, "the server cannot be reached")
LIMITED = Failure(Kind.RATE_LIMITED, "HTTP 429", 429, retry_after=2.0)
TIMED_OUT = Failure(Kind.TIMED_OUT, "no answer within 60 s")
WELL = Evidence(None, tokens=5, model="fake")
A, B, C, D = (1, 1), (1, 2), (2, 1), (2, 2)


class NothingLeftToHappen(Exception):
    """Everybody waits, and there is nothing to wait for."""


class NoWaiting(selectors.SelectSelector):
    """Where a loop would wait for its next timer, that time is there at once."""

    def __init__(self) -> None:
        super().__init__()
        self.now = 1000.0

    def monotonic(self) -> float:
        """The time of the loop."""
        return self.now

    def select(self, timeout: float | None = None) -> list[tuple[selectors.SelectorKey, int]]:
        if ready := super().select(0):
            return ready
        if timeout is None:
            raise NothingLeftToHappen
        self.now += max(timeout, 0.0)
        return []


class AtOnce(ThreadPoolExecutor):
    """Threads whose work is done as soon as it is given to them."""

    def submit(self, fn: Callable[..., Any], /, *args: Any, **kwargs: Any) -> "Future[Any]":
        done: Future[Any] = Future()
        done.set_result(fn(*args, **kwargs))
        return done


def play(work: Callable[[], Coroutine[Any, Any, Any]]) -> Any:
    """What `work` gives in a loop that waits for nothing."""
    time = NoWaiting()

    def loop() -> asyncio.AbstractEventLoop:
        made = asyncio.SelectorEventLoop(time)
        made.time = time.monotonic  # type: ignore[method-assign]
        made.set_default_executor(AtOnce())
        return made

    with pytest.MonkeyPatch.context() as patch, asyncio.Runner(loop_factory=loop) as runner:
        patch.setattr(permits_module, "time", SimpleNamespace(monotonic=time.monotonic))
        return runner.run(work())


@pytest.fixture(autouse=True)
def _in_a_folder_of_its_own(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)


class Permits(LocalPermits):
    """Those of a run, with an account of what was granted and reported."""

    def __init__(self, params: Params, monitor: RunMonitor | None = None, servers: int = 1) -> None:
        run = params.run
        limits = Limits(run.max_in_flight, run.requests_per_minute, run.budget_tokens, run.give_up_after_s)
        monitor = monitor or RunMonitor(spec_of(params), params)
        self.taken_over = ""
        limiter, addresses = Limiter(limits, servers=servers), [f"server {number}" for number in range(servers)]
        inquiry = Inquiry(run.max_attempts)
        super().__init__(limiter, inquiry, monitor, params.model, str, lambda: self.taken_over, addresses)
        self.granted: Counter[Key] = Counter()
        self.open: dict[Key, Grant] = {}
        self.most_open = 0

    async def acquire(self, narrative: Key) -> Grant:
        grant = await super().acquire(narrative)
        if grant.step in (Step.ASK, *EVIDENCE_STEPS):
            assert narrative not in self.open
            self.granted[narrative] += grant.step is Step.ASK
            self.open[narrative] = grant
            self.most_open = max(self.most_open, len(self.open))
            evidence = [grant.server for grant in self.open.values() if grant.step is not Step.ASK]
            assert len(evidence) == len(set(evidence))
        return grant

    async def answered(self, narrative: Key, characters: int, tokens: int, model: str) -> None:
        del self.open[narrative]
        await super().answered(narrative, characters, tokens, model)

    def failed(self, narrative: Key, characters: int, failure: Failure) -> None:
        del self.open[narrative]
        super().failed(narrative, characters, failure)

    def evidence(self, narrative: Key, evidence: Evidence) -> None:
        assert self.open.pop(narrative).step is not Step.ASK
        super().evidence(narrative, evidence)


def permits_of(model: dict[str, Any] | None = None, **run: Any) -> Permits:
    """Those of a small experiment with two slots; model, run: values of these sections of the params."""
    return Permits(params_of(model=model, **{"max_in_flight": 2, **run}))


def wishes(permits: LocalPermits, *narratives: Key) -> list["asyncio.Task[Grant]"]:
    """A task for each of these narratives, which waits for its permit."""
    return [asyncio.get_running_loop().create_task(permits.acquire(narrative)) for narrative in narratives]


async def settled(tasks: list["asyncio.Task[Grant]"]) -> list[Step | None]:
    """The steps of these narratives, once all that happens by itself at this moment has happened; None of waiting."""
    for _ in range(10):
        await asyncio.sleep(0)
    return [task.result().step if task.done() else None for task in tasks]


async def ends(tasks: list["asyncio.Task[Grant]"]) -> list[str]:
    """Why each of these narratives will not be asked."""
    outcomes = await asyncio.gather(*tasks, return_exceptions=True)
    assert all(isinstance(outcome, Stopped) for outcome in outcomes)
    return [str(outcome) for outcome in outcomes]


def test_no_more_is_granted_than_there_are_slots() -> None:
    """As many narratives as slots may be asked; each one that comes back lets the next one of the oldest shard go."""

    async def work() -> None:
        permits = permits_of()
        tasks = wishes(permits, C, D, A, B)
        assert await settled(tasks) == [None, None, Step.ASK, Step.ASK]
        await permits.answered(A, 10, 5, "fake")
        assert await settled(tasks) == [Step.ASK, None, Step.ASK, Step.ASK]
        permits.release(B)
        assert await settled(tasks) == [Step.ASK] * 4
        assert permits.limiter.in_flight == {Slot(2, 0): 2}

    play(work)


def test_a_slot_that_is_taken_away_is_granted_no_more() -> None:
    """When another run takes its part of the slots, those in flight may end, and fewer follow."""

    async def work() -> None:
        permits = permits_of(max_in_flight=3)
        tasks = wishes(permits, A, B, C, D)
        await settled(tasks)
        permits.limiter.servers[0].slots = 1
        await permits.answered(A, 10, 5, "fake")
        await permits.answered(B, 10, 5, "fake")
        assert (await settled(tasks))[3] is None
        await permits.answered(C, 10, 5, "fake")
        assert (await settled(tasks))[3] is Step.ASK

    play(work)


def test_a_stop_ends_all_who_wait() -> None:
    """Who waits, and who comes later, learns the reason of the first stop; what is in flight can still report."""

    async def work() -> None:
        permits = permits_of()
        tasks = wishes(permits, A, B, C, D)
        assert await settled(tasks[:2]) == [Step.ASK, Step.ASK]
        permits.stop("enough")
        permits.stop("another reason")
        assert await ends(tasks[2:] + wishes(permits, (3, 1))) == ["enough"] * 3
        assert permits.stopped.result() == permits.limiter.stopped == "enough"
        await permits.answered(A, 10, 5, "fake")
        permits.failed(B, 10, FAULT)
        assert (permits.limiter.answers, permits.limiter.in_flight) == (1, {})

    play(work)


def test_who_is_taken_over_neither_asks_nor_keeps(monkeypatch: pytest.MonkeyPatch) -> None:
    """Once another run has the experiment nothing more is granted, no answer is taken, and nothing is logged."""

    async def work() -> None:
        permits = permits_of()
        tasks = wishes(permits, A, B, C)
        assert await settled(tasks) == [Step.ASK, Step.ASK, None]
        permits.taken_over = "another run has it"
        monkeypatch.setattr(permits._monitor, "trouble", lambda *_: pytest.fail("it writes"))
        permits.failed(A, 10, FAULT)
        with pytest.raises(Stopped, match="another run has it"):
            await permits.answered(B, 10, 5, "fake")
        assert await ends(tasks[2:] + wishes(permits, D)) == ["another run has it"] * 2
        assert permits.stopped.result() == "another run has it" and permits.limiter.answers == 0

    play(work)


def test_the_first_answer_tells_who_answers() -> None:
    """The model of the first answer is that of the experiment; an answer that names none is no other model."""

    async def work() -> None:
        permits = permits_of()
        await settled(wishes(permits, A, B))
        await permits.answered(A, 10, 5, "")
        assert permits.model_answered == ""
        await permits.answered(B, 10, 5, "fake-0925")
        assert permits.model_answered == "fake-0925" and not permits.stopped.done()

    play(work)


def test_another_model_is_refused() -> None:
    """An answer of a second model is not kept, stops the run with both names, and its slot comes back."""

    async def work() -> None:
        permits = permits_of()
        tasks = wishes(permits, A, B, C)
        await settled(tasks)
        await permits.answered(A, 10, 5, "fake")
        await settled(tasks)
        with pytest.raises(Stopped, match="now answers as other, but answered as fake before"):
            await permits.answered(B, 10, 5, "other")
        assert permits.limiter.in_flight == {Slot(2, 0): 1} and permits.limiter.answers == permits.inquiry.answers == 1
        assert "other" in permits.stopped.result()

    play(work)


@pytest.mark.parametrize(
    ("accepted", "model", "is_taken"),
    [([], "other", True), (["fake-0925"], "fake", True), (["fake-0925"], "fake-0925", True), (["x"], "other", False)],
)
def test_names_that_are_accepted(accepted: list[str], model: str, is_taken: bool) -> None:
    """Where model.answers_as names models, the first answer is taken from these and model.name alone."""

    async def work() -> None:
        permits = permits_of({"answers_as": accepted})
        await settled(wishes(permits, A))
        if is_taken:
            await permits.answered(A, 10, 5, model)
        else:
            with pytest.raises(Stopped, match=r"model\.answers_as"):
                await permits.answered(A, 10, 5, model)
        assert permits.stopped.done() is not is_taken
        assert permits.limiter.answers == is_taken and not permits.limiter.in_flight

    play(work)


def test_who_waits_for_others_goes_on_with_their_outcome() -> None:
    """A narrative whose next step hangs on the outcome of others is told it as soon as they have theirs."""

    async def work() -> None:
        permits = permits_of()
        await settled(wishes(permits, A, B))
        permits.failed(A, 10, FAULT)
        (again,) = wishes(permits, A)
        assert await settled([again]) == [None]
        await permits.answered(B, 10, 5, "fake")
        assert await settled([again]) == [Step.ASK]

    play(work)


def test_evidence_is_looked_for_once_at_a_time() -> None:
    """Of several narratives that need evidence one looks for it, and the others wait for what it finds."""

    async def work() -> None:
        permits = permits_of(max_in_flight=4)
        await settled(wishes(permits, A, B, C))
        for narrative in (A, B, C):
            permits.failed(narrative, 10, REFUSED)
        again = wishes(permits, A, B, C)
        assert await settled(again) == [Step.TRIAL, None, None]
        permits.evidence(A, WELL)
        told = await settled(again)
        assert told[0] is Step.TRIAL and all(told[1:])
        assert Step.TRIAL not in told[1:]

    play(work)


def test_parts_that_are_not_taken_are_known_to_all() -> None:
    """What evidence finds that the server does not take is left out from then on, and told once."""
    told: list[str] = []

    class Monitor(RunMonitor):
        def unsupported(self, part: str) -> None:
            told.append(part)

    async def work() -> None:
        params = params_of(max_in_flight=2)
        permits = Permits(params, Monitor(spec_of(params), params))
        for _ in range(2):
            await settled(wishes(permits, A))
            permits.failed(A, 10, REFUSED)
            (trial,) = await settled(wishes(permits, A))
            assert trial is Step.TRIAL
            permits.evidence(A, Evidence(None, unsupported=("logprobs", "schema")))
            permits.inquiry.forget(1)
        assert permits.unsupported == {"logprobs", "schema"}

    play(work)
    assert told == ["logprobs", "schema"]


def test_a_server_in_trouble_is_tried_with_a_short_question() -> None:
    """After failures in a row a question about no narrative is asked first, alone; its answer opens all slots."""

    async def work() -> None:
        permits = permits_of(max_in_flight=3)
        await settled(wishes(permits, (1, 1), (1, 2), (1, 3)))
        for number in (1, 2, 3):
            permits.failed((1, number), 10, AWAY)
        fresh = wishes(permits, (1, 4), (1, 5), (1, 6))
        assert await settled(fresh) == [None] * 3
        await asyncio.wait(fresh, return_when=asyncio.FIRST_COMPLETED)
        assert await settled(fresh) == [Step.TRIAL, None, None]
        permits.evidence((1, 4), WELL)
        assert await settled(fresh) == [Step.TRIAL, Step.ASK, Step.ASK]

    play(work)


def test_a_pause_ends_by_itself() -> None:
    """After the time that the server asked for, who waits is let go without any further event."""

    async def work() -> float:
        permits = permits_of()
        loop = asyncio.get_running_loop()
        await settled(wishes(permits, A))
        permits.failed(A, 10, LIMITED)
        (task,) = wishes(permits, B)
        began = loop.time()
        assert (await task).step is Step.ASK
        return loop.time() - began

    assert play(work) == pytest.approx(2.0, abs=0.01)


def test_a_pause_is_told(capsys: pytest.CaptureFixture[str]) -> None:
    """Why nothing is asked, and for how long, is told once, and again where the reason is another."""

    async def work() -> None:
        permits = permits_of(max_in_flight=4)
        await settled(wishes(permits, A, B, C, D))
        for narrative in (A, B, C):
            permits.failed(narrative, 10, LIMITED)
        assert permits.problem == "HTTP 429"
        permits.failed(D, 10, Failure(Kind.RATE_LIMITED, "HTTP 429 (tokens)", 429, retry_after=40.0))

    play(work)
    lines = [line for line in capsys.readouterr().err.splitlines() if "[WAITING]" in line]
    assert lines == [
        "[WAITING] HTTP 429; the next try is in 2 s.",
        "[WAITING] HTTP 429 (tokens); the next try is in 40 s.",
    ]


def test_a_server_that_is_given_up_stops_the_run() -> None:
    """When nobody was answered for run.give_up_after_s, who waits learns so, without any further event."""

    async def work() -> list[str]:
        permits = permits_of(give_up_after_s=50)
        await settled(wishes(permits, A))
        permits.failed(A, 10, Failure(Kind.RATE_LIMITED, "HTTP 429", 429, retry_after=3600.0))
        return await ends(wishes(permits, A, B))

    assert all("run.give_up_after_s" in reason for reason in play(work))


def test_a_request_that_cannot_leave_stops_the_run() -> None:
    """A certificate that is not trusted, or a key that cannot be sent, is no narrative's fault and does not pass."""

    async def work() -> None:
        for kind in (Kind.UNTRUSTED, Kind.UNSENDABLE):
            permits = permits_of()
            await settled(wishes(permits, A))
            permits.failed(A, 10, Failure(kind, f"it is {kind}"))
            assert permits.stopped.result() == f"it is {kind}"

    play(work)


def test_a_rest_ends_with_the_run() -> None:
    """Who rests is called when the time is over, or when the run is stopped, whichever comes first."""

    async def work() -> list[float]:
        permits, loop = permits_of(), asyncio.get_running_loop()
        began = loop.time()
        await permits.rest(3.0)
        whole = loop.time() - began
        loop.call_later(1.0, permits.stop, "enough")
        await permits.rest(30.0)
        return [whole, loop.time() - began - whole]

    assert play(work) == pytest.approx([3.0, 1.0], abs=0.01)


def test_what_stays_open_is_told_with_its_reason() -> None:
    """Narratives that get no row are counted, with the commonest message; where there are none, nothing is told."""

    async def work() -> None:
        permits = permits_of()
        assert permits.why_left_open is None
        permits.inquiry.left_open.update({"HTTP 500": 2, "HTTP 400": 1})
        assert permits.why_left_open == "3 narratives failed while others failed alike: HTTP 500"

    play(work)


def test_a_server_that_answers_no_narrative_stops_the_run() -> None:
    """Where a short question is answered and one narrative after the other is not, the run stops before any is lost."""

    async def work() -> None:
        permits = permits_of(max_in_flight=1)
        for number in range(1, 4 * NONE_ANSWERED):
            while not permits.stopped.done():
                (task,) = wishes(permits, (1, number))
                try:
                    step = (await task).step
                except Stopped:
                    return
                if step is Step.SET_ASIDE:
                    break
                assert step not in (Step.SETTLE, Step.SETTLE_AS_TOO_LONG, Step.LEAVE_OPEN)
                if step is Step.ASK:
                    permits.failed((1, number), 10, REFUSED)
                else:
                    permits.evidence((1, number), WELL)
        assert f"none of {NONE_ANSWERED} narratives" in permits.stopped.result()

    play(work)


class Server(Client):
    """A server within the loop: it fails at random, refuses some narratives for good, and is away now and then."""

    def __init__(self, seed: int, share: float, bad: set[int], is_away: bool) -> None:
        """share: of all requests, so many fail; bad: narratives that are never taken, by row; is_away: whether it is
        away for minutes on end."""
        self.timeout_s, self.has_key = 60.0, False
        self.in_flight = self.busiest = 0
        self._random = random.Random(seed)
        self._share, self._bad, self._is_away = share, bad, is_away

    async def ask(self, body: bytes, has_narrative: bool = True, is_evidence: bool = False) -> dict[str, Any]:
        self.in_flight += 1
        self.busiest = max(self.busiest, self.in_flight)
        try:
            await asyncio.sleep(self._random.choice([0.0, 0.1, 1.0, self._random.uniform(0, 20)]))
            text = json.loads(body)["messages"][-1]["content"]
            if self._is_away and asyncio.get_running_loop().time() % 400 < 150:
                raise RequestFailed(AWAY)
            if any(f"row {number}." in text for number in self._bad):
                raise RequestFailed(REFUSED)
            if self._random.random() < self._share:
                raise RequestFailed(self._random.choice([REFUSED, FAULT, AWAY, LIMITED, TIMED_OUT]))
            decoded: dict[str, Any] = json.loads(completion("{}", "fake", 40))
            return decoded
        finally:
            self.in_flight -= 1


class Before:
    """The narratives that were answered."""

    def __init__(self) -> None:
        self.found: list[Narrative] = []

    @property
    def has_new(self) -> bool:
        return bool(self.found)

    def other_than(self, narrative: Narrative, at_least: int) -> Narrative | None:
        return next((other for other in reversed(self.found) if other != narrative), None)


class Crowd:
    """Workers that ask for narratives of three shards, as a run does."""

    def __init__(self, count: int, slots: int, server: Server, give_up_after_s: float) -> None:
        self.params = params_of(shards=3, max_in_flight=slots, give_up_after_s=give_up_after_s, max_attempts=4)
        self.server = server
        self.question = Question(self.params)
        self.before = Before()
        self.outcomes: Counter[Key] = Counter()
        self.todo: deque[Open] = deque()
        for number in range(count):
            narrative = Narrative(number + 1, str(number), "cme", f"row {number}.", None, None)
            self.todo.append(Open(narrative, (number % 3 + 1, number), self.question.fingerprint(narrative)))

    async def run(self) -> Permits:
        """Ask for all; returns the permits as they are at the end."""
        permits = Permits(self.params)
        at_work = 2 * permits.limiter.limits.max_in_flight
        await asyncio.gather(*(self._work(permits) for _ in range(at_work)))
        return permits

    async def _work(self, permits: Permits) -> None:
        while self.todo:
            still_open = self.todo.popleft()
            try:
                entry = await ask(still_open, self.question, [self.server], permits, self.before)
            except Stopped:
                return
            except SetAside:
                self.todo.append(still_open)
                continue
            except LeftOpen:
                pass
            else:
                if "response" in entry:
                    self.before.found.append(still_open.narrative)
            self.outcomes[still_open.key] += 1


@given(
    seed=st.integers(0, 10_000),
    slots=st.integers(1, 5),
    share=st.sampled_from([0.0, 0.1, 0.3, 0.6, 1.0]),
    bad=st.sets(st.integers(0, 23), max_size=6),
    is_away=st.booleans(),
)
@settings(max_examples=60, deadline=None)
@pytest.mark.slow
def test_whatever_the_server_does_every_narrative_comes_to_its_end(
    seed: int, slots: int, share: float, bad: set[int], is_away: bool
) -> None:
    """Each permit is followed by one report, no more are in flight than there are slots, no narrative has two ends,
    and each has one unless the run is stopped; nobody waits for ever."""
    random.seed(seed)
    crowd = Crowd(24, slots, Server(seed, share, bad, is_away), give_up_after_s=300.0)
    permits: Permits = play(crowd.run)
    assert not permits.open and not permits.limiter.in_flight
    assert crowd.server.busiest <= permits.most_open <= slots
    assert set(crowd.outcomes.values()) <= {1}
    assert len(crowd.outcomes) == 24 or permits.stopped.done()
    if not share and not is_away and len(bad) < NONE_ANSWERED:
        assert len(crowd.outcomes) == 24 and permits.inquiry.answers == 24 - len(bad)


def test_who_waits_for_a_narrative_that_needs_no_request_continues() -> None:
    """A slot that turns out not to be needed is free at once, and who was blocked on its outcome has its turn."""

    async def work() -> None:
        permits = permits_of(max_in_flight=4, max_attempts=1)
        too_long = Failure(Kind.REFUSED, "HTTP 400", 400, "context_length_exceeded", seems_too_long=True)
        first, timed_out, limited, other, closing, long = (1, 9), (1, 1), (1, 2), (2, 1), (2, 2), (3, 1)
        (turn,) = wishes(permits, first)
        await turn
        await permits.answered(first, 100, 5, "fake")
        await settled(wishes(permits, timed_out, limited, long, other))
        permits.failed(timed_out, 10, TIMED_OUT)
        permits.failed(long, 50, too_long)
        asked, last = wishes(permits, closing, long)
        await settled([asked, last])
        await permits.answered(other, 100, 5, "fake")
        assert await settled([asked, last]) == [Step.ASK, None]
        permits.failed(limited, 10, LIMITED)
        (again,) = wishes(permits, limited)
        assert await settled([again]) == [None]
        await permits.answered(closing, 100, 5, "fake")
        assert (await last).step is Step.SETTLE
        assert (await again).step is Step.EVIDENCE

    play(work)


def test_what_a_shard_had_that_is_gone_is_free_again() -> None:
    """When nobody asks for a shard any more, its slots go to others, what waited of it is withdrawn, and an evidence
    request that it had sent keeps nobody waiting."""

    async def work() -> None:
        permits = permits_of()
        tasks = wishes(permits, A, B, C, D)
        assert await settled(tasks) == [Step.ASK, Step.ASK, None, None]
        permits.lost(A[0])
        assert permits.limiter.in_flight[Slot(A[0], 0)] == 0
        assert (await settled(tasks))[2:] == [Step.ASK, Step.ASK]

    asyncio.run(work())


def test_a_narrative_that_failed_is_asked_at_another_server() -> None:
    """What fails at one server is tried at another; answered there, the failure was the first server's."""

    async def work() -> None:
        permits = Permits(params_of(max_in_flight=1), servers=2)
        first, second = wishes(permits, A, B)
        await settled([first, second])
        assert {first.result(), second.result()} == {(Step.ASK, 0), (Step.ASK, 1)}
        permits.failed(A, 10, FAULT)
        await permits.answered(B, 10, 5, "fake")
        (again,) = wishes(permits, A)
        assert await again == (Step.ASK, 1 - first.result().server)
        await permits.answered(A, 10, 5, "fake")
        assert permits.inquiry.answers == 2

    play(work)


OTHER_FAILURES = {"refuses": REFUSED, "breaks off": FAULT, "is away": AWAY, "limits": LIMITED, "times out": TIMED_OUT}


class Servers:
    """Several servers that are asked by many workers.

    kinds: what each does with a narrative: it answers, refuses, breaks off, is away, limits, times out, or fails at
    every second request; bad: narratives that none of them takes.
    """

    def __init__(self, kinds: list[str], bad: set[int], count: int) -> None:
        self.kinds, self.bad = kinds, bad
        self.params = params_of(max_in_flight=2, max_attempts=5, give_up_after_s=600)
        self.said: list[str] = []
        self.todo = deque((1, number) for number in range(count))
        self.answered: Counter[Key] = Counter()
        self.settled: set[int] = set()
        self.left_open: set[int] = set()
        self._turn: Counter[int] = Counter()

    def failure(self, server: int, narrative: int | None) -> Failure | None:
        """What comes of a request; narrative: None for a short question."""
        self._turn[server] += 1
        kind = self.kinds[server]
        if kind == "takes turns":
            kind = "breaks off" if self._turn[server] % 2 else "answers"
        if kind == "answers":
            return REFUSED if narrative in self.bad else None
        return OTHER_FAILURES[kind]

    async def asked(self) -> Permits:
        """Ask for all; returns the permits as they are at the end."""
        monitor = RunMonitor(spec_of(self.params), self.params)
        monitor.tell = self.said.append  # type: ignore[method-assign, assignment]
        permits = Permits(self.params, monitor, servers=len(self.kinds))
        await asyncio.gather(*(self._work(permits) for _ in range(4 * len(self.kinds))))
        return permits

    async def _work(self, permits: Permits) -> None:
        while self.todo:
            narrative = self.todo.popleft()
            with suppress(Stopped):
                await self._until_settled(permits, narrative)

    async def _until_settled(self, permits: Permits, narrative: Key) -> None:
        while True:
            step, server = await permits.acquire(narrative)
            await asyncio.sleep(0.5)
            match step:
                case Step.SET_ASIDE:
                    self.todo.append(narrative)
                    return
                case Step.SETTLE | Step.SETTLE_AS_TOO_LONG:
                    self.settled.add(narrative[1])
                    return
                case Step.LEAVE_OPEN:
                    self.left_open.add(narrative[1])
                    return
                case Step.ASK:
                    failure = self.failure(server, narrative[1])
                    if failure is None:
                        self.answered[narrative] += 1
                        await permits.answered(narrative, 10, 5, "fake")
                        return
                    permits.failed(narrative, 10, failure)
                case _:
                    failure = self.failure(server, None)
                    permits.evidence(narrative, WELL if failure is None else Evidence(failure))


def test_a_broken_server_among_sound_ones_makes_no_error() -> None:
    """One server of three refuses everything: it is left out, which is told with its address, and the others answer all
    narratives, without an error."""
    servers = Servers(["refuses", "answers", "answers"], set(), 60)

    async def work() -> None:
        permits = await servers.asked()
        assert set(servers.answered.values()) == {1} and len(servers.answered) == 60
        assert permits.limiter.servers[0].left_out and not permits.limiter.stopped
        assert [text for text in servers.said if text.startswith("[SERVER] server 0 is left out")]

    play(work)


OTHER_KINDS = [*OTHER_FAILURES, "takes turns", "answers"]


@given(
    st.lists(st.sampled_from(OTHER_KINDS), max_size=3),
    st.sets(st.integers(0, 39), max_size=3),
    st.randoms(use_true_random=False),
)
@settings(max_examples=60, deadline=None)
@pytest.mark.slow
def test_with_one_sound_server_only_bad_narratives_are_errors(
    others: list[str], bad: set[int], chance: random.Random
) -> None:
    """Whatever the other servers do, one that is sound suffices: each good narrative is answered once, and what becomes
    an error is bad everywhere."""
    kinds = ["answers", *others]
    chance.shuffle(kinds)
    servers = Servers(kinds, bad, 40)

    async def work() -> None:
        permits = await servers.asked()
        assert not permits.limiter.stopped
        assert set(servers.answered.values()) <= {1}
        assert {number for _, number in servers.answered} == set(range(40)) - bad
        assert servers.settled | servers.left_open == bad

    play(work)


def test_a_bad_narrative_is_an_error_with_several_servers() -> None:
    """A narrative that no server takes becomes an error row, though the servers take turns, and no server is blamed."""
    servers = Servers(["answers"] * 3, {5}, 40)

    async def work() -> None:
        permits = await servers.asked()
        assert servers.settled == {5} and permits.inquiry.answers == 39
        assert not any(server.left_out for server in permits.limiter.servers)

    play(work)
