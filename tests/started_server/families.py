"""The processes that tests of started servers look for."""

import json
import sys
import time
from contextlib import suppress
from typing import Any

import psutil

from narrative_runs.started_server.command import ServerCommand


def small(**options: Any) -> ServerCommand:
    """What starts the small server with these options, as a person would write it."""
    text = json.dumps(options)
    assert "'" not in text
    return ServerCommand.from_text(
        f"{sys.executable} -m tests.started_server.small_server {{port}} '{text}'", "small model"
    )


def is_alive(process: psutil.Process) -> bool:
    """Whether a process runs; one that ended, but was not yet taken off the list, does not."""
    try:
        return bool(process.is_running() and process.status() != psutil.STATUS_ZOMBIE)
    except psutil.NoSuchProcess:
        return False


def guardian_of(server: int) -> int:
    """The PID of the guardian of a server."""
    return int(psutil.Process(server).ppid())


def family_of(guardian: int, has_children: bool = False) -> list[psutil.Process]:
    """All processes under a guardian, which are a small server and, as soon as it has started them, its children: one,
    and on Linux also the one that lost its parent."""
    sleeping = (2 if sys.platform == "linux" else 1) if has_children else 0
    while True:
        family: list[psutil.Process] = psutil.Process(guardian).children(recursive=True)
        # One of them may end while it is looked at: what starts the one that is to lose its parent.
        with suppress(psutil.NoSuchProcess):
            if len(family) == 1 + sleeping and sum(process.name() == "sleep" for process in family) == sleeping:
                return family
        time.sleep(0.02)
