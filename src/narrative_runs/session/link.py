"""A job's connection to its session: settings once, then a word for each request.

job to session, a line each:   `hello <job>`, `where`, `want <n>`, `answer <n> <characters> <tokens>`, `unused <n>`,
                               `failed <n> <characters> <failure as JSON>`, `evidence <evidence as JSON>`,
                               `model <name>`, `hopeless <message as JSON>`, `sound` (the workbook can be used),
                               `follow` (bring the record up to date), `tell <text>`, `bye`
session to job, a line each:   `settings <JSON>` (to the hello), `server <JSON>` (to where), `begun` (to sound),
                               `followed` (to follow), `go <n> <step>`, `without <part>`, `model <name>`,
                               `stop <reason>`

n: the number of a narrative within its job; characters: its length; step: what to do next about it, as `Step` names it.
"""

import asyncio
import json
import os
from dataclasses import asdict
from typing import Any

from narrative_runs.asking.failures import Failure
from narrative_runs.asking.inquiry import Step
from narrative_runs.asking.server import Server
from narrative_runs.asking.trial import Evidence
from narrative_runs.errors import ExperimentError
from narrative_runs.session.supervision import Supervision
from narrative_runs.session.tether import SOCKET_VARIABLE

LOST = "the run has ended"
NO_SESSION = "there is no running session. Jobs are started by snakemake alone, not by hand."


class Stopped(Exception):
    """No further request may be sent; the message says why."""


class Mouth:
    """One end's voice: lines are gathered, and sent once a turn of the event loop; a write costs more than a line."""

    def __init__(self) -> None:
        self._transport: asyncio.WriteTransport | None = None
        self._unsent: list[str] = []

    def open(self, transport: asyncio.BaseTransport) -> None:
        """From now on lines go to this transport."""
        assert isinstance(transport, asyncio.WriteTransport)
        self._transport = transport

    def say(self, line: str) -> None:
        """Send one line soon; dropped where nobody hears."""
        if not self._unsent:
            asyncio.get_running_loop().call_soon(self._send)
        self._unsent.append(line.replace("\n", " ") + "\n")

    def close(self) -> None:
        """Send what was said, and close the transport."""
        self._send()
        if self._transport is not None:
            self._transport.close()

    def _send(self) -> None:
        if self._unsent and self._transport is not None and not self._transport.is_closing():
            self._transport.write("".join(self._unsent).encode(errors="replace"))
        self._unsent.clear()


class Link(asyncio.Protocol):
    """The job's end of the connection.

    settings: what the session tells every job; stopped: done, with the reason, once no request may begin;
    without: parts of the request that this server does not take (`schema`, `logprobs`);
    model: as the server named it in its first answer, empty before; supervision: of what nobody waits for.
    """

    def __init__(self) -> None:
        self.settings: dict[str, Any] = {}
        self.without: set[str] = set()
        self.model = ""
        self.stopped: asyncio.Future[str] = asyncio.get_running_loop().create_future()
        # What fails beside the job's own line ends the run as well.
        self.supervision = Supervision(self.give_up)
        self._server: Server | None = None
        self._knows_server = asyncio.Event()
        self._has_settings = asyncio.Event()
        self._followed = asyncio.Event()
        self._closed = asyncio.Event()
        self._waiting: dict[int, asyncio.Future[Step]] = {}
        self._mouth = Mouth()
        self._rest = b""

    @classmethod
    async def open(cls, job: str) -> "Link":
        """Connect to the session that the environment names, and take its settings.

        Raises:
            ExperimentError: there is no session; jobs are started by snakemake alone.
        """
        path = os.environ.get(SOCKET_VARIABLE, "")
        try:
            _, link = await asyncio.get_running_loop().create_unix_connection(cls, path)
        except (OSError, ValueError):
            raise ExperimentError(f"{job}: {NO_SESSION}") from None
        link.say(f"hello {job}")
        settings = asyncio.ensure_future(link._has_settings.wait())
        await asyncio.wait(_both(settings, link.stopped), return_when=asyncio.FIRST_COMPLETED)
        settings.cancel()
        if not link.settings:
            raise ExperimentError(f"{job}: {link.stopped.result()}.")
        return link

    async def where(self) -> "Server":
        """The server to ask; the session opens it for the first job that wants to know.

        Raises:
            Stopped: no request may be sent.
        """
        if self._server is None:
            self.say("where")
            known = asyncio.ensure_future(self._knows_server.wait())
            await asyncio.wait(_both(known, self.stopped), return_when=asyncio.FIRST_COMPLETED)
            known.cancel()
        if self._server is None:
            raise Stopped(self.stopped.result())
        return self._server

    async def next_step(self, number: int) -> Step:
        """What to do next about the narrative with this number within the job; waits until it may be done.

        Raises:
            Stopped: no further request may be sent.
        """
        if self.stopped.done():
            raise Stopped(self.stopped.result())
        turn: asyncio.Future[Step] = asyncio.get_running_loop().create_future()
        self._waiting[number] = turn
        self.say(f"want {number}")
        return await turn

    def failed(self, number: int, characters: int, failure: Failure) -> None:
        """Say that a request about this narrative of so many characters was not answered."""
        self.say(f"failed {number} {characters} {json.dumps(asdict(failure))}")

    def evidence(self, evidence: Evidence) -> None:
        """Say what evidence requests brought."""
        self.without |= set(evidence.without)
        self.say(f"evidence {json.dumps(asdict(evidence))}")

    def say(self, line: str) -> None:
        """Send one line."""
        self._mouth.say(line)

    async def record_is_current(self) -> None:
        """Have all answers so far brought into the record."""
        self.say("follow")
        followed = asyncio.ensure_future(self._followed.wait())
        await asyncio.wait(_both(followed, self.stopped), return_when=asyncio.FIRST_COMPLETED)
        followed.cancel()

    async def close(self) -> None:
        """Close the connection, once all that was said has left."""
        self.say("bye")
        self._mouth.close()
        await self._closed.wait()

    def give_up(self, reason: str) -> None:
        """Say that the run cannot go on, and stop."""
        self.say(f"hopeless {json.dumps(reason)}")
        self.stop(reason)

    def stop(self, reason: str) -> None:
        """Let no further request begin."""
        if not self.stopped.done():
            self.stopped.set_result(reason)
        while self._waiting:
            _, turn = self._waiting.popitem()
            if not turn.done():
                turn.set_exception(Stopped(reason))

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """The session hears from now on."""
        self._mouth.open(transport)

    def connection_lost(self, exc: Exception | None) -> None:
        """The session has ended, so nothing may be asked any more."""
        self.stop(LOST)
        self._closed.set()

    def data_received(self, data: bytes) -> None:
        """Take the session's lines."""
        *lines, self._rest = (self._rest + data).split(b"\n")
        for line in lines:
            word, _, rest = line.decode().partition(" ")
            self._hear(word, rest)

    def _hear(self, word: str, rest: str) -> None:
        match word:
            case "go":
                number, step = rest.split()
                turn = self._waiting.pop(int(number), None)
                if turn is None or turn.done():
                    self.say(f"unused {number}")
                else:
                    turn.set_result(Step(step))
            case "settings":
                self.settings = json.loads(rest)
                self.without = set(self.settings["without"])
                self.model = self.settings["model"]
                self._has_settings.set()
            case "server":
                self._server = Server(**json.loads(rest))
                self._knows_server.set()
            case "followed":
                self._followed.set()
            case "model":
                self.model = json.loads(rest)
            case "without":
                self.without.add(rest)
            case "stop":
                self.stop(json.loads(rest))


def _both(first: asyncio.Future[Any], second: asyncio.Future[Any]) -> set[asyncio.Future[Any]]:
    return {first, second}
