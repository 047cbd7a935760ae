"""One life of a started server: its guardian, its output, and how it ended."""

import errno
import json
import os
import shlex
import signal
import subprocess
import sys
import threading
from collections.abc import Callable
from contextlib import suppress
from typing import Any

from narrative_runs.started_server.command import ServerCommand

# The guardian kills what does not end in time; this is for the case that it cannot.
GUARDIAN_MAY_TAKE_S = 15.0
# Who left the server's family before the guardian saw it may keep the output open.
OUTPUT_MAY_TAKE_S = 2.0
_ABSENT = (errno.ENOENT, errno.ENOTDIR)


class GuardedProcess:
    """The command, running under a guardian until it ends or is ended.

    pid: the server's own, which is also its process group's; 0 until it is started.
    """

    def __init__(self, command: ServerCommand, port: int, take: Callable[[bytes], None]) -> None:
        """Start it; take: is given what the server writes, in a thread of its own, and nothing at its end."""
        self.pid = 0
        self._words = command.filled_in(port)
        self._ends_within_s = command.ends_within_s
        self._report: dict[str, Any] = {}
        self._family: list[Any] = []
        self._has_ended = threading.Event()
        self._guardian = subprocess.Popen(
            [sys.executable, "-m", "narrative_runs.started_server.guardian"],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            # Whoever kills this process with its whole group leaves the guardian, which then ends the server.
            start_new_session=True,
        )
        wanted = {
            "words": self._words,
            "environment": dict(command.environment),
            "input": command.input,
            "ends_within_s": command.ends_within_s,
        }
        assert self._guardian.stdin is not None
        with suppress(BrokenPipeError):
            self._guardian.stdin.write(json.dumps(wanted).encode() + b"\n")
            self._guardian.stdin.flush()
        threading.Thread(target=self._follow, args=(take,), daemon=True).start()

    def wait(self, within_s: float | None = None) -> bool:
        """Wait for its end, at most so many seconds; whether it has ended, and all that it started with it."""
        return self._has_ended.wait(within_s)

    def end(self) -> None:
        """End it, with all that it started, and wait for that; again does nothing."""
        assert self._guardian.stdin is not None
        with suppress(BrokenPipeError):
            self._guardian.stdin.close()
        if not self.wait(self._ends_within_s + GUARDIAN_MAY_TAKE_S):
            self._guardian.kill()
            self.wait()

    def how_it_ended(self) -> str:
        """How it ended, or why it never began, as the end of a sentence about its process."""
        program = shlex.quote(self._words[0])
        match self._report:
            case {"refused": _, "errno": number} if number in _ABSENT:
                return (
                    f"the command {program} was not found: install it on {os.uname().nodename}, load the module that "
                    "provides it, or give its full path"
                )
            case {"refused": message}:
                return f"the command {program} cannot be run here ({message})"
            case {"ended": 0}:
                return "its process ended without an error (code 0); a server must stay in the foreground"
            case {"ended": int(code)} if code > 0:
                return f"its process ended with code {code}"
            case {"ended": int(code)}:
                return f"its process was ended by {_name_of(-code)}"
            case {"ended": None}:
                return "its process was ended"
        return "the process that guards it was killed"

    def look_at_family(self) -> None:
        """Note what the server has started by now, to end it also where the guardian is killed."""
        import psutil

        with suppress(psutil.Error):
            self._family = psutil.Process(self._guardian.pid).children(recursive=True)

    def users(self) -> set[int]:
        """The numbers of the users as whom the server and all that it started run now."""
        import psutil

        self.look_at_family()
        users = set()
        for process in self._family:
            with suppress(psutil.Error):
                users.add(int(process.uids().real))
        return users

    def _follow(self, take: Callable[[bytes], None]) -> None:
        """Take what the guardian reports, until all has ended."""
        reading = threading.Thread(target=self._read, args=(take,), daemon=True)
        reading.start()
        guardian = self._guardian
        assert guardian.stdout is not None
        try:
            for line in guardian.stdout:
                self._report |= json.loads(line)
                self.pid = self._report.get("pid", 0)
            guardian.wait()
            guardian.stdout.close()
            if self.pid and "ended" not in self._report:
                self._kill_family()
            reading.join(OUTPUT_MAY_TAKE_S)
        finally:
            self._has_ended.set()

    def _kill_family(self) -> None:
        """The guardian was killed: kill the server's process group, and what was seen of the rest."""
        import psutil

        with suppress(ProcessLookupError, PermissionError):
            os.killpg(self.pid, signal.SIGKILL)
        for process in self._family:
            with suppress(psutil.Error):
                process.kill()

    def _read(self, take: Callable[[bytes], None]) -> None:
        assert self._guardian.stderr is not None
        with self._guardian.stderr as output:
            while data := os.read(output.fileno(), 65536):
                # Where nobody reads on, the server waits for ever.
                with suppress(Exception):
                    take(data)
        take(b"")


def _name_of(number: int) -> str:
    try:
        name = signal.Signals(number).name
    except ValueError:
        return f"signal {number}"
    return f"{name}, for example because memory ran out" if number == signal.SIGKILL else name
