"""The coordinator's address: jobs connect to it over a WebSocket; other terminals ask for status, and cancel.

On this host it is a unix socket in a folder for its owner alone. Jobs on other hosts connect over TLS, with the token
of the connection file. Their connection may break: their place is kept for LEASE_S seconds, with what they have in
flight.
"""

import asyncio
import hmac
import ssl
from collections import defaultdict, deque
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any

from aiohttp import WSMsgType, web
from aiohttp.typedefs import Handler

from narrative_runs.coordination.channel import Channel
from narrative_runs.coordination.client import REFUSED
from narrative_runs.coordination.messages import Message
from narrative_runs.coordination.supervision import Supervision
from narrative_runs.errors import NarrativeRunsError, reason_of
from narrative_runs.observation.run_status import RunStatus
from narrative_runs.run_context import RunContext

# Jobs end with this process: what they still have to say is soon said.
JOBS_MAY_TAKE_S = 1.0
HEARTBEAT_S = 10.0
LEASE_S = 30.0
LOOK_EVERY_S = 0.1


class Job:
    """One job's place in the run; name: of the job; host: where it is, empty for this one; is_done: whether it said
    goodbye, or is given up."""

    def __init__(self, client: str, name: str, host: str) -> None:
        """client: what this very process calls itself, over all its connections."""
        self.client = client
        self.name = name
        self.host = host
        self.is_done = False
        # The last session of the run whose journals alone it writes.
        self.session = 0
        self.channel = Channel()
        self.socket: web.WebSocketResponse | None = None
        self.expiry: asyncio.TimerHandle | None = None

    @property
    def title(self) -> str:
        """What people call it."""
        return f"{self.name} on {self.host}" if self.host else self.name

    def post(self, message: Message) -> None:
        """Have a message sent to it; a job that is gone is told nothing."""
        self.channel.post(message)


class RunServer:
    """Serves the jobs of one run.

    context: told to each job, to one on another host with the API key; status: how the run stands; take: called with
    each message of a job; lost: called with a job that ended without a goodbye; cancel: called when another terminal
    cancels; snapshot: called with the name and the note of a snapshot that another terminal wants, gives words;
    is_wanted: whether the run waits for the file of a shard.
    """

    def __init__(
        self,
        context: RunContext,
        api_key: str,
        status: Callable[[], RunStatus],
        take: Callable[[Job, Message], Awaitable[None]],
        lost: Callable[[Job], None],
        cancel: Callable[[], None],
        snapshot: Callable[[str, str], Awaitable[str]],
        is_wanted: Callable[[str], bool],
        supervision: Supervision,
    ) -> None:
        self._context = context
        self._api_key = api_key
        self._status = status
        self._take = take
        self._lost = lost
        self._cancel = cancel
        self._snapshot = snapshot
        self._is_wanted = is_wanted
        self._supervision = supervision
        self._jobs: dict[str, Job] = {}
        # Of two jobs of one name, as after Snakemake took the first for dead, the second waits until that is gone.
        self._of_name: defaultdict[str, deque[Job]] = defaultdict(deque)
        self._token = ""
        self._is_closing = False
        self._runner: web.AppRunner | None = None

    @property
    def jobs(self) -> list[str]:
        """The jobs at work."""
        return sorted(job.name for job in self._jobs.values())

    @property
    def jobs_elsewhere(self) -> list[Job]:
        """Those on other hosts."""
        return [job for job in self._jobs.values() if job.host]

    async def listen(self, path: Path) -> None:
        """Begin to serve at a unix socket."""
        application = web.Application(middlewares=[self._only_with_token])
        application.add_routes(
            [
                web.get("/job", self._serve_job),
                web.get("/plan", self._tell_plan),
                web.get("/status", self._tell_status),
                web.post("/cancel", self._stop),
                web.post("/snapshot", self._keep_snapshot),
            ]
        )
        self._runner = web.AppRunner(application, access_log=None, shutdown_timeout=JOBS_MAY_TAKE_S)
        await self._runner.setup()
        await web.UnixSite(self._runner, str(path)).start()

    async def listen_for_hosts(self, port: int, token: str, certificate: ssl.SSLContext) -> int:
        """Serve other hosts as well; port: 0 for any that is free. Returns the port.

        Raises:
            OSError: the port is taken.
        """
        assert self._runner is not None
        self._token = token
        site = web.TCPSite(self._runner, "0.0.0.0", port, ssl_context=certificate)
        await site.start()
        return int(self._runner.addresses[-1][1])

    def tell_all(self, message: Message) -> None:
        """Have a message sent to all jobs on other hosts."""
        for job in self.jobs_elsewhere:
            job.post(message)

    async def begin_session(self, context: RunContext) -> None:
        """Have the jobs write to the journals of another session; returns once none of them writes to earlier ones."""
        self._context = context
        values = {"session": context.session, "session_began_at": context.session_began_at}
        self.tell_all(Message("session", values=values))
        writing = self.jobs_elsewhere
        while any(job.session < context.session and job.client in self._jobs for job in writing):
            await asyncio.sleep(LOOK_EVERY_S)

    async def close(self) -> None:
        """End all connections."""
        self._is_closing = True
        for job in list(self._jobs.values()):
            if job.socket is not None:
                await job.socket.close()
        if self._runner is not None:
            await self._runner.cleanup()

    @web.middleware
    async def _only_with_token(self, request: web.Request, handler: Handler) -> web.StreamResponse:
        expected = f"Bearer {self._token}"
        if _is_from_elsewhere(request) and not hmac.compare_digest(
            request.headers.get("authorization", "").encode(), expected.encode()
        ):
            return web.Response(status=401)
        return await handler(request)

    async def _serve_job(self, request: web.Request) -> web.WebSocketResponse:
        is_elsewhere = _is_from_elsewhere(request)
        socket = web.WebSocketResponse(heartbeat=HEARTBEAT_S if is_elsewhere else None)
        await socket.prepare(request)
        hello = await socket.receive_json()
        job = self._known_or_new(hello, is_elsewhere)
        if job is None:
            await socket.send_json({"gone": True})
            await socket.close()
            return socket
        older, job.socket = job.socket, socket
        if older is not None:
            await older.close()
        await socket.send_json({"taken": job.channel.taken})
        writing = self._supervision.start(_write(job.channel, socket, int(hello["taken"])))
        try:
            async for received in socket:
                if received.type is not WSMsgType.TEXT:
                    break
                message = job.channel.take(received.json())
                if message is None:
                    continue
                if message.kind == "bye":
                    job.is_done = True
                    self._end(job)
                elif message.kind == "session_left":
                    job.session = int(message.values["session"])
                else:
                    # Beside the line: while one is waited for, the next is heard.
                    self._supervision.start(self._taken(job, message))
        finally:
            writing.cancel()
            if job.socket is socket:
                job.socket = None
                self._has_left(job)
        return socket

    def _known_or_new(self, hello: dict[str, Any], is_elsewhere: bool) -> Job | None:
        """The place of a job that connects; None where it had one, and has lost it."""
        job = self._jobs.get(hello["client"])
        if job is not None:
            if job.expiry is not None:
                job.expiry.cancel()
            return job
        if hello["taken"]:
            return None
        job = Job(hello["client"], hello["job"], hello["host"] if is_elsewhere else "")
        self._jobs[job.client] = job
        self._of_name[job.name].append(job)
        if self._of_name[job.name][0] is job:
            self._begin(job)
        return job

    def _begin(self, job: Job) -> None:
        values: dict[str, Any] = {"context": self._context.as_dict()}
        job.post(Message("context", values={**values, "api_key": self._api_key} if job.host else values))

    def _has_left(self, job: Job) -> None:
        """Its connection is gone: it may come back, if it is on another host."""
        if job.is_done or self._is_closing or not job.host:
            self._end(job)
        else:
            job.expiry = asyncio.get_running_loop().call_later(LEASE_S, self._end, job)

    def _end(self, job: Job) -> None:
        if self._jobs.pop(job.client, None) is None:
            return
        line = self._of_name[job.name]
        was_first = line[0] is job
        line.remove(job)
        if not line:
            del self._of_name[job.name]
        if not job.is_done:
            job.is_done = True
            self._lost(job)
        if line and was_first:
            self._begin(line[0])

    async def _taken(self, job: Job, message: Message) -> None:
        try:
            await self._take(job, message)
        except Exception:
            # The job would wait for an answer for ever; why it ends is told by the error, not by its end.
            job.is_done = True
            if job.socket is not None:
                await job.socket.close()
            raise

    async def _tell_status(self, _: web.Request) -> web.Response:
        return web.Response(text=self._status().as_json(), content_type="application/json")

    async def _tell_plan(self, request: web.Request) -> web.Response:
        shard = request.query.get("shard", "")
        return web.json_response({"context": self._context.as_dict(), "is_wanted": self._is_wanted(shard)})

    async def _keep_snapshot(self, request: web.Request) -> web.Response:
        wanted = await request.json()
        try:
            return web.Response(text=await self._snapshot(wanted["name"], wanted["note"]))
        except (NarrativeRunsError, OSError) as error:
            return web.Response(text=reason_of(error), status=REFUSED)

    async def _stop(self, _: web.Request) -> web.Response:
        self._cancel()
        return web.Response(text="cancelled")


async def _write(channel: Channel, socket: web.WebSocketResponse, taken: int) -> None:
    try:
        await channel.write(socket.send_json, taken)
    except ConnectionError:
        # Who reads from it notices as well, and decides.
        return


def _is_from_elsewhere(request: web.Request) -> bool:
    """Whether a request came over TLS, and so from another host or by its way."""
    return request.secure
