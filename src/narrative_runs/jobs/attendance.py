"""How a job that asks nothing belongs to its session: it takes the settings, and ends when the session ends."""

import json
import os
import socket
import threading
from typing import Any

from narrative_runs.errors import ExperimentError
from narrative_runs.places import ExperimentFolder
from narrative_runs.session.link import NO_SESSION
from narrative_runs.session.lock import hold_as_child
from narrative_runs.session.tether import SOCKET_VARIABLE
from narrative_runs.signals import leave_to_the_main_process


class Attendance:
    """A job's place in its session; `settings` is what the session tells every job."""

    def __init__(self, job: str) -> None:
        """From now on this process lives no longer than the session.

        Raises:
            ExperimentError: there is no session; jobs are started by snakemake alone.
        """
        # Such a job is short: it is let finish.
        leave_to_the_main_process()
        self._connection = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        try:
            self._connection.connect(os.environ[SOCKET_VARIABLE])
        except (OSError, KeyError):
            raise ExperimentError(f"{job}: {NO_SESSION}") from None
        self._lines = self._connection.makefile("r", encoding="utf-8")
        self._said = threading.Event()
        self.say(f"hello {job}")
        self.settings: dict[str, Any] = json.loads(self._lines.readline().removeprefix("settings "))
        hold_as_child(ExperimentFolder(self.settings["slug"]).path)
        threading.Thread(target=self._watch, daemon=True).start()

    def say(self, line: str) -> None:
        """Send one line to the session."""
        self._connection.sendall(line.encode() + b"\n")

    def close(self) -> None:
        """Say that this job ends as it should."""
        self.say("bye")

    def source_is_sound(self) -> None:
        """Tell the session that the workbook can be used, and wait until the experiment is in the record."""
        self.say("sound")
        self._said.wait()

    def _watch(self) -> None:
        while line := self._lines.readline():
            if line.strip() == "begun":
                self._said.set()
        # Nothing is half done by this: files appear whole, and the record's transactions roll back.
        os._exit(1)
