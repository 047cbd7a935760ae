"""One run of an experiment at a time, on this host and on others that have the same folder.

On one host, the kernel frees the locks when their holder ends, however it ends. `run` is held by the main process
alone, for the whole run. `children` is shared by all that it starts; a new run waits until the last of them is gone, so
that no answer of theirs is missed or asked for twice.

Between hosts that is not enough: both may get the kernel's lock, and a host that is gone may keep it. There the file of
`run` decides. It names its holder by a random token, and holds a counter that the holder advances; `lock_watch` says
what that means to others. Whoever writes to the file reads it first: another token in it means another run's lock.
"""

import fcntl
import json
import math
import os
import secrets
import threading
import time
from collections.abc import Callable, Iterable
from contextlib import suppress
from datetime import datetime
from pathlib import Path
from typing import Any

from narrative_runs.errors import AlreadyRunning
from narrative_runs.file_systems import may_be_shared
from narrative_runs.lock_watch import Meaning, Watch, names_another, this_host
from narrative_runs.permissions import file_mode

CHILDREN_MAY_TAKE_S = 45.0
TELL_AFTER_S = 1.0
# How often a holder gives a sign of life; after how long without one it looks whether it still holds the lock, before
# it does anything else; and how long others wait for one, who want the lock, or only to know whether it is held.
REFRESH_EVERY_S = 5.0
OVERDUE_S = 15.0
SILENT_S = 60.0
LOOK_FOR_S = 12.0
LOOK_EVERY_S = 0.5
# Two hosts that took one lock in the same moment have both written by then.
READ_BACK_AFTER_S = 0.5
_LENGTH = 4096
_LONGEST_REASON = 500
# What this process has seen of locks, so that who looks each second need not wait each time.
_WATCHES: dict[Path, Watch] = {}

Tell = Callable[[str], None]


def _tell_nobody(_: str) -> None: ...


def _now() -> float:
    """Seconds by a clock that runs on while the machine sleeps: macOS has it by the second name."""
    return time.clock_gettime(getattr(time, "CLOCK_BOOTTIME", time.CLOCK_MONOTONIC))


class HeldLock:
    """A held lock, as known to each process of the run that looks after it.

    is_orphan: whether the main process is gone. Then a new run on this host has its lock, and waits for this one.
    """

    def __init__(self, folder: Path, token: str, clock: Callable[[], float] = _now) -> None:
        """folder: the experiment's; token: of this run, as its `RunLock` has it; clock: one that runs on during
        sleep."""
        self.is_orphan = False
        self._folder = folder
        self._token = token
        self._clock = clock
        self._read_at = -math.inf
        self._why_lost = ""

    def why_lost(self, after_s: float = OVERDUE_S) -> str:
        """Why this run may neither ask nor write any more: another run has its lock. Empty while it may.

        after_s: read the file and advance the counter if that was last done so many seconds ago. Without it, the call
        costs nothing unless the process was asleep.
        """
        now = self._clock()
        if self._why_lost or now - self._read_at < after_s:
            return self._why_lost
        words = lock_content(self._folder)
        if words:
            self._read_at = now
        if words.get("token") == self._token:
            with suppress(OSError):
                _write(self._folder, _counter(words))
        elif words and not (self.is_orphan and not names_another(words, this_host())):
            self._why_lost = f"another run, {_named(words)}, has taken over this experiment while this one was asleep"
        return self._why_lost


class RunLock:
    """The lock on an experiment, held by the process that runs it; token: names this holder."""

    def __init__(self, folder: Path) -> None:
        """folder: the experiment's folder; it is made if missing."""
        self.token = secrets.token_hex(8)
        self._folder = folder
        self._made_folder = not folder.exists()
        self._run = folder / ".run.lock"
        self._children = folder / ".children.lock"
        self._held = HeldLock(folder, self.token)
        self._descriptor: int | None = None
        self._words: dict[str, Any] = {}
        self._is_released = threading.Event()

    def acquire(self, tell: Tell = _tell_nobody) -> None:
        """Take the lock, and wait until the children of an earlier run are gone.

        tell: called where it takes more than a moment to see whether a run on another host is alive.

        Raises:
            AlreadyRunning: another process holds it; says which, where and since when.
        """
        self._descriptor, may_meet_others = self._take(tell)
        host = this_host()
        self._words = {
            "pid": os.getpid(),
            "host": host.name,
            "boot": host.boot,
            "token": self.token,
            "since": datetime.now().strftime("%Y-%m-%d %H:%M:%S"),
            "address": "",
            "ended": "",
            "released": False,
        }
        _write(self._folder, _content({}, self._words))
        if may_meet_others:
            time.sleep(READ_BACK_AFTER_S)
        if self._held.why_lost(0.0):
            os.close(self._descriptor)
            self._descriptor = None
            raise self._already_running()
        threading.Thread(target=self._keep, daemon=True).start()
        _wait_for_children(self._children)

    def release(self) -> None:
        """Let another process take the lock, on whichever host."""
        if self._descriptor is not None:
            self._is_released.set()
            with suppress(OSError):
                self._say(released=True)
            os.close(self._descriptor)
            self._descriptor = None

    def tell(self, address: str, ended: str = "") -> None:
        """Write into the lock's file the address of its coordinator, for other terminals; nothing if it was lost.

        ended: why the run ends: on a full disk the record cannot hold the reason.
        """
        assert self._descriptor is not None
        self._say(address=address, ended=ended[:_LONGEST_REASON])

    def why_lost(self) -> str:
        """Why this run may write nothing any more; empty while it may."""
        return self._held.why_lost(0.0)

    def forget(self) -> None:
        """Leave no trace of a run that never began: the lock's files, and empty folders, if they were made for it."""
        if not self._made_folder or self.why_lost():
            return
        self._children.unlink(missing_ok=True)
        self._run.unlink(missing_ok=True)
        for folder in [*(path for path in self._folder.iterdir() if path.is_dir()), self._folder, self._folder.parent]:
            try:
                folder.rmdir()
            except OSError:
                return

    def _take(self, tell: Tell) -> tuple[int, bool]:
        """The descriptor of the lock's file, and whether another host may have taken it in the same moment."""
        # `running` holds the lock for a moment, and `forget` may just have removed its file: hence some tries.
        tries, began, is_reported = 10, time.monotonic(), False
        while True:
            self._folder.mkdir(parents=True, exist_ok=True)
            descriptor = _open(self._run)
            is_ours = _try(descriptor, fcntl.LOCK_EX) and _is_still(descriptor, self._run)
            words = lock_content(self._folder)
            meaning = _seen(self._folder, words, SILENT_S)
            if meaning is Meaning.SILENT:
                # The kernel may keep what a host held that is gone, or asleep; it holds it in files that are no more.
                self._children.unlink(missing_ok=True)
                if not is_ours:
                    os.close(descriptor)
                    self._run.unlink(missing_ok=True)
                    descriptor = _open(self._run)
                    is_ours = _try(descriptor, fcntl.LOCK_EX)
            if is_ours and meaning in (Meaning.BY_KERNEL, Meaning.SILENT):
                return descriptor, names_another(words, this_host()) or may_be_shared(self._folder)
            os.close(descriptor)
            tries -= meaning is not Meaning.UNKNOWN
            if meaning is Meaning.ALIVE or not tries:
                raise self._already_running()
            if time.monotonic() - began > TELL_AFTER_S and not is_reported:
                is_reported = True
                tell(
                    f"The lock of this experiment names another host: {holder(self._folder)}. Waiting for a sign of "
                    f"life from there; if there is none for {SILENT_S:.0f} s, this run takes over."
                )
            time.sleep(LOOK_EVERY_S if meaning is Meaning.UNKNOWN else 0.02)

    def _already_running(self) -> AlreadyRunning:
        return AlreadyRunning(f"already running: {holder(self._folder)}. Stop that run, or wait for its end.")

    def _say(self, **changed: Any) -> None:
        """Write other words into the lock's file, unless another run has it."""
        if not self.why_lost():
            self._words |= changed
            # Where the folder was removed, nobody looks.
            with suppress(FileNotFoundError):
                _write(self._folder, _content(lock_content(self._folder), self._words))

    def _keep(self) -> None:
        while not self._is_released.wait(REFRESH_EVERY_S) and not self._held.why_lost(0.0):
            pass


def wait_for_killed_run(folder: Path, tell: Tell) -> None:
    """Wait until the children of a run whose main process was killed have kept what was in flight; changes nothing.

    A new run is planned only once their answers are known; on another host, `acquire` sees whether any is alive.
    tell: called where that takes more than a moment.

    Raises:
        AlreadyRunning: they do not end.
    """
    children = folder / ".children.lock"
    if children.exists() and not names_another(lock_content(folder), this_host()) and not _is_locked(folder):
        _wait_for_children(children, tell)


def _wait_for_children(path: Path, tell: Tell = _tell_nobody) -> None:
    children = _open(path)
    began, is_reported = time.monotonic(), False
    try:
        while not _try(children, fcntl.LOCK_EX):
            waited = time.monotonic() - began
            if waited > TELL_AFTER_S and not is_reported:
                is_reported = True
                tell("Waiting up to 30 s for requests of an earlier, killed run to finish.")
            if waited > CHILDREN_MAY_TAKE_S:
                raise AlreadyRunning(
                    "already running: jobs from an earlier run of this experiment have not ended yet. Try again soon."
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
    """Whether a process holds the experiment, on whichever host; changes nothing, and takes as long as `running`."""
    return bool(running([folder]))


def running(folders: Iterable[Path]) -> set[Path]:
    """The folders of those experiments that a process holds, on whichever host; changes nothing.

    The kernel knows at once about locks of this host. Those of other hosts are watched, all together, for up to
    LOOK_FOR_S seconds, unless this process has watched them before.
    """
    held: set[Path] = set()
    unknown = set(folders)
    while True:
        for folder in list(unknown):
            meaning = _seen(folder, lock_content(folder), LOOK_FOR_S)
            if meaning is not Meaning.UNKNOWN:
                unknown.remove(folder)
            if meaning is Meaning.ALIVE or (meaning is Meaning.BY_KERNEL and _is_locked(folder)):
                held.add(folder)
        if not unknown:
            return held
        time.sleep(LOOK_EVERY_S)


def holder(folder: Path) -> str:
    """The holder of the lock, in words."""
    words = lock_content(folder)
    return f"{_named(words)}, since {words['since']}" if "since" in words else "another process"


def _named(words: dict[str, Any]) -> str:
    return f"PID {words.get('pid')} on {words.get('host')}"


def other_host(folder: Path) -> str:
    """The host that the lock's file names, if it is another one than this; else empty."""
    words = lock_content(folder)
    return str(words.get("host", "")) if names_another(words, this_host()) else ""


def address_of(folder: Path) -> str:
    """The address of the coordinator that runs the experiment; empty when nobody can say."""
    return str(lock_content(folder).get("address", ""))


def lock_content(folder: Path) -> dict[str, Any]:
    """The content of the lock's file, which the holder wrote about itself; empty where there is none to be read.

    pid, host, boot, since, address; token: names the holder; counter: advanced by it; ended: why its run ended;
    released: whether it gave the lock back. Release 0.1.0 wrote pid, host, since, address and ended.
    """
    try:
        # Opened anew each time: what another host wrote is seen then, and only then.
        words: dict[str, Any] = json.loads((folder / ".run.lock").read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return {}
    return words if isinstance(words, dict) else {}


def _counter(words: dict[str, Any]) -> bytes:
    """The beginning of the lock's file, with the counter one higher than in these words; always of the same length."""
    before = words.get("counter")
    return b'{"counter": %12d, ' % (((before if isinstance(before, int) else 0) + 1) % 10**12)


def _content(before: dict[str, Any], words: dict[str, Any]) -> bytes:
    """The whole file. Always of the same length: overwriting needs no room on the disk."""
    return (_counter(before) + json.dumps(words).encode()[1:]).ljust(_LENGTH)[:_LENGTH]


def _write(folder: Path, content: bytes) -> None:
    """Write this at the beginning of the lock's file."""
    descriptor = os.open(folder / ".run.lock", os.O_WRONLY)
    try:
        os.pwrite(descriptor, content, 0)
    finally:
        # Other hosts see it when this is closed.
        os.close(descriptor)


def _seen(folder: Path, words: dict[str, Any], silent_s: float) -> Meaning:
    """The meaning of the lock now, given what this process has seen of it before."""
    if words.get("host") == this_host().name and not may_be_shared(folder):
        # This machine was started anew since: on a disk of its own no other one of this name can be meant.
        words = {**words, "boot": this_host().boot}
    watch = _WATCHES.setdefault(folder.absolute(), Watch(this_host()))
    return watch.see(words, time.monotonic(), silent_s)


def _is_locked(folder: Path) -> bool:
    """Whether the kernel says that a process holds the lock."""
    try:
        descriptor = os.open(folder / ".run.lock", os.O_RDONLY)
    except OSError:
        return False
    try:
        return not _try(descriptor, fcntl.LOCK_SH)
    finally:
        os.close(descriptor)


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
