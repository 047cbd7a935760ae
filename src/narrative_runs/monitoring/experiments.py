"""The experiments of this folder and their states: the record says what was last written, the lock which runs are
alive."""

import socket
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from narrative_runs import run_lock
from narrative_runs.errors import ExperimentError
from narrative_runs.paths import RECORD, ExperimentFolder
from narrative_runs.record import experiment_rows
from narrative_runs.record.state import STOPPED
from narrative_runs.shell import to_resume

RUNNING, COMPLETED, FAILED, CANCELLED = "running", "completed", "failed", "cancelled"
DIED, ELSEWHERE = "died", "elsewhere"


@dataclass(frozen=True)
class ExperimentRow:
    """One experiment: its row in the record, and its state, which is the row's status or `died` or `elsewhere`."""

    row: dict[str, Any]
    state: str

    @property
    def folder(self) -> ExperimentFolder:
        """Its folder, which may be elsewhere."""
        return ExperimentFolder(self.row["slug"] or "")

    @property
    def _to_continue(self) -> str:
        return f"To continue: `{to_resume(self.row['experiment_id'])}`"

    @property
    def explanation(self) -> str:
        """The meaning of the state, and what to do; empty where that is plain."""
        match self.state:
            case "died":
                return f"killed or crashed. {self._to_continue}"
            case "elsewhere":
                where = "its folder is here" if _is_here(self.row) else "its folder is not here"
                return f"started on {self.row['hostname']}; this host cannot tell whether it is still running; {where}"
            case "failed" | "cancelled":
                reason = (self.row["notes"] or "").rpartition(STOPPED)[2].strip() if self._says_why else ""
                return f"{reason.rstrip('.')}. {self._to_continue}" if reason else self._to_continue
            case _:
                return ""

    @property
    def _says_why(self) -> bool:
        return STOPPED in (self.row["notes"] or "")


def experiments() -> list[ExperimentRow]:
    """All experiments of this folder's record, the one that was started last first.

    Raises:
        ExperimentError: this is no project folder, or nothing was run in it yet.
        RecordError: the record cannot be read.
    """
    if not RECORD.exists():
        check_is_project()
        raise ExperimentError(
            f"There is no experiment yet: nothing has been run in this folder, and {RECORD} is missing."
        )
    # Who is alive is asked before the rows are read: a run that ends meanwhile has then said so.
    folders = [ExperimentFolder(slug).path for slug in experiment_rows.slugs()]
    alive = {folder.name for folder in run_lock.running(folders)}
    here = socket.gethostname()
    rows = experiment_rows.latest_first()
    return [_known(row, state_of(row, row["slug"] in alive, here, _is_here(row))) for row in rows]


def check_is_project() -> None:
    """See that this is a project folder.

    Raises:
        ExperimentError: it is none.
    """
    if not RECORD.exists() and not Path("Snakefile").exists():
        raise ExperimentError("This is not a project folder: it has no Snakefile. Change to the project folder.")


def _known(row: dict[str, Any], state: str) -> ExperimentRow:
    """The experiment; if its end could not be recorded, as on a full disk, from the lock's file."""
    ended = run_lock.lock_content(ExperimentFolder(row["slug"]).path).get("ended") if state == DIED else None
    return ExperimentRow({**row, "notes": f"{STOPPED}{ended}"}, FAILED) if ended else ExperimentRow(row, state)


def chosen(which: str) -> ExperimentRow:
    """The experiment with this slug or id; where `which` is empty the one that runs, else the one started last.

    Raises:
        ExperimentError: there is none.
        RecordError: the record cannot be read.
    """
    matches = [known for known in experiments() if which in ("", known.row["slug"], known.row["experiment_id"])]
    if not matches:
        raise ExperimentError(
            f"There is no experiment {which or 'yet'} in this folder's record. `narrative-runs list` shows all."
        )
    return next((known for known in matches if known.state == RUNNING), matches[0])


def state_of(row: dict[str, Any], is_alive: bool, host: str, is_here: bool) -> str:
    """The state of an experiment, from its row, whether a run holds its lock, and the host on which it was started.

    host: the name of this machine; is_here: whether the experiment's folder is in this folder.
    """
    if is_alive:
        return RUNNING
    if row["status"] != RUNNING:
        return str(row["status"])
    return DIED if is_here and row["hostname"] == host else ELSEWHERE


def _is_here(row: dict[str, Any]) -> bool:
    return bool(row["slug"]) and ExperimentFolder(row["slug"]).path.exists()
