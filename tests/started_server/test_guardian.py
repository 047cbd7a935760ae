import json
import os
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import psutil
import pytest

from narrative_runs.started_server.ports import free_port
from tests.project import wait_until
from tests.started_server.families import family_of, is_alive, small

linux = pytest.mark.skipif(sys.platform != "linux", reason="only Linux ends or hands over who loses its parent")


class Guardian:
    """A guardian as its parent sees it."""

    def __init__(self, **wanted: Any) -> None:
        self.process = subprocess.Popen(
            [sys.executable, "-m", "narrative_runs.started_server.guardian"],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            start_new_session=True,
            text=True,
        )
        self.say(json.dumps({"environment": {}, "input": "", "ends_within_s": 5, **wanted}))

    def say(self, line: str) -> None:
        """A line to its standard input."""
        assert self.process.stdin is not None
        self.process.stdin.write(line + "\n")
        self.process.stdin.flush()

    def report(self) -> dict[str, Any]:
        """Its next report."""
        assert self.process.stdout is not None
        values: dict[str, Any] = json.loads(self.process.stdout.readline())
        return values

    def output(self) -> str:
        """The next line of the server's."""
        assert self.process.stderr is not None
        return self.process.stderr.readline().strip()

    def end(self) -> None:
        """Let its standard input end."""
        assert self.process.stdin is not None
        self.process.stdin.close()


Start = Callable[..., Guardian]


@pytest.fixture
def start() -> Iterator[Start]:
    """Starts guardians; all of them are gone at the end."""
    started: list[Guardian] = []

    def one(**wanted: Any) -> Guardian:
        started.append(Guardian(**wanted))
        return started[-1]

    yield one
    for guardian in started:
        guardian.end()
        guardian.process.wait()
        for stream in (guardian.process.stdout, guardian.process.stderr):
            assert stream is not None
            stream.close()


def words(**options: Any) -> list[str]:
    """The command of a small server with these options."""
    return small(**options).filled_in(free_port())


@pytest.mark.slow
def test_it_reports_how_the_server_ended(start: Start) -> None:
    """The PID of the server is reported when it is started, and its code when it ended."""
    guardian = start(words=words(ends=3))
    assert guardian.report()["pid"] > 0
    assert guardian.report() == {"ended": 3}
    assert guardian.process.wait() == 0


@pytest.mark.slow
def test_it_reports_which_signal_ended_the_server(start: Start) -> None:
    """A server that a signal ended is reported with the number of the signal."""
    guardian = start(words=words())
    os.kill(guardian.report()["pid"], signal.SIGKILL)
    assert guardian.report() == {"ended": -signal.SIGKILL}


def test_what_cannot_be_started_is_reported(start: Start, tmp_path: Path) -> None:
    """A command that the system does not start is reported with the system's reason."""
    assert start(words=["nowhere-to-be-seen"]).report() == {"refused": "No such file or directory", "errno": 2}
    assert start(words=[str(tmp_path)]).report() == {"refused": "Permission denied", "errno": 13}


def test_the_server_gets_its_environment_and_input(start: Start) -> None:
    """Variables and input reach the server, which writes to the guardian's standard error; its input stays open."""
    code = "import os, sys; print(os.environ['NAME'], input(), flush=True); sys.stdin.read()"
    guardian = start(words=[sys.executable, "-c", code], environment={"NAME": "value"}, input="a line\n")
    assert guardian.output() == "value a line"
    assert all(map(is_alive, family_of(guardian.process.pid)))


@pytest.mark.slow
def test_the_server_is_not_kept_to_one_core(start: Start, monkeypatch: pytest.MonkeyPatch) -> None:
    """What this software sets for itself, so that its jobs stay on one core, does not reach the server."""
    code = "import os; print(os.environ.get('OPENBLAS_NUM_THREADS'))"
    for threads, expected in (("1", "None"), ("4", "4")):
        monkeypatch.setenv("OPENBLAS_NUM_THREADS", threads)
        assert start(words=[sys.executable, "-c", code]).output() == expected


@pytest.mark.parametrize("options", [{}, {"ignores": True}])
@pytest.mark.slow
def test_the_family_ends_with_the_parent(start: Start, options: dict[str, Any]) -> None:
    """At the end of its standard input the guardian ends the server and what that started in sessions of its own, also
    where SIGTERM does nothing."""
    guardian = start(words=words(children=True, **options), ends_within_s=0.5)
    family = family_of(guardian.process.pid, has_children=True)
    assert len({os.getsid(process.pid) for process in family}) == len(family)
    guardian.end()
    assert "pid" in guardian.report() and guardian.report() == {"ended": None}
    guardian.process.wait()
    assert not any(map(is_alive, family))


@linux
@pytest.mark.slow
def test_what_a_dead_server_leaves_is_ended(start: Start) -> None:
    """When the server itself dies, what it started is ended too, before its end is reported."""
    guardian = start(words=words(children=True))
    family = family_of(guardian.process.pid, has_children=True)
    os.kill(guardian.report()["pid"], signal.SIGKILL)
    assert guardian.report() == {"ended": -signal.SIGKILL}
    assert not any(map(is_alive, family))


@linux
def test_the_server_dies_with_the_guardian(start: Start) -> None:
    """A guardian that is killed outright leaves no server behind."""
    guardian = start(words=[sys.executable, "-c", "import time; time.sleep(600)"])
    server = psutil.Process(guardian.report()["pid"])
    guardian.process.kill()
    wait_until(lambda: not is_alive(server))


@pytest.mark.slow
def test_signals_to_the_run_end_neither_of_them(start: Start) -> None:
    """Signals that end a run leave the guardian; the server, which no terminal reaches, takes them as any program."""
    guardian = start(words=words(says=["begins"]))
    (server,) = family_of(guardian.process.pid)
    assert guardian.output() == "begins"
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        os.killpg(guardian.process.pid, number)
    assert server.is_running() and os.getsid(server.pid) != os.getsid(guardian.process.pid)
    os.kill(server.pid, signal.SIGTERM)
    assert "pid" in guardian.report() and guardian.report() == {"ended": -signal.SIGTERM}


def test_without_a_word_it_ends() -> None:
    """A guardian whose parent is gone before it said what to start ends, and says nothing."""
    command = [sys.executable, "-m", "narrative_runs.started_server.guardian"]
    done = subprocess.run(command, stdin=subprocess.DEVNULL, capture_output=True, timeout=60)
    assert (done.returncode, done.stdout, done.stderr) == (0, b"", b"")
