"""The job that classifies one shard: asks for what is open, then writes the shard's results from its journals."""

import asyncio
import json
import signal
from collections import Counter, deque
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import ExitStack, asynccontextmanager, contextmanager
from functools import cache
from itertools import count, islice
from pathlib import Path
from typing import Any, BinaryIO

from narrative_runs import journal, results_file
from narrative_runs.asking.client import Client, tls_for
from narrative_runs.asking.request import Question
from narrative_runs.errors import JournalError, ServerError
from narrative_runs.jobs.answered_before import AnsweredBefore
from narrative_runs.jobs.ask import LeftOpen, Open, SetAside, ask
from narrative_runs.journal import Journal, Place
from narrative_runs.params import Params, check
from narrative_runs.places import ExperimentFolder, shard_name
from narrative_runs.results import Result, result_of
from narrative_runs.session.link import LOST, Link, Stopped
from narrative_runs.session.lock import hold_as_child
from narrative_runs.session.tether import REQUESTS_MAY_TAKE_S
from narrative_runs.signals import stopped_by
from narrative_runs.source.shards import Narrative, iterate

SYNC_EVERY_S = 1.0


async def classify(link: Link, shard: int) -> int:
    """Classify one shard, from 1; returns the number of its results.

    Raises:
        ServerError: the run was stopped before all narratives had a result; they stay open.
        JournalError: an answer cannot be kept.
    """
    folder = ExperimentFolder(link.settings["slug"])
    hold_as_child(folder.path)
    params = check(link.settings["params"], "the session's params")
    question = Question(params)
    name = shard_name(shard, params.shards.count)
    known = answers(folder, name).keys()
    narratives = iterate(folder.narratives_of(shard, params.shards.count), params.run.max_narratives)
    numbers = count(1)
    still_open = (
        Open(narrative, next(numbers)) for narrative in narratives if question.fingerprint(narrative) not in known
    )
    async with kept_journal(folder, link, name) as kept:
        await ask_all(still_open, question, params, link, kept)

    return write_results(folder, params, shard)


def write_results(folder: ExperimentFolder, params: Params, shard: int) -> int:
    """Write the results of one shard from its journals; returns their number.

    Raises:
        JournalError: a narrative has no answer.
    """
    question, count = Question(params), params.shards.count
    places = answers(folder, shard_name(shard, count))
    with open_journals() as read:

        def result(narrative: Narrative) -> Result:
            place = places.get(question.fingerprint(narrative))
            if place is None:
                raise JournalError(
                    f"{folder.journals}: no answer for {narrative.incident_id} {narrative.narrative_type}. "
                    f"Delete {folder.shards}/ and {folder.metrics}, then start the run again: what is missing is asked."
                )
            return result_of(narrative, read(place))

        narratives = iterate(folder.narratives_of(shard, count), params.run.max_narratives)
        return results_file.write(map(result, narratives), folder.results_of(shard, count))


def answers(folder: ExperimentFolder, name: str) -> dict[str, Place]:
    """Where the answers lie in the journals called `name`, by fingerprint; of two the first counts."""
    found: dict[str, Place] = {}
    for path in journal.files(folder.journals, name):
        for place, entry in journal.entries(path):
            found.setdefault(entry["fingerprint"], place)
    return found


@contextmanager
def open_journals() -> Iterator[Callable[[Place], dict[str, Any]]]:
    """Reads entries by their places; each journal is opened once, which takes longer than reading an entry."""
    with ExitStack() as opened:

        @cache
        def file_of(path: Path) -> BinaryIO:
            return opened.enter_context(path.open("rb"))

        def read(place: Place) -> dict[str, Any]:
            file = file_of(place.path)
            file.seek(place.offset)
            entry: dict[str, Any] = json.loads(file.read(place.length))
            return entry

        yield read


@asynccontextmanager
async def kept_journal(folder: ExperimentFolder, link: Link, name: str) -> AsyncIterator[Journal]:
    """This session's journal called `name`, synced every second and closed at the end."""
    growing = journal.growing(folder.journals, link.settings["session"])
    kept = Journal(growing / f"{name}.jsonl", link.settings["head"])

    async def sync() -> None:
        while True:
            await asyncio.sleep(SYNC_EVERY_S)
            await asyncio.to_thread(kept.sync)

    syncing = link.supervision.start(sync())
    try:
        yield kept
    finally:
        syncing.cancel()
        kept.close()


async def ask_all(narratives: Iterator[Open], question: Question, params: Params, link: Link, kept: Journal) -> None:
    """Ask for all open narratives, as many at once as the session lets, and keep each answer as it comes.

    Raises:
        ServerError: the run was stopped first, or a narrative stays open whose failure may be the run's.
        JournalError: an answer cannot be kept.
    """
    loop = asyncio.get_running_loop()
    # Whether a closed terminal ends the run is the main process's to decide.
    for number in (signal.SIGINT, signal.SIGTERM):
        loop.add_signal_handler(number, link.stop, stopped_by(number))

    firsts = list(islice(narratives, params.run.max_in_flight))
    if not firsts:
        return
    try:
        server = await link.where()
    except Stopped as stopped:
        raise ServerError(str(stopped)) from None
    client = Client(server, tls_for(server))

    before = AnsweredBefore(ExperimentFolder(link.settings["slug"]), params, question)
    aside: deque[Open] = deque()
    left_open: list[str] = []

    async def work(still_open: Open | None) -> None:
        while still_open is not None:
            try:
                entry = await ask(still_open, question, client, link, before)
            except SetAside:
                aside.append(still_open)
            except LeftOpen as left:
                left_open.append(str(left))
            else:
                # The name by which the model answers belongs to what an experiment is.
                link.settings["head"]["model_answered"] = link.model
                kept.append({**entry, "attempt": still_open.attempt, "first_error_message": still_open.first_error})
                if "response" in entry:
                    before.add(still_open.narrative)
            still_open = next(narratives, None) or (aside.popleft() if aside else None)

    try:
        await _finish([asyncio.create_task(work(first)) for first in firsts], link)
    finally:
        await client.close()
    if left_open:
        raise ServerError(f"{len(left_open)} narratives stay open: {Counter(left_open).most_common(1)[0][0]}.")


async def _finish(workers: list[asyncio.Task[None]], link: Link) -> None:
    """Wait for all workers; once the run is stopped, no longer than requests in flight may take."""
    all_done: asyncio.Future[Any] = asyncio.ensure_future(asyncio.wait(workers, return_when=asyncio.FIRST_EXCEPTION))
    ends: set[asyncio.Future[Any]] = {all_done, link.stopped}
    await asyncio.wait(ends, return_when=asyncio.FIRST_COMPLETED)
    if not all_done.done() and link.stopped.result() != LOST:
        await asyncio.wait(workers, timeout=REQUESTS_MAY_TAKE_S)
    all_done.cancel()
    for worker in workers:
        worker.cancel()
    outcomes = await asyncio.gather(*workers, return_exceptions=True)
    failures = [outcome for outcome in outcomes if isinstance(outcome, BaseException)]
    for failure in failures:
        if not isinstance(failure, Stopped | asyncio.CancelledError):
            raise failure
    if failures:
        raise ServerError(next((str(failure) for failure in failures if isinstance(failure, Stopped)), LOST))
