"""The logs of an experiment, written by the session alone: one line an event, and never narrative text."""

import logging
from logging.handlers import RotatingFileHandler
from pathlib import Path
from typing import Any

LARGEST_FILE = 20_000_000
KEPT_FILES = 5
PERFORMANCE_HEADER = "asked_at,incident_id,narrative_type,response_sec,requests,status"


class Logs:
    """The files in `results/<slug>/logs/`."""

    def __init__(self, folder: Path) -> None:
        folder.mkdir(parents=True, exist_ok=True)
        self._folder = folder
        dated = "%(asctime)s %(levelname)s %(message)s"
        self._experiment = _log(folder / "experiment.log", dated)
        self._api_calls = _log(folder / "api_calls.log", dated)
        self._errors = _log(folder / "errors.log", dated)
        performance = folder / "performance.log"
        is_new = not performance.exists()
        self._performance = _log(performance, "%(message)s")
        if is_new:
            self._performance.info(PERFORMANCE_HEADER)

    def event(self, message: str) -> None:
        """Something that happened to the run."""
        self._experiment.info(message)

    def trouble(self, kind: str, job: str, message: str) -> None:
        """A request that came back without an answer."""
        self._api_calls.warning("%s %s: %s", job, kind, message)

    def stopped(self, reason: str) -> None:
        """The run has to stop."""
        self._experiment.error(reason)
        self._errors.error(reason)

    def entry(self, entry: dict[str, Any]) -> None:
        """A narrative got its answer, or its final failure."""
        key = f"{entry['incident_id']} {entry['narrative_type']}"
        error = entry.get("error")
        status = error["category"] if error else "ok"
        seconds = entry.get("response_sec", "")
        self._api_calls.info("%s %s %ss in %s requests", key, status, seconds, entry["requests"])
        if error:
            self._errors.error("%s %s: %s", key, error["category"], error["message"])
        self._performance.info(
            "%s,%s,%s,%s,%s,%s",
            entry["asked_at"],
            _cell(entry["incident_id"]),
            entry["narrative_type"],
            seconds,
            entry["requests"],
            status,
        )

    def resumed(self, lines: list[str]) -> None:
        """Add a resume to resume_log.txt."""
        with (self._folder / "resume_log.txt").open("a", encoding="utf-8") as file:
            file.write("\n".join(["", *lines, ""]))


def _log(path: Path, form: str) -> logging.Logger:
    handler = RotatingFileHandler(path, maxBytes=LARGEST_FILE, backupCount=KEPT_FILES, encoding="utf-8")
    handler.setFormatter(logging.Formatter(form, "%Y-%m-%d %H:%M:%S"))
    log = logging.getLogger(str(path))
    log.propagate = False
    log.setLevel(logging.INFO)
    log.handlers = [handler]
    return log


def _cell(text: str) -> str:
    return '"' + text.replace('"', '""') + '"' if any(mark in text for mark in ',"\n') else text
