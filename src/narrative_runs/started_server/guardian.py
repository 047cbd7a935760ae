"""The process between this software and a model server that it started: when the one is gone, it ends the other.

`python -m narrative_runs.started_server.guardian` reads one JSON line from its standard input: `words`, `environment`,
`input` and `ends_within_s`, as in `ServerCommand`. Its standard output has JSON lines: `{"pid": number}`, or
`{"refused": message, "errno": number}` where the system does not start the command; and at the end `{"ended": code}`,
with minus the number of the signal that ended it, or null where it was ended from here. What the server writes goes to
standard error.

It lives until the server ends, or its own standard input, which ends with its parent, be that killed: then no process
that comes from the server is left, also of those that left its session. On Linux that holds too for those that lost
their own parent, and the server is killed where this process is. On macOS neither can be had: who lost its parent is
not looked for, and where this process and its parent are killed at once, only such a server ends as ends with its
standard input.
"""

import ctypes
import json
import os
import select
import signal
import subprocess
import sys
from contextlib import suppress
from typing import Any

from narrative_runs.signals import ENDING, leave_to_the_main_process

LOOK_EVERY_S = 0.2
# What the system does not let go, such as a process that waits for a dead drive, keeps nobody waiting for ever.
KILL_TRIES = 10
_SET_SIGNAL_AT_PARENTS_END = 1
_SET_CHILD_SUBREAPER = 36


def main() -> None:
    """Be the guardian of one server."""
    # They reach the whole run, which decides what follows.
    leave_to_the_main_process()
    line = sys.stdin.buffer.readline()
    if not line:
        return
    wanted = json.loads(line)
    try:
        server = _started(wanted)
    except OSError as error:
        _report(refused=error.strerror or str(error), errno=error.errno)
        return
    _report(pid=server.pid)
    # Loaded while the server loads, and not when all is to end.
    import psutil  # noqa: F401

    code = _until_the_end(server)
    _end_family(wanted["ends_within_s"])
    server.returncode = code
    _report(ended=code)


def _started(wanted: dict[str, Any]) -> "subprocess.Popen[bytes]":
    """The server, in a session of its own.

    Raises:
        OSError: the system does not start it.
    """
    prctl = ctypes.CDLL(None).prctl if sys.platform == "linux" else None
    guardian = os.getpid()
    if prctl is not None:
        # Who loses its parent becomes a child of this process, and is not lost.
        prctl(_SET_CHILD_SUBREAPER, 1)

    def prepare() -> None:
        for number in ENDING:
            signal.signal(number, signal.SIG_DFL)
        if prctl is not None:
            prctl(_SET_SIGNAL_AT_PARENTS_END, signal.SIGKILL)
            if os.getppid() != guardian:
                os._exit(1)

    server = subprocess.Popen(
        wanted["words"],
        env=_environment() | wanted["environment"],
        stdin=subprocess.PIPE,
        stdout=sys.stderr,
        stderr=sys.stderr,
        start_new_session=True,
        # Safe, as this process has one thread; which is also the one whose end the system goes by.
        preexec_fn=prepare,
    )
    assert server.stdin is not None
    with suppress(BrokenPipeError):
        server.stdin.write(wanted["input"].encode())
        server.stdin.flush()
    return server


def _environment() -> dict[str, str]:
    """What the server is given of this process's environment."""
    # Set for our own short jobs, by the package itself: a server that computes with it would use one core.
    left = {name: value for name, value in os.environ.items() if (name, value) != ("OPENBLAS_NUM_THREADS", "1")}
    # What a server in Python prints is seen when it prints it.
    return {"PYTHONUNBUFFERED": "1", **left}


def _until_the_end(server: "subprocess.Popen[bytes]") -> int | None:
    """Wait until the server ends, or standard input; the server's code, or none where it still runs."""
    while not select.select([0], [], [], LOOK_EVERY_S)[0] or os.read(0, 1000):
        for pid, status in iter(_one_that_ended, (0, 0)):
            if pid == server.pid:
                return os.waitstatus_to_exitcode(status)
    return None


def _one_that_ended() -> tuple[int, int]:
    """(PID, status) of one child that ended; (0, 0) where none did."""
    return os.waitpid(-1, os.WNOHANG)


def _end_family(within_s: float) -> None:
    """End all processes that come from the server: by SIGTERM, and after these seconds by SIGKILL."""
    import psutil

    this = psutil.Process()
    family = this.children(recursive=True)
    if within_s > 0:
        for process in family:
            with suppress(psutil.Error):
                process.terminate()
        _, family = psutil.wait_procs(family, timeout=within_s)
    for _ in range(KILL_TRIES):
        family = list({*family, *this.children(recursive=True)})
        if not family:
            return
        for process in family:
            with suppress(psutil.Error):
                process.kill()
        _, family = psutil.wait_procs(family, timeout=1)


def _report(**values: Any) -> None:
    # Nobody may hear it any more.
    with suppress(BrokenPipeError):
        print(json.dumps(values), flush=True)


if __name__ == "__main__":
    main()
