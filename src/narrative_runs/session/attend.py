"""How a job that asks nothing belongs to its session: it takes the settings, and ends when the session ends."""

import json
import os
import socket
import threading
from typing import Any

from narrative_runs.errors import ExperimentError
from narrative_runs.places import ExperimentFolder
from narrative_runs.session.link import SOCKET_VARIABLE
from narrative_runs.session.lock import hold_as_child


def attend(job: str) -> dict[str, Any]:
    """The session's settings; from now on this process lives no longer than the session.

    Raises:
        ExperimentError: there is no session; jobs are started by snakemake alone.
    """
    connection = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    try:
        connection.connect(os.environ[SOCKET_VARIABLE])
    except (OSError, KeyError):
        raise ExperimentError(
            f"{job}: there is no running session. Start jobs with `snakemake --cores 4`, not by hand."
        ) from None
    connection.sendall(f"hello {job}\n".encode())
    lines = connection.makefile("r", encoding="utf-8")
    settings: dict[str, Any] = json.loads(lines.readline().removeprefix("settings "))
    hold_as_child(ExperimentFolder(settings["slug"]).path)

    def watch() -> None:
        while lines.readline():
            pass
        # Nothing is half done by this: files appear whole, and the record's transactions roll back.
        os._exit(1)

    threading.Thread(target=watch, daemon=True).start()
    return settings
