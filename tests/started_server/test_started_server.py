import os
import queue
import signal
import socket
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import httpx
import psutil
import pytest

from narrative_runs.errors import ServerError
from narrative_runs.started_server import process as module
from narrative_runs.started_server.command import ServerCommand
from narrative_runs.started_server.log import KEY, LEFT_OUT, TextFilter
from narrative_runs.started_server.ports import free_port, is_taken
from narrative_runs.started_server.process import StartedServer
from tests.project import wait_until
from tests.started_server.families import family_of, guardian_of, is_alive, small

CANARY = "The decedent was last seen on Sunday with a canary named Zanzibar."
linux = pytest.mark.skipif(sys.platform != "linux", reason="only Linux ends who loses its parent")


class Run:
    """What a run has of its server."""

    def __init__(self, folder: Path) -> None:
        self.log_file = folder / "server.log"
        self.said: queue.Queue[str] = queue.Queue()
        self.fatal: queue.Queue[str] = queue.Queue()
        self.texts = TextFilter()
        self.servers: list[StartedServer] = []

    def server(self, command: ServerCommand, **more: Any) -> StartedServer:
        """A server that is not started yet."""
        more = {"say": self.said.put, "fatal": self.fatal.put, "hides": self.texts.hides, **more}
        self.servers.append(StartedServer(command, self.log_file, **more))
        return self.servers[-1]

    def start(self, command: ServerCommand, **more: Any) -> StartedServer:
        """A server that answers."""
        server = self.server(command, **more)
        server.load()
        return server

    def refusal(self, command: ServerCommand, **more: Any) -> str:
        """Why a server cannot be started."""
        with pytest.raises(ServerError) as refused:
            self.start(command, **more)
        assert self.servers[-1].pid == 0 or not psutil.pid_exists(self.servers[-1].pid)
        return str(refused.value)


@pytest.fixture
def run(tmp_path: Path) -> Iterator[Run]:
    """A run whose servers are gone at the end."""
    run = Run(tmp_path)
    yield run
    for server in run.servers:
        server.stop()


def status(server: StartedServer) -> int:
    """What the server answers."""
    return httpx.get(f"{server.api_url}/models", trust_env=False).status_code


def next_life(server: StartedServer, before: int) -> int:
    """The PID of a server that was started again, when it answers."""
    wait_until(lambda: server.is_ready and server.pid != before)
    return server.pid


def test_a_server_answers_and_ends(run: Run) -> None:
    """A server answers when its start returns, and no process of it is left when it was stopped, twice or once."""
    server = run.start(small(says=["loading"]))
    family = family_of(guardian_of(server.pid))
    assert status(server) == 200 and server.is_ready
    assert server.api_url.startswith("http://127.0.0.1:") and server.api_url.endswith("/v1")
    server.stop()
    server.stop()
    assert not server.is_ready and not any(map(is_alive, family))
    assert "loading" in run.log_file.read_text()
    assert run.said.empty() and run.fatal.empty()


def test_a_server_is_a_context(run: Run) -> None:
    """At the end of a `with` its server is gone."""
    with StartedServer(small(), None, run.said.put, run.fatal.put).load() as server:
        process = psutil.Process(server.pid)
        assert is_alive(process)
    assert not is_alive(process)


@pytest.mark.slow
def test_the_fake_server_is_a_command_too(run: Run) -> None:
    """A command with JSON in it is started as it is written."""
    server = run.start(
        ServerCommand.from_text(f"{sys.executable} -m tests.fake_server '{{\"port\": {{port}}}}'", "fake")
    )
    assert httpx.get(f"{server.api_url}/models", trust_env=False).json()["data"][0]["id"] == "fake"


@pytest.mark.slow
def test_loading_is_told(run: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """While the server loads, the user reads how long it has taken, and what it says."""
    monkeypatch.setattr(module, "SAY_EVERY_S", 0.1)
    loaded = tmp_path / "loaded"

    def hear(line: str) -> None:
        run.said.put(line)
        if "layer 3 of 9" in line:
            loaded.touch()

    run.start(small(says=["layer 3 of 9"], after=str(loaded)), say=hear)
    lines = list(run.said.queue)
    assert lines[-1].startswith("[WAITING] The model server is not ready after ")
    assert lines[-1].endswith("s (no answer); its last line: layer 3 of 9")


@pytest.mark.slow
def test_a_server_that_lists_its_model_may_still_load(
    run: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A server that lists its model and says that it is not well is not ready, as llama.cpp's while it loads."""
    monkeypatch.setattr(module, "SAY_EVERY_S", 0.1)
    loaded = tmp_path / "loaded"

    def hear(line: str) -> None:
        assert "(HTTP 503)" in line or "(no answer)" in line
        if "(HTTP 503)" in line:
            loaded.touch()

    run.start(small(loaded=str(loaded)), say=hear)
    assert loaded.exists()


@pytest.mark.slow
def test_a_server_that_dies_is_started_again_three_times(run: Run) -> None:
    """A server that dies is started again at its port, and the user is told; the fourth time the run cannot continue,
    and is told so once, with the last lines of the log."""
    server = run.start(small(says=["begins"]))
    url, pid = server.api_url, server.pid
    for number in (1, 2, 3):
        os.kill(pid, signal.SIGKILL)
        line = run.said.get(timeout=60)
        assert line == (
            "The model server ended (its process was ended by SIGKILL, for example because memory ran out): "
            f"starting it again ({number} of 3)."
        )
        pid = next_life(server, pid)
        assert server.api_url == url and status(server) == 200
    os.kill(pid, signal.SIGKILL)
    reason = run.fatal.get(timeout=60)
    assert reason.startswith("The model server ended again after 3 restarts: its process was ended")
    assert f"Its log ({run.log_file}) ends with:\n  begins\nThe answers are kept" in reason
    server.stop()
    assert run.fatal.empty() and run.said.empty() and not server.is_ready


@pytest.mark.slow
def test_a_death_while_it_loads_again_counts(run: Run, tmp_path: Path) -> None:
    """A server that cannot be started again is given up after three times, with the reason of the last."""
    program = tmp_path / "server"
    program.write_text(f"#!/bin/sh\nexec {sys.executable} -m tests.started_server.small_server $1\n")
    program.chmod(0o700)
    server = run.start(ServerCommand.from_text(f"{program} {{port}}", "m"))
    program.write_text("#!/bin/sh\necho no memory; exit 5\n")
    os.kill(server.pid, signal.SIGTERM)
    reason = run.fatal.get(timeout=60)
    assert [line[-9:] for line in run.said.queue] == ["(1 of 3).", "(2 of 3).", "(3 of 3)."]
    assert "ended by SIGTERM" in run.said.get() and "ended with code 5" in run.said.get()
    assert "ended with code 5" in reason and "no memory" in reason


def test_a_command_that_is_not_there_is_told(run: Run) -> None:
    """A command that is not found is an error with its name and what to do."""
    reason = run.refusal(ServerCommand.from_text("nowhere-to-be-seen --port {port}", "m"))
    assert reason.startswith(
        "The model server cannot be used: the command nowhere-to-be-seen was not found: install it on"
    )
    assert reason.endswith("Correct model.command, then start the same command again.")


def test_a_command_that_is_no_program_is_told(run: Run, tmp_path: Path) -> None:
    """A command that may not be executed is an error with its name and the system's reason."""
    (tmp_path / "data").write_text("")
    reason = run.refusal(ServerCommand.from_text(f"{tmp_path / 'data'} {{port}}", "m"))
    assert f"the command {tmp_path / 'data'} cannot be run here (Permission denied)" in reason


@pytest.mark.slow
def test_a_model_that_does_not_load_is_told(run: Run) -> None:
    """A server that ends before it answers is an error with its code and the last lines of this log, and no others."""
    run.log_file.write_text("of an earlier run\n")
    reason = run.refusal(small(says=[*map(str, range(20)), "No such model: org/model"], ends=7))
    assert reason == "\n".join(
        [
            f"The model server cannot be used: its process ended with code 7. Its log ({run.log_file}) ends with:",
            *(f"  {number}" for number in range(13, 20)),
            "  No such model: org/model",
            "Correct model.command, then start the same command again.",
        ]
    )


@pytest.mark.slow
def test_a_server_in_the_background_is_told(run: Run) -> None:
    """A command that ends well at once is an error that says why that is of no use."""
    assert "(code 0); a server must stay in the foreground" in run.refusal(small(ends=0))


@pytest.mark.slow
def test_a_server_that_takes_too_long_is_ended(run: Run, tmp_path: Path) -> None:
    """A server that is not ready in time is an error with what it answered last, and it is gone."""
    reason = run.refusal(small(says=["layer 3"], after=str(tmp_path / "never")), ready_within_s=0.5)
    url = run.servers[-1].api_url
    assert f"it is not ready after 0.5 seconds (no answer at {url}/models). Its log" in reason and "layer 3" in reason


def test_a_server_with_another_key_is_told(run: Run) -> None:
    """A server that refuses the key that the run gave it is not waited for."""
    assert "it refuses the key that it was started with (HTTP 401)" in run.refusal(small(status=401))


@pytest.mark.parametrize("count", [1, 4])
@pytest.mark.slow
def test_a_port_that_is_taken_meanwhile(run: Run, monkeypatch: pytest.MonkeyPatch, count: int) -> None:
    """A port that another program took is left for another one, up to three times; then that is an error."""
    monkeypatch.setattr(module, "ANSWERS_WITHIN_S", 0.2)
    with socket.create_server(("127.0.0.1", 0)) as listening:
        taken, free = listening.getsockname()[1], free_port()
        ports = iter([taken] * count + [free])
        monkeypatch.setattr(module, "free_port", lambda: next(ports))
        if count == 1:
            assert run.start(small()).api_url == f"http://127.0.0.1:{free}/v1"
        else:
            reason = run.refusal(small())
            assert "another program took the port, 4 times" in reason and "in use" in reason


@pytest.mark.slow
def test_nothing_is_asked_of_a_strangers_server(run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    """Where the program of another user answers at the port, it is left for another one; a user as whom the server
    itself runs, as in a container, is none."""
    free = iter([first := free_port(), free_port()])
    monkeypatch.setattr(module, "free_port", lambda: next(free))
    monkeypatch.setattr(module, "strangers_at", lambda port: {4711} if port == first else {os.getuid()})
    monkeypatch.setattr(module, "is_taken", lambda port: port == first)
    assert not run.start(small()).api_url.endswith(f":{first}/v1")


def test_it_can_be_stopped_while_it_loads(run: Run, tmp_path: Path) -> None:
    """A server that is stopped while another thread waits for it is gone, and that thread is told."""
    server = run.server(small(children=True, after=str(tmp_path / "never")))
    outcome: queue.Queue[str] = queue.Queue()

    def load() -> None:
        try:
            server.load()
        except ServerError as error:
            outcome.put(str(error))

    threading.Thread(target=load).start()
    wait_until(lambda: server.pid)
    family = family_of(guardian_of(server.pid), has_children=True)
    server.stop()
    assert outcome.get(timeout=60).startswith("The model server cannot be used: it was stopped.")
    assert not any(map(is_alive, family)) and not is_taken(int(server.api_url.split(":")[2].split("/")[0]))
    with pytest.raises(ServerError, match="it was stopped"):
        server.load()


OWNER = """
import signal, sys
from tests.started_server.families import small
from narrative_runs.signals import leave_to_the_main_process
from narrative_runs.started_server.process import StartedServer
leave_to_the_main_process()
server = StartedServer(small(children=True), None, print, print).load()
print(server.pid, server.api_url, flush=True)
sys.stdin.read()
"""


@pytest.fixture
def owner() -> Iterator[subprocess.Popen[str]]:
    """A process, leader of its group, that has started a server with a family."""
    process = subprocess.Popen(
        [sys.executable, "-c", OWNER],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
        start_new_session=True,
    )
    yield process
    process.kill()
    process.communicate()


def started_by(owner: subprocess.Popen[str]) -> tuple[list[psutil.Process], str]:
    """The server's family with its guardian, and its address."""
    assert owner.stdout is not None
    pid, url = owner.stdout.readline().split()
    guardian = guardian_of(int(pid))
    return [psutil.Process(guardian), *family_of(guardian, has_children=True)], url


@pytest.mark.parametrize("kill", [os.kill, os.killpg])
@pytest.mark.slow
def test_a_killed_owner_leaves_nothing(owner: subprocess.Popen[str], kill: Callable[[int, int], None]) -> None:
    """Where the process that started a server is killed outright, alone or with its group, the server ends with all
    that it started, also in sessions of their own."""
    family, _ = started_by(owner)
    kill(owner.pid, signal.SIGKILL)
    wait_until(lambda: not any(map(is_alive, family)))


@pytest.mark.slow
def test_signals_to_the_run_leave_the_server(owner: subprocess.Popen[str]) -> None:
    """Ctrl-C, SIGTERM and SIGHUP to the run's whole process group end no server: its requests in flight may end."""
    family, url = started_by(owner)
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        os.killpg(owner.pid, number)
    assert httpx.get(f"{url}/models", trust_env=False).status_code == 200
    assert all(map(is_alive, family))


@linux
@pytest.mark.slow
def test_a_killed_guardian_leaves_nothing(run: Run) -> None:
    """Where the guardian is killed outright, the server ends with all that it had when it was ready, and is started
    again."""
    server = run.start(small(children=True))
    pid, guardian = server.pid, guardian_of(server.pid)
    family = family_of(guardian, has_children=True)
    os.kill(guardian, signal.SIGKILL)
    assert "the process that guards it was killed" in run.said.get(timeout=60)
    wait_until(lambda: not any(map(is_alive, family)))
    assert next_life(server, pid) and status(server) == 200


@pytest.mark.slow
def test_no_narrative_text_gets_into_the_log(run: Run) -> None:
    """What a server writes of a narrative, once it is asked about, stands neither in the log nor in a message."""
    server = run.start(small())
    run.texts.add(CANARY)
    question = {"messages": [{"role": "user", "content": f"Violence by a partner?\n{CANARY}"}]}
    pid = server.pid
    for is_last in (False, False, False, True):
        httpx.post(f"{server.api_url}/chat/completions", json=question, trust_env=False)
        os.kill(pid, signal.SIGKILL)
        pid = pid if is_last else next_life(server, pid)
    reason = run.fatal.get(timeout=60)
    assert LEFT_OUT in reason
    assert run.log_file.read_text().count(LEFT_OUT) == 4
    assert all("Zanzibar" not in text for text in [run.log_file.read_text(), reason, *run.said.queue])


def test_the_key_is_in_no_log_and_no_list_of_processes(run: Run) -> None:
    """The key stands in no command line of any process, and in the log it is replaced."""
    command = small(says=["key {VLLM_API_KEY} {LLAMA_API_KEY}"])
    server = run.start(command)
    lines = [" ".join(process.info["cmdline"] or []) for process in psutil.process_iter(["cmdline"])]
    assert any("small_server" in line for line in lines)
    assert len(server.api_key) > 30 and not any(server.api_key in line for line in lines)
    wait_until(lambda: f"key {KEY} {KEY}" in run.log_file.read_text())
    assert server.api_key not in run.log_file.read_text()
