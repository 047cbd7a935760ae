"""Asks for all shards of this host in one event loop: reads them ahead, asks, and keeps each answer as it comes."""

import asyncio
from collections import Counter, deque
from collections.abc import Awaitable, Callable, Iterator, Sequence
from dataclasses import dataclass, field
from itertools import islice
from pathlib import Path
from typing import Any, Protocol

from narrative_runs.asking.ask import AnsweredNarratives, LeftOpen, Open, SetAside, ask
from narrative_runs.asking.client import Client, tls_for
from narrative_runs.asking.permits import Permits, Stopped
from narrative_runs.asking.request import Question
from narrative_runs.asking.server import Server
from narrative_runs.coordination.supervision import Supervision
from narrative_runs.errors import NarrativeRunsError, reason_of
from narrative_runs.journal import Journal
from narrative_runs.source.shards import Narrative

REQUESTS_MAY_TAKE_S = 30.0
SYNC_EVERY_S = 1.0
# Narratives at work for each slot: one is asked for, and another waits for its slot or for its next try.
AT_WORK_A_SLOT = 2
READ_AT_ONCE = 64


class PermitsOfRun(Permits, Protocol):
    """What this host may ask, and when no more; slots: the most requests at once; stopped: done, with the reason, once
    no request may begin; model_answered: the model that answers in this experiment, empty before the first answer."""

    stopped: asyncio.Future[str]
    model_answered: str

    @property
    def slots(self) -> int:
        """The most requests at once that the run makes."""
        ...

    def stop(self, reason: str) -> None:
        """Let no further request begin; those in flight may end."""
        ...


class AnsweredOfRun(AnsweredNarratives, Protocol):
    """The narratives that were answered before, to which those of this session come."""

    def add(self, narrative: Narrative) -> None:
        """It was answered just now."""
        ...


@dataclass(eq=False)
class Shard:
    """What is asked for one job: a shard, or the error rows of all.

    number: its place among those that are asked; name: of its job and journal; narratives: those still open, read as
    they are asked; answered: done when each of them has its entry in the journal.
    """

    number: int
    name: str
    narratives: Callable[[], Iterator[Open]]
    answered: asyncio.Future[None]
    is_waited_for: bool = False
    is_read: bool = False
    at_work: int = 0
    journal: Journal | None = None
    aside: deque[Open] = field(default_factory=deque)
    left_open: list[str] = field(default_factory=list)


class Asker:
    """Asks for the shards it is given: first those whose jobs wait, then the others, in their order.

    A narrative passes from its shard's file over the queue to one of the workers, and with its answer to the journal.
    """

    def __init__(
        self,
        question: Question,
        permits: PermitsOfRun,
        before: AnsweredOfRun,
        open_servers: Callable[[], Awaitable[Sequence[Server]]],
        journal_of: Callable[[str], Path],
        head: Callable[[], dict[str, Any]],
        supervision: Supervision,
    ) -> None:
        """open_servers: called before the first question; journal_of: where a shard's journal begins; head: gives that
        of a journal."""
        self._question = question
        self._permits = permits
        self._before = before
        self._open_servers = open_servers
        self._journal_of = journal_of
        self._head = head
        self._supervision = supervision
        self._slots = permits.slots
        self._shards: dict[str, Shard] = {}
        self._to_read: list[Shard] = []
        self._is_there_more = asyncio.Event()
        self._queue: asyncio.Queue[tuple[Shard, Open] | None] = asyncio.Queue()
        self._is_there_room = asyncio.Event()
        self._opened: asyncio.Task[list[Client]] | None = None
        self._workers: list[asyncio.Task[None]] = []
        self._others = [supervision.start(self._read_ahead()), supervision.start(self._sync())]

    def ask_for(self, number: int, name: str, narratives: Callable[[], Iterator[Open]]) -> None:
        """Ask for a shard; once it was given, nothing more happens.

        narratives: gives those of it that are open; they are read in a thread.
        """
        if name not in self._shards:
            shard = Shard(number, name, narratives, asyncio.get_running_loop().create_future())
            self._shards[name] = shard
            self._to_read.append(shard)
            self._is_there_more.set()

    async def answered(self, name: str) -> None:
        """Wait, as the job of a shard, until each of its narratives has its entry in the journal.

        Raises:
            Stopped: the run ends before that.
        """
        shard = self._shards[name]
        shard.is_waited_for = True
        ends: set[asyncio.Future[Any]] = {shard.answered, self._permits.stopped}
        await asyncio.wait(ends, return_when=asyncio.FIRST_COMPLETED)
        if not shard.answered.done():
            raise Stopped(self._permits.stopped.result())

    async def leave_journals(self) -> None:
        """Write to no journal any more that was begun until now: what is answered next begins new ones."""
        left = [shard.journal for shard in self._shards.values() if shard.journal is not None]
        for shard in self._shards.values():
            shard.journal = None
        for journal in left:
            await asyncio.to_thread(journal.close)

    async def close(self, at_once: bool = False) -> None:
        """End, and close all: requests in flight may take their time, and their answers are kept.

        at_once: whether they may not.
        """
        for _ in self._workers:
            self._queue.put_nowait(None)
        if self._permits.stopped.done() and self._workers and not at_once:
            await asyncio.wait(self._workers, timeout=REQUESTS_MAY_TAKE_S)
        tasks = [*self._others, *self._workers]
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        if self._opened is not None and self._opened.done() and not self._opened.exception():
            for client in self._opened.result():
                await client.close()
        for shard in self._shards.values():
            if shard.journal is not None:
                shard.journal.close()

    async def _read_ahead(self) -> None:
        """Read the shards, one after the other, a little ahead of the workers."""
        while True:
            while not self._to_read:
                self._is_there_more.clear()
                await self._is_there_more.wait()
            shard = min(self._to_read, key=lambda each: (not each.is_waited_for, each.number))
            self._to_read.remove(shard)
            narratives = shard.narratives()
            while part := await asyncio.to_thread(lambda: list(islice(narratives, READ_AT_ONCE))):  # noqa: B023
                shard.at_work += len(part)
                for still_open in part:
                    self._queue.put_nowait((shard, still_open))
                    self._have_a_worker_more()
                while self._queue.qsize() >= self._slots:
                    self._is_there_room.clear()
                    await self._is_there_room.wait()
            shard.is_read = True
            await self._look_after(shard)

    def _have_a_worker_more(self) -> None:
        if len(self._workers) < AT_WORK_A_SLOT * self._slots:
            self._workers.append(self._supervision.start(self._work()))

    async def _work(self) -> None:
        while (taken := await self._queue.get()) is not None:
            shard, still_open = taken
            self._is_there_room.set()
            try:
                entry = await ask(still_open, self._question, await self._clients(), self._permits, self._before)
            except Stopped:
                return
            except SetAside:
                shard.aside.append(still_open)
            except LeftOpen as left:
                shard.left_open.append(str(left))
                shard.at_work -= 1
            else:
                self._keep(shard, still_open, entry)
                shard.at_work -= 1
            await self._look_after(shard)

    async def _clients(self) -> list[Client]:
        """A client for each server, once they are opened, which the first narrative brings about.

        Raises:
            Stopped: the run ends before that.
        """
        if self._opened is None:
            self._opened = self._supervision.start(self._open())
        if not self._opened.done():
            ends: set[asyncio.Future[Any]] = {self._opened, self._permits.stopped}
            await asyncio.wait(ends, return_when=asyncio.FIRST_COMPLETED)
        if not self._opened.done() or self._opened.exception():
            # Why it failed is the supervision's to tell.
            raise Stopped
        return self._opened.result()

    async def _open(self) -> list[Client]:
        return [Client(server, tls_for(server)) for server in await self._open_servers()]

    def _keep(self, shard: Shard, still_open: Open, entry: dict[str, Any]) -> None:
        if shard.journal is None:
            # The name by which the model answers belongs to what an experiment is.
            head = {**self._head(), "model_answered": self._permits.model_answered}
            shard.journal = Journal(self._journal_of(shard.name), head)
        try:
            shard.journal.append(
                {**entry, "attempt": still_open.attempt, "first_error_message": still_open.first_error}
            )
        except NarrativeRunsError as error:
            # At once: whatever is asked from now on could not be kept either.
            self._permits.stop(reason_of(error))
            raise
        if "response" in entry:
            self._before.add(still_open.narrative)

    async def _look_after(self, shard: Shard) -> None:
        """What was set aside comes after the other narratives of its shard; after the last one the shard is done."""
        if not shard.is_read or shard.answered.done():
            return
        while shard.aside:
            self._queue.put_nowait((shard, shard.aside.popleft()))
        if shard.at_work:
            return
        if shard.journal is not None:
            await asyncio.to_thread(shard.journal.close)
        if shard.left_open:
            reason, _ = Counter(shard.left_open).most_common(1)[0]
            self._permits.stop(f"{len(shard.left_open)} narratives stay open: {reason}.")
        elif not shard.answered.done():
            shard.answered.set_result(None)

    async def _sync(self) -> None:
        while True:
            await asyncio.sleep(SYNC_EVERY_S)
            for shard in list(self._shards.values()):
                if shard.journal is not None and not shard.answered.done():
                    await asyncio.to_thread(shard.journal.sync)
