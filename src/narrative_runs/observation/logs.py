"""The logs of an experiment: one line an event, and never narrative text.

The session writes them; only the line about a notice comes from the process that ran it.
"""

import re
import threading
import time
from contextlib import suppress
from io import FileIO
from logging.handlers import RotatingFileHandler
from pathlib import Path
from typing import Any

from narrative_runs.plain_text import plain
from narrative_runs.record.state import TIME
from narrative_runs.results import Result

EXPERIMENT_LOG = "experiment.log"
LARGEST_FILE = 20_000_000
KEPT_FILES = 5
PERFORMANCE_HEADER = "asked_at,incident_id,narrative_type,response_sec,requests,status"
# 0.1.0 wrote times with a T and an offset, which R reads as dates alone.
_PERFORMANCE_OF_BEFORE = re.compile(rb"[^\n]*\n[\d-]{10}T")


class Logs:
    """The files in `results/<slug>/logs/`."""

    def __init__(self, folder: Path) -> None:
        folder.mkdir(parents=True, exist_ok=True)
        self._folder = folder
        self._experiment = _Log(folder / EXPERIMENT_LOG)
        self._api_calls = _Log(folder / "api_calls.log")
        self._errors = _Log(folder / "errors.log")
        self._performance = _Log(folder / "performance.log", PERFORMANCE_HEADER, _PERFORMANCE_OF_BEFORE)

    def event(self, message: str) -> None:
        """An event of the run."""
        self._experiment.write(_dated("INFO", message))

    def trouble(self, kind: str, job: str, message: str) -> None:
        """A request that came back without an answer."""
        self._api_calls.write(_dated("WARNING", f"{job} {kind}: {message}"))

    def evidence(self, job: str, outcome: str, requests: int) -> None:
        """Requests that were sent to find out whether the server is well."""
        self._api_calls.write(_dated("INFO", f"{job} evidence: {outcome}, in {requests} requests"))

    def stopped(self, reason: str) -> None:
        """The run has to stop."""
        self._experiment.write(_dated("ERROR", reason))
        self._errors.write(_dated("ERROR", reason))

    def entry(self, entry: dict[str, Any], result: Result | None) -> None:
        """A narrative got its answer or its final failure, and with it its result, if it is the first."""
        incident, kind, requests = entry["incident_id"], entry["narrative_type"], entry["requests"]
        error, seconds = entry.get("error"), entry.get("response_sec", "")
        if result is not None and result.error_occurred:
            error = {"category": result.error_category, "message": result.error_message}
        status = error["category"] if error else "ok"
        self._api_calls.write(_dated("INFO", f"{incident} {kind} {status} {seconds}s in {requests} requests"))
        if error:
            self._errors.write(_dated("ERROR", f"{incident} {kind} {status}: {error['message']}"))
        when = str(entry["asked_at"])[:19].replace("T", " ")
        self._performance.write(f"{when},{_cell(incident)},{kind},{seconds},{requests},{status}")

    def resumed(self, lines: list[str]) -> None:
        """Add a resume to resume_log.txt."""
        with (self._folder / "resume_log.txt").open("a", encoding="utf-8") as file:
            file.write(plain("\n".join(["", *lines, ""])))


def add_event(folder: Path, message: str) -> None:
    """Add a line to the experiment.log in this folder, from outside its session; an error is ignored."""
    line = plain(" ".join(_dated("INFO", message).splitlines()))
    with suppress(OSError), (folder / EXPERIMENT_LOG).open("a", encoding="utf-8", errors="backslashreplace") as file:
        # In one piece: the session adds lines meanwhile.
        file.write(f"{line}\n")


class _Log:
    """One file of lines, and up to KEPT_FILES earlier ones, `<name>.1` the latest.

    The library's handler rotates the files, but does not write the lines: that would take five times as long, and there
    are two an answer.
    """

    def __init__(self, path: Path, header: str = "", of_before: re.Pattern[bytes] | None = None) -> None:
        """header: the first line of each file; of_before: how a file begins whose lines have an earlier form."""
        self._path = path
        self._header = header.encode() + b"\n" if header else b""
        self._rotation = RotatingFileHandler(path, backupCount=KEPT_FILES, encoding="utf-8", delay=True)
        self._writing = threading.Lock()
        self._file = self._open()
        if of_before is not None and of_before.match(self._beginning()):
            # One file, one form: else no program reads its columns.
            self._rotate()

    def write(self, text: str) -> None:
        """Add one line, whatever breaks the text has; a log that cannot be written stops no run."""
        line = plain(" ".join(text.splitlines())).encode(errors="backslashreplace") + b"\n"
        with self._writing, suppress(OSError):
            if self._file.closed:
                self._file = self._open()
            if self._file.tell() + len(line) > LARGEST_FILE:
                self._rotate()
            self._file.write(line)

    def _rotate(self) -> None:
        self._file.close()
        # A file that cannot be put aside grows on.
        with suppress(OSError):
            self._rotation.doRollover()
        self._file = self._open()

    def _open(self) -> FileIO:
        file = self._path.open("ab", buffering=0)
        if file.tell() == 0:
            file.write(self._header)
        return file

    def _beginning(self) -> bytes:
        with self._path.open("rb") as file:
            return file.read(500)


def _dated(level: str, message: str) -> str:
    return f"{time.strftime(TIME)} {level} {message}"


def _cell(text: str) -> str:
    return '"' + text.replace('"', '""') + '"' if any(mark in text for mark in ',"\n') else text
