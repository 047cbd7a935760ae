"""Runs the command of `run.notify`, beside the run: its failure harms no run, and is logged."""

import os
import queue
import selectors
import signal
import subprocess
import threading
import time
from collections.abc import Callable
from contextlib import suppress

from narrative_runs.asking.server import API_KEY_FILE_VARIABLE, API_KEY_VARIABLE
from narrative_runs.job_environment import ADDRESS_VARIABLE, JOBS_VARIABLE
from narrative_runs.observation.logs import add_event
from narrative_runs.observation.notice import Notice
from narrative_runs.paths import ExperimentFolder
from narrative_runs.shell import SHELL

MAY_TAKE_S = 30.0
# Who was killed is gone by then, unless it hangs on a dead drive.
KILLED_MAY_TAKE_S = 2.0
LOOK_EVERY_S = 0.05
KEPT_OUTPUT = 10_000
LONGEST_SHOWN = 300
# The key is the model server's alone, and no job is started by a notice.
KEPT_FROM_IT = (API_KEY_VARIABLE, API_KEY_FILE_VARIABLE, ADDRESS_VARIABLE, JOBS_VARIABLE)


class Notifier:
    """Runs the command for one notice after another, in a separate thread."""

    def __init__(
        self, command: str | None, folder: ExperimentFolder, tell: Callable[[str], None], may_take_s: float = MAY_TAKE_S
    ) -> None:
        """command: None for no notices; folder: of the experiment, whose log says what became of each notice; tell:
        shows a line to the user, the first time that the command fails; may_take_s: seconds until it is killed."""
        self._command = command
        self._folder = folder
        self._tell = tell
        self._may_take_s = may_take_s
        self._notices: queue.SimpleQueue[Notice] = queue.SimpleQueue()
        self._counting = threading.Lock()
        self._unfinished = 0
        self._process: subprocess.Popen[bytes] | None = None
        self._is_ended = False
        self._has_reported_failure = False

    @property
    def is_wanted(self) -> bool:
        """Whether there is a command."""
        return self._command is not None

    def send(self, notice: Notice) -> None:
        """Run the command for this notice, once it has run for those before."""
        if not self.is_wanted:
            return
        self._notices.put(notice)
        with self._counting:
            self._unfinished += 1
            is_first = self._unfinished == 1
        if is_first:
            threading.Thread(target=self._work, daemon=True).start()

    def wait(self, within_s: float) -> bool:
        """Wait until nothing is left to do, at most so many seconds; returns whether that is so."""
        deadline = time.monotonic() + within_s
        # Not on a lock: a signal is to be heard meanwhile.
        while self._unfinished and time.monotonic() < deadline:
            time.sleep(LOOK_EVERY_S)
        return not self._unfinished

    def end(self) -> None:
        """Kill the command that runs, and run no further one; a signal may call it at any moment."""
        self._is_ended = True
        self._kill()

    def close(self, within_s: float) -> None:
        """Wait until all is done, at most so many seconds, and end what is not."""
        self.wait(within_s)
        self.end()
        self.wait(KILLED_MAY_TAKE_S)

    def _work(self) -> None:
        is_last = False
        while not is_last:
            # Whatever happens here harms no run.
            with suppress(Exception):
                self._take(self._notices.get())
            with self._counting:
                self._unfinished -= 1
                is_last = not self._unfinished

    def _take(self, notice: Notice) -> None:
        try:
            problem = "not run, because the run had ended" if self._is_ended else self._run(notice)
        except OSError as error:
            problem = f"it cannot be started: {error.strerror}"
        add_event(self._folder.logs, f"a notice ({notice.event}): {problem or 'the command was run'}")
        if problem and not self._is_ended and not self._has_reported_failure:
            self._has_reported_failure = True
            self._tell(
                f"[NOTICE] The command in run.notify failed ({problem}). This does not affect the run, and is "
                "shown only once."
            )

    def _run(self, notice: Notice) -> str:
        """Run the command; returns what went wrong, empty if nothing did."""
        began = time.monotonic()
        own = {name: value for name, value in os.environ.items() if name not in KEPT_FROM_IT}
        process = self._process = subprocess.Popen(
            [SHELL, "-c", self._command or ""],
            env=own | notice.variables(self._folder.slug),
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            # Ctrl-C is the run's alone, and what it started is killed with it.
            start_new_session=True,
        )
        output = self._output_until(began + self._may_take_s)
        code = None
        if output is not None:
            with suppress(subprocess.TimeoutExpired):
                code = process.wait(max(0.0, began + self._may_take_s - time.monotonic()))
        if code is None:
            self._kill()
            with suppress(subprocess.TimeoutExpired):
                process.wait(KILLED_MAY_TAKE_S)
        self._process = None
        assert process.stdout is not None
        process.stdout.close()
        if code is None:
            return f"it was ended after {time.monotonic() - began:.0f} s"
        last = (output or b"").decode(errors="replace").strip().splitlines()[-1:]
        how = f"exit code {code}" if code > 0 else f"signal {-code}"
        return ": ".join([how, *(line.strip()[:LONGEST_SHOWN] for line in last)]) if code else ""

    def _output_until(self, deadline: float) -> bytes | None:
        """The end of what the command writes, once it writes no more; None if it still does at the deadline."""
        assert self._process is not None and self._process.stdout is not None
        stream, output = self._process.stdout.fileno(), b""
        with selectors.DefaultSelector() as selector:
            selector.register(stream, selectors.EVENT_READ)
            while time.monotonic() < deadline and not self._is_ended:
                if selector.select(LOOK_EVERY_S):
                    data = os.read(stream, 65536)
                    if not data:
                        return output
                    output = (output + data)[-KEPT_OUTPUT:]
        return None

    def _kill(self) -> None:
        # Its number is its own until somebody waits for it, which is done after this alone.
        if (process := self._process) is not None and process.returncode is None:
            with suppress(ProcessLookupError, PermissionError):
                os.killpg(process.pid, signal.SIGKILL)
