import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from narrative_runs import run_lock
from narrative_runs.errors import AlreadyRunning
from narrative_runs.lock_watch import this_host
from narrative_runs.run_lock import (
    OVERDUE_S,
    HeldLock,
    RunLock,
    hold_as_child,
    holder,
    is_running,
    lock_content,
    other_host,
    running,
    wait_for_killed_run,
)
from tests.project import wait_until

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
HOLDS_AND_LOOKS = """
lock = RunLock(folder)
print("began", flush=True)
sys.stdin.readline()
try:
    lock.acquire()
    print("holds", flush=True)
except AlreadyRunning as error:
    print(error, flush=True)
for _ in sys.stdin:
    print(lock.why_lost(), flush=True)
lock.release()
"""
HEAD = """
import os, subprocess, sys
from pathlib import Path
from narrative_runs import run_lock
from narrative_runs.errors import AlreadyRunning
from narrative_runs.lock_watch import Host
from narrative_runs.run_lock import RunLock, hold_as_child
folder, with_kernel = Path(sys.argv[1]), run_lock._try
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


def say(process: subprocess.Popen[str]) -> None:
    """Say a line to a process."""
    assert process.stdin is not None
    process.stdin.write("\n")
    process.stdin.flush()


def on(host: str, code: str) -> str:
    """The same code on another host, to which its own kernel gives a lock that was given here already."""
    return f"""
run_lock.this_host = lambda: Host("{host}", "")
run_lock.may_be_shared = lambda _: True
run_lock.REFRESH_EVERY_S = 0.05
run_lock._try = lambda *_: True
{code}
"""


def write_words(folder: Path, **changed: Any) -> bytes:
    """A run on another host, of which nothing more is heard, has written into the lock's file; returns its content.

    changed: other words of it.
    """
    words = {"pid": 123, "host": "node2", "boot": "b", "token": "t", "counter": 5, "since": "today", **changed}
    folder.mkdir(parents=True, exist_ok=True)
    (folder / ".run.lock").write_bytes(json.dumps(words).ljust(4096).encode())
    return (folder / ".run.lock").read_bytes()


@pytest.fixture
def _in_a_hurry(monkeypatch: pytest.MonkeyPatch) -> None:
    """A minute of silence is over soon."""
    for name, seconds in (("SILENT_S", 0.4), ("LOOK_FOR_S", 0.2), ("LOOK_EVERY_S", 0.02), ("READ_BACK_AFTER_S", 0.02)):
        monkeypatch.setattr(run_lock, name, seconds)


@pytest.mark.slow
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


@pytest.mark.slow
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


@pytest.mark.slow
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


@pytest.mark.usefixtures("_in_a_hurry")
@pytest.mark.slow
def test_a_live_run_on_another_host_is_refused(folder: Path, start: Start, monkeypatch: pytest.MonkeyPatch) -> None:
    """Though the kernel gives the lock, a run is refused while one on another host gives signs of life, and is told its
    host and PID."""
    other = start(on("node2", HOLDS))
    assert [says(other), says(other)] == ["began", "holds"]
    monkeypatch.setattr(run_lock, "SILENT_S", 60.0)
    with pytest.raises(AlreadyRunning, match=f"PID {other.pid} on node2, since "):
        RunLock(folder).acquire()
    monkeypatch.setattr(run_lock, "LOOK_FOR_S", 60.0)
    assert is_running(folder) and other_host(folder) == "node2"


@pytest.mark.usefixtures("_in_a_hurry")
@pytest.mark.parametrize("is_shared", [False, True])
@pytest.mark.slow
def test_after_a_restart_the_lock_is_free(folder: Path, monkeypatch: pytest.MonkeyPatch, is_shared: bool) -> None:
    """What this machine held before it was started anew is free at once, where no other machine of its name can have
    written it; elsewhere its silence is waited for."""
    monkeypatch.setattr(run_lock, "may_be_shared", lambda _: is_shared)
    monkeypatch.setattr(run_lock, "TELL_AFTER_S", 0.1)
    write_words(folder, host=this_host().name, boot="of an earlier start")
    lines: list[str] = []
    RunLock(folder).acquire(lines.append)
    assert bool(lines) is is_shared


@pytest.mark.usefixtures("_in_a_hurry")
@pytest.mark.slow
def test_a_silent_run_on_another_host_is_waited_for(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A lock whose holder on another host gives no sign of life for the time set is taken, and not sooner; who waits is
    told why."""
    monkeypatch.setattr(run_lock, "TELL_AFTER_S", 0.1)
    write_words(folder)
    lines: list[str] = []
    began = time.monotonic()
    lock = RunLock(folder)
    lock.acquire(lines.append)
    assert time.monotonic() - began >= run_lock.SILENT_S
    (line,) = lines
    assert "PID 123 on node2" in line
    assert lock_content(folder)["token"] == lock.token and other_host(folder) == ""


@pytest.mark.usefixtures("_in_a_hurry")
@pytest.mark.slow
def test_what_a_sleeping_host_keeps_locked_stops_nobody(folder: Path, start: Start) -> None:
    """The lock of a run that sleeps on another host is taken with all that the kernel keeps for it; when it wakes it
    knows, and writes nothing."""
    other = start(on("node2", "run_lock._try = with_kernel\n" + HOLDS_AND_LOOKS))
    assert says(other) == "began"
    say(other)
    assert says(other) == "holds"
    job = start(CHILD)
    assert says(job) == "child"
    for process in (other, job):
        process.send_signal(signal.SIGSTOP)
    lock = RunLock(folder)
    lock.acquire()
    lock._is_released.set()
    before = (folder / ".run.lock").read_bytes()
    other.send_signal(signal.SIGCONT)
    say(other)
    assert says(other).startswith(f"another run, PID {os.getpid()} on {this_host().name}, has taken over")
    other.communicate()
    assert (folder / ".run.lock").read_bytes() == before


@pytest.mark.usefixtures("_in_a_hurry")
@pytest.mark.slow
def test_a_lock_that_was_given_back_is_free_on_any_host(folder: Path, start: Start) -> None:
    """After the end of a run nobody waits, though its words stay to be read."""
    lock = RunLock(folder)
    lock.acquire()
    lock.tell("", ended="the disk is full")
    lock.release()
    assert lock_content(folder)["ended"] == "the disk is full" and not is_running(folder)
    began = time.monotonic()
    assert says(start(on("node2", TRIES))) == "holds"
    assert time.monotonic() - began < 30


@pytest.mark.parametrize("attempt", range(3))
@pytest.mark.slow
def test_of_two_hosts_that_take_a_lock_at_once_one_gives_way(folder: Path, start: Start, attempt: int) -> None:
    """When the kernel gives one lock to two hosts in the same moment, one of them knows before it asks anything."""
    hosts = [start(on(name, HOLDS_AND_LOOKS)) for name in ("node1", "node2")]
    assert [says(host) for host in hosts] == ["began", "began"]
    for host in hosts:
        say(host)
    outcomes = [says(host) for host in hosts]
    assert "holds" in outcomes
    holders = []
    for host, outcome in zip(hosts, outcomes, strict=True):
        say(host)
        if outcome == "holds" and not says(host):
            holders.append(host)
    assert len(holders) == 1


@pytest.mark.parametrize(
    "content", [b"", b'{"counter": ', b'{"pid": 1, "host": "node2", "since": "today", "address": "", "ended": ""}']
)
@pytest.mark.slow
def test_a_lock_that_names_no_token_is_the_kernels(folder: Path, start: Start, content: bytes) -> None:
    """What release 0.1.0 left, and what was half written, is free at once, and held as long as the kernel says so."""
    folder.mkdir(parents=True)
    (folder / ".run.lock").write_bytes(content)
    holding = start(HOLDS)
    assert [says(holding), says(holding)] == ["began", "holds"]
    (folder / ".run.lock").write_bytes(content)
    assert is_running(folder)
    with pytest.raises(AlreadyRunning):
        RunLock(folder).acquire()


def test_a_holder_gives_signs_of_life(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """From its first moment on a holder advances its counter; the other words stay, and the file is as long as ever."""
    monkeypatch.setattr(run_lock, "REFRESH_EVERY_S", 0.01)
    lock = RunLock(folder)
    lock.acquire()
    lock.tell("/somewhere")
    first = lock_content(folder)
    later = wait_until(lambda: (words := lock_content(folder))["counter"] > first["counter"] and words, every=0.005)
    lock.release()
    assert {**later, "counter": 0} == {**first, "counter": 0}
    assert first["address"] == "/somewhere" and (first["host"], first["boot"]) == (this_host().name, this_host().boot)
    assert (folder / ".run.lock").stat().st_size == 4096


def test_the_lock_is_read_after_a_silence_of_its_own(folder: Path) -> None:
    """Who asks all the time reads the lock's file only when no sign of life was given for long, and then at once."""
    lock, now = RunLock(folder), 1000.0
    lock.acquire()
    lock._is_released.set()
    held = HeldLock(folder, lock.token, lambda: now)
    assert held.why_lost() == ""
    counter = lock_content(folder)["counter"]
    write_words(folder)
    now += OVERDUE_S - 0.1
    assert held.why_lost() == ""
    now += 0.2
    before = (folder / ".run.lock").read_bytes()
    assert held.why_lost() == (
        "another run, PID 123 on node2, has taken over this experiment while this one was asleep"
    )
    assert (folder / ".run.lock").read_bytes() == before and counter == 2 + 1


@pytest.mark.parametrize("content", [None, b"", b"{"])
def test_a_lock_that_cannot_be_read_is_not_lost(folder: Path, content: bytes | None) -> None:
    """A file that is gone, or being written, says nothing; it is read again at the next question."""
    lock = RunLock(folder)
    lock.acquire()
    lock._is_released.set()
    held = HeldLock(folder, lock.token)
    (folder / ".run.lock").unlink()
    if content is not None:
        (folder / ".run.lock").write_bytes(content)
    assert held.why_lost() == ""
    write_words(folder)
    assert held.why_lost() != ""


def test_a_lost_lock_is_left_as_it_is(folder: Path) -> None:
    """Who has lost its lock writes nothing to its file, removes nothing, and gives nothing back."""
    lock = RunLock(folder)
    lock.acquire()
    lock._is_released.set()
    content = write_words(folder)
    lock.tell("/somewhere", ended="stopped")
    lock.forget()
    lock.release()
    assert (folder / ".run.lock").read_bytes() == content


def test_what_a_killed_run_has_in_flight_is_its_own(folder: Path, start: Start) -> None:
    """Without its main process a run is not taken over by the next one on this host, which waits for it; it is by one
    on another host."""
    lock = RunLock(folder)
    lock.acquire()
    held = HeldLock(folder, lock.token)
    lock._is_released.set()
    held.is_orphan = True
    content = write_words(folder, host=this_host().name, boot=this_host().boot)
    assert held.why_lost(0.0) == "" and (folder / ".run.lock").read_bytes() == content
    write_words(folder)
    assert "PID 123 on node2" in held.why_lost(0.0)


@pytest.mark.usefixtures("_in_a_hurry")
@pytest.mark.slow
def test_all_locks_are_looked_at_together(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """To look at ten locks of other hosts takes no longer than to look at one, and once it was done, no time."""
    folders = [tmp_path / str(number) for number in range(10)]
    for folder in folders:
        write_words(folder)
    lock = RunLock(tmp_path / "own")
    lock.acquire()
    began = time.monotonic()
    assert running([*folders, tmp_path / "own", tmp_path / "none"]) == {tmp_path / "own"}
    assert time.monotonic() - began < 5 * run_lock.LOOK_FOR_S
    monkeypatch.setattr(time, "sleep", lambda _: pytest.fail("it waits"))
    assert running(folders) == set()
    write_words(folders[3], counter=6)
    assert running(folders) == {folders[3]}


def test_children_of_another_host_are_not_waited_for(folder: Path) -> None:
    """Before a run is planned nobody waits for what the kernel may keep for another host: whether that is alive is for
    the lock to tell."""
    write_words(folder)
    descriptor = hold_as_child(folder)
    wait_for_killed_run(folder, lambda _: pytest.fail("it waits"))
    os.close(descriptor)
