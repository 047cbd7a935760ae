"""Removes what `try` and `preflight --show` asked, with all answers; the list of seen narratives stays."""

import shutil
from collections.abc import Callable
from contextlib import ExitStack
from pathlib import Path

from narrative_runs import run_lock
from narrative_runs.errors import AlreadyRunning
from narrative_runs.paths import DEVELOPMENT, FORGETTING, SEEN
from narrative_runs.run_lock import RunLock

COMMAND = f"narrative-runs forget {DEVELOPMENT.name}"
STAYS = f"{SEEN}: the list of seen narratives (ids without texts), needed for metrics without them"
_LEAVING = FORGETTING / f"{DEVELOPMENT.name}.removed"


def parts() -> list[Path]:
    """The files and folders of samples and answers, and what a killed removal left of them."""
    here = sorted(DEVELOPMENT.iterdir()) if DEVELOPMENT.is_dir() else []
    left = sorted(_LEAVING.iterdir()) if _LEAVING.is_dir() else []
    return [path for path in here if path != SEEN and not _is_temporary(path)] + left


def files() -> list[Path]:
    """All files in them."""
    return [path for part in parts() for path in (part, *part.rglob("*")) if path.is_file() and not path.is_symlink()]


def must_not_run() -> None:
    """Check that nothing is being asked at this moment.

    Raises:
        AlreadyRunning: something is.
    """
    for folder in run_lock.running(_locked_folders()):
        raise AlreadyRunning(
            f"`narrative-runs try` or `preflight --show` is asking now: {run_lock.holder(folder)}. Wait until "
            "it has ended."
        )


def remove(tell: Callable[[str], None]) -> None:
    """Remove samples and answers; killed at any point, the same command finishes it. tell: shows a line to the user.

    Raises:
        AlreadyRunning: something is being asked at this moment.
    """
    with ExitStack() as held:
        for folder in _locked_folders():
            lock = RunLock(folder)
            lock.acquire(tell)
            held.callback(lock.release)
        _LEAVING.mkdir(parents=True, exist_ok=True)
        for path in parts():
            if path.parent == DEVELOPMENT:
                # Gone at once for whoever tries next, then removed piece by piece.
                _remove(_LEAVING / path.name)
                path.rename(_LEAVING / path.name)
        _remove(_LEAVING)
    if not any(FORGETTING.iterdir()):
        FORGETTING.rmdir()


def _is_temporary(path: Path) -> bool:
    """Whether it is a folder that ends with the process that made it."""
    return path.name.startswith(".") and path.is_dir()


def _locked_folders() -> list[Path]:
    """The folders that are locked by whoever asks there."""
    return sorted(path.parent for path in DEVELOPMENT.rglob(".run.lock"))


def _remove(path: Path) -> None:
    if path.is_dir():
        shutil.rmtree(path)
    else:
        path.unlink(missing_ok=True)
