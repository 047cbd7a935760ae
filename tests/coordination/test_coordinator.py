"""One session of a run: a coordinator with jobs and a main process around it, and a model server to ask."""

import asyncio
import json
import os
import platform
import queue
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from concurrent.futures import Future
from contextlib import contextmanager
from dataclasses import asdict, replace
from functools import partial
from pathlib import Path
from typing import Any

import pyarrow.parquet as pq
import pytest
from tests.project import Fake, wait_until
from tests.run_contexts import context_of
from tests.small_experiment import (
    FOLDER,
    Served,
    aside,
    entry_of,
    error_of,
    jobs_in_this_process,
    keep,
    keep_answers,
    narratives_of,
    params_of,
    served,
    spec_of,
    write_narratives,
)

from narrative_runs import experiment, journal, snapshots
from narrative_runs.codebook.default import DEFAULT
from narrative_runs.coordination import client as client_module
from narrative_runs.coordination import coordinator as coordinator_module
from narrative_runs.coordination import jobs_process
from narrative_runs.coordination import server as server_module
from narrative_runs.coordination.asking_elsewhere import ask_from_here
from narrative_runs.coordination.client import RunClient, ask_coordinator
from narrative_runs.coordination.coordinator import JOBS_MAY_END_S, ORPHANED, Coordinator
from narrative_runs.coordination.jobs_process import JobsProcess, folder_of_sockets
from narrative_runs.coordination.parent_channel import ParentChannel
from narrative_runs.errors import ExperimentError, ServerError
from narrative_runs.job_environment import ADDRESS_VARIABLE
from narrative_runs.observation import run_monitor
from narrative_runs.observation.run_status import RunStatus
from narrative_runs.params import Params
from narrative_runs.paths import BACKUPS, RECORD
from narrative_runs.record import database, state
from narrative_runs.results import result_of
from narrative_runs.run_lock import HeldLock, RunLock
from narrative_runs.run_spec import RunSpec

SOON_S = 20.0
COUNT = 12
NARRATIVES = narratives_of(COUNT)
SHARDS = ("1-of-2", "2-of-2")
SOUND: dict[str, Any] = {}
SLOW = {"latency_s": 0.3}


class Session(ParentChannel):
    """A coordinator at work in a thread, with a server of its own, and what the main process says to it and hears."""

    def __init__(
        self,
        monkeypatch: pytest.MonkeyPatch,
        behaviour: dict[str, Any],
        params: Callable[[str], Params],
        **changed: Any,
    ) -> None:
        """behaviour: of the model server; params: made from its address; changed: values of the run spec."""
        self.ends_alone = lambda: 0.0
        self.at_once = lambda: None
        self.heard: queue.SimpleQueue[dict[str, Any]] = queue.SimpleQueue()
        for module in (coordinator_module, run_monitor):
            monkeypatch.setattr(module, "report", self.heard.put)
        self.server: Served
        self.spec_given: RunSpec
        self._said: queue.SimpleQueue[str] = queue.SimpleQueue()
        self._outcome: Future[None] = Future()
        self._thread = threading.Thread(target=self._run, args=(behaviour, params, changed), daemon=True)
        self._thread.start()

    def lines(self) -> Iterator[str]:
        while True:
            line = self._said.get()
            yield line
            if line.startswith("end"):
                return

    def say(self, line: str) -> None:
        """Say one line to the coordinator."""
        self._said.put(line)

    def hear(self, key: str) -> Any:
        """What it tells next under this key."""
        while True:
            told = self.heard.get(timeout=SOON_S)
            if key in told:
                return told[key]

    @property
    def is_alive(self) -> bool:
        """Whether the coordinator is still at work."""
        return self._thread.is_alive()

    def ended(self) -> None:
        """Wait until the coordinator has ended, as it should."""
        self._thread.join(SOON_S)
        assert not self.is_alive
        self._outcome.result(0)

    def _run(self, behaviour: dict[str, Any], params: Callable[[str], Params], changed: dict[str, Any]) -> None:
        async def run() -> None:
            async with served(**behaviour) as self.server:
                self.spec_given = spec_of(params(self.server.url), **changed)
                with folder_of_sockets() as folder:
                    address = folder / "coordinator"
                    await Coordinator(self.spec_given, self, JobsProcess(address)).run(address)

        try:
            asyncio.run(run())
            self._outcome.set_result(None)
        except BaseException as error:
            self._outcome.set_exception(error)


Connected = Callable[[str], RunClient]


@pytest.fixture(autouse=True)
def _in_a_folder_of_its_own(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    monkeypatch.setattr(coordinator_module, "FOLLOW_EVERY_S", 0.05)
    # Jobs of these sessions are a part of this process, which has imported all they need.
    monkeypatch.setattr(jobs_process, "_started", lambda *_: None)
    FOLDER.path.mkdir(parents=True)


@contextmanager
def session(
    monkeypatch: pytest.MonkeyPatch,
    behaviour: dict[str, Any] = SOUND,
    params: Callable[[str], Params] = lambda url: params_of(url, max_in_flight=2),
    **changed: Any,
) -> Iterator[tuple[Session, Connected]]:
    """A session that has begun, and what connects jobs to it; at the end it is told that the run has failed, unless it
    was ended before."""
    with jobs_in_this_process() as connected:
        running = Session(monkeypatch, behaviour, params, **changed)
        try:
            monkeypatch.setenv(ADDRESS_VARIABLE, running.hear("address"))
            yield running, connected
        finally:
            if running.is_alive:
                running.say("quit")
            running.ended()


def kept(name: str = "") -> list[dict[str, Any]]:
    """All entries of the journals called `name`, or of all."""
    return [entry for path in journal.files(FOLDER.journals, name) for _, entry in journal.entries(path)]


def row() -> dict[str, Any]:
    """The experiment's row in the record."""
    found = database.experiment("0b6d")
    assert found is not None
    return found


@pytest.mark.slow
def test_planned_shards_are_asked_and_their_jobs_told(monkeypatch: pytest.MonkeyPatch) -> None:
    """The shards of a new experiment are asked, each of their jobs goes on when its own is answered, the record moves
    with them, and at the end the journals are sealed."""
    write_narratives(NARRATIVES, 2)
    with session(monkeypatch) as (run, connected):
        jobs = [connected(name) for name in ("1-of-2", "2-of-2")]
        for answered in [aside(job.wait_until_answered) for job in jobs]:
            answered.result(SOON_S)
        assert [len(kept(name)) for name in ("1-of-2", "2-of-2")] == [6, 6]
        for job in jobs:
            job.close()
        run.say("end success")
        run.ended()
        assert run.server.asked.total() == COUNT and run.server.busiest <= 2
    assert [path.name for path in journal.sealed_sessions(FOLDER.journals)] == ["session-0001"]
    assert (row()["n_narratives_processed"], row()["n_narratives_total"]) == (COUNT, COUNT)
    # Without a merge a run is no success.
    assert row()["status"] == "failed" and "a part of the workflow" in row()["notes"]


@pytest.mark.slow
def test_what_was_answered_before_is_not_asked_again(monkeypatch: pytest.MonkeyPatch) -> None:
    """A session that resumes asks exactly for the narratives that have no entry yet, into journals of its own, after a
    backup of the record."""
    write_narratives(NARRATIVES, 2)
    params = params_of(max_in_flight=2)
    keep_answers(context_of(params), NARRATIVES[:7])
    state.begin("0b6d", "2026-01-01 12:00:00", FOLDER, params)
    with session(monkeypatch, resumes=True) as (run, connected):
        for name in ("1-of-2", "2-of-2"):
            job = connected(name)
            aside(job.wait_until_answered).result(SOON_S)
            job.close()
        assert sorted(run.server.texts) == sorted(each.narrative_text for each in NARRATIVES[7:])
        run.say("end success")
        run.ended()
    assert len(kept()) == len({entry["fingerprint"] for entry in kept()}) == COUNT
    sessions = [path.name for path in journal.sealed_sessions(FOLDER.journals)]
    assert sessions == ["session-0001", "session-0002"]
    assert list(BACKUPS.glob("experiments-*.db"))


def test_no_more_than_the_limit_is_asked(monkeypatch: pytest.MonkeyPatch) -> None:
    """With run.max_narratives only the first narratives of the workbook are asked, in whichever shards they lie."""
    write_narratives(NARRATIVES, 2)
    with session(monkeypatch, params=lambda url: params_of(url, max_narratives=5)) as (run, connected):
        for name in ("1-of-2", "2-of-2"):
            aside(connected(name).wait_until_answered).result(SOON_S)
        assert sorted(run.server.texts) == sorted(each.narrative_text for each in NARRATIVES[:5])


@pytest.mark.slow
def test_a_workbook_is_read_before_anything_is_asked(monkeypatch: pytest.MonkeyPatch) -> None:
    """Nothing is written before the workbook has proved ready, then experiment and record begin; once its narratives
    lie in their shards they are asked, before any of their jobs has come."""
    with session(monkeypatch, reads_workbook=True) as (run, connected):
        source = connected("source")
        assert not RECORD.exists() and not FOLDER.description.exists()
        source.source_is_ready()
        begun = experiment.find(FOLDER)
        assert begun is not None and begun.experiment_id == row()["experiment_id"] and row()["status"] == "running"
        assert not run.server.asked
        write_narratives(NARRATIVES, 2)
        source.source_is_written()
        source.close()
        wait_until(lambda: len(kept()) == COUNT, timeout=SOON_S, every=0.01)


@pytest.mark.slow
def test_a_stop_keeps_what_is_in_flight(monkeypatch: pytest.MonkeyPatch) -> None:
    """Told to stop, a session asks nothing more, and tells its jobs the reason once what was in flight is kept; the
    record says why the run failed."""
    write_narratives(NARRATIVES, 2)
    with session(monkeypatch, SLOW) as (run, connected):
        job = aside(connected("1-of-2").wait_until_answered)
        wait_until(lambda: run.server.in_flight == 2, timeout=SOON_S, every=0.005)
        run.say("stop stopped by Ctrl-C")
        assert run.hear("stopped") == "stopped by Ctrl-C"
        with pytest.raises(ServerError, match=r"stopped by Ctrl-C"):
            job.result(SOON_S)
        assert len(kept()) == run.server.asked.total() == 2
        run.say("end failure")
        run.ended()
    assert row()["status"] == "failed" and "stopped by Ctrl-C" in row()["notes"]
    assert row()["n_narratives_processed"] == 2


@pytest.mark.slow
def test_a_failed_run_keeps_what_is_in_flight(monkeypatch: pytest.MonkeyPatch) -> None:
    """When a job failed the main process just ends the run, and what is in flight is kept all the same."""
    write_narratives(NARRATIVES, 2)
    with session(monkeypatch, SLOW) as (run, _):
        wait_until(lambda: run.server.in_flight == 2, timeout=SOON_S, every=0.005)
        run.say("end failure")
        run.ended()
    assert len(kept()) == 2 and "a job of the workflow failed" in row()["notes"]


def test_to_quit_is_to_wait_for_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    """Told to quit, a session breaks off what is in flight, and its jobs end with it."""
    write_narratives(NARRATIVES, 2)
    with session(monkeypatch, {"hang": True}) as (run, connected):
        connected("1-of-2")
        wait_until(lambda: run.server.in_flight == 2, timeout=SOON_S, every=0.005)
        run.say("quit")
        run.ended()
    assert not kept() and row()["status"] == "failed"


@pytest.mark.slow
def test_without_its_main_process_a_session_ends_in_good_order(monkeypatch: pytest.MonkeyPatch) -> None:
    """When the main process is gone nothing new is asked, what is in flight is kept, and the session ends by itself."""
    write_narratives(NARRATIVES, 2)
    with session(monkeypatch, SLOW) as (run, _):
        wait_until(lambda: run.server.in_flight == 2, timeout=SOON_S, every=0.005)
        assert run.ends_alone() > JOBS_MAY_END_S
        run.ended()
        assert run.server.asked.total() == 2
    assert len(kept()) == 2 and ORPHANED in row()["notes"]


def test_how_a_run_stands_is_told_at_its_address(monkeypatch: pytest.MonkeyPatch) -> None:
    """Another terminal learns how many requests are in flight, of how many slots, which jobs are at work, and how far
    it is."""
    write_narratives(NARRATIVES, 2)
    with session(monkeypatch, {"hang": True, "only_if": "LE"}) as (run, connected):
        connected("2-of-2")
        wait_until(lambda: run.server.in_flight == 2, timeout=SOON_S, every=0.005)
        told = RunStatus.of_json(ask_coordinator(os.environ[ADDRESS_VARIABLE], "GET", "status"))
        assert (told.in_flight, told.slots, told.jobs, told.n_narratives_total) == (2, 2, ["2-of-2"], COUNT)
        assert told.stopping == ""
        run.say("stop enough")
        run.hear("stopped")
        assert RunStatus.of_json(ask_coordinator(os.environ[ADDRESS_VARIABLE], "GET", "status")).stopping == "enough"


def test_a_run_is_cancelled_from_another_terminal(monkeypatch: pytest.MonkeyPatch) -> None:
    """Cancelled, a run is stopped, and the record calls it cancelled."""
    write_narratives(NARRATIVES, 2)
    with session(monkeypatch, {"hang": True}) as (run, _):
        wait_until(lambda: run.server.in_flight == 2, timeout=SOON_S, every=0.005)
        assert ask_coordinator(os.environ[ADDRESS_VARIABLE], "POST", "cancel") == "cancelled"
        assert run.hear("stopped") == state.CANCELLED
    assert row()["status"] == "cancelled"


@pytest.mark.slow
def test_a_job_that_gives_up_stops_the_run_with_its_reason(monkeypatch: pytest.MonkeyPatch) -> None:
    """The reason of a job that cannot go on is why the run is stopped."""
    write_narratives(NARRATIVES, 2)
    with session(monkeypatch, {"hang": True}) as (run, connected):
        job = connected("record")
        job.give_up("the record is locked")
        job.close()
        assert run.hear("stopped") == "the record is locked"


def test_a_job_that_is_lost_stops_the_run(monkeypatch: pytest.MonkeyPatch) -> None:
    """A job that is gone without a goodbye stops the run, and is named; one that said goodbye does not."""
    write_narratives(NARRATIVES, 2)
    with session(monkeypatch, {"hang": True}) as (run, connected):
        ended, lost = connected("1-of-2"), connected("2-of-2")
        for job in (ended, lost):
            if job is ended:
                job.close()
            assert job._session is not None
            asyncio.run_coroutine_threadsafe(job._session.close(), job._loop).result(SOON_S)
        assert "the job 2-of-2 ended unexpectedly" in run.hear("stopped")


@pytest.mark.slow
def test_a_job_that_never_came_stops_the_run(monkeypatch: pytest.MonkeyPatch) -> None:
    """A job that was killed before it connected stops the run too, as soon as Snakemake has seen it end; why another
    failed that said so comes first."""
    write_narratives(NARRATIVES, 2)
    with session(monkeypatch, {"hang": True}) as (run, _):
        run.say("failed 2-of-2")
        assert "the job 2-of-2 ended unexpectedly" in run.hear("stopped")
    with session(monkeypatch, {"hang": True}) as (run, connected):
        run.say("failed 2-of-2")
        connected("2-of-2").give_up("the disk is full")
        assert run.hear("stopped") == "the disk is full"


def test_error_rows_are_asked_again(monkeypatch: pytest.MonkeyPatch) -> None:
    """The job of a forced retry has the narratives asked whose row is an error, as a further pass, and no others."""
    write_narratives(NARRATIVES, 2)
    params = params_of(max_in_flight=2)
    context = context_of(params)
    entries = [error_of(narrative, params) for narrative in NARRATIVES[:2]]
    keep(context, "1-of-2", entries)
    keep_answers(replace(context, session=2), NARRATIVES[2:])
    state.begin("0b6d", "2026-01-01 12:00:00", FOLDER, params)
    with database.transaction() as connection:
        found = [result_of(*pair, DEFAULT) for pair in zip(NARRATIVES[:2], entries, strict=True)]
        database.put_results(connection, "0b6d", found)
    with session(monkeypatch, resumes=True, retry_errors=True, shards=[]) as (run, connected):
        aside(connected("retry_errors").wait_until_answered).result(SOON_S)
        assert sorted(run.server.texts) == sorted(each.narrative_text for each in NARRATIVES[:2])
    again = kept(journal.RETRY)
    assert [(entry["attempt"], entry["first_error_message"]) for entry in again] == [(2, "a timeout")] * 2


def test_the_terminal_is_freed_for_the_main_process(monkeypatch: pytest.MonkeyPatch) -> None:
    """Before the main process writes to the terminal it is told that nothing stands in its way."""
    write_narratives(NARRATIVES, 2)
    with session(monkeypatch) as (run, _):
        run.say("pause")
        assert run.hear("paused") is True


@pytest.mark.parametrize("is_new", [True, False])
def test_a_server_that_cannot_be_asked(is_new: bool, monkeypatch: pytest.MonkeyPatch) -> None:
    """A new experiment whose server cannot be asked leaves no trace, and says why; so does one of which something was
    kept, once it has something to ask."""
    write_narratives(NARRATIVES, 2)
    if not is_new:
        keep_answers(context_of(params_of()), NARRATIVES[:3])
    before = {path for path in Path().rglob("*") if path.is_file()}
    running = Session(monkeypatch, {"status": 401, "models": []}, params_of, resumes=not is_new)
    reason = running.hear("error" if is_new else "stopped")
    assert "needs a key" in reason and "Nothing was asked" in reason
    if is_new:
        running.ended()
        written = {path for path in Path().rglob("*") if path.is_file()} - before
        assert {path.name for path in written} <= {".children.lock"}
    else:
        running.say("end failure")
        running.ended()
        assert len(kept()) == 3


def taken_over() -> None:
    """A run on another host takes the lock."""
    words = {"pid": 123, "host": "node2", "boot": "b", "token": "t", "counter": 1, "since": "today"}
    (FOLDER.path / ".run.lock").write_bytes(json.dumps(words).ljust(4096).encode())


@pytest.mark.slow
def test_a_run_that_was_taken_over_leaves_all_as_it_is(monkeypatch: pytest.MonkeyPatch) -> None:
    """A run that finds its lock taken asks nothing more, keeps no answer that comes, writes neither record nor logs,
    seals nothing, and has the main process end before its jobs do."""
    write_narratives(NARRATIVES, 2)
    lock = RunLock(FOLDER.path)
    lock.acquire()
    monkeypatch.setattr(coordinator_module, "LOOK_AT_LOCK_EVERY_S", 0.05)
    monkeypatch.setattr(coordinator_module, "REFRESH_EVERY_S", 0.05)
    with session(monkeypatch, {"latency_s": 0.5}, lock_token=lock.token) as (run, connected):
        job = connected("1-of-2")
        waits = aside(job.wait_until_answered)
        wait_until(lambda: len(kept()) >= 2, timeout=SOON_S, every=0.005)
        wait_until(lambda: run.server.in_flight == 2, timeout=SOON_S, every=0.005)
        taken_over()
        reason = run.hear("taken_over")
        asked, before = run.server.asked.total(), files_with_content()
        assert "another run, PID 123 on node2, has taken over" in reason
        assert run.is_alive and not waits.done()
        run.ends_alone()
        run.ended()
        assert run.server.asked.total() == asked
    assert files_with_content() == before
    assert row()["status"] == "running" and not journal.sealed_sessions(FOLDER.journals)


def files_with_content() -> dict[Path, bytes]:
    """All that lies in the folder of the experiment, and the record."""
    return {path: path.read_bytes() for path in (*FOLDER.path.rglob("*"), RECORD) if path.is_file()}


def test_a_run_that_was_taken_over_before_it_began(monkeypatch: pytest.MonkeyPatch) -> None:
    """When the lock was lost while the server was still starting, nothing is begun, and the main process told why."""
    write_narratives(NARRATIVES, 2)
    taken_over()
    running = Session(monkeypatch, SOUND, params_of, lock_token="mine")
    assert "PID 123 on node2" in running.hear("error")
    running.ended()
    assert not RECORD.exists() and not kept()


@pytest.mark.slow
def test_a_run_that_was_taken_over_as_it_ended(monkeypatch: pytest.MonkeyPatch) -> None:
    """When the lock is found lost only at the end, the record is not told of that end, and nothing is sealed."""
    write_narratives(NARRATIVES, 2)
    lock = RunLock(FOLDER.path)
    lock.acquire()
    with session(monkeypatch, lock_token=lock.token) as (run, connected):
        jobs = [connected(name) for name in ("1-of-2", "2-of-2")]
        for answered in [aside(job.wait_until_answered) for job in jobs]:
            answered.result(SOON_S)
        for job in jobs:
            job.close()
        taken_over()
        monkeypatch.setattr(HeldLock, "why_lost", lambda *_: "another run has it")
        run.say("end success")
        run.ended()
    assert row()["status"] == "running" and not journal.sealed_sessions(FOLDER.journals)


@pytest.mark.slow
def test_a_process_of_its_own(fake: Fake) -> None:
    """Started as the main process starts it, a coordinator tells its address, serves a real job, and ends with code 0
    after the last word; nothing is left of its address."""
    write_narratives(NARRATIVES, 1)
    spec = json.dumps(asdict(spec_of(params_of(fake.url, shards=1)))) + "\n"
    command = [sys.executable, "-m", "narrative_runs.coordination"]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE) as process:
        assert process.stdin is not None and process.stdout is not None
        process.stdin.write(spec.encode())
        process.stdin.flush()
        address = json.loads(process.stdout.readline())["address"]
        job = [sys.executable, "-m", "narrative_runs", "classify", "1-of-1"]
        subprocess.run(job, env={**os.environ, ADDRESS_VARIABLE: address}, check=True, timeout=60)
        process.communicate(b"end success\n", timeout=60)
    assert process.returncode == 0 and not Path(address).parent.exists()
    assert pq.read_metadata(FOLDER.results_of(1, 1)).num_rows == COUNT


def test_why_the_record_cannot_be_begun_is_what_the_run_says(monkeypatch: pytest.MonkeyPatch) -> None:
    """A run whose record cannot be used ends with that reason, and not with the end of the job that met it."""
    with session(monkeypatch, reads_workbook=True) as (run, connected):
        RECORD.write_bytes(b"no database " * 500)
        source = connected("source")
        aside(source.source_is_ready)
        assert "experiments.db" in run.hear("stopped")


@contextmanager
def session_with_hosts(
    monkeypatch: pytest.MonkeyPatch, behaviour: dict[str, Any] = SOUND, **changed: Any
) -> Iterator[tuple[Session, Connected]]:
    """The same of a run whose shards are asked on other hosts; what connects jobs to it as if they were there."""
    monkeypatch.setattr(coordinator_module, "own_hosts", lambda: ("127.0.0.1",))
    with session(monkeypatch, behaviour, asks_elsewhere=True, **changed) as (run, connected):
        monkeypatch.setenv(ADDRESS_VARIABLE, str((FOLDER.path / ".connection.json").absolute()))
        yield run, connected


@pytest.mark.slow
def test_jobs_on_other_hosts_ask_for_their_shards(monkeypatch: pytest.MonkeyPatch) -> None:
    """Each asks what is open in its shard, together never more than there are slots, and keeps the answers in journals
    of their own, which name their host; the run itself asks for none of them, and the file that leads to it is gone at
    its end."""
    write_narratives(NARRATIVES, 2)
    monkeypatch.setenv("LLM_API_KEY", "a-key")
    with session_with_hosts(monkeypatch, {"latency_s": 0.02}) as (run, connected):
        jobs = [connected(name) for name in SHARDS]
        assert [job.api_key for job in jobs] == ["a-key"] * 2
        assert not kept()
        asking = [aside(partial(ask_from_here, job, name)) for job, name in zip(jobs, SHARDS, strict=True)]
        for asked in asking:
            asked.result(SOON_S)
        assert [len(kept(name)) for name in ("1-of-2", "2-of-2")] == [6, 6]
        assert run.server.asked.total() == COUNT and run.server.busiest == 2
        assert {head["host"] for head in journal.heads(FOLDER.journals)} == {platform.node()}
        for job in jobs:
            job.close()
        run.say("end success")
        run.ended()
    assert not (FOLDER.path / ".connection.json").exists()
    assert [path.name for path in journal.sealed_sessions(FOLDER.journals)] == ["session-0001"]


@pytest.mark.slow
def test_what_a_lost_host_had_comes_back(monkeypatch: pytest.MonkeyPatch) -> None:
    """A job whose host is gone does not stop the run: its slots come back, and the next one that asks for its shard
    asks for what is still open, in a journal of its own."""
    write_narratives(NARRATIVES, 1)
    monkeypatch.setattr(server_module, "LEASE_S", 0.3)
    monkeypatch.setattr(client_module, "MAY_BE_CUT_OFF_S", 0.1)
    with session_with_hosts(monkeypatch, {"latency_s": 0.5}, params=lambda url: params_of(url, 1, max_in_flight=2)) as (
        run,
        connected,
    ):
        lost = connected("1-of-1")
        asked = aside(partial(ask_from_here, lost, "1-of-1"))
        wait_until(lambda: run.server.busiest == 2, timeout=SOON_S, every=0.005)
        assert lost._session is not None
        lost._loop.call_soon_threadsafe(lost._serving.cancel)
        asyncio.run_coroutine_threadsafe(lost._session.close(), lost._loop).result(SOON_S)
        again = connected("1-of-1")
        ask_from_here(again, "1-of-1")
        assert len(kept("1-of-1")) == COUNT
        again.close()
        assert not asked.done()


@pytest.mark.slow
def test_a_snapshot_is_made_of_a_run(monkeypatch: pytest.MonkeyPatch) -> None:
    """What was answered is sealed and listed with its counts while the run asks on, in another session, and nothing is
    asked twice or lost."""
    write_narratives(NARRATIVES, 2)
    with session(monkeypatch, {"latency_s": 0.1}) as (run, connected):
        jobs = [aside(connected(name).wait_until_answered) for name in SHARDS]
        wait_until(lambda: run.server.asked.total() >= COUNT / 2, timeout=SOON_S, every=0.005)
        address = os.environ[ADDRESS_VARIABLE]
        said = ask_coordinator(address, "POST", "snapshot", {"name": "half", "note": "by hand"}, SOON_S)
        with pytest.raises(ExperimentError, match="already has a snapshot 'half'"):
            ask_coordinator(address, "POST", "snapshot", {"name": "half", "note": ""}, SOON_S)
        half = snapshots.named(FOLDER, "half")
        assert said == f"cases@half: {half.counts.processed} of {COUNT} narratives, 0 errors, 1 sealed session."
        sealed = journal.sealed_sessions(FOLDER.journals)
        assert list(half.sessions) == [path.name for path in sealed] == ["session-0001"]
        entries = [entry for path in journal.files_of(sealed[0]) for _, entry in journal.entries(path)]
        assert len(entries) == half.counts.processed >= COUNT / 2 - 2
        for job in jobs:
            job.result(SOON_S)
        run.say("end success")
        run.ended()
    assert [path.name for path in journal.sealed_sessions(FOLDER.journals)] == ["session-0001", "session-0002"]
    assert len(kept()) == run.server.asked.total() == COUNT
    assert {head["session"] for head in journal.heads(FOLDER.journals)} == {1, 2}


@pytest.mark.slow
def test_jobs_on_other_hosts_leave_a_session_for_a_snapshot(monkeypatch: pytest.MonkeyPatch) -> None:
    """A session is sealed only when no host writes to it any more; each goes on in the next one."""
    write_narratives(NARRATIVES, 2)
    with session_with_hosts(monkeypatch, {"latency_s": 0.1}) as (run, connected):
        jobs = [connected(name) for name in SHARDS]
        asking = [aside(partial(ask_from_here, job, name)) for job, name in zip(jobs, SHARDS, strict=True)]
        wait_until(lambda: run.server.asked.total() >= COUNT / 2, timeout=SOON_S, every=0.005)
        ask_coordinator(os.environ[ADDRESS_VARIABLE], "POST", "snapshot", {"name": "half", "note": ""}, SOON_S)
        (sealed,) = journal.sealed_sessions(FOLDER.journals)
        before = {path: path.read_bytes() for path in journal.files_of(sealed)}
        for asked in asking:
            asked.result(SOON_S)
        assert {path: path.read_bytes() for path in journal.files_of(sealed)} == before
        assert journal.is_growing(FOLDER.journals)
        for job in jobs:
            job.close()
        run.say("end success")
        run.ended()
    assert len(kept()) == run.server.asked.total() == COUNT


@pytest.mark.parametrize(
    ("changed", "name"),
    [
        ({"retry_errors": True}, "before-retry-errors-"),
        ({"changes": ["run.max_narratives: 4 is now null"]}, "before-max-narratives-"),
    ],
)
def test_the_state_before_is_kept(monkeypatch: pytest.MonkeyPatch, changed: dict[str, Any], name: str) -> None:
    """Before errors are asked again, or another number of narratives, the state is kept by itself, with the params that
    it had."""
    write_narratives(NARRATIVES, 2)
    params = params_of(max_in_flight=2, max_narratives=4)
    context = context_of(params)
    keep(context, "1-of-2", [error_of(NARRATIVES[0], params)])
    keep(replace(context, session=2), "2-of-2", [entry_of(NARRATIVES[1], params)])
    with session(monkeypatch, SOUND, lambda url: params_of(url, max_in_flight=2), resumes=True, **changed) as (run, _):
        (made,) = snapshots.all_of(FOLDER)
        assert made.name.startswith(name) and list(made.sessions) == ["session-0001", "session-0002"]
        assert made.counts == snapshots.Counts(4, 2, {"timeout": 1})
        assert made.params["run"]["max_narratives"] == 4
        run.say("end failure")
        run.ended()
