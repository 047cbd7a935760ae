"""Asking for several shards at once, of a model server on loopback, into journals on disk."""

import asyncio
import json
import os
import threading
import time
from collections.abc import AsyncIterator, Callable, Iterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from itertools import count
from pathlib import Path
from typing import Any

import pytest
from tests.fake_server import answer_to
from tests.run_contexts import context_of
from tests.small_experiment import FOLDER, Served, narratives_of, params_of, served, spec_of, until, write_narratives

from narrative_runs import journal
from narrative_runs.asking.ask import Open
from narrative_runs.asking.inquiry import Inquiry
from narrative_runs.asking.permits import Stopped
from narrative_runs.asking.request import Question
from narrative_runs.asking.server import Server
from narrative_runs.coordination import asker as asker_module
from narrative_runs.coordination.answered_before import AnsweredBefore
from narrative_runs.coordination.asker import READ_AT_ONCE, Asker
from narrative_runs.coordination.limiter import Limiter, Limits
from narrative_runs.coordination.permits import LocalPermits
from narrative_runs.coordination.supervision import Supervision
from narrative_runs.errors import ServerError
from narrative_runs.observation.run_monitor import RunMonitor
from narrative_runs.params import Params
from narrative_runs.source.shards import Narrative, iterate

JOURNALS = journal.growing(FOLDER.journals, 1)


@pytest.fixture(autouse=True)
def _in_a_folder_of_its_own(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)


@dataclass
class Asking:
    """A session that asks; opened: how often it opened the server."""

    server: Served
    params: Params
    permits: LocalPermits
    asker: Asker
    opened: int = 0

    def ask_for(self, number: int, narratives: Sequence[Narrative] | None = None) -> str:
        """Ask for a shard: for these narratives, or for those on disk; returns its name."""
        name = f"{number}-of-{self.params.shards.count}"
        question = Question(self.params)

        def open_ones() -> Iterator[Open]:
            path = FOLDER.narratives_of(number, self.params.shards.count)
            for place, narrative in enumerate(iterate(path) if narratives is None else narratives):
                yield Open(narrative, (number, place), question.fingerprint(narrative))

        self.asker.ask_for(number, name, open_ones)
        return name

    async def answered(self, *names: str) -> None:
        """Wait, as the jobs of these shards do."""
        async with asyncio.timeout(20):
            await asyncio.gather(*(self.asker.answered(name) for name in names))

    async def stopped(self) -> str:
        """Why the run is stopped, once it is."""
        async with asyncio.timeout(20):
            return await asyncio.shield(self.permits.stopped)


@asynccontextmanager
async def asking(
    behaviour: dict[str, Any] | None = None, shards: int = 3, failure: Exception | None = None, **run: Any
) -> AsyncIterator[Asking]:
    """A session that asks a server of its own; failure: why that cannot be opened; run: values of params.run."""
    async with served(**(behaviour or {})) as server:
        params = params_of(server.url, shards, **{"max_in_flight": 2, **run})
        limits = Limits(params.run.max_in_flight, None, params.run.budget_tokens, params.run.give_up_after_s)
        monitor = RunMonitor(spec_of(params), params)
        inquiry = Inquiry(params.run.max_attempts)
        permits = LocalPermits(Limiter(limits), inquiry, monitor, params.model, str, lambda: "", [server.url])
        question = Question(params)

        async def open_servers() -> list[Server]:
            made.opened += 1
            if failure is not None:
                raise failure
            return [Server(server.url, "", 20)]

        before = AnsweredBefore(FOLDER, params, question)
        context, supervision = context_of(params), Supervision(permits.stop)
        asker = Asker(question, permits, before, open_servers, journal_of, lambda: context.head, supervision)
        made = Asking(server, params, permits, asker)
        try:
            yield made
        finally:
            await asker.close(at_once=True)


def journal_of(name: str) -> Path:
    """Where the journal of a shard begins."""
    return JOURNALS / f"{name}.jsonl"


def entries(name: str) -> list[dict[str, Any]]:
    """What a journal of the session holds, without its head."""
    path = JOURNALS / f"{name}.jsonl"
    return [entry for _, entry in journal.entries(path)] if path.exists() else []


def in_session(work: Callable[..., Any], *values: Any, **options: Any) -> Any:
    """What `work` gives with a session that asks; options: of that session."""

    async def run() -> Any:
        async with asking(*values, **options) as session:
            return await work(session)

    return asyncio.run(run())


def test_every_open_narrative_is_asked_once() -> None:
    """Each narrative of each shard is asked once, and its own answer stands in its shard's journal when that is told
    as answered, under a head that tells the experiment and the model."""
    narratives = narratives_of(100)
    write_narratives(narratives, 3)

    async def work(session: Asking) -> None:
        names = [session.ask_for(number) for number in (1, 2, 3)]
        for name, shard in zip(names, (narratives[place::3] for place in range(3)), strict=True):
            await session.answered(name)
            kept = {entry["incident_id"] + entry["narrative_type"]: entry for entry in entries(name)}
            assert len(kept) == len(entries(name)) == len(shard)
            for narrative in shard:
                entry = kept[narrative.incident_id + narrative.narrative_type]
                content = entry["response"]["choices"][0]["message"]["content"]
                assert json.loads(content) == answer_to(f"Narrative: {narrative.narrative_text}")
                assert (entry["attempt"], entry["first_error_message"], entry["requests"]) == (1, None, 1)
        assert sorted(session.server.asked.values()) == [1] * 100 and session.server.busiest <= 2
        head = {**context_of(session.params).head, "model_answered": "fake"}
        assert journal.heads(FOLDER.journals) == [head] * 3
        assert session.opened == 1

    in_session(work)


def test_the_shard_whose_job_waits_comes_first() -> None:
    """Of the shards that are not begun, one whose job waits is begun before those of lower numbers."""
    shards = [narratives_of(60)[place::3] for place in range(3)]

    async def work(session: Asking) -> None:
        names = [session.ask_for(number, shard) for number, shard in enumerate(shards, start=1)]
        await session.answered(names[2])
        await session.answered(*names)
        of = {narrative.narrative_text: number for number, shard in enumerate(shards) for narrative in shard}
        assert list(dict.fromkeys(of[text] for text in session.server.texts)) == [0, 2, 1]

    in_session(work, max_in_flight=1)


def test_a_shard_waits_for_its_last_narrative() -> None:
    """While one narrative of a shard has no answer its job waits, though later shards are answered."""
    shards = [narratives_of(40)[place::2] for place in range(2)]
    slow = shards[0][3].narrative_text

    async def work(session: Asking) -> None:
        names = [session.ask_for(number, shard) for number, shard in enumerate(shards, start=1)]
        first = asyncio.create_task(session.answered(names[0]))
        await session.answered(names[1])
        assert not first.done() and len(entries(names[0])) == len(shards[0]) - 1
        session.permits.stop("enough")
        with pytest.raises(Stopped, match="enough"):
            await first

    in_session(work, {"hang": True, "only_if": slow}, shards=2)


def test_a_shard_that_is_still_read_is_not_answered() -> None:
    """Though all narratives that were read so far have answers, a shard waits for those that are still to come."""
    narratives = narratives_of(READ_AT_ONCE + 1)
    may_go_on = threading.Event()

    async def work(session: Asking) -> None:
        fingerprint = Question(session.params).fingerprint

        def open_ones() -> Iterator[Open]:
            for place, narrative in enumerate(narratives):
                if place == READ_AT_ONCE:
                    may_go_on.wait(20)
                yield Open(narrative, (1, place), fingerprint(narrative))

        session.asker.ask_for(1, "1-of-3", open_ones)
        job = asyncio.create_task(session.answered("1-of-3"))
        await until(lambda: len(entries("1-of-3")) == READ_AT_ONCE)
        assert not job.done()
        may_go_on.set()
        await job
        assert len(entries("1-of-3")) == READ_AT_ONCE + 1

    in_session(work)


def test_nothing_open_is_nothing_to_ask() -> None:
    """Shards of which no narrative is open are answered, and the server is not even opened."""

    async def work(session: Asking) -> None:
        await session.answered(session.ask_for(1, []), session.ask_for(2, []))
        assert session.opened == 0 and not JOURNALS.exists()

    in_session(work)


def test_a_shard_is_asked_for_once() -> None:
    """Asked for again, by its job or after it was answered, a shard is not read again."""
    narratives = narratives_of(6)

    async def work(session: Asking) -> None:
        for _ in range(2):
            session.ask_for(1, narratives)
        name = session.ask_for(1, narratives)
        await session.answered(name)
        session.ask_for(1, narratives)
        await session.answered(name)
        await session.answered(session.ask_for(2, []))
        assert len(entries(name)) == session.server.asked.total() == 6

    in_session(work)


def test_a_shard_may_come_later() -> None:
    """A shard that nobody planned, asked for when all others are answered, is asked as they were."""
    narratives = narratives_of(4)

    async def work(session: Asking) -> None:
        await session.answered(session.ask_for(2, narratives[:2]))
        await session.answered(session.ask_for(1, narratives[2:]))
        assert session.server.texts == [narrative.narrative_text for narrative in narratives]

    in_session(work, max_in_flight=1)


def test_what_is_set_aside_is_asked_at_the_end_of_its_shard() -> None:
    """A narrative that the server refuses is asked again after all others of its shard, and then has its row."""
    narratives = narratives_of(12)
    bad = narratives[4].narrative_text

    async def work(session: Asking) -> None:
        name = session.ask_for(1, narratives)
        await session.answered(name)
        order = [text for text in session.server.texts if text != "No narrative."]
        assert order == [*(each.narrative_text for each in narratives), bad]
        *others, last = entries(name)
        assert last["error"]["category"] == "data_error" and last["requests"] == 2 and len(others) == 11
        assert last["incident_id"] == narratives[4].incident_id

    in_session(work, {"replies": {bad: (400, "{}")}}, max_in_flight=1)


def test_narratives_are_read_a_little_ahead() -> None:
    """However many narratives a shard has, no more are taken from it before their turn than a batch and a few."""
    furthest = 0

    async def work(session: Asking) -> None:
        fingerprint = Question(session.params).fingerprint

        def open_ones() -> Iterator[Open]:
            nonlocal furthest
            for number in count(1):
                furthest = max(furthest, number - session.permits.inquiry.answers)
                narrative = Narrative(number, str(number), "cme", f"Text {number}.", None, None)
                yield Open(narrative, (1, number), fingerprint(narrative))

        session.asker.ask_for(1, "1-of-3", open_ones)
        await until(lambda: session.permits.inquiry.answers >= 3 * READ_AT_ONCE)
        session.permits.stop("enough")

    in_session(work)
    assert READ_AT_ONCE <= furthest <= READ_AT_ONCE + 3 * 2


@pytest.mark.slow
def test_after_a_stop_what_is_in_flight_is_kept() -> None:
    """A run that is stopped asks nothing more, and its end waits for the answers that are on their way."""
    narratives = narratives_of(30)

    async def work(session: Asking) -> None:
        name = session.ask_for(1, narratives)
        job = asyncio.create_task(session.answered(name))
        await until(lambda: session.server.in_flight == 2)
        session.permits.stop("enough")
        await session.asker.close()
        assert [entry["incident_id"] for entry in entries(name)] == ["0000", "0000"]
        assert session.server.asked.total() == 2
        with pytest.raises(Stopped, match="enough"):
            await job

    in_session(work, {"latency_s": 0.2})


def test_the_end_does_not_wait_for_ever(monkeypatch: pytest.MonkeyPatch) -> None:
    """What is in flight is waited for so long and no longer."""
    monkeypatch.setattr(asker_module, "REQUESTS_MAY_TAKE_S", 0.1)

    async def work(session: Asking) -> None:
        session.ask_for(1, narratives_of(5))
        await until(lambda: session.server.in_flight == 2)
        session.permits.stop("enough")
        async with asyncio.timeout(5):
            await session.asker.close()
        await until(lambda: session.server.in_flight == 0)

    in_session(work, {"hang": True})


@pytest.mark.parametrize("is_stopped", [True, False])
def test_an_end_at_once_waits_for_nothing(is_stopped: bool) -> None:
    """Ended at once, requests in flight are broken off, whether the run was stopped before or not."""

    async def work(session: Asking) -> None:
        session.ask_for(1, narratives_of(5))
        await until(lambda: session.server.in_flight == 2)
        if is_stopped:
            session.permits.stop("enough")
        async with asyncio.timeout(5):
            await session.asker.close(at_once=True)
        await until(lambda: session.server.in_flight == 0)
        assert not JOURNALS.exists()

    in_session(work, {"hang": True})


def test_a_journal_that_cannot_be_written_ends_the_run() -> None:
    """When an answer cannot be kept the run is stopped with the reason, and nothing more is asked."""
    JOURNALS.parent.mkdir(parents=True)
    JOURNALS.touch()

    async def work(session: Asking) -> None:
        name = session.ask_for(1, narratives_of(30))
        with pytest.raises(Stopped, match="the answer cannot be written"):
            await session.answered(name)
        await session.asker.close()
        assert session.server.asked.total() == 2

    in_session(work)


def test_a_server_that_cannot_be_opened_ends_the_run() -> None:
    """Why the server cannot be opened is why the run is stopped; it is tried once, and nothing is asked."""

    async def work(session: Asking) -> None:
        name = session.ask_for(1, narratives_of(30))
        with pytest.raises(Stopped, match="no model server answers"):
            await session.answered(name)
        await session.asker.close()
        assert session.opened == 1 and not session.server.asked

    in_session(work, failure=ServerError("no model server answers"))


@pytest.mark.slow
def test_what_stays_open_ends_the_run_when_its_shard_is_through() -> None:
    """A shard of which a narrative gets no row is not answered: the run is stopped, and says how many stay open."""
    good, bad = narratives_of(2)

    async def work(session: Asking) -> None:
        name = session.ask_for(1, [good, bad])
        await until(lambda: session.server.answered.total() == 1)
        with pytest.raises(Stopped, match=r"1 narratives stay open: HTTP 500"):
            await session.answered(name)
        assert [entry["incident_id"] + entry["narrative_type"] for entry in entries(name)] == ["0000cme"]

    # The one after it fails, and so does the same question about the first when it is asked again.
    faults = [{"fault": "internal error", "after": 1}]
    in_session(work, {"faults": faults}, max_in_flight=1, max_attempts=1)


def test_a_later_pass_is_kept_as_such() -> None:
    """The entry of a narrative that is asked again tells the number of the pass, and how the first one failed."""
    (narrative,) = narratives_of(1)

    async def work(session: Asking) -> None:
        again = Open(narrative, (4, 1), Question(session.params).fingerprint(narrative), 3, "HTTP 500")
        session.asker.ask_for(4, journal.RETRY, lambda: iter([again]))
        await session.answered(journal.RETRY)
        (entry,) = entries(journal.RETRY)
        assert (entry["attempt"], entry["first_error_message"]) == (3, "HTTP 500")

    in_session(work)


def test_answers_reach_the_disk_while_others_are_waited_for(monkeypatch: pytest.MonkeyPatch) -> None:
    """An answer is synced soon after it came, also when its shard is far from its end."""
    monkeypatch.setattr(asker_module, "SYNC_EVERY_S", 0.01)
    synced: list[int] = []
    fsync = os.fsync

    def seen(descriptor: int) -> None:
        fsync(descriptor)
        synced.append(os.fstat(descriptor).st_size)

    monkeypatch.setattr(os, "fsync", seen)
    narratives = narratives_of(3)

    async def work(session: Asking) -> None:
        session.ask_for(1, narratives)
        path = JOURNALS / "1-of-3.jsonl"
        await until(lambda: session.permits.inquiry.answers == 2 and synced and synced[-1] == path.stat().st_size)

    in_session(work, {"hang": True, "only_if": narratives[1].narrative_text})


@pytest.mark.slow
def test_what_was_answered_is_evidence_about_the_next() -> None:
    """When the server refuses a narrative, one that it answered before is asked again, to tell whose fault it is."""
    good, bad = narratives_of(2)

    async def work(session: Asking) -> None:
        name = session.ask_for(1, [good, bad])
        await session.answered(name)
        assert session.server.evidence == {f"Narrative: {good.narrative_text}": 1}
        assert "error" in entries(name)[1] and session.server.asked[f"Narrative: {bad.narrative_text}"] == 2

    in_session(work, {"replies": {bad.narrative_text: (400, "{}")}}, max_in_flight=1)


@pytest.mark.slow
def test_a_shard_may_be_asked_for_while_others_are_synced(monkeypatch: pytest.MonkeyPatch) -> None:
    """Another shard that comes while journals are brought to the disk stops nothing."""
    monkeypatch.setattr(asker_module, "SYNC_EVERY_S", 0.01)
    fsync, begun = os.fsync, threading.Event()

    def slow(descriptor: int) -> None:
        begun.set()
        time.sleep(0.1)
        fsync(descriptor)

    monkeypatch.setattr(os, "fsync", slow)
    narratives = narratives_of(6)

    async def work(session: Asking) -> None:
        session.ask_for(1, narratives[:3])
        await until(begun.is_set)
        session.ask_for(2, narratives[3:])
        await asyncio.sleep(0.3)
        assert not session.permits.stopped.done()

    in_session(work, {"hang": True, "only_if": narratives[1].narrative_text})
