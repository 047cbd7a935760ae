"""`narrative-runs resume`: shows the latest unfinished experiment, and continues it."""

import os
import sys
from pathlib import Path
from typing import NoReturn

from narrative_runs.errors import AlreadyCompleted, AlreadyRunning, ExperimentError
from narrative_runs.monitoring.experiments import (
    CANCELLED,
    COMPLETED,
    DIED,
    FAILED,
    RUNNING,
    ExperimentRow,
    chosen,
    experiments,
)
from narrative_runs.monitoring.status import status_of

UNFINISHED = (DIED, FAILED, CANCELLED)


def resume(which: str, cores: int, is_sure: bool) -> None:
    """Show the status of an unfinished experiment, ask whether to continue, and become the run that does.

    which: its slug or its id; empty for the latest; cores: jobs at once; is_sure: continue without asking.

    Raises:
        ExperimentError: there is none, or this one cannot be resumed here.
    """
    known = unfinished(which)
    for line in status_of(known).lines():
        print(line)
    if is_sure or _agreed():
        _run(known, cores)


def unfinished(which: str) -> ExperimentRow:
    """The experiment to resume.

    Raises:
        AlreadyRunning: it runs, or no other is unfinished.
        AlreadyCompleted: it is completed.
        ExperimentError: there is none, or its folder is not here.
    """
    if not which:
        everything = experiments()
        latest = next((known for known in everything if known.state in UNFINISHED and known.folder.path.exists()), None)
        if latest is not None:
            return latest
        running = next((known for known in everything if known.state == RUNNING), None)
        if running is None:
            raise ExperimentError("No incomplete experiments found. `narrative-runs list` shows all.")
        raise AlreadyRunning(f"{running.row['slug']} is running, and no other experiment is incomplete.")
    known = chosen(which)
    slug = known.row["slug"]
    if known.state == RUNNING:
        raise AlreadyRunning(f"{slug} is running. `narrative-runs watch {slug}` shows it.")
    if known.state == COMPLETED:
        raise AlreadyCompleted(f"{slug} is completed: there is nothing to resume.")
    if not known.folder.path.exists():
        raise ExperimentError(
            f"{slug} was started on {known.row['hostname']}, and its folder {known.folder.path}/ is not here. "
            "Copy the folder here, or resume the experiment there."
        )
    return known


def _agreed() -> bool:
    try:
        return input("Resume this experiment? [y/N] ").strip().lower() in ("y", "yes")
    except (EOFError, KeyboardInterrupt):
        print()
        return False


def _run(known: ExperimentRow, cores: int) -> NoReturn:
    snakemake = str(Path(sys.executable).parent / "snakemake")
    print("It uses the params of its last session; to use an edited file, give it to snakemake with --configfile.")
    sys.stdout.flush()
    os.execv(snakemake, [snakemake, "--cores", str(cores), "--config", f"experiment_id={known.row['experiment_id']}"])
