"""A model server that runs as long as this process: started, waited for, started again when it dies, and ended."""

import http.client
import re
import threading
import time
from collections.abc import Callable
from pathlib import Path
from types import TracebackType
from typing import Self

from narrative_runs.errors import ServerError
from narrative_runs.started_server.command import HOST, ServerCommand
from narrative_runs.started_server.guarded import GuardedProcess
from narrative_runs.started_server.log import ServerLog
from narrative_runs.started_server.ports import free_port, is_taken, strangers_at

READY_WITHIN_S = 1800.0
MOST_RESTARTS = 3
MOST_PORTS = 4
SAY_EVERY_S = 20.0
LOOK_AFTER_S, LOOK_EVERY_S = 0.1, 2.0
ANSWERS_WITHIN_S = 5.0
LINES_IN_MESSAGES = 8
# What follows are lines that the server wrote.
ITS_LOG = ". Its log"
AFTER_DEATHS = "The answers are kept: remove the cause, then start the same command again."
_STRANGER = "another user's program answers at its port"
_KEY_REFUSED = ("HTTP 401", "HTTP 403")
_TAKEN = re.compile(r"address already in use|EADDRINUSE|errno 98\b|couldn't bind|port \d+ is (already )?in use", re.I)


def hides_nothing(_: str) -> bool:
    """Whether a line must be kept nowhere: none."""
    return False


class StartedServer:
    """A model server, and the only one who knows its process.

    api_url: where it answers, to /v1, empty until it is started; api_key: what each request needs, empty for none.
    """

    def __init__(
        self,
        command: ServerCommand,
        log_file: Path | None,
        say: Callable[[str], None],
        fatal: Callable[[str], object],
        hides: Callable[[str], bool] = hides_nothing,
        ready_within_s: float = READY_WITHIN_S,
    ) -> None:
        """Start nothing yet: `load` does.

        log_file: what the server writes is added to it, None to keep none; say: shows a line to the user; fatal: is
        called once, with the reason, when the server cannot be kept alive; both from threads of their own; hides:
        whether a line of the server's must be kept nowhere; ready_within_s: seconds that it may load, each time.
        """
        self.api_url = ""
        self.api_key = command.api_key
        self._command = command
        self._log_file = log_file
        self._log = ServerLog(log_file, hides, command.api_key)
        self._say = say
        self._fatal = fatal
        self._ready_within_s = ready_within_s
        self._port = 0
        self._answers = False
        self._process: GuardedProcess | None = None
        self._beginning = threading.Lock()
        self._is_stopping = threading.Event()

    @property
    def pid(self) -> int:
        """The number of the server's process; 0 before it was started."""
        return self._process.pid if self._process else 0

    @property
    def is_ready(self) -> bool:
        """Whether it was seen to answer since it was started, and is not known to have ended."""
        return self._answers and not self._is_stopping.is_set()

    def load(self) -> Self:
        """Start the server, and wait until it answers; from then on it is started again when it dies. Returns itself.

        Raises:
            ServerError: it cannot be started, ends, is not ready in time, or `stop` was called; nothing of it is left.
        """
        try:
            wrong = self._first_life()
        except BaseException:
            self.stop()
            raise
        if wrong:
            self._log.close()
            raise ServerError(self._message(f"{self._command.failure}: {wrong}", self._command.advice))
        threading.Thread(target=self._keep_alive, daemon=True).start()
        return self

    def stop(self) -> None:
        """End the server with all that it started, also while it loads, and start it no more; again does nothing."""
        with self._beginning:
            self._is_stopping.set()
        if self._process is not None:
            self._process.end()
        self._log.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.stop()

    def _first_life(self) -> str:
        """Start the server at a port that stays its own, and wait until it answers; why it does not, or nothing."""
        for _ in range(MOST_PORTS):
            self._port = free_port()
            self.api_url = f"http://{HOST}:{self._port}/v1"
            wrong = self._life()
            if not wrong or self._is_stopping.is_set() or not self._lost_its_port():
                return wrong
        return f"another program took the port, {MOST_PORTS} times in a row"

    def _life(self) -> str:
        """Start the server at its port, and wait until it answers; why it does not, and is no more, or nothing."""
        with self._beginning:
            if self._is_stopping.is_set():
                return "it was stopped"
            self._log.begin()
            try:
                self._process = process = GuardedProcess(self._command, self._port, self._log.take)
            except OSError as error:
                return f"no process can be started ({error.strerror})"
        began = said = time.monotonic()
        pause = LOOK_AFTER_S
        while not process.wait(pause):
            # Some note each of these requests in their log.
            pause = min(1.2 * pause, LOOK_EVERY_S)
            state, now = self._state(process), time.monotonic()
            if not state:
                process.look_at_family()
                self._answers = True
                return ""
            if wrong := self._why_given_up(state, now - began):
                process.end()
                return "it was stopped" if self._is_stopping.is_set() else wrong
            if now - said >= SAY_EVERY_S:
                said = now
                self._say(self._progress(now - began, state))
        return "it was stopped" if self._is_stopping.is_set() else process.how_it_ended()

    def _state(self, process: GuardedProcess) -> str:
        """What keeps the server from being asked; nothing when it is ready."""
        if (strangers := strangers_at(self._port)) and strangers - process.users():
            return _STRANGER
        try:
            if (status := self._status("/v1/models")) != 200:
                return f"HTTP {status}"
            # Some, as llama.cpp's, list their model while they load it.
            return "HTTP 503" if self._status("/health") == 503 else ""
        except (OSError, http.client.HTTPException):
            return "no answer"

    def _status(self, path: str) -> int:
        connection = http.client.HTTPConnection(HOST, self._port, timeout=ANSWERS_WITHIN_S)
        try:
            connection.request("GET", path, headers={"Authorization": f"Bearer {self.api_key}"} if self.api_key else {})
            return connection.getresponse().status
        finally:
            connection.close()

    def _why_given_up(self, state: str, seconds: float) -> str:
        """Why a server that lives is waited for no longer; nothing while it is."""
        if state == _STRANGER:
            return state
        if state in _KEY_REFUSED:
            return (
                f"it refuses the key that it was started with ({state}); remove from the command what sets another key"
            )
        if seconds > self._ready_within_s:
            return f"it is not ready after {self._ready_within_s:g} seconds ({state} at {self.api_url}/models)"
        return ""

    def _lost_its_port(self) -> bool:
        """Whether it ended because another program had its port."""
        return is_taken(self._port) or any(_TAKEN.search(line) for line in self._log.last_lines())

    def _keep_alive(self) -> None:
        """Start the server again when it dies, and say when that has no end."""
        try:
            end = self._last_end()
        except Exception as error:
            # Nobody else would see it.
            end = f"cannot be monitored ({type(error).__name__}: {error})"
        if not self._is_stopping.is_set():
            self._fatal(self._message(f"The {self._command.name} {end}", AFTER_DEATHS))

    def _last_end(self) -> str:
        """Wait until the server ends for good, and start it again before that; how it ended."""
        wrong = ""
        for number in range(1, MOST_RESTARTS + 1):
            wrong = self._death(wrong)
            if self._is_stopping.is_set():
                return ""
            self._say(f"The {self._command.name} ended ({wrong}): starting it again ({number} of {MOST_RESTARTS}).")
            # A life that ends before it is ready is a death like any other.
            wrong = self._life()
        return f"ended again after {MOST_RESTARTS} restarts: {self._death(wrong)}"

    def _death(self, wrong: str) -> str:
        """Wait for the end of its present life; how it ended, which is known where it never was ready."""
        assert self._process is not None
        self._process.wait()
        self._answers = False
        return wrong or self._process.how_it_ended()

    def _progress(self, seconds: float, state: str) -> str:
        last_line = self._log.last_line
        said = f"its last line: {last_line}" if last_line else "it has printed nothing so far"
        return f"[WAITING] The {self._command.name} is not ready after {seconds:.0f} s ({state}); {said}"

    def _message(self, sentence: str, advice: str) -> str:
        """The sentence, the last lines of the log where there are any, and what to do."""
        lines = self._log.last_lines(LINES_IN_MESSAGES)
        if not lines:
            return f"{sentence}. {advice}"
        where = f" ({self._log_file})" if self._log_file else ""
        return "\n".join([f"{sentence}{ITS_LOG}{where} ends with:", *(f"  {line}" for line in lines), advice])
