"""One run of an experiment at a time, by locks that the kernel frees when their holder ends, however it ends.

`run` is held by the main process alone, for the whole run. `children` is shared by all that it starts; a new run waits
until the last of them is gone, so that no answer of theirs is missed or asked for twice.
"""

import fcntl
import json
import os
import socket
import time
from collections.abc import Callable
from datetime import datetime
from pathlib import Path
from typing import Any

from narrative_runs.errors import AlreadyRunning
from narrative_runs.permissions import file_mode

CHILDREN_MAY_TAKE_S = 45.0
TELL_AFTER_S = 1.0
_LENGTH = 4096
_LONGEST_REASON = 500


class RunLock:
    """The lock on an experiment, held by the process that runs it."""

    def __init__(self, folder: Path) -> None:
        """folder: the experiment's folder; it is made if missing."""
        self._folder = folder
        self._made_folder = not folder.exists()
        self._run = folder / ".run.lock"
        self._children = folder / ".children.lock"
        self._descriptor: int | None = None
        self._since = ""

    def acquire(self) -> None:
        """Take the lock, and wait until the children of an earlier run are gone.

        Raises:
            AlreadyRunning: another process holds it; says which, where and since when.
        """
        self._descriptor = self._take()
        self._since = datetime.now().strftime("%Y-%m-%d %H:%M:%S")
        self.tell("")
        _wait_for_children(self._children)

    def release(self) -> None:
        """Let another process take the lock."""
        if self._descriptor is not None:
            os.close(self._descriptor)
            self._descriptor = None

    def tell(self, session: str, ended: str = "") -> None:
        """Write into the lock's file who holds it, and the socket of its session, for other terminals.

        ended: why the run ends, in its last word: on a full disk the record cannot be told any more.
        """
        assert self._descriptor is not None
        told = {
            "pid": os.getpid(),
            "host": socket.gethostname(),
            "since": self._since,
            "session": session,
            "ended": ended[:_LONGEST_REASON],
        }
        # Always as long: what is written over needs no room on the disk.
        os.pwrite(self._descriptor, json.dumps(told).ljust(_LENGTH).encode()[:_LENGTH], 0)

    def _take(self) -> int:
        # `is_running` holds the lock for a moment, and `forget` may just have removed its file: hence some tries.
        for _ in range(10):
            self._folder.mkdir(parents=True, exist_ok=True)
            descriptor = _open(self._run)
            if _try(descriptor, fcntl.LOCK_EX) and _is_still(descriptor, self._run):
                return descriptor
            os.close(descriptor)
            time.sleep(0.02)
        raise AlreadyRunning(f"already running: {holder(self._folder)}. Stop that run, or wait for its end.")

    def forget(self) -> None:
        """Leave no trace of a run that never began: the lock's files, and empty folders, if they were made for it."""
        if not self._made_folder:
            return
        self._children.unlink(missing_ok=True)
        self._run.unlink(missing_ok=True)
        for folder in [*(path for path in self._folder.iterdir() if path.is_dir()), self._folder, self._folder.parent]:
            try:
                folder.rmdir()
            except OSError:
                return


def wait_for_killed_run(folder: Path, tell: Callable[[str], None]) -> None:
    """Wait until the children of a run whose main process was killed have kept what was in flight; changes nothing.

    What they keep is to be known before a new run is planned. tell: called where that takes more than a moment.

    Raises:
        AlreadyRunning: they do not end.
    """
    if (folder / ".children.lock").exists() and not is_running(folder):
        _wait_for_children(folder / ".children.lock", tell)


def _wait_for_children(path: Path, tell: Callable[[str], None] = lambda _: None) -> None:
    children = _open(path)
    began, is_told = time.monotonic(), False
    try:
        while not _try(children, fcntl.LOCK_EX):
            waited = time.monotonic() - began
            if waited > TELL_AFTER_S and not is_told:
                is_told = True
                tell("Waiting for requests of an earlier run, which was killed: they may end, for up to 30 s.")
            if waited > CHILDREN_MAY_TAKE_S:
                raise AlreadyRunning(
                    "already running: jobs of an earlier run of this experiment have not ended yet. Try again soon."
                )
            time.sleep(0.05)
    finally:
        os.close(children)


def hold_as_child(folder: Path) -> int:
    """Mark this process as part of the run, until it ends; returns the descriptor to keep open."""
    descriptor = _open(folder / ".children.lock")
    fcntl.flock(descriptor, fcntl.LOCK_SH)
    return descriptor


def is_running(folder: Path) -> bool:
    """Whether a process holds the experiment; changes nothing."""
    try:
        descriptor = os.open(folder / ".run.lock", os.O_RDONLY)
    except OSError:
        return False
    try:
        return not _try(descriptor, fcntl.LOCK_SH)
    finally:
        os.close(descriptor)


def holder(folder: Path) -> str:
    """Who holds the lock, in words."""
    words = told(folder)
    return f"PID {words['pid']} on {words['host']}, since {words['since']}" if words else "another process"


def session_of(folder: Path) -> str:
    """The socket of the session that runs the experiment; empty when nobody can say."""
    return str(told(folder).get("session", ""))


def told(folder: Path) -> dict[str, Any]:
    """What the holder wrote of itself: pid, host, since, session, ended; empty when nobody can say."""
    try:
        words: dict[str, Any] = json.loads((folder / ".run.lock").read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return {}
    return words if isinstance(words, dict) else {}


def _open(path: Path) -> int:
    return os.open(path, os.O_RDWR | os.O_CREAT, file_mode())


def _is_still(descriptor: int, path: Path) -> bool:
    try:
        return os.path.samestat(os.fstat(descriptor), path.stat())
    except FileNotFoundError:
        return False


def _try(descriptor: int, kind: int) -> bool:
    try:
        fcntl.flock(descriptor, kind | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True
