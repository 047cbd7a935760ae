import json
import os
import signal
import subprocess
import sys
import threading
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import httpx
import psutil
import pytest

from narrative_runs.embedded.model_file import DEFAULT_MODEL, obtain
from narrative_runs.embedded.server import embedded_command, usable_cores
from narrative_runs.errors import ServerError
from narrative_runs.started_server.command import ServerCommand
from narrative_runs.started_server.process import StartedServer

NARRATIVE = "The victim had an argument with her former boyfriend, who followed her home."
SCHEMA = {
    "type": "object",
    "properties": {"detected": {"type": "boolean"}, "confidence": {"type": "number"}},
    "required": ["detected", "confidence"],
}


def start(command: ServerCommand, log_file: Path | None = None, ready_within_s: float = 120) -> StartedServer:
    """A running server, of which nothing is to be said."""
    lines: list[str] = []
    server = StartedServer(command, log_file, lines.append, lines.append, ready_within_s=ready_within_s).load()
    assert not lines
    return server


@pytest.fixture(scope="module")
def model() -> Path:
    """The real model file."""
    return obtain(DEFAULT_MODEL.name, print)


@pytest.fixture(scope="module")
def log_file(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The log of `server`."""
    return tmp_path_factory.mktemp("server") / "server.log"


@pytest.fixture(scope="module")
def server(model: Path, log_file: Path) -> Iterator[StartedServer]:
    """A running server, shared by the tests that only ask it."""
    with start(embedded_command(model, "Named by the caller", context_tokens=1024), log_file) as running:
        yield running


def ask(server: StartedServer, key: str | None = None, text: str = NARRATIVE, **more: Any) -> httpx.Response:
    """Ask the server one question, at temperature 0."""
    question = {"messages": [{"role": "user", "content": text}], "temperature": 0, "max_tokens": 40, **more}
    headers = {"Authorization": f"Bearer {key or server.api_key}"}
    url = f"{server.api_url}/chat/completions"
    return httpx.post(url, json=question, headers=headers, timeout=120, trust_env=False)


@pytest.fixture
def broken_model(tmp_path: Path) -> Path:
    """A file that is no model."""
    path = tmp_path / "broken.gguf"
    path.write_bytes(b"this is no model" * 100)
    return path


@pytest.mark.slow
def test_a_broken_model_is_told(broken_model: Path, tmp_path: Path) -> None:
    """A model file that cannot be loaded is an error with the file's name and the end of the log."""
    log_file = tmp_path / "server.log"
    log_file.write_text("of an earlier run\n")
    with pytest.raises(ServerError, match="cannot load the model") as told:
        start(embedded_command(broken_model, "broken"), log_file)
    assert str(broken_model) in str(told.value)
    assert "earlier" not in str(told.value)
    assert "Traceback" not in str(told.value)
    earlier, began, *lines = log_file.read_text().splitlines()
    assert earlier == "of an earlier run" and began.endswith("(the server is started)") and lines
    # The model's own program at times ends before it has written all that it would say of the reason.
    assert [line[len("2026-01-01 00:00:00 ") :] for line in lines][-8:] == [
        line.strip() for line in str(told.value).splitlines()[1:-1]
    ]


@pytest.mark.slow
def test_a_broken_model_is_told_without_a_log(broken_model: Path, capfd: pytest.CaptureFixture[str]) -> None:
    """Without a log file the error still ends with what the server said, and the terminal stays clean."""
    with pytest.raises(ServerError, match=r"ends with:\n[^\n]*\S"):
        start(embedded_command(broken_model, "broken"))
    assert capfd.readouterr() == ("", "")


@pytest.mark.slow
def test_a_missing_model_is_told(tmp_path: Path) -> None:
    """A model file that is not there is an error with its name."""
    with pytest.raises(ServerError, match=r"away\.gguf"):
        start(embedded_command(tmp_path / "away.gguf", "away"))


@pytest.mark.slow
def test_a_server_that_is_not_ready_in_time_is_ended(broken_model: Path) -> None:
    """A server that does not get ready in the time given is an error, and its process is gone."""
    sleeper = "import signal, time; signal.signal(signal.SIGTERM, signal.SIG_IGN); time.sleep(600)"
    command = replace(embedded_command(broken_model, "slow"), words=(sys.executable, "-c", sleeper))
    server = StartedServer(command, None, print, print, ready_within_s=0.5)
    with pytest.raises(ServerError, match=r"cannot load the model .*not ready after 0\.5 seconds"):
        server.load()
    assert server.pid and not psutil.pid_exists(server.pid)


def test_a_child_without_a_parent_ends() -> None:
    """A child whose parent is gone before it said what to load ends by itself."""
    command = [sys.executable, "-m", "narrative_runs.embedded.server"]
    done = subprocess.run(command, stdin=subprocess.DEVNULL, capture_output=True, timeout=60)
    assert (done.returncode, done.stdout, done.stderr) == (0, b"", b"")


def test_only_the_cores_of_this_process_are_used(monkeypatch: pytest.MonkeyPatch) -> None:
    """The cores counted are those that this process may use, or all where the system does not tell."""
    monkeypatch.setattr("os.cpu_count", lambda: 64)
    monkeypatch.setattr("os.sched_getaffinity", lambda _: {3, 5, 9}, raising=False)
    assert usable_cores() == 3
    monkeypatch.delattr("os.sched_getaffinity")
    assert usable_cores() == 64


@pytest.mark.embedded
def test_an_answer_follows_the_schema(server: StartedServer) -> None:
    """An answer asked for with a JSON schema has that schema's fields, under the caller's model name."""
    response_format = {"type": "json_schema", "json_schema": {"name": "answer", "schema": SCHEMA}}
    answer = ask(server, response_format=response_format).json()
    said = json.loads(answer["choices"][0]["message"]["content"])
    assert isinstance(said["detected"], bool)
    assert answer["model"] == "Named by the caller"
    assert answer["usage"]["total_tokens"] == (answer["usage"]["prompt_tokens"] + answer["usage"]["completion_tokens"])


@pytest.mark.embedded
def test_an_answer_has_its_probabilities(server: StartedServer) -> None:
    """Log-probabilities that are asked for come with each token, five alternatives to each."""
    answer = ask(server, logprobs=True, top_logprobs=5, max_tokens=5).json()
    tokens = answer["choices"][0]["logprobs"]["content"]
    assert "".join(token["token"] for token in tokens) == answer["choices"][0]["message"]["content"]
    assert all(token["logprob"] <= 0 and len(token["top_logprobs"]) == 5 for token in tokens)


@pytest.mark.embedded
def test_without_prefix_reuse_an_answer_repeats_itself(server: StartedServer) -> None:
    """At temperature 0 and without reuse of prompts, what was asked before does not change an answer."""
    first = ask(server, logprobs=True, cache_prompt=False).json()["choices"]
    ask(server, text=NARRATIVE[:40] + "nobody else.", cache_prompt=False)
    assert ask(server, logprobs=True, cache_prompt=False).json()["choices"] == first


@pytest.mark.embedded
def test_a_wrong_key_is_refused(server: StartedServer) -> None:
    """Who does not have the key, such as another user of the computer, gets no answer."""
    assert ask(server, key="another").status_code == 401


@pytest.mark.embedded
def test_a_text_that_is_too_long_is_refused(server: StartedServer) -> None:
    """A text longer than the context is refused, not cut."""
    refused = ask(server, text="word " * 2000)
    assert refused.status_code == 400
    assert refused.json()["error"]["type"] == "exceed_context_size_error"


@pytest.mark.embedded
def test_the_log_holds_no_prompt(server: StartedServer, log_file: Path) -> None:
    """Nothing of what is asked gets into the log, even when it is refused."""
    ask(server, text="Zanzibar", max_tokens=2)
    ask(server, text="Zanzibar " * 2000)
    ask(
        server,
        text="Zanzibar",
        response_format={"type": "json_schema", "json_schema": {"schema": {"type": "?"}}},
    )
    httpx.post(
        f"{server.api_url}/chat/completions",
        content=b'{"messages": [{"role": "user", "content": "Zanzibar',
        headers={"Authorization": f"Bearer {server.api_key}"},
        trust_env=False,
    )
    log = log_file.read_text()
    assert "exceeds the available context size" in log
    assert "Zanzibar" not in log


@pytest.mark.embedded
def test_the_key_is_in_no_process_list(server: StartedServer) -> None:
    """The key stands neither in the child's command line nor in its environment."""
    command = subprocess.run(["ps", "eww", "-o", "command=", "-p", str(server.pid)], capture_output=True, text=True)
    assert "narrative_runs.embedded.server" in command.stdout
    assert server.api_key not in command.stdout


@pytest.mark.embedded
def test_ctrl_c_does_not_end_the_server(server: StartedServer) -> None:
    """An interrupt that reaches the server too leaves it answering: its parent decides when it ends."""
    os.kill(server.pid, signal.SIGINT)
    assert ask(server, max_tokens=1).status_code == 200


@pytest.mark.embedded
def test_stop_ends_a_long_answer(model: Path) -> None:
    """A stop in the middle of an answer ends the server without waiting for the answer; twice is no error."""
    running = start(embedded_command(model, "model"))
    outcome: list[Exception] = []

    def ask_for_much() -> None:
        try:
            ask(running, max_tokens=5000, ignore_eos=True)
        except httpx.HTTPError as error:
            outcome.append(error)

    asking = threading.Thread(target=ask_for_much)
    asking.start()
    asking.join(timeout=1.5)
    running.stop()
    running.stop()
    asking.join(timeout=30)
    assert len(outcome) == 1
    assert not alive(running.pid)


@pytest.mark.embedded
def test_the_server_dies_with_its_parent(model: Path) -> None:
    """A parent that is killed outright leaves no server behind."""
    parent = subprocess.Popen(
        [
            sys.executable,
            "-c",
            "import sys, time; from pathlib import Path\n"
            "from narrative_runs.embedded.server import embedded_command\n"
            "from narrative_runs.started_server.process import StartedServer\n"
            "command = embedded_command(Path(sys.argv[1]), 'model')\n"
            "print(StartedServer(command, None, print, print).load().pid, flush=True); time.sleep(600)",
            str(model),
        ],
        stdout=subprocess.PIPE,
    )
    assert parent.stdout
    child = int(parent.stdout.readline())
    assert alive(child)
    parent.kill()
    parent.wait()
    gone = threading.Event()
    for _ in range(100):
        if not alive(child):
            gone.set()
            break
        gone.wait(timeout=0.1)
    parent.stdout.close()
    assert gone.is_set()


def alive(process: int) -> bool:
    """Whether the process runs; one that ended, but was not yet taken off the list, does not."""
    state = subprocess.run(["ps", "-o", "stat=", "-p", str(process)], capture_output=True, text=True).stdout
    return bool(state.strip()) and not state.startswith("Z")
