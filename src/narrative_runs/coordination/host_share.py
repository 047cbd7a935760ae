"""Other runs of this machine that ask the same server: together they keep to the number of requests it can take.

Each session holds a lock on a file of its own in the user's cache, which the kernel frees when the session ends,
however it ends. Counting the locked files, every session knows its share of the slots.
"""

import fcntl
import hashlib
import os
from collections.abc import Callable
from pathlib import Path

from narrative_runs.coordination.limiter import Limiter
from narrative_runs.embedded.model_file import cache_directory
from narrative_runs.params import Params


class HostShare:
    """The runs of this machine that ask one server."""

    def __init__(self, base_url: str, folder: Path | None = None) -> None:
        """Join them, until `leave` or until this process ends.

        base_url: the server; folder: where the locks are, in the user's cache when left out.
        """
        server = hashlib.sha256(base_url.encode()).hexdigest()[:16]
        self._folder = (folder or cache_directory().parent / "runs") / server
        self._folder.mkdir(parents=True, exist_ok=True)
        self._own = self._folder / f"{os.getpid()}.lock"
        self._descriptor = self._join()

    def leave(self) -> None:
        """Leave the slots to the others."""
        os.close(self._descriptor)

    def _join(self) -> int:
        while True:
            descriptor = os.open(self._own, os.O_RDWR | os.O_CREAT | os.O_NOFOLLOW, 0o600)
            fcntl.flock(descriptor, fcntl.LOCK_EX)
            # Before it was locked, another run may have taken the file for that of an ended one.
            if self._own.exists() and os.path.samestat(os.fstat(descriptor), self._own.stat()):
                return descriptor
            os.close(descriptor)

    def of(self, slots: int) -> int:
        """How many of all `slots` this run may use: an equal part, and at least one.

        Raises OSError where the folder cannot be used any more.
        """
        running = self._running()
        if self._own not in running:
            # The folder was removed meanwhile, under the other runs too: each comes back by itself.
            os.close(self._descriptor)
            self._folder.mkdir(parents=True, exist_ok=True)
            self._descriptor = self._join()
            running = self._running()
        index = running.index(self._own)
        return max(1, slots // len(running) + (index < slots % len(running)))

    def _running(self) -> list[Path]:
        running = []
        for path in sorted(self._folder.glob("*.lock")):
            if path == self._own or _is_held(path):
                running.append(path)
            elif _is_ours(path):
                path.unlink(missing_ok=True)
        return running


class HostShares:
    """This run's part of the slots of each of its servers, while other runs of this machine come and go.

    tell: shows a line to the user.
    """

    def __init__(self, params: Params, tell: Callable[[str], None]) -> None:
        self._params = params
        self._tell = tell
        self._shares: list[HostShare] | None = None

    def take(self, limiter: Limiter) -> None:
        """Give each server of the limiter this run's part; where other runs cannot be seen, say so, once."""
        try:
            if self._shares is None:
                self._shares = []
                if not self._params.model.starts_server:
                    self._shares = [HostShare(url) for url in self._params.model.base_urls]
            for server, share in zip(limiter.servers, self._shares, strict=False):
                server.slots = share.of(self._params.run.max_in_flight)
        except OSError as error:
            self._shares = []
            self._tell(
                f"Other runs that ask the same server are not counted: {error.filename} cannot be used "
                f"({error.strerror})."
            )

    def leave(self) -> None:
        """Leave the slots to the other runs."""
        for share in self._shares or ():
            share.leave()
        self._shares = []


def _is_ours(path: Path) -> bool:
    """Whether this user made the file: whatever somebody else put there is no run of ours."""
    try:
        return path.lstat().st_uid == os.getuid()
    except FileNotFoundError:
        return False


def _is_held(path: Path) -> bool:
    if not _is_ours(path):
        return False
    try:
        descriptor = os.open(path, os.O_RDWR | os.O_NOFOLLOW)
    except OSError:
        return False
    try:
        fcntl.flock(descriptor, fcntl.LOCK_SH | fcntl.LOCK_NB)
    except BlockingIOError:
        return True
    finally:
        os.close(descriptor)
    return False
