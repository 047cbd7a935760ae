"""The process that has imported what jobs need, as the coordinator starts it: before it imports anything itself."""

import os
import socket
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from narrative_runs.atomic_files import temporary_folder
from narrative_runs.job_environment import ADDRESS_VARIABLE, JOBS_VARIABLE

MOST_JOBS = 200
LONGEST_FOLDER = 60


@contextmanager
def folder_of_sockets() -> Iterator[Path]:
    """A folder for its owner alone, for the sockets of one session; removed at the end."""
    # The path of a socket may have 104 bytes on some systems.
    usual = tempfile.gettempdir()
    with temporary_folder("narrative-runs-", Path(usual if len(usual) < LONGEST_FOLDER else "/tmp")) as folder:
        yield folder


class JobsProcess:
    """The process, which ends with this one; on macOS there is none, and each job imports for itself, as libraries that
    are loaded already do not outlive a fork there.

    address: where it listens, empty where there is none.
    """

    def __init__(self, coordinator: Path) -> None:
        """coordinator: where the coordinator will listen; the process listens beside it."""
        path = coordinator.with_name("jobs")
        self.address = "" if sys.platform == "darwin" else str(path)
        self._process = _started(path, coordinator) if self.address else None

    def close(self) -> None:
        """End it."""
        if self._process is not None:
            self._process.kill()
            self._process.wait()


def _started(path: Path, coordinator: Path) -> "subprocess.Popen[bytes]":
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as listening:
        listening.bind(str(path))
        listening.listen(MOST_JOBS)
        return subprocess.Popen(
            [sys.executable, "-m", "narrative_runs.jobs", str(listening.fileno()), str(os.getpid())],
            stdin=subprocess.DEVNULL,
            # Standard output is the line to the main process.
            stdout=sys.stderr,
            pass_fds=(listening.fileno(),),
            env={**os.environ, ADDRESS_VARIABLE: str(coordinator), JOBS_VARIABLE: str(path)},
        )
