"""A job's connection to the coordinator of its run, and what other terminals ask there.

The connection is served by a thread of its own. When the coordinator is gone, so is the run, however it ended: a job
that went on would work for nobody, and is ended. From another host the connection may break for a while: what is in
flight may end meanwhile, and is kept.
"""

import asyncio
import json
import os
import platform
import socket
import ssl
import sys
import threading
import time
import uuid
from collections.abc import Callable, Coroutine, Mapping
from concurrent.futures import Future
from contextlib import suppress
from dataclasses import replace
from http.client import HTTPConnection, HTTPException
from pathlib import Path
from typing import Any, TypeVar

import aiohttp

from narrative_runs.coordination.channel import Channel
from narrative_runs.coordination.connection_file import NAME, ConnectionFile
from narrative_runs.coordination.messages import Kind, Message
from narrative_runs.errors import ExperimentError, ServerError
from narrative_runs.job_environment import ADDRESS_VARIABLE
from narrative_runs.run_context import RunContext

NO_RUN = "this job belongs to no run. Only snakemake starts jobs; do not start them by hand."
TERMINALS_WAIT_S = 3.0
# HTTP's word for what cannot be done as things are.
REFUSED = 409
CONNECT_WITHIN_S = 5.0
HEARTBEAT_S = 10.0
# Shorter than the lease that the coordinator keeps for a job whose connection is broken: what this one has in flight
# ends before others may ask as much.
MAY_BE_CUT_OFF_S = 25.0
TRY_AGAIN_S = 1.0
# The host in an address over a unix socket says nothing.
_ORIGIN = "http://coordinator"

Given = TypeVar("Given")


async def _leave_none() -> None: ...


class Unreachable(ConnectionError):
    """Nobody answers at the run's address; the message says where and why."""


class RunClient:
    """One job's place in its run; context: what the run is for; is_elsewhere: whether it runs on another host than its
    coordinator; api_key: for the model server, empty on the coordinator's own host."""

    def __init__(self, job: str) -> None:
        """Connect to the run that the environment names; from now on this process lives no longer than it.

        Raises:
            ExperimentError: there is none; jobs are started by snakemake alone. Or it cannot be reached from this host.
        """
        address = os.environ.get(ADDRESS_VARIABLE, "")
        self._hello = {"client": uuid.uuid4().hex, "job": job, "host": platform.node()}
        self._address = address
        self.is_elsewhere = address.endswith(NAME)
        self._loop = asyncio.new_event_loop()
        # What of the context is another one since the run began its next session.
        self._changed: dict[str, Any] = {}
        self._heard: dict[Kind, Future[Message]] = {kind: Future() for kind in ("context", "begun", "answered")}
        self._stopped: Future[str] = Future()
        # Takes what is not waited for by name, and leaves the journals of a session; for who asks from here.
        self.take_other: Callable[[Message], None] = lambda _: None
        self.leave_journals: Callable[[], Coroutine[Any, Any, None]] = _leave_none
        self._is_ending = False
        self._session: aiohttp.ClientSession | None = None
        threading.Thread(target=self._loop.run_forever, daemon=True).start()
        try:
            self._do(self._open())
        except Unreachable as error:
            raise ExperimentError(f"{job}: {error}") from None
        except (aiohttp.ClientError, OSError, ValueError, TypeError):
            # Of another type than JSON is what comes from one that ends meanwhile.
            raise ExperimentError(f"{job}: {NO_RUN}") from None
        values = self._heard["context"].result().values
        self._context = RunContext.of_dict(values["context"])
        self.api_key = str(values.get("api_key", ""))

    @property
    def context(self) -> RunContext:
        """What the run is for."""
        return replace(self._context, **self._changed)

    def source_is_ready(self) -> None:
        """Tell the run that the workbook can be used, and wait until the experiment is in the record."""
        self._say("source_ready")
        self._heard["begun"].result()

    def source_is_written(self) -> None:
        """Tell the run that the narratives lie in their shards, and can be asked."""
        self._say("written")

    def results_are_written(self) -> None:
        """Tell the run that the file of this job's shard is there."""
        self._say("results_written")

    def show(self, line: str) -> None:
        """Show one line to the user."""
        self._say("show", line)

    def wait_until_answered(self) -> None:
        """Wait until each narrative of this job's shard has its entry in the journals.

        Raises:
            ServerError: the run ends before that; the message says why.
        """
        self._say("wait")
        self._heard["answered"].add_done_callback(lambda _: self._stopped.cancelled() or self._stopped.cancel())
        try:
            reason = self._stopped.result()
        except BaseException:
            if self._heard["answered"].done():
                return
            raise
        raise ServerError(reason)

    def give_up(self, reason: str) -> None:
        """Say that the run cannot go on; from another host, that this job cannot."""
        self._say("failed_job" if self.is_elsewhere else "fatal", reason)

    def close(self) -> None:
        """Say that this job ends as it should, if there is anybody left to hear it."""
        self._do(self._goodbye())

    async def _begin_session(self, message: Message) -> None:
        """Another session of the run: a snapshot seals the one before, once nobody writes to its journals."""
        self._changed = message.values
        await self.leave_journals()
        self._channel.post(Message("session_left", values={"session": message.values["session"]}))

    def do(self, work: Coroutine[Any, Any, Given]) -> Given:
        """Do something in the event loop in which messages are sent and taken; returns or raises what it does."""
        return self._do(work)

    def post(self, message: Message) -> None:
        """Have a message sent; from within the event loop alone."""
        self._channel.post(message)

    def _say(self, kind: Kind, text: str = "") -> None:
        self._loop.call_soon_threadsafe(lambda: self._channel.post(Message(kind, text)))

    def _do(self, work: Coroutine[Any, Any, Given]) -> Given:
        return asyncio.run_coroutine_threadsafe(work, self._loop).result()

    async def _goodbye(self) -> None:
        self._is_ending = True
        self._channel.post(Message("bye"))
        written = self._loop.create_task(self._channel.written())
        await asyncio.wait({written, self._serving}, return_when=asyncio.FIRST_COMPLETED)

    async def _open(self) -> None:
        self._channel = Channel()
        connected, taken = await self._connect()
        self._serving = self._loop.create_task(self._serve(connected, taken))

    async def _connect(self) -> tuple[aiohttp.ClientWebSocketResponse, int]:
        """A connection, and the number of the last message that the run has taken.

        Raises:
            Unreachable: there is no way to it.
            aiohttp.ClientError, OSError: there is nobody.
        """
        if not self.is_elsewhere:
            if not self._address:
                raise ConnectionError("no address")
            self._session = aiohttp.ClientSession(connector=aiohttp.UnixConnector(self._address))
            connected = await self._session.ws_connect(f"{_ORIGIN}/job")
        else:
            if self._session is not None:
                await self._session.close()
            self._session = aiohttp.ClientSession()
            connected = await _connected_to_host(self._session, ConnectionFile.read(Path(self._address)))
        await connected.send_json({**self._hello, "taken": self._channel.taken})
        answer = await connected.receive_json()
        if "taken" not in answer:
            raise ConnectionError("the run has given up on this job")
        return connected, int(answer["taken"])

    async def _serve(self, connected: aiohttp.ClientWebSocketResponse, taken: int) -> None:
        while True:
            writing = self._loop.create_task(self._write(connected, taken))
            # Whatever breaks the connection: it is tried again, or the job ends.
            with suppress(aiohttp.ClientError, OSError):
                await self._hear(connected)
            writing.cancel()
            if self._is_ending and not (self.is_elsewhere and self._channel.has_unsent):
                return
            if not self.is_elsewhere:
                _end_with_the_run()
                return
            connected, taken = await self._connected_again()

    async def _write(self, connected: aiohttp.ClientWebSocketResponse, taken: int) -> None:
        with suppress(aiohttp.ClientError, OSError):
            await self._channel.write(connected.send_json, taken)

    async def _hear(self, connected: aiohttp.ClientWebSocketResponse) -> None:
        async for received in connected:
            if received.type is not aiohttp.WSMsgType.TEXT:
                return
            message = self._channel.take(received.json())
            if message is None:
                continue
            if message.kind == "stop" and not self._stopped.done():
                self._stopped.set_result(message.text)
            if message.kind == "session":
                await self._begin_session(message)
            elif message.kind not in self._heard:
                self.take_other(message)
            elif not self._heard[message.kind].done():
                self._heard[message.kind].set_result(message)

    async def _connected_again(self) -> tuple[aiohttp.ClientWebSocketResponse, int]:
        since, why = time.monotonic(), ""
        while time.monotonic() - since < MAY_BE_CUT_OFF_S:
            try:
                async with asyncio.timeout(MAY_BE_CUT_OFF_S - (time.monotonic() - since)):
                    return await self._connect()
            except (aiohttp.ClientError, OSError, ValueError, TypeError, Unreachable) as error:
                why = str(error) or type(error).__name__
            await asyncio.sleep(TRY_AGAIN_S)
        print(f"narrative-runs: the connection to the run is lost: {why}.", file=sys.stderr, flush=True)
        _end_with_the_run()
        raise Unreachable(why)


async def _connected_to_host(session: aiohttp.ClientSession, file: ConnectionFile) -> aiohttp.ClientWebSocketResponse:
    """A connection by one of the names and addresses of a coordinator on another host.

    Raises:
        Unreachable: none of them leads to it.
    """
    tried: list[tuple[str, Exception]] = []
    for host in file.hosts:
        try:
            async with asyncio.timeout(CONNECT_WITHIN_S):
                return await session.ws_connect(
                    f"https://{host}:{file.port}/job",
                    ssl=file.trust(),
                    headers=file.headers,
                    heartbeat=HEARTBEAT_S,
                    proxy=None,
                )
        except (aiohttp.ClientError, OSError) as error:
            tried.append((host, error))
    raise Unreachable(no_way_to(file, tried))


def no_way_to(file: ConnectionFile, tried: list[tuple[str, Exception]]) -> str:
    """Why a run on another host cannot be reached, in words: from where, where, and what to do."""
    unknown = (TimeoutError, aiohttp.ClientConnectorDNSError, socket.gaierror)
    silent = all(isinstance(error, unknown) for _, error in tried)
    words = "; ".join(f"{host}: {_why(error)}" for host, error in tried)
    advice = (
        "A firewall may be blocking it: have the port opened, or set an open one in NARRATIVE_RUNS_PORT (see "
        "docs/cluster.md)"
        if silent
        else "Is the run still running there?"
    )
    return f"the run cannot be reached from {platform.node()} at port {file.port} ({words}). {advice}"


def _why(error: Exception) -> str:
    match error:
        case TimeoutError():
            return "no answer"
        case aiohttp.ClientConnectorDNSError() | socket.gaierror():
            return "unknown host name"
        case OSError(strerror=str(words)) if words:
            return words
        case _:
            return type(error).__name__


def _end_with_the_run() -> None:
    # Nothing is half done by this: files appear whole, and the record's transactions roll back.
    os._exit(1)


def ask_coordinator(
    address: str, method: str, what: str, values: Mapping[str, str] | None = None, patience_s: float = TERMINALS_WAIT_S
) -> str:
    """What the coordinator at this address answers to another terminal; what: `status`, `cancel` or `snapshot`.

    address: a unix socket of this host, or a connection file; values: what belongs to the question; patience_s: how
    long the answer may take.

    Raises:
        OSError: nobody answers there in time.
        ExperimentError: the coordinator refuses; the message says why.
    """
    body = json.dumps(values) if values else ""
    if not address.endswith(NAME):
        return _asked(_UnixConnection(address, patience_s), method, what, {}, body)
    file = ConnectionFile.read(Path(address))
    tried: list[tuple[str, Exception]] = []
    for host in file.hosts:
        try:
            connection = _TrustingConnection(host, file.port, file.trust(), patience_s)
            return _asked(connection, method, what, file.headers, body)
        except OSError as error:
            tried.append((host, error))
    raise Unreachable(no_way_to(file, tried))


def _asked(connection: HTTPConnection, method: str, what: str, headers: dict[str, str], body: str) -> str:
    try:
        connection.request(method, f"/{what}", body or None, headers)
        answer = connection.getresponse()
        text = answer.read().decode()
        if answer.status == REFUSED:
            raise ExperimentError(text)
        if answer.status != 200:
            raise ConnectionError(f"HTTP {answer.status}")
        return text
    except HTTPException as error:
        raise ConnectionError(str(error)) from None
    finally:
        connection.close()


class _UnixConnection(HTTPConnection):
    """A connection to a unix socket, for a terminal that asks once in a while, and that Ctrl-C may interrupt."""

    def __init__(self, path: str, patience_s: float) -> None:
        super().__init__("coordinator", timeout=patience_s)
        self._path = path

    def connect(self) -> None:
        self.sock = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        self.sock.settimeout(self.timeout)
        self.sock.connect(self._path)


class _TrustingConnection(HTTPConnection):
    """The same to another host, over TLS."""

    def __init__(self, host: str, port: int, trust: ssl.SSLContext, patience_s: float) -> None:
        super().__init__(host, port, timeout=patience_s)
        self._trust = trust

    def connect(self) -> None:
        super().connect()
        self.sock = self._trust.wrap_socket(self.sock, server_hostname=self.host)
