"""What the file of an experiment's lock means to who looks at it, from what it says and from whether that changes.

The lock of a process on this host is the kernel's to judge. A process on another host cannot be seen: it advances a
counter in the file, and is alive as long as the counter moves. How long it did not is measured by the clock of who
looks: neither the times of files nor the clock of another host can be trusted.
"""

import socket
from dataclasses import dataclass
from enum import Enum, auto
from functools import cache
from pathlib import Path
from typing import Any

_BOOT_ID = Path("/proc/sys/kernel/random/boot_id")


@dataclass(frozen=True)
class Host:
    """A machine since its last start; boot: the id of that start, empty where the system has none.

    Both count: machines of one image may have the same name, and several names, as of containers, one start.
    """

    name: str
    boot: str


@cache
def this_host() -> Host:
    """The host on which this process runs."""
    try:
        boot = _BOOT_ID.read_text(encoding="ascii").strip()
    except (OSError, ValueError):
        boot = ""
    return Host(socket.gethostname(), boot)


def names_another(words: dict[str, Any], here: Host) -> bool:
    """Whether a holder on another host wrote these words, be it gone or not; never of a release that named no boot."""
    return isinstance(words.get("token"), str) and Host(words.get("host", ""), words.get("boot", "")) != here


class Meaning(Enum):
    """What the words of a lock mean.

    BY_KERNEL: the kernel of this host alone says whether the lock is held; UNKNOWN: its holder is on another host, and
    was not looked at for long enough; ALIVE: so it is, and it lives; SILENT: so it is, and gave no sign of life.
    """

    BY_KERNEL = auto()
    UNKNOWN = auto()
    ALIVE = auto()
    SILENT = auto()


class Watch:
    """One lock, looked at again and again."""

    def __init__(self, here: Host) -> None:
        self._here = here
        self._last: tuple[str, Any] | None = None
        self._since = 0.0
        self._has_moved = False

    def see(self, words: dict[str, Any], now: float, silent_s: float) -> Meaning:
        """What the lock means now.

        words: what its file says, empty where that cannot be read; now: by the clock of who looks; silent_s: for how
        many seconds a holder may give no sign of life.
        """
        if words.get("released") or not names_another(words, self._here):
            was_another, self._last = self._last is not None, None
            # Words that cannot be read after those of another host: somebody writes.
            return Meaning.ALIVE if was_another and not words else Meaning.BY_KERNEL
        seen = words["token"], words.get("counter")
        if seen != self._last:
            self._has_moved, self._last, self._since = self._last is not None, seen, now
        if now - self._since >= silent_s:
            return Meaning.SILENT
        return Meaning.ALIVE if self._has_moved else Meaning.UNKNOWN
