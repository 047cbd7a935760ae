"""A small experiment, in memory and on disk, as the parts of a run find it in their working folder."""

import asyncio
import json
import os
import threading
from collections.abc import AsyncIterator, Callable, Iterable, Iterator, Sequence
from concurrent.futures import Future
from contextlib import asynccontextmanager, contextmanager
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from narrative_runs import journal
from narrative_runs.asking.request import Question
from narrative_runs.coordination import client as client_module
from narrative_runs.coordination.client import RunClient
from narrative_runs.experiment import ExperimentState, describe
from narrative_runs.jobs.classify import write_results
from narrative_runs.jobs.retry_errors import write_retries
from narrative_runs.jobs.source import read_source
from narrative_runs.journal import Journal
from narrative_runs.params import Params, check
from narrative_runs.paths import ExperimentFolder, shard_name
from narrative_runs.record import state
from narrative_runs.run_context import RunContext
from narrative_runs.run_spec import RunSpec
from narrative_runs.source.checksum import md5_of
from narrative_runs.source.narratives import deal, write_shards
from narrative_runs.source.shards import Narrative, iterate_all
from tests.fake_server import Behaviour, Connection, FakeServer, answer_to, completion
from tests.project import Project, cases, wait_until
from tests.run_contexts import context_of

FOLDER = ExperimentFolder("cases")
NOBODY = "http://localhost:1/v1"


def params_of(url: str = NOBODY, shards: int = 2, model: dict[str, Any] | None = None, **run: Any) -> Params:
    """The params of the experiment; model, run: values of these sections."""
    return check(
        {
            "experiment": {"name": "Cases", "slug": "cases"},
            "model": {"name": "fake", "api_url": url, **(model or {})},
            "prompt": {"system_prompt": "Decide.", "user_template": "Narrative: <<TEXT>>"},
            "data": {"file": "data/cases.xlsx"},
            "run": run,
            "shards": {"count": shards},
        },
        "params.yaml",
    )


def narratives_of(count: int) -> list[Narrative]:
    """The first narratives of the workbook that `tests.project.cases` fills."""
    found = [
        (row, kind, text)
        for row in cases((count + 1) // 2)
        for kind, text in (("cme", str(row[1])), ("le", str(row[2])))
    ][:count]
    return [
        Narrative(number, row[0], kind, text, int(row[3 if kind == "cme" else 4]), int(row[5]), (number + 3) // 2)
        for number, (row, kind, text) in enumerate(found, start=1)
    ]


def write_narratives(narratives: Sequence[Narrative], count: int) -> None:
    """The workbook was read into this many shards."""
    write_shards(deal(narratives, count), FOLDER.narratives)
    FOLDER.data_quality.write_text(json.dumps({"narratives": {"total": len(narratives)}}))


def entry_of(narrative: Narrative, params: Params, **changed: Any) -> dict[str, Any]:
    """What a journal holds of a narrative that the fake server answered; changed: other values of it."""
    asked = f"Narrative: {narrative.narrative_text}"
    return {
        "fingerprint": Question(params).fingerprint(narrative),
        "incident_id": narrative.incident_id,
        "narrative_type": narrative.narrative_type,
        "asked_at": "2026-01-02T03:04:05+00:00",
        "requests": 1,
        "response_sec": 0.5,
        "response": json.loads(completion(json.dumps(answer_to(asked)), "fake", len(asked))),
        "attempt": 1,
        "first_error_message": None,
        **changed,
    }


def error_of(narrative: Narrative, params: Params, category: str = "timeout", **changed: Any) -> dict[str, Any]:
    """The same of a narrative whose failure was settled as its own."""
    entry = entry_of(narrative, params, error={"category": category, "message": f"a {category}"}, **changed)
    return {key: value for key, value in entry.items() if key not in ("response", "response_sec")}


def keep(context: RunContext, name: str, entries: Iterable[dict[str, Any]]) -> None:
    """Write these entries into the journal called `name` of the context's session, which is sealed afterwards."""
    kept = Journal(journal.growing(FOLDER.journals, context.session) / f"{name}.jsonl", context.head)
    for entry in entries:
        kept.append(entry)
    kept.close()
    journal.seal(FOLDER.journals)


def keep_answers(context: RunContext, narratives: Sequence[Narrative]) -> None:
    """All of these were answered in one session, those of each shard into its journal."""
    params, count = context.params, context.params.shards.count
    for number, shard in enumerate(deal(narratives, count), start=1):
        kept = Journal(
            journal.growing(FOLDER.journals, context.session) / f"{shard_name(number, count)}.jsonl", context.head
        )
        for narrative in shard:
            kept.append(entry_of(narrative, params))
        kept.close()
    journal.seal(FOLDER.journals)


class Listener:
    """A run to which the job of the source belongs: it begins the experiment when the workbook is ready; context:
    of the run; lines: what it was shown."""

    def __init__(self, context: RunContext) -> None:
        self.lines: list[str] = []
        self.context = context

    def source_is_ready(self) -> None:
        """The experiment comes into its folder and the record."""
        context = self.context
        begun = ExperimentState(
            context.experiment_id,
            context.source_md5,
            context.params.model_dump(mode="json"),
            False,
            context.began_at,
            context.reading_rules,
        )
        describe(context.folder, begun)
        state.begin(context.experiment_id, context.began_at, context.folder, context.params)

    def show(self, line: str) -> None:
        """One line for the user."""
        self.lines.append(line)


def write_workbook(incidents: int) -> str:
    """The tracked workbook of the experiment, with two narratives an incident; returns its MD5."""
    Path("data").mkdir(exist_ok=True)
    return md5_of(Project.at(Path(), {}).write_workbook(cases(incidents)))


def read_and_answered(incidents: int, params: Params, **changed: Any) -> RunContext:
    """An experiment of which all is done but the merge: its workbook is read, each narrative answered, and each shard
    written; changed: values of its context, which is returned."""
    context = context_of(params, source_md5=write_workbook(incidents), **changed)
    read_source(context, Listener(context))
    keep_answers(context, list(iterate_all(FOLDER, params.shards.count)))
    write_shards_of_results(context)
    return context


def write_shards_of_results(context: RunContext) -> None:
    """Write the results of all shards and the retries, as their jobs do."""
    for number in range(1, context.params.shards.count + 1):
        write_results(FOLDER, context.params, number)
    write_retries(FOLDER, context.params)


def spec_of(params: Params, **changed: Any) -> RunSpec:
    """What a main process has its coordinator do for a new experiment whose workbook is read; changed: other values."""
    context, count = context_of(params), params.shards.count
    spec = RunSpec(
        slug=context.slug,
        experiment_id=context.experiment_id,
        source_md5=context.source_md5,
        params=params.model_dump(mode="json"),
        began_at=context.began_at,
        reading_rules=context.reading_rules,
        earlier_release="",
        resumes=False,
        recorded=False,
        retry_errors=False,
        retry_categories=[],
        changes=[],
        shards=[shard_name(number, count) for number in range(1, count + 1)],
        reads_workbook=False,
        lock_token="",
    )
    return replace(spec, **changed)


class Served(FakeServer):
    """A fake server in the loop of the test, which can look at it at any moment; url: its /v1 base."""

    url = ""

    def behave(self, **behaviour: Any) -> None:
        """Change how it answers from now on."""
        self._behave(Behaviour(**behaviour))

    @property
    def texts(self) -> list[str]:
        """The narratives, or other questions, of its first fifty requests, in their order."""
        return [str(body["messages"][-1]["content"]).removeprefix("Narrative: ") for body in self.bodies]


@asynccontextmanager
async def served(**behaviour: Any) -> AsyncIterator[Served]:
    """A fake server that answers in this way."""
    server = Served(Behaviour(**behaviour))
    listening = await asyncio.get_running_loop().create_server(lambda: Connection(server), "127.0.0.1", 0)
    server.url = f"http://127.0.0.1:{listening.sockets[0].getsockname()[1]}/v1"
    async with listening:
        yield server


async def until(condition: Callable[[], Any], within_s: float = 20.0) -> Any:
    """What `condition` gives, once that is true."""
    async with asyncio.timeout(within_s):
        while not (found := condition()):
            await asyncio.sleep(0.002)
    return found


def aside(work: Callable[[], None]) -> "Future[None]":
    """What a job does while the test goes on."""
    done: Future[None] = Future()

    def run() -> None:
        try:
            work()
        except Exception as error:
            done.set_exception(error)
        else:
            done.set_result(None)

    threading.Thread(target=run, daemon=True).start()
    return done


@contextmanager
def jobs_in_this_process() -> Iterator[Callable[[str], RunClient]]:
    """Connects jobs, by their names, to the run that the environment names; each would end its process with the run,
    which is waited for instead."""
    ended: list[int] = []
    made: list[RunClient] = []

    def connected(name: str) -> RunClient:
        made.append(RunClient(name))
        return made[-1]

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(client_module, "os", SimpleNamespace(environ=os.environ, _exit=ended.append))
        yield connected
        wait_until(lambda: all(client._serving.done() for client in made), timeout=20, every=0.005)
    for client in made:
        if client._session is not None:
            asyncio.run_coroutine_threadsafe(client._session.close(), client._loop).result(20)
        client._loop.call_soon_threadsafe(client._loop.stop)
