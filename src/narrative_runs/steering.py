"""Steering experiments from another terminal, or from the page."""

import os
import shlex
import subprocess
import sys
import threading
import time
from collections.abc import Collection, Mapping
from pathlib import Path

from narrative_runs import run_lock
from narrative_runs.code import must_be_the_code_of
from narrative_runs.coordination.client import TERMINALS_WAIT_S, ask_coordinator
from narrative_runs.errors import AlreadyRunning, ExperimentError
from narrative_runs.monitoring.experiments import chosen
from narrative_runs.paths import ExperimentFolder
from narrative_runs.permissions import file_mode
from narrative_runs.record import state
from narrative_runs.record.error_rows import error_counts
from narrative_runs.record.state import CANCELLED
from narrative_runs.shell import to_retry

# Whoever starts a run from the page waits so long to hear whether it was refused.
REFUSES_WITHIN_S = 20.0
_LOOK_EVERY_S = 0.1


def cancel(which: str) -> str:
    """Cancel an experiment, whether it runs or not; returns what was done, in words.

    which: its slug or its id; empty for the one that runs, else for the one that was started last.

    Raises:
        ExperimentError: there is no such experiment, or it is completed.
    """
    known = chosen(which)
    row, folder = known.row, known.folder.path
    if run_lock.is_running(folder):
        have_run_do(known.folder, "cancel")
        return f"{row['slug']}: cancelled. Requests in flight have up to 30 s to finish."
    if row["status"] == "completed":
        raise ExperimentError(f"{row['slug']} is completed: there is nothing to cancel.")
    state.stop(row["experiment_id"], "cancelled", CANCELLED)
    return f"{row['slug']}: cancelled. It was not running."


def start_retry(which: str, categories: Collection[str] = ()) -> str:
    """Start the run that asks again for an experiment's errors, apart from this process; returns what was done, in
    words.

    which: its slug or its id; categories: those that are asked again, all when empty.

    Raises:
        AlreadyRunning: it runs.
        ExperimentError: there is no such experiment, its folder is not here, it has no such errors, or its run refuses
        to begin.
    """
    known = chosen(which)
    slug, folder = known.row["slug"], known.folder
    if not slug or not folder.path.is_dir():
        raise ExperimentError(f"The folder of {slug or known.row['experiment_id']} is not here: nothing can be asked.")
    if run_lock.is_running(folder.path):
        raise AlreadyRunning(f"{slug} is running. Its errors can be asked again when it has ended.")
    counts = error_counts(known.row["experiment_id"])
    n_errors = sum(count for category, count in counts.items() if not categories or category in categories)
    if not n_errors:
        raise ExperimentError("No row is such an error: nothing is asked again.")
    must_be_the_code_of(Path.cwd())
    overrides = [f"retry={','.join(sorted(categories))}"] if categories else []
    log = folder.logs / "retry_errors.log"
    process = _started_apart(to_retry(known.row["experiment_id"], *overrides), log)
    until = time.monotonic() + REFUSES_WITHIN_S
    while process.poll() is None and not run_lock.is_running(folder.path) and time.monotonic() < until:
        time.sleep(_LOOK_EVERY_S)
    if process.poll():
        raise ExperimentError(f"The run refused to begin: {_last_line(log)}")
    return f"{slug}: {n_errors:,} errors are asked again. What the run says is in {log}."


def _started_apart(command: str, log: Path) -> subprocess.Popen[bytes]:
    """Start a command in a session of its own, so that it outlives this process; what it says is added to the log."""
    program, *words = shlex.split(command)
    log.parent.mkdir(parents=True, exist_ok=True)
    with os.fdopen(os.open(log, os.O_WRONLY | os.O_CREAT | os.O_APPEND, file_mode()), "wb") as file:
        file.write(f"$ {command}\n".encode())
        file.flush()
        process = subprocess.Popen(
            [str(Path(sys.executable).with_name(program)), *words],
            stdin=subprocess.DEVNULL,
            stdout=file,
            stderr=subprocess.STDOUT,
            start_new_session=True,
        )
    # None is left behind as a zombie.
    threading.Thread(target=process.wait, daemon=True).start()
    return process


def _last_line(log: Path) -> str:
    lines = log.read_text(encoding="utf-8", errors="replace").strip().splitlines()
    return lines[-1].removeprefix("narrative-runs: ")


def have_run_do(
    folder: ExperimentFolder, what: str, values: Mapping[str, str] | None = None, patience_s: float = TERMINALS_WAIT_S
) -> str:
    """Have the run that holds an experiment do something; returns its answer. The rest as `ask_coordinator` takes it.

    Raises:
        ExperimentError: it cannot be reached, or refuses.
    """
    try:
        return ask_coordinator(run_lock.address_of(folder.path), "POST", what, values, patience_s)
    except OSError:
        if host := run_lock.other_host(folder.path):
            raise ExperimentError(
                f"{folder.slug} is running on {host}, which cannot be reached from here. Type the same command there."
            ) from None
        raise ExperimentError(f"{folder.slug} is just starting or ending. Try again.") from None
