"""A run's server with clients that come over TLS, as from another host."""

import asyncio
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any

from narrative_runs.coordination.client import RunClient
from narrative_runs.coordination.connection_file import ConnectionFile, new_token, own_certificate
from narrative_runs.coordination.messages import Message
from narrative_runs.coordination.server import Job, RunServer
from narrative_runs.coordination.supervision import Supervision
from narrative_runs.observation.run_status import RunStatus
from tests.run_contexts import context_of
from tests.small_experiment import params_of

SOON_S = 20.0
CONTEXT = context_of(params_of(), slug="cases")
STATUS = RunStatus("Cases", 10, 4)


async def _no_snapshot(name: str, note: str) -> str:
    raise AssertionError("nobody wants a snapshot")


class Run:
    """A run's server in a thread; file: what leads to it; connected: makes a job within this process; taken: what jobs
    said; lost: those that ended without a goodbye."""

    def __init__(self, folder: Path, connected: Callable[[str], RunClient]) -> None:
        self.connected = connected
        self.taken: list[tuple[Job, Message]] = []
        self.lost: list[str] = []
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_forever)
        self._thread.start()
        self.file = self.do(self._begin(folder))
        self.path = self.file.write(folder)

    def do(self, work: Any) -> Any:
        """Do something in the server's event loop."""
        return asyncio.run_coroutine_threadsafe(work, self._loop).result(SOON_S)

    def has_taken(self, count: int) -> bool:
        """Whether so many messages have come."""
        return len(self.taken) == count

    def end(self) -> None:
        """End the thread."""
        self.do(self.server.close())
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join()
        self._loop.close()

    async def break_connections(self) -> None:
        """Break all connections, without a word."""
        for job in self.server.jobs_elsewhere:
            if job.socket is not None:
                await job.socket.close()

    async def _begin(self, folder: Path) -> ConnectionFile:
        self.server = RunServer(
            CONTEXT,
            "the key",
            lambda: STATUS,
            self._take,
            lambda job: self.lost.append(job.title),
            lambda: None,
            _no_snapshot,
            "1-of-2".__eq__,
            Supervision(lambda _: None),
        )
        await self.server.listen(folder / "socket")
        token, (certificate, serving) = new_token(), own_certificate(folder)
        return ConnectionFile(("127.0.0.1",), await self.server.listen_for_hosts(0, token, serving), token, certificate)

    async def _take(self, job: Job, message: Message) -> None:
        self.taken.append((job, message))
