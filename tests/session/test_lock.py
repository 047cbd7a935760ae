import os
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from tests.project import wait_until

from narrative_runs.errors import AlreadyRunning
from narrative_runs.session.lock import RunLock, hold_as_child, holder, is_running

HOLDS = """
lock = RunLock(folder)
print("began", flush=True)
lock.acquire()
print("holds", flush=True)
sys.stdin.read()
"""
CHILD = """
hold_as_child(folder)
print("child", flush=True)
sys.stdin.read()
"""
HOLDS_AND_STARTS_ANOTHER = """
RunLock(folder).acquire()
child = subprocess.Popen(["sleep", "60"], stdin=subprocess.DEVNULL)
print(child.pid, flush=True)
sys.stdin.read()
"""
TRIES = """
try:
    RunLock(folder).acquire()
    print("holds")
except AlreadyRunning as error:
    print(error)
"""
HEAD = """
import os, subprocess, sys
from pathlib import Path
from narrative_runs.errors import AlreadyRunning
from narrative_runs.session.lock import RunLock, hold_as_child
folder = Path(sys.argv[1])
"""
Start = Callable[[str], subprocess.Popen[str]]


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """The folder of an experiment that nobody has begun."""
    return tmp_path / "results" / "cases"


@pytest.fixture
def start(folder: Path) -> Iterator[Start]:
    """Starts a process that works on the experiment; all of them are gone at the end."""
    started: list[subprocess.Popen[str]] = []

    def run(code: str) -> subprocess.Popen[str]:
        process = subprocess.Popen(
            [sys.executable, "-c", HEAD + code, str(folder)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )
        started.append(process)
        return process

    yield run
    for process in started:
        process.kill()
        process.communicate()


def says(process: subprocess.Popen[str]) -> str:
    """The next line of a process."""
    assert process.stdout is not None
    return process.stdout.readline().strip()


def test_a_second_run_is_told_who_runs(folder: Path, start: Start) -> None:
    """While one process holds an experiment no other gets it, and learns the holder's PID."""
    first = start(HOLDS)
    assert [says(first), says(first)] == ["began", "holds"]
    assert is_running(folder)
    told = says(start(TRIES))
    assert told.startswith("already running")
    assert f"PID {first.pid} on " in told
    with pytest.raises(AlreadyRunning, match=f"PID {first.pid} "):
        RunLock(folder).acquire()


def test_a_killed_run_leaves_nothing_to_clean_up(folder: Path, start: Start) -> None:
    """After kill -9 the next run begins without a word."""
    first = start(HOLDS)
    assert [says(first), says(first)] == ["began", "holds"]
    first.send_signal(signal.SIGKILL)
    first.wait()
    assert not is_running(folder)
    second = start(HOLDS)
    assert [says(second), says(second)] == ["began", "holds"]
    assert holder(folder).startswith(f"PID {second.pid} ")


def test_what_a_run_has_started_does_not_hold_its_lock(folder: Path, start: Start) -> None:
    """A process that outlives a killed run, and is no job of it, keeps nobody waiting."""
    first = start(HOLDS_AND_STARTS_ANOTHER)
    other = int(says(first))
    try:
        first.kill()
        first.wait()
        assert says(start(TRIES)) == "holds"
        os.kill(other, 0)
    finally:
        os.kill(other, signal.SIGKILL)


def test_a_new_run_waits_for_the_jobs_of_the_old_one(folder: Path, start: Start) -> None:
    """As long as one job of a killed run is alive, the next run does not begin; then it does by itself."""
    folder.mkdir(parents=True)
    jobs = [start(CHILD), start(CHILD)]
    assert [says(job) for job in jobs] == ["child", "child"]
    run = start(HOLDS)
    assert says(run) == "began"
    jobs[0].kill()
    wait_until(lambda: is_running(folder))
    assert jobs[1].poll() is None
    jobs[1].kill()
    assert says(run) == "holds"


def test_a_run_that_waits_is_the_one_that_is_named(folder: Path, start: Start) -> None:
    """While a run waits for jobs of a killed one, a further run is told of it, and not of the dead one."""
    dead = start(HOLDS)
    assert [says(dead), says(dead)] == ["began", "holds"]
    job = start(CHILD)
    assert says(job) == "child"
    dead.kill()
    dead.wait()
    waiting = start(HOLDS)
    assert says(waiting) == "began"
    wait_until(lambda: is_running(folder))
    told = says(start(TRIES))
    assert told.startswith("already running")
    assert f"PID {dead.pid} " not in told


def test_jobs_do_not_keep_each_other_waiting(folder: Path) -> None:
    """Any number of jobs belong to one run at the same time."""
    folder.mkdir(parents=True)
    descriptors = [hold_as_child(folder), hold_as_child(folder)]
    assert len(set(descriptors)) == 2
    for descriptor in descriptors:
        os.close(descriptor)


def test_looking_changes_nothing(folder: Path, start: Start) -> None:
    """To ask whether an experiment runs makes no file, and does not keep a run from beginning."""
    assert not is_running(folder)
    assert not folder.exists()
    folder.mkdir(parents=True)
    assert not is_running(folder)
    assert list(folder.iterdir()) == []
    first = start(HOLDS)
    while first.poll() is None and not is_running(folder):
        pass
    assert [says(first), says(first)] == ["began", "holds"]


def test_a_run_that_never_began_leaves_no_trace(tmp_path: Path, folder: Path) -> None:
    """What was made for a run that could not begin is gone, folders too."""
    lock = RunLock(folder)
    lock.acquire()
    lock.forget()
    assert list(tmp_path.iterdir()) == []


def test_nothing_of_the_experiment_is_forgotten(folder: Path) -> None:
    """A folder that was there before, or that holds anything by now, stays with all its files."""
    folder.mkdir(parents=True)
    (folder / "experiment.yaml").write_text("x")
    lock = RunLock(folder)
    lock.acquire()
    lock.forget()
    assert (folder / "experiment.yaml").read_text() == "x"
    other = folder.with_name("other")
    fresh = RunLock(other)
    fresh.acquire()
    (other / "journal").mkdir()
    (other / "journal" / "answers.jsonl").write_text("x")
    fresh.forget()
    assert (other / "journal" / "answers.jsonl").read_text() == "x"


@pytest.mark.parametrize("content", [b"", b"{", b"\xff\xfe", b"{}", b"[]", b"5"])
def test_a_lock_that_tells_nothing_is_held_by_another_process(folder: Path, content: bytes) -> None:
    """Whatever stands in the lock's file, the message about its holder can be written."""
    folder.mkdir(parents=True)
    (folder / ".run.lock").write_bytes(content)
    assert holder(folder) == "another process"
