"""`narrative-runs forget`: removes an experiment and its texts, wherever they are.

Every step can be repeated, and what is to be removed is written down first: if it is killed at any point, the same
command finishes it.
"""

import shutil
from collections.abc import Callable
from contextlib import suppress
from dataclasses import replace
from pathlib import Path

from narrative_runs import run_lock
from narrative_runs.atomic_files import remove_left_behind
from narrative_runs.errors import AlreadyRunning, ExperimentError
from narrative_runs.paths import ADOPTING, DEVELOPMENT, FORGETTING, RECORD, RESULTS, ExperimentFolder
from narrative_runs.record import removal, search_index
from narrative_runs.removal import development
from narrative_runs.removal.plan import Removal, lines, removal_of, size_of, unfinished
from narrative_runs.run_lock import RunLock

Tell = Callable[[str], None]


def forget(which: str, is_sure: bool, tell: Tell) -> None:
    """Show what there is to remove of an experiment, ask, and remove it.

    which: its slug or id, or `development` for what was tried before experiments; is_sure: do not ask; tell: shows a
    line to the user.

    Raises:
        ExperimentError: there is no such experiment, it runs, or nobody confirmed.
        RecordError: the record or a backup cannot be written; the rest is done when the command is started again.
    """
    # An earlier release let experiments have this slug.
    if which == DEVELOPMENT.name and not ExperimentFolder(which).journals.exists():
        _forget_development(is_sure, tell)
        return
    planned = removal_of(which)
    if run_lock.is_running(planned.folder.path):
        raise AlreadyRunning(
            f"{planned.name} is running: {run_lock.holder(planned.folder.path)}. Wait until it has ended."
        )
    for line in lines(planned):
        tell(line)
    if not is_sure and not _is_confirmed(planned.name):
        raise ExperimentError("Nothing was removed.")
    held = RunLock(planned.folder.path) if planned.has_folder and planned.folder.path.is_dir() else None
    if held is not None:
        held.acquire(tell)
    try:
        planned.keep()
        _remove(planned, tell)
    finally:
        if held is not None:
            held.release()
    tell(f"{planned.title} is removed.")


def _forget_development(is_sure: bool, tell: Tell) -> None:
    remove_left_behind(".", DEVELOPMENT)
    files = development.files()
    if not files:
        raise ExperimentError(
            f"There is nothing to remove under {DEVELOPMENT}/: `narrative-runs try` and `preflight --show` have "
            "stored no answers there."
        )
    development.must_not_run()
    tell("To be removed for good: what `narrative-runs try` and `preflight --show` asked")
    tell(f"  {DEVELOPMENT}/: {len(files):,} files, {size_of(files)}")
    tell("What stays:")
    tell(f"  {development.STAYS}")
    tell("  the workbooks, your params files, and the model server's own logs, which may hold texts")
    if not is_sure and not _is_confirmed(DEVELOPMENT.name):
        raise ExperimentError("Nothing was removed.")
    development.remove(tell)
    tell("The answers of `try` and `preflight --show` are removed.")


def compact_what_is_left(of: Path | None = None) -> None:
    """Finish the removals that had to leave the record as large as it was, as soon as no run writes to it.

    of: the folder of the run that asks, and writes no more.

    Raises:
        RecordError: another program uses the record.
    """
    left = [planned for planned in unfinished() if planned.is_removed]
    if left and not _running(but=of):
        removal.compact(RECORD)
        for planned in left:
            _end(planned)


def _remove(planned: Removal, tell: Tell) -> None:
    for path in removal.databases():
        if removal.held(path, planned.experiment_ids):
            removal.remove(path, planned.experiment_ids)
        if path != RECORD:
            removal.compact(path)
    # After the record: what is gone from there does not come back to the index of a page that is open.
    if search_index.holds(planned.experiment_ids):
        search_index.remove(planned.experiment_ids)
    removal.remove_drafts()
    for path in removal.lists_of_duplicates():
        removal.remove_from_list(path, planned.experiment_ids)
    for path in map(Path, planned.objects):
        path.unlink(missing_ok=True)
    if planned.has_lock:
        Path("dvc.lock").unlink(missing_ok=True)
    _remove_folder(planned)
    remove_left_behind(f".{RECORD.name}-", RESULTS)
    if writing := _running(but=planned.folder.path):
        replace(planned, is_removed=True).keep()
        tell(
            f"{RECORD} holds no text of it any more. It is also made smaller as soon as {', '.join(writing)} has "
            "ended: that run does it, or the same command again."
        )
        return
    if RECORD.exists():
        removal.compact(RECORD)
    _end(planned)


def _remove_folder(planned: Removal) -> None:
    folder = planned.folder
    if not planned.has_folder:
        return
    for link in (folder.journals, folder.path):
        if link.is_symlink() and link.is_dir():
            # Kept on another drive.
            shutil.rmtree(link.resolve())
            link.unlink()
    if folder.path.is_dir():
        # Gone at once for whoever looks for experiments, then removed piece by piece.
        shutil.rmtree(planned.leaving, ignore_errors=True)
        folder.path.rename(planned.leaving)
    for left in (planned.leaving, RESULTS / ADOPTING / planned.name):
        if left.is_dir():
            shutil.rmtree(left)


def _end(planned: Removal) -> None:
    planned.file.unlink(missing_ok=True)
    with suppress(OSError):
        FORGETTING.rmdir()


def _running(but: Path | None) -> list[str]:
    """The names of the experiments that run, other than the one in the folder `but`."""
    folders = [path.parent for path in RESULTS.glob("*/.run.lock")]
    return sorted(folder.name for folder in run_lock.running(folder for folder in folders if folder != but))


def _is_confirmed(name: str) -> bool:
    try:
        return input(f"Type {name} to remove all of it, anything else to keep it: ").strip() == name
    except (EOFError, KeyboardInterrupt):
        return False
