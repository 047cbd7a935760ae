"""The session's end of the connections: it hears the jobs, asks the gate, and tells them to go."""

import asyncio
import json
import time
from collections.abc import Awaitable, Callable
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any

from narrative_runs.asking.server import Server
from narrative_runs.errors import NarrativeRunsError, ServerError, reason_of
from narrative_runs.session.account import Account
from narrative_runs.session.gate import Gate, another_model
from narrative_runs.session.link import Mouth
from narrative_runs.session.standing import Standing

CANCELLED = "cancelled from another terminal"
TELL_AGAIN_S = 60.0
SHORTEST_TOLD_S = 1.0


class GateServer:
    """Serves one gate to all jobs of a run over a unix socket.

    settings: told to every job; open_server: called when the first job wants to know it;
    is_answered: whether the server answers a question that is no narrative; account: record, logs and screen;
    cancelled: whether the user cancelled the run from another terminal.
    """

    def __init__(
        self,
        gate: Gate,
        settings: dict[str, Any],
        open_server: Callable[[], Awaitable[Server]],
        is_answered: Callable[[Server], Awaitable[bool]],
        account: Account,
    ) -> None:
        self.gate = gate
        self._settings = settings
        self._without: set[str] = set()
        self._model: str = settings["model"]
        self._test: asyncio.Task[None] | None = None
        self._told_problem, self._told_at = "", 0.0
        self._problem = ""
        self._open_server = open_server
        self._opening: asyncio.Task[None] | None = None
        self._server: Server | None = None
        self._is_answered = is_answered
        self._account = account
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
            connection.say(f"stop {self.gate.stopped}")

    def turn(self) -> None:
        """Hand out what the gate gives now, and come back when it may give more."""
        now = time.monotonic()
        self.gate.check(now)
        if self.gate.stopped:
            self.stop(self.gate.stopped)
            return
        granted = self.gate.grants(now)
        if granted:
            self._account.progress.begin_asking(now)
        for job in granted:
            self._jobs[job].say(f"go {self.gate.signs_of_life} {self.gate.answered}")
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
                    self._opening = asyncio.create_task(self.open())
            case "want":
                self.gate.want(job)
            case "answer":
                self.gate.answer(job, int(rest))
            case "rejected":
                self.gate.rejected(job)
            case "unused":
                self.gate.unused(job)
            case "failed":
                self.gate.failed(job, time.monotonic())
                kind, _, message = rest.partition(" ")
                self._account.trouble(kind, connection.name, message)
                self._tell_pause(message)
                if kind != "Unreachable" and self.gate.trouble_since is not None and self._test is None:
                    self._test = asyncio.create_task(self._test_server())
            case "limited":
                seconds, _, message = rest.partition(" ")
                self.gate.limited(job, time.monotonic(), None if seconds == "-" else float(seconds))
                self._account.trouble("RateLimited", connection.name, message)
                self._tell_pause(message)
            case "hopeless":
                self.gate.unused(job)
                self.stop(json.loads(rest))
            case "without":
                self.gate.rejected(job)
                if rest not in self._without:
                    self._without.add(rest)
                    self._account.without(rest)
                    for other in self._jobs.values():
                        other.say(line)
            case "sound":
                self._account_for(connection, self._account.begin_writing, "begun")
            case "follow":
                self._account_for(connection, self._account.bring_up_to_date, "followed")
            case "tell":
                self._account.tell(rest)
            case "cancel":
                self.cancelled = True
                self.stop(CANCELLED)
                connection.say("cancelled")
            case "status":
                connection.say(f"status {self.standing().as_json()}")
            case "model":
                self._take_model(rest)
            case "bye":
                connection.name = ""
            case "hello":
                connection.name = rest
                connection.say("settings " + json.dumps({**self._settings, **self._learned}))
                if self.gate.stopped:
                    connection.say(f"stop {self.gate.stopped}")

    def _account_for(self, connection: "JobConnection", work: Callable[[], None], told: str) -> None:
        """Have the account do something that a job waits for; a record that cannot be written stops the run."""
        try:
            work()
        except (NarrativeRunsError, OSError) as error:
            self.stop(reason_of(error))
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
        self._model = self._model or model
        for connection in self._jobs.values():
            connection.say(f"model {self._model}")

    def _tell_pause(self, problem: str) -> None:
        """Say why nothing is asked; of a server that slows down again and again not more than once a minute."""
        now = time.monotonic()
        seconds = self.gate.paused_until - now
        self._problem = problem
        is_new = problem != self._told_problem or now - self._told_at >= TELL_AGAIN_S
        if seconds >= SHORTEST_TOLD_S and is_new:
            self._told_problem, self._told_at = problem, now
            self._account.tell(f"[WAITING] {problem}; the next try is in {seconds:.0f} s.")

    async def _test_server(self) -> None:
        """Is it the server, or only the narratives that are left? A question of our own tells."""
        await asyncio.sleep(max(0.0, self.gate.paused_until - time.monotonic()))
        if self._server is not None and await self._is_answered(self._server):
            self.gate.sign_of_life()
            self.turn()
        self._test = None

    async def open(self) -> None:
        """Open the model server, and tell all jobs where it is; a server that cannot be opened stops the run."""
        try:
            self._server = await self._open_server()
        except ServerError as error:
            self.stop(str(error))
            return
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
