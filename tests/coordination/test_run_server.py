"""The coordinator's address with jobs and other terminals at it: server and clients speak over a real socket."""

import asyncio
import os
import queue
import signal
import socket
import subprocess
import sys
import tempfile
import threading
from collections.abc import Callable, Iterator
from concurrent.futures import Future
from pathlib import Path
from typing import Any

import pytest
from aiohttp import web
from tests.project import wait_until
from tests.run_contexts import context_of
from tests.small_experiment import aside, jobs_in_this_process, params_of

from narrative_runs.coordination import client as client_module
from narrative_runs.coordination.client import RunClient, ask_coordinator
from narrative_runs.coordination.messages import Message
from narrative_runs.coordination.server import Job, RunServer
from narrative_runs.coordination.supervision import Supervision
from narrative_runs.errors import ExperimentError, ServerError
from narrative_runs.job_environment import ADDRESS_VARIABLE
from narrative_runs.observation.run_status import RunStatus

CONTEXT = context_of(params_of(), slug="cases", retry_errors=True, retry_categories=("timeout",), host="hôst ‘\u2028’")
SOON_S = 20.0
KEY = "the key"
WANTED = ("1-of-2",)
# A job in a process of its own: it says hello, does what it is told line by line, and tells when that is done.
JOB = (
    "import sys; from narrative_runs.coordination.client import RunClient; run = RunClient(sys.argv[1]);"
    "print(flush=True);"
    "[(getattr(run, line.strip())(), print(flush=True)) for line in sys.stdin]"
)


class Run:
    """A run's server in a thread; taken: what its jobs said; lost: those that ended without a goodbye; failed: the
    reasons of what failed beside the line; connected: makes a job within this process."""

    def __init__(self, folder: Path, connected: Callable[[str], RunClient]) -> None:
        self.connected = connected
        self.address = str(folder / "coordinator")
        self.taken: queue.SimpleQueue[tuple[Job, Message]] = queue.SimpleQueue()
        self.lost: list[str] = []
        self.failed: list[str] = []
        self.cancelled = 0
        self.snapshots: list[str] = []
        self.failure: Exception | None = None
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_forever)
        self._thread.start()
        self.server = self._do(self._begin())

    def say(self, connection: Job, message: Message) -> None:
        """Send a message to a job."""
        self._loop.call_soon_threadsafe(connection.post, message)

    def hear(self) -> tuple[Job, Message]:
        """The next message of a job."""
        return self.taken.get(timeout=SOON_S)

    def close_connections(self) -> None:
        """Close the server, as at a run's end."""
        self._do(self.server.close())

    def end(self) -> None:
        """End the thread."""
        self.close_connections()
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join()
        self._loop.close()

    async def _begin(self) -> RunServer:
        status = RunStatus("Cases", 10, 4, errors={"timeout": 1}, jobs=["1-of-2"])
        server = RunServer(
            CONTEXT,
            "the key",
            lambda: status,
            self._take,
            self._lose,
            self._cancel,
            self._keep_snapshot,
            WANTED.__contains__,
            Supervision(self._fail),
        )
        await server.listen(Path(self.address))
        return server

    async def _take(self, connection: Job, message: Message) -> None:
        self.taken.put((connection, message))
        if self.failure is not None:
            raise self.failure

    def _lose(self, job: Job) -> None:
        self.lost.append(job.name)

    def _fail(self, reason: str) -> None:
        self.failed.append(reason)

    async def _keep_snapshot(self, name: str, note: str) -> str:
        if name in self.snapshots:
            raise ExperimentError(f"there is a snapshot {name} already")
        self.snapshots.append(name)
        return f"{name} ({note}) is kept"

    def _cancel(self) -> None:
        self.cancelled += 1

    def _do(self, work: Any) -> Any:
        return asyncio.run_coroutine_threadsafe(work, self._loop).result(SOON_S)


@pytest.fixture
def run(monkeypatch: pytest.MonkeyPatch) -> Iterator[Run]:
    """A run that the environment names."""
    with jobs_in_this_process() as connected, tempfile.TemporaryDirectory() as folder:
        running = Run(Path(folder), connected)
        monkeypatch.setenv(ADDRESS_VARIABLE, running.address)
        try:
            yield running
        finally:
            running.end()


def job(run: Run, name: str) -> "subprocess.Popen[str]":
    """A job in a process of its own, which is connected."""
    process = subprocess.Popen(
        [sys.executable, "-c", JOB, name],
        env={**os.environ, ADDRESS_VARIABLE: run.address},
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    tell(process, "")
    return process


def tell(process: "subprocess.Popen[str]", line: str) -> None:
    """Have a job do something, and wait until it is done."""
    assert process.stdin is not None and process.stdout is not None
    if line:
        process.stdin.write(f"{line}\n")
        process.stdin.flush()
    assert process.stdout.readline() == "\n"


@pytest.mark.slow
def test_every_job_has_the_context_of_its_run(run: Run) -> None:
    """What a run is for comes unchanged to each job, which is counted among those at work until it says goodbye."""
    jobs = [run.connected("2-of-2"), run.connected("1-of-2")]
    assert [job.context for job in jobs] == [CONTEXT] * 2
    assert run.server.jobs == ["1-of-2", "2-of-2"]
    jobs[0].close()
    wait_until(lambda: run.server.jobs == ["1-of-2"], timeout=SOON_S, every=0.005)
    jobs[1].close()


@pytest.mark.slow
def test_the_source_waits_until_the_experiment_is_in_the_record(run: Run) -> None:
    """A job that has found its workbook ready goes on only when the run has begun to write."""
    source = run.connected("source")
    ready: Future[None] = aside(source.source_is_ready)
    connection, message = run.hear()
    assert (connection.name, message) == ("source", Message("source_ready")) and not ready.done()
    run.say(connection, Message("begun"))
    ready.result(SOON_S)
    source.source_is_written()
    assert run.hear()[1] == Message("written")
    source.close()


@pytest.mark.slow
def test_a_job_waits_until_its_shard_is_answered(run: Run) -> None:
    """The job of a shard goes on when it is told that all of its narratives have their entries."""
    classify = run.connected("1-of-2")
    answered: Future[None] = aside(classify.wait_until_answered)
    connection, message = run.hear()
    assert (connection.name, message) == ("1-of-2", Message("wait")) and not answered.done()
    run.say(connection, Message("answered"))
    answered.result(SOON_S)
    classify.close()


@pytest.mark.slow
def test_a_job_that_waits_is_told_why_the_run_ends(run: Run) -> None:
    """When the run ends before a shard is answered, its job fails with the reason."""
    classify = run.connected("1-of-2")
    answered: Future[None] = aside(classify.wait_until_answered)
    connection, _ = run.hear()
    run.say(connection, Message("stop", "the budget is reached ‘é’"))
    with pytest.raises(ServerError, match=r"^the budget is reached ‘é’$"):
        answered.result(SOON_S)
    classify.close()


@pytest.mark.slow
def test_what_a_job_has_to_say_is_heard_while_it_waits(run: Run) -> None:
    """Lines and reasons of a job come as they are, also while another message of it is not answered yet."""
    retry = run.connected("retry_errors")
    answered: Future[None] = aside(retry.wait_until_answered)
    connection, _ = run.hear()
    retry.show("Two\nlines \u2028 of text")
    assert run.hear()[1] == Message("show", "Two\nlines \u2028 of text")
    retry.give_up("it is over")
    assert run.hear()[1] == Message("fatal", "it is over")
    assert not answered.done()
    run.say(connection, Message("answered"))
    answered.result(SOON_S)
    retry.close()


@pytest.mark.slow
def test_a_job_that_is_killed_is_reported_lost(run: Run) -> None:
    """A process that ends without a goodbye, as one that is killed, is reported by its name; one with it is not."""
    killed, ended = job(run, "1-of-2"), job(run, "2-of-2")
    tell(ended, "close")
    ended.communicate()
    killed.send_signal(signal.SIGKILL)
    killed.communicate()
    wait_until(lambda: run.lost, timeout=SOON_S, every=0.005)
    assert (run.lost, run.server.jobs, ended.returncode) == (["1-of-2"], [], 0)


@pytest.mark.slow
def test_a_job_ends_with_its_run(run: Run) -> None:
    """When the run is gone its jobs end at once, whatever they are at."""
    waiting, working = job(run, "1-of-2"), job(run, "2-of-2")
    assert waiting.stdin is not None
    waiting.stdin.write("wait_until_answered\n")
    waiting.stdin.flush()
    assert run.hear()[1] == Message("wait")
    run.close_connections()
    assert [process.wait(SOON_S) for process in (waiting, working)] == [1, 1]
    for process in (waiting, working):
        process.communicate()


SAYS_GOODBYE = """
from narrative_runs.coordination.client import RunClient
run = RunClient("classify")
for _ in range(100):
    run.show("x" * 100_000)
print("goodbye", flush=True)
run.close()
"""


@pytest.mark.slow
def test_a_run_that_dies_during_a_goodbye(tmp_path: Path) -> None:
    """A job whose run is killed while it says goodbye ends all the same: the next run would wait for it."""
    address = tmp_path / "coordinator"

    async def play() -> int:
        dead = asyncio.Event()

        async def hear_nothing(request: web.Request) -> web.WebSocketResponse:
            line = web.WebSocketResponse()
            await line.prepare(request)
            await line.receive_json()
            await line.send_json({"taken": 0})
            context = Message("context", values={"context": CONTEXT.as_dict()})
            await line.send_json({"number": 1, "taken": 0, "message": context.as_dict()})
            await dead.wait()
            assert request.transport is not None
            request.transport.abort()
            return line

        app = web.Application()
        app.router.add_get("/job", hear_nothing)
        runner = web.AppRunner(app)
        await runner.setup()
        await web.UnixSite(runner, str(address)).start()
        environment = {**os.environ, ADDRESS_VARIABLE: str(address)}
        script = (sys.executable, "-c", SAYS_GOODBYE)
        job = await asyncio.create_subprocess_exec(*script, env=environment, stdout=subprocess.PIPE)
        try:
            assert job.stdout is not None and await job.stdout.readline() == b"goodbye\n"
            # What it has to say does not get through: nobody reads.
            await asyncio.sleep(0.5)
            dead.set()
            return await asyncio.wait_for(job.wait(), SOON_S)
        finally:
            if job.returncode is None:
                job.kill()
            await runner.cleanup()

    assert asyncio.run(play()) == 0


def test_other_terminals_ask_and_cancel(run: Run) -> None:
    """At the same address others learn how the run stands, and cancel it."""
    told = RunStatus.of_json(ask_coordinator(run.address, "GET", "status"))
    assert told == RunStatus("Cases", 10, 4, errors={"timeout": 1}, jobs=["1-of-2"])
    assert ask_coordinator(run.address, "POST", "cancel") == "cancelled"
    assert run.cancelled == 1


def test_other_terminals_have_snapshots_made(run: Run) -> None:
    """At the same address a snapshot is asked for by name and note; why it cannot be made is the terminal's error."""
    wanted = {"name": "pilot", "note": "first 400"}
    assert ask_coordinator(run.address, "POST", "snapshot", wanted) == "pilot (first 400) is kept"
    with pytest.raises(ExperimentError, match="there is a snapshot pilot already"):
        ask_coordinator(run.address, "POST", "snapshot", wanted)


@pytest.mark.slow
def test_a_message_that_cannot_be_dealt_with_ends_its_connection(run: Run) -> None:
    """Where the run fails over a message, the reason is told, and the job does not wait for ever."""
    run.failure = KeyError("a secret narrative")
    waiting = job(run, "1-of-2")
    assert waiting.stdin is not None
    waiting.stdin.write("wait_until_answered\n")
    waiting.stdin.flush()
    assert waiting.wait(SOON_S) == 1
    waiting.communicate()
    wait_until(lambda: run.failed, timeout=SOON_S, every=0.005)
    assert "KeyError" in run.failed[0] and "secret" not in run.failed[0]


@pytest.mark.parametrize("address", [None, "", "nowhere", "file", "gone"])
def test_nobody_is_there(address: str | None, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A job without a run says so, and another terminal learns that nobody answers, whatever lies at the address."""
    monkeypatch.chdir(tmp_path)
    Path("file").touch()
    with socket.socket(socket.AF_UNIX) as bound:
        bound.bind("gone")
    if address is None:
        monkeypatch.delenv(ADDRESS_VARIABLE, raising=False)
    else:
        monkeypatch.setenv(ADDRESS_VARIABLE, address)
    with pytest.raises(ExperimentError, match="source: this job belongs to no run"):
        RunClient("source")
    with pytest.raises(OSError):
        ask_coordinator(address or "", "GET", "status")


@pytest.mark.slow
def test_who_does_not_answer_is_not_waited_for(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A run that hangs holds up no other terminal for long."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(client_module, "TERMINALS_WAIT_S", 0.1)
    with socket.socket(socket.AF_UNIX) as silent:
        silent.bind("silent")
        silent.listen()
        with pytest.raises(OSError):
            ask_coordinator("silent", "GET", "status")
