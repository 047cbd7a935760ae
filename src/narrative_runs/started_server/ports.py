"""Ports on this machine: one that is free, and whose it is later."""

import os
import secrets
import socket
from contextlib import suppress
from pathlib import Path

from narrative_runs.errors import ServerError
from narrative_runs.started_server.command import HOST

# Below those that systems give to outgoing connections: one of these could have the port when a server comes back.
_LOWEST, _COUNT = 20_000, 10_000
_TRIES = 200
_TABLES = (Path("/proc/net/tcp"), Path("/proc/net/tcp6"))
_LISTENS = "0A"


def free_port() -> int:
    """A port that no program has now.

    Raises:
        ServerError: there is none.
    """
    for _ in range(_TRIES):
        port = _LOWEST + secrets.randbelow(_COUNT)
        if _can_be_had(port, with_remains=False):
            return port
    raise ServerError(f"This machine has no free port from {_LOWEST} to {_LOWEST + _COUNT - 1}.")


def is_taken(port: int) -> bool:
    """Whether a program listens at this port; what is left of closed connections keeps no server from it."""
    return not _can_be_had(port, with_remains=True)


def strangers_at(port: int) -> set[int]:
    """The numbers of other users whose programs listen at a port, the system's own left aside; none where the system
    does not say so, as macOS."""
    rows: list[list[str]] = []
    for table in _TABLES:
        with suppress(OSError):
            rows += [line.split() for line in table.read_text().splitlines()[1:]]
    users = {int(row[7]) for row in rows if row[3] == _LISTENS and int(row[1].rpartition(":")[2], 16) == port}
    return users - {0, os.getuid()}


def _can_be_had(port: int, with_remains: bool) -> bool:
    with socket.socket(socket.AF_INET, socket.SOCK_STREAM) as trial:
        trial.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, with_remains)
        try:
            trial.bind((HOST, port))
        except OSError:
            return False
    return True
