"""Permits that this process grants: the limiter and the inquiry, without a network between them and who asks."""

import asyncio
import time
from collections import defaultdict, deque
from collections.abc import Callable, Sequence, Set
from typing import Protocol

from narrative_runs.asking.failures import Failure, Kind
from narrative_runs.asking.inquiry import Inquiry, Key, Step
from narrative_runs.asking.permits import Grant, Stopped
from narrative_runs.asking.trial import Evidence
from narrative_runs.coordination.limiter import Limiter, Slot, Wish
from narrative_runs.observation.progress import Progress
from narrative_runs.observation.run_status import ServerStatus
from narrative_runs.params import Model

TELL_AGAIN_S = 60.0
SHORTEST_PAUSE_TO_TELL_S = 1.0
EVIDENCE_STEPS = (Step.EVIDENCE, Step.PROBE, Step.TRIAL)


class Observer(Protocol):
    """Who gives account of the asking to the user; progress: its counts; model: as the server named it before, empty
    where nothing was answered."""

    progress: Progress

    @property
    def model(self) -> str:
        """The model as the server named it in the first answer; empty before."""
        ...

    def tell(self, text: str) -> None:
        """Show one line to the user."""
        ...

    def trouble(self, kind: str, job: str, message: str) -> None:
        """A request gave no answer."""
        ...

    def evidence(self, job: str, outcome: str, requests: int) -> None:
        """Evidence requests were sent, and this came of them."""
        ...

    def unsupported(self, part: str) -> None:
        """The server does not take or give a part: `schema` or `logprobs`."""
        ...

    def answers_as(self, model: str) -> None:
        """The server answers by this name."""
        ...

    def stopped(self, reason: str) -> None:
        """No further request begins."""
        ...


class LocalPermits:
    """Grants the slots of the limiter within one event loop; it is a `Permits`.

    limiter: slots, rate, budget, the state of the servers; inquiry: what to do next about each narrative; stopped:
    done, with the reason, once no request may begin; problem: why nothing was granted last; name_of: what a shard is
    called; why_lost: why this run may neither ask nor write any more, empty while it may; called often; servers: their
    addresses in messages, in the limiter's order.
    """

    def __init__(
        self,
        limiter: Limiter,
        inquiry: Inquiry,
        monitor: Observer,
        model: Model,
        name_of: Callable[[int], str],
        why_lost: Callable[[], str],
        servers: Sequence[str],
    ) -> None:
        self.limiter = limiter
        self.inquiry = inquiry
        self.stopped: asyncio.Future[str] = asyncio.get_running_loop().create_future()
        self.problem = ""
        self.model_answered = monitor.model
        self._monitor = monitor
        self._model = model
        self._name_of = name_of
        self._why_lost = why_lost
        self._unsupported: set[str] = set()
        self._servers = list(servers)
        # The server that belongs to who asks for a shard, where each has its own.
        self._own_servers: dict[int, int] = {}
        self._turns: dict[Key, asyncio.Future[Grant]] = {}
        # The narratives that wait for a slot, in the order in which they came.
        self._waiting: defaultdict[Wish, deque[Key]] = defaultdict(deque)
        # The server that each request in flight was sent to.
        self._sent_to: dict[Key, int] = {}
        # What waits for the outcome of another request.
        self._blocked: set[Key] = set()
        # For whose shard's sake an evidence request was sent to a server, whose outcome will come.
        self._evidence_of: dict[int, int] = {}
        self._last_problem: dict[int, tuple[str, float]] = {}
        self._timer: asyncio.TimerHandle | None = None
        self._is_turn_due = False

    @property
    def slots(self) -> int:
        """The most requests at once that the run makes."""
        return self.limiter.limits.max_in_flight * max(1, len(self._servers))

    @property
    def unsupported(self) -> Set[str]:
        """Parts of a request that a server does not take: none is sent them, so that all are asked the same."""
        return self._unsupported

    async def acquire(self, narrative: Key) -> Grant:
        """What to do next about this narrative, and at which server; waits until it may be done.

        Raises:
            Stopped: no further request may be sent.
        """
        if self._is_lost() or self.stopped.done():
            raise Stopped(self.stopped.result())
        turn: asyncio.Future[Grant] = asyncio.get_running_loop().create_future()
        self._turns[narrative] = turn
        self._consider(narrative)
        self._turn_soon()
        return await turn

    def has_own_server(self, shard: int, name: str) -> None:
        """Who asks for this shard has started a server, which nobody else asks; name: of it in messages."""
        if shard not in self._own_servers:
            self._own_servers[shard] = self.limiter.add_server()
            self._servers.append(name)

    def own_server_ends(self, shard: int) -> None:
        """The shard is answered, or who asked for it is gone, and with it its server."""
        if (server := self._own_servers.pop(shard, None)) is not None:
            self.limiter.remove_server(server)

    def lost(self, shard: int) -> None:
        """Who asked for a shard is gone: what it had in flight, and what waited, is nobody's any more."""
        for wish in [wish for wish in self._waiting if wish.shard == shard]:
            del self._waiting[wish]
        self._blocked -= {key for key in self._blocked if key[0] == shard}
        for narrative in [key for key in self._turns if key[0] == shard]:
            self._turns.pop(narrative).cancel()
        self.limiter.lost(shard)
        self.inquiry.forget(shard)
        for narrative in [key for key in self._sent_to if key[0] == shard]:
            del self._sent_to[narrative]
        for server in [server for server, of in self._evidence_of.items() if of == shard]:
            del self._evidence_of[server]
            self.inquiry.evidence_lost(server)
        self.own_server_ends(shard)
        self._turn_soon()

    async def answered(self, narrative: Key, characters: int, tokens: int, model: str) -> None:
        """It was answered.

        Raises:
            Stopped: by another model than those that this experiment may ask, or after another run has taken it over.
        """
        if reason := self._why_lost() or self._why_not_accepted(model, self._sent_to.get(narrative, 0)):
            self.release(narrative)
            self.stop(reason)
            raise Stopped(reason)
        self.limiter.answered(self._slot_back(narrative), tokens)
        self.inquiry.answered(narrative, characters)
        self._turn_soon()

    def failed(self, narrative: Key, characters: int, failure: Failure) -> None:
        """The request about it was not answered."""
        if self._is_lost():
            return
        slot = self._slot_back(narrative)
        self.limiter.failed(slot, time.monotonic(), failure)
        self.inquiry.failed(narrative, characters, failure)
        self._monitor.trouble(failure.kind, self._name_of(narrative[0]), self._of_server(slot.server, failure.message))
        self._tell_pause(slot.server, failure.message)
        if failure.kind in (Kind.UNTRUSTED, Kind.UNSENDABLE):
            self.stop(failure.message)
        self._turn_soon()

    def evidence(self, narrative: Key, evidence: Evidence) -> None:
        """What evidence requests brought: the server is well, or the fault is the run's."""
        if self._is_lost():
            return
        slot, name = self._slot_back(narrative), self._name_of(narrative[0])
        self._evidence_of.pop(slot.server, None)
        for part in evidence.unsupported:
            if part not in self._unsupported:
                self._unsupported.add(part)
                self._monitor.unsupported(part)
        if evidence.failure is None:
            self.limiter.evidence_answered(slot, evidence.tokens, evidence.characters > 0)
            self.inquiry.evidence_answered(slot.server, evidence.characters)
            self._monitor.evidence(name, self._of_server(slot.server, "answered"), evidence.requests)
        else:
            message = evidence.failure.message
            self.limiter.evidence_failed(slot, time.monotonic(), evidence.failure)
            self.inquiry.evidence_failed(slot.server, evidence.failure)
            self._monitor.evidence(name, self._of_server(slot.server, message), evidence.requests)
            if not self._tell_left_out(slot.server):
                self._tell_pause(slot.server, message)
        self._turn_soon()

    def release(self, narrative: Key) -> None:
        """The request says nothing."""
        self.limiter.release(self._slot_back(narrative))
        self.inquiry.release(narrative)
        self._turn_soon()

    async def rest(self, seconds: float) -> None:
        """Wait so long, and no longer than until the run is stopped."""
        await asyncio.wait({self.stopped}, timeout=seconds)

    def stop(self, reason: str) -> None:
        """Let no further request begin; those in flight may end."""
        self.limiter.stopped = self.limiter.stopped or reason
        if self.stopped.done():
            return
        self.stopped.set_result(self.limiter.stopped)
        self._monitor.stopped(self.limiter.stopped)
        while self._turns:
            _, turn = self._turns.popitem()
            if not turn.done():
                turn.set_exception(Stopped(self.limiter.stopped))

    def _is_lost(self) -> bool:
        """Stop, if another run has taken the experiment over."""
        reason = self._why_lost()
        if reason:
            self.stop(reason)
        return bool(reason)

    def server_status(self, now: float) -> list[ServerStatus]:
        """How each of several servers does; none where there is one."""
        if len(self._servers) == 1:
            return []
        return [
            ServerStatus(
                address,
                server.in_flight,
                server.slots,
                server.answers,
                server.failures,
                server.left_out or (server.problem if server.trouble_since is not None else ""),
                max(0.0, server.paused_until - now),
                bool(server.left_out),
            )
            for address, server in zip(self._servers, self.limiter.servers, strict=True)
        ]

    @property
    def why_left_open(self) -> str | None:
        """Why narratives got no row in this run, if any did not."""
        left_open = self.inquiry.left_open
        if not left_open:
            return None
        message, _ = left_open.most_common(1)[0]
        return f"{left_open.total()} narratives failed while others failed alike: {message}"

    def _turn_soon(self) -> None:
        # Once for all that happens in one turn of the event loop.
        if not self._is_turn_due:
            self._is_turn_due = True
            asyncio.get_running_loop().call_soon(self._turn)

    def _turn(self) -> None:
        """Hand out what the limiter gives now, and come back when it may give more."""
        self._is_turn_due = False
        if self._is_lost():
            return
        now = time.monotonic()
        self.limiter.check(now)
        if self.limiter.stopped:
            self.stop(self.limiter.stopped)
            return
        for narrative in sorted(self._blocked):
            self._consider(narrative)
        while granted := self.limiter.granted(now):
            self._monitor.progress.begin_asking(now)
            for wish, slot in granted:
                self._grant(self._waiting[wish].popleft(), slot)
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
        moment = self.limiter.next_moment(now)
        if moment is not None:
            self._timer = asyncio.get_running_loop().call_later(max(0.0, moment - now), self._turn)

    def _consider(self, narrative: Key) -> None:
        """Let a narrative wait for what comes next: a slot, the outcome of others, or nothing."""
        self._blocked.discard(narrative)
        step = self._next_step(narrative)
        if step is Step.WAIT:
            self._blocked.add(narrative)
        elif step in (Step.ASK, *EVIDENCE_STEPS):
            wish = Wish(narrative[0], self._servers_for(narrative, step))
            self._waiting[wish].append(narrative)
            self.limiter.acquire(wish)
        else:
            self._tell_step(narrative, step)

    def _servers_for(self, narrative: Key, step: Step) -> tuple[int, ...]:
        """Where to send a request about a narrative: evidence to the server at which it failed, itself to one that is
        well and did not have it yet, or not last; none named where it does not matter."""
        if (own := self._own_servers.get(narrative[0])) is not None:
            return (own,)
        failed_at = self.inquiry.failed_at(narrative)
        if failed_at is None or len(self._servers) == 1:
            return ()
        if step in EVIDENCE_STEPS:
            return (failed_at,)
        well = [server for server in range(len(self._servers)) if self.limiter.is_well(server)]
        untried = [server for server in well if server not in self.inquiry.failed_at_all(narrative)]
        return tuple(untried or [server for server in well if server != failed_at])

    def _grant(self, narrative: Key, slot: Slot) -> None:
        """Use a slot for this narrative, if what it waited for is still to be done, and there."""
        step, server = self._next_step(narrative, slot), slot.server
        is_elsewhere = step in EVIDENCE_STEPS and server != self.inquiry.failed_at(narrative)
        if step is Step.ASK and not self.limiter.is_well(server):
            # A server in trouble is tried with a short question, so that no narrative pays for it.
            step = self.inquiry.probe(server)
        if step is Step.ASK:
            self.inquiry.sent(narrative, server)
        elif step in EVIDENCE_STEPS and not is_elsewhere and not self.inquiry.has_evidence_in_flight(server):
            self.inquiry.evidence_sent(step, server)
            self._evidence_of[server] = narrative[0]
        else:
            self.limiter.release(slot)
            # Its slot is free again, and who was blocked on it has nobody else to wait for.
            self._turn_soon()
            if step in (Step.WAIT, *EVIDENCE_STEPS):
                self._blocked.add(narrative)
                return
        if step in (Step.ASK, *EVIDENCE_STEPS):
            self._sent_to[narrative] = server
        self._tell_step(narrative, step, server)

    def _next_step(self, narrative: Key, own: Slot | None = None) -> Step:
        """own: the slot, if one was given to this very narrative already."""
        server = self.inquiry.failed_at(narrative)
        if server is None:
            return self.inquiry.next_step(narrative, False)
        there = self.limiter.servers[server].in_flight - (own is not None and own.server == server)
        return self.inquiry.next_step(narrative, there - self.inquiry.has_evidence_in_flight(server) > 0)

    def _slot_back(self, narrative: Key) -> Slot:
        """The slot of a request that has its outcome."""
        return Slot(narrative[0], self._sent_to.pop(narrative, 0))

    def _tell_step(self, narrative: Key, step: Step, server: int = 0) -> None:
        turn = self._turns.pop(narrative, None)
        if turn is not None and not turn.done():
            # Who has a server of its own knows no other.
            turn.set_result(Grant(step, 0 if narrative[0] in self._own_servers else server))
        if reason := self.inquiry.reason_to_stop:
            self.stop(reason)

    def _tell_pause(self, server: int, problem: str) -> None:
        """Say why a server is not asked; of one that slows down again and again not more than once a minute."""
        now = time.monotonic()
        seconds = self.limiter.servers[server].paused_until - now
        self.problem = self._of_server(server, problem)
        last, at = self._last_problem.get(server, ("", 0.0))
        if seconds >= SHORTEST_PAUSE_TO_TELL_S and (problem != last or now - at >= TELL_AGAIN_S):
            self._last_problem[server] = problem, now
            self._monitor.tell(f"[WAITING] {self.problem}; the next try is in {seconds:.0f} s.")

    def _tell_left_out(self, server: int) -> bool:
        """Say that a server is not asked any more, if so, and while others are."""
        reason = self.limiter.servers[server].left_out
        if reason:
            self.inquiry.left_out(server)
        if reason and not self.limiter.stopped:
            self._monitor.tell(
                f"[SERVER] {self._servers[server]} is left out until the next start, as other servers answer: {reason}."
            )
        return bool(reason)

    def _of_server(self, server: int, message: str) -> str:
        """The message, with the server's address where there are several."""
        return message if len(self._servers) == 1 else f"{self._servers[server]}: {message}"

    def _why_not_accepted(self, model: str, server: int) -> str:
        """Why the answer of this model is not kept: one experiment holds the answers of one model."""
        if not model or model == self.model_answered:
            return ""
        who = "the server" if len(self._servers) == 1 else f"the server at {self._servers[server]}"
        if self.model_answered:
            return another_model(who, self.model_answered, model)
        asked = self._model
        if asked.answers_as and model not in (asked.name, *asked.answers_as):
            return not_accepted(who, asked.name, model)
        self.model_answered = model
        self._monitor.answers_as(model)
        return ""


def another_model(who: str, before: str, now: str) -> str:
    """Why a run stops whose server serves another model than before."""
    return (
        f"{who} now answers as {now}, but answered as {before} before. Load {before} again, "
        "then start the same command; for the other model, start a new experiment."
    )


def not_accepted(who: str, asked: str, answered: str) -> str:
    """Why a run stops whose first answer comes from a model that is none of those accepted."""
    return (
        f"{who} answers as {answered}, which is neither model.name ({asked}) nor among model.answers_as. Load the "
        "right model, or add this name to model.answers_as."
    )
