"""The session's end of the connections: it hears the jobs, asks the gate, and tells them to go."""

import asyncio
import json
import time
from collections import defaultdict, deque
from collections.abc import Awaitable, Callable
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any

from narrative_runs.asking.failures import Failure, Kind
from narrative_runs.asking.inquiry import Inquiry, Key, Step
from narrative_runs.asking.server import Server
from narrative_runs.asking.trial import Evidence
from narrative_runs.session.account import Account
from narrative_runs.session.gate import Gate, another_model
from narrative_runs.session.link import Mouth
from narrative_runs.session.standing import Standing
from narrative_runs.session.supervision import Supervision, unexpected

CANCELLED = "cancelled from another terminal"
TELL_AGAIN_S = 60.0
SHORTEST_TOLD_S = 1.0
EVIDENCE_STEPS = (Step.EVIDENCE, Step.PROBE, Step.TRIAL)


class GateServer:
    """Serves one gate to all jobs of a run over a unix socket.

    inquiry: what to do next about each narrative; settings: told to every job; open_server: called when the first job
    wants to know it; account: record, logs and screen; supervision: of what nobody waits for; cancelled: whether the
    user cancelled the run from another terminal.
    """

    def __init__(
        self,
        gate: Gate,
        inquiry: Inquiry,
        settings: dict[str, Any],
        open_server: Callable[[], Awaitable[Server]],
        account: Account,
        supervision: Supervision,
    ) -> None:
        self.gate = gate
        self.inquiry = inquiry
        self._settings = settings
        self._without: set[str] = set()
        self._model: str = settings["model"]
        # The narratives that wait for a slot, by their job, in the order in which they came.
        self._waiting: defaultdict[int, deque[int]] = defaultdict(deque)
        # What waits for the outcome of another request.
        self._blocked: set[Key] = set()
        self._told_problem, self._told_at = "", 0.0
        self._problem = ""
        self._open_server = open_server
        self._opening: asyncio.Task[None] | None = None
        self._server: Server | None = None
        self._account = account
        self._supervision = supervision
        self.cancelled = False
        self._jobs: dict[int, JobConnection] = {}
        self._next_job = 0
        self._timer: asyncio.TimerHandle | None = None

    async def listen(self, path: Path) -> asyncio.Server:
        """Begin to serve at `path`."""
        return await asyncio.get_running_loop().create_unix_server(lambda: JobConnection(self), str(path))

    @property
    def jobs(self) -> list[str]:
        """The jobs at work."""
        return sorted(connection.name for connection in self._jobs.values() if connection.name)

    def standing(self) -> Standing:
        """How the run stands now."""
        gate = self.gate
        waits = max(0.0, gate.paused_until - time.monotonic())
        return replace(
            self._account.standing(),
            in_flight=gate.in_flight.total(),
            slots=gate.slots,
            jobs=self.jobs,
            waiting=self._problem if waits else "",
            waiting_sec=waits,
            stopping=gate.stopped or "",
        )

    def stop(self, reason: str) -> None:
        """Let no further request begin; those in flight may end."""
        self.gate.stopped = self.gate.stopped or reason
        self._account.stopped(self.gate.stopped)
        for connection in self._jobs.values():
            connection.say(f"stop {json.dumps(self.gate.stopped)}")

    def turn(self) -> None:
        """Hand out what the gate gives now, and come back when it may give more."""
        now = time.monotonic()
        self.gate.check(now)
        if self.gate.stopped:
            self.stop(self.gate.stopped)
            return
        for key in sorted(self._blocked):
            self._consider(key)
        while granted := self.gate.grants(now):
            self._account.progress.begin_asking(now)
            for job in granted:
                self._let_go((job, self._waiting[job].popleft()))
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
        moment = self.gate.next_moment(now)
        if moment is not None:
            self._timer = asyncio.get_running_loop().call_later(max(0.0, moment - now), self.turn)

    def enter(self, connection: "JobConnection") -> int:
        """A job has connected; returns its number."""
        self._next_job += 1
        self._jobs[self._next_job] = connection
        return self._next_job

    def leave(self, job: int) -> None:
        """A job's connection dropped; a job that did not say goodbye was killed, and its run cannot succeed."""
        connection = self._jobs.pop(job)
        self.gate.gone(job)
        self.inquiry.forget(job)
        self._waiting.pop(job, None)
        self._blocked = {key for key in self._blocked if key[0] != job}
        if connection.name:
            self.stop(f"the job {connection.name} ended unexpectedly: was it killed, or is the memory full?")
        self.turn()

    def hear(self, connection: "JobConnection", line: str) -> None:
        """Take one line of a job; `turn` then does what follows from it."""
        job = connection.job
        word, _, rest = line.partition(" ")
        match word:
            case "where":
                if self._server is not None:
                    connection.tell_server(self._server)
                elif self._opening is None:
                    self._opening = self._supervision.start(self.open())
            case "want":
                self._consider((job, int(rest)))
            case "answer":
                number, characters, tokens = (int(part) for part in rest.split())
                self.gate.answer(job, tokens)
                self.inquiry.answered((job, number), characters)
            case "unused":
                self.gate.unused(job)
                self.inquiry.unused((job, int(rest)))
            case "failed":
                which, length, told = rest.split(" ", 2)
                self._take_failure(connection, (job, int(which)), int(length), _failure(json.loads(told)))
            case "evidence":
                self._take_evidence(connection, _evidence(json.loads(rest)))
            case "hopeless":
                self.gate.unused(job)
                self.stop(json.loads(rest))
            case "sound":
                self._account_for(connection, self._account.begin_writing, "begun")
            case "follow":
                self._account_for(connection, self._account.bring_up_to_date, "followed")
            case "tell":
                self._account.tell(json.loads(rest))
            case "cancel":
                self.cancelled = True
                self.stop(CANCELLED)
                connection.say("cancelled")
            case "status":
                connection.say(f"status {self.standing().as_json()}")
            case "model":
                self._take_model(json.loads(rest))
            case "bye":
                connection.name = ""
            case "hello":
                connection.name = rest
                connection.say("settings " + json.dumps({**self._settings, **self._learned}))
                if self.gate.stopped:
                    connection.say(f"stop {json.dumps(self.gate.stopped)}")

    def _account_for(self, connection: "JobConnection", work: Callable[[], None], told: str) -> None:
        """Have the account do something that a job waits for; a record that cannot be written stops the run."""
        try:
            work()
        except Exception as error:
            self.stop(unexpected(error))
            connection.close()
            return
        connection.say(told)

    @property
    def _learned(self) -> dict[str, Any]:
        return {"without": sorted(self._without), "model": self._model}

    def _take_model(self, model: str) -> None:
        """The first answer names the model; another one later is another experiment."""
        if self._model and model != self._model:
            self.stop(another_model(self._model, model))
        if not self._model:
            self._account.answers_as(model)
        self._model = self._model or model
        for connection in self._jobs.values():
            connection.say(f"model {json.dumps(self._model)}")

    def _tell_pause(self, problem: str) -> None:
        """Say why nothing is asked; of a server that slows down again and again not more than once a minute."""
        now = time.monotonic()
        seconds = self.gate.paused_until - now
        self._problem = problem
        is_new = problem != self._told_problem or now - self._told_at >= TELL_AGAIN_S
        if seconds >= SHORTEST_TOLD_S and is_new:
            self._told_problem, self._told_at = problem, now
            self._account.tell(f"[WAITING] {problem}; the next try is in {seconds:.0f} s.")

    def _consider(self, key: Key) -> None:
        """Let a narrative wait for what comes next: a slot, the outcome of others, or nothing."""
        self._blocked.discard(key)
        step = self._next_step(key)
        if step is Step.WAIT:
            self._blocked.add(key)
        elif step in (Step.ASK, *EVIDENCE_STEPS):
            self._waiting[key[0]].append(key[1])
            self.gate.want(key[0])
        else:
            self._tell_step(key, step)

    def _let_go(self, key: Key) -> None:
        """Use a slot for this narrative, if what it waited for is still to be done."""
        job, _ = key
        step = self._next_step(key, own=1)
        if self.gate.trouble_since is not None and step is Step.ASK:
            # A server in trouble is tried with a short question, so that no narrative pays for it.
            step = self.inquiry.probe_unless(False)
        if step is Step.ASK:
            self.inquiry.sent(key)
        elif step in EVIDENCE_STEPS and not self.inquiry.evidence_in_flight:
            self.inquiry.evidence_sent(step)
        else:
            self.gate.unused(job)
            if step in (Step.WAIT, *EVIDENCE_STEPS):
                self._blocked.add(key)
                return
        self._tell_step(key, step)

    def _next_step(self, key: Key, own: int = 0) -> Step:
        """own: 1 if a slot was given to this very narrative already."""
        others = self.gate.in_flight.total() - self.inquiry.evidence_in_flight - own
        return self.inquiry.next_step(key, others > 0)

    def _tell_step(self, key: Key, step: Step) -> None:
        job, number = key
        self._jobs[job].say(f"go {number} {step}")
        if reason := self.inquiry.reason_to_stop:
            self.stop(reason)

    def _take_failure(self, connection: "JobConnection", key: Key, characters: int, failure: Failure) -> None:
        self.gate.failed(connection.job, time.monotonic(), failure)
        self.inquiry.failed(key, characters, failure)
        self._account.trouble(failure.kind, connection.name, failure.message)
        self._tell_pause(failure.message)
        if failure.kind in (Kind.UNTRUSTED, Kind.UNSENDABLE):
            self.stop(failure.message)

    def _take_evidence(self, connection: "JobConnection", evidence: Evidence) -> None:
        """What evidence requests brought: the server is well, or the fault is the run's."""
        for part in evidence.without:
            if part not in self._without:
                self._without.add(part)
                self._account.without(part)
                for other in self._jobs.values():
                    other.say(f"without {part}")
        if evidence.failure is None:
            self.gate.evidence_answered(connection.job, evidence.tokens, evidence.characters > 0)
            self.inquiry.evidence_answered(evidence.characters)
            self._account.evidence(connection.name, "answered", evidence.requests)
            return
        self.gate.evidence_failed(
            connection.job, time.monotonic(), evidence.failure, anything_answered=self.inquiry.answers > 0
        )
        self.inquiry.evidence_failed(evidence.failure)
        self._account.evidence(connection.name, evidence.failure.message, evidence.requests)
        self._tell_pause(evidence.failure.message)

    @property
    def why_left_open(self) -> str | None:
        """Why narratives got no row in this run, if any did not."""
        left_open = self.inquiry.left_open
        if not left_open:
            return None
        message, _ = left_open.most_common(1)[0]
        return f"{left_open.total()} narratives failed while others failed alike: {message}"

    async def open(self) -> None:
        """Open the model server, and tell all jobs where it is; a server that cannot be opened stops the run."""
        self._server = await self._open_server()
        for connection in self._jobs.values():
            connection.tell_server(self._server)
        self.turn()


class JobConnection(asyncio.Protocol):
    """One job's connection."""

    def __init__(self, gate_server: GateServer) -> None:
        self.name = ""
        self.job = 0
        self._gate_server = gate_server
        self._mouth = Mouth()
        self._rest = b""

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Enter the job."""
        self._mouth.open(transport)
        self.job = self._gate_server.enter(self)

    def connection_lost(self, exc: Exception | None) -> None:
        """The job has ended."""
        self._gate_server.leave(self.job)

    def data_received(self, data: bytes) -> None:
        """Take the job's lines."""
        *lines, self._rest = (self._rest + data).split(b"\n")
        for line in lines:
            self._gate_server.hear(self, line.decode())
        self._gate_server.turn()

    def say(self, line: str) -> None:
        """Send one line."""
        self._mouth.say(line)

    def close(self) -> None:
        """Send what was said, and end the connection."""
        self._mouth.close()

    def tell_server(self, server: Server) -> None:
        """Say where to ask."""
        self.say("server " + json.dumps(asdict(server)))


def _failure(values: dict[str, Any]) -> Failure:
    return Failure(**{**values, "kind": Kind(values["kind"])})


def _evidence(values: dict[str, Any]) -> Evidence:
    failure = values["failure"]
    return Evidence(
        **{**values, "failure": None if failure is None else _failure(failure), "without": tuple(values["without"])}
    )
