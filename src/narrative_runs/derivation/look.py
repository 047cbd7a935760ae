"""What this release reads differently from an experiment's answers, kept so that it need not look twice."""

import json
from collections.abc import Callable
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from narrative_runs import __version__
from narrative_runs.atomic_files import written_whole
from narrative_runs.code import code_checksum
from narrative_runs.derivation.difference import Difference
from narrative_runs.experiment import ExperimentState
from narrative_runs.findings.seal import SEALED, seal_of
from narrative_runs.params import Params
from narrative_runs.paths import ExperimentFolder
from narrative_runs.run_lock import RunLock


def is_by_this_code(folder: ExperimentFolder) -> bool:
    """Whether this very code derived the findings, so that there is nothing to look for."""
    sealed = seal_of(folder)
    return sealed is not None and sealed.code == code_checksum()


def difference_of(
    state: ExperimentState, params: Params, folder: ExperimentFolder, tell: Callable[[str], None]
) -> Difference | None:
    """What this release derives differently for an experiment with findings; None if nothing. changes.csv lists it.

    The answer is kept, so that the same code need not look twice at the same findings. tell: shows a line to the
    user.

    Raises:
        AlreadyRunning: a run holds the experiment.
        NarrativeRunsError: the findings cannot be derived: the workbook or an answer is missing.
    """
    looked = last_look(folder)
    if looked is not None:
        return looked.difference
    # Imported here: pandas takes time, and this is done once a release.
    from narrative_runs.derivation.check import check

    tell(
        f"{folder.path}/: comparing the findings with those that this release ({__version__}) derives from the same "
        "answers."
    )
    lock = RunLock(folder.path)
    lock.acquire(tell)
    try:
        difference = check(state, params, folder)
        keep(folder, difference)
    finally:
        lock.release()
    return difference


@dataclass(frozen=True)
class Look:
    """The result of this code's check of the present findings; None: it derives the same."""

    difference: Difference | None


def last_look(folder: ExperimentFolder) -> Look | None:
    """What `keep` wrote; None if this code has not checked the present findings."""
    try:
        kept = json.loads(_kept(folder).read_text(encoding="utf-8"))
        if kept["looked_at"] != _looked_at(folder):
            return None
        difference = Difference(**kept["difference"]) if kept["difference"] else None
    except (OSError, ValueError, TypeError, KeyError):
        return None
    return Look(difference) if difference is None or folder.changes.exists() else None


def keep(folder: ExperimentFolder, difference: Difference | None) -> None:
    """Keep the result of this code's check of the present findings."""
    kept = {"looked_at": _looked_at(folder), "difference": None if difference is None else asdict(difference)}
    with written_whole(_kept(folder)) as draft:
        draft.write_text(json.dumps(kept) + "\n", encoding="utf-8")


def _kept(folder: ExperimentFolder) -> Path:
    return folder.path / ".release_check.json"


def _looked_at(folder: ExperimentFolder) -> dict[str, Any]:
    """The checksum of this code, and the findings by size and time."""
    states = {name: (folder.path / name).stat() for name in SEALED if (folder.path / name).exists()}
    return {
        "code": code_checksum(),
        "findings": {name: [state.st_size, state.st_mtime_ns] for name, state in states.items()},
    }
