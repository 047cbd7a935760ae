"""Steering experiments from another terminal."""

from collections.abc import Mapping

from narrative_runs import run_lock
from narrative_runs.coordination.client import TERMINALS_WAIT_S, ask_coordinator
from narrative_runs.errors import ExperimentError
from narrative_runs.monitoring.experiments import chosen
from narrative_runs.paths import ExperimentFolder
from narrative_runs.record import state
from narrative_runs.record.state import CANCELLED


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
        return f"{row['slug']}: cancelled. Requests in flight may end, for up to 30 s."
    if row["status"] == "completed":
        raise ExperimentError(f"{row['slug']} is completed; there is nothing to cancel.")
    state.stop(row["experiment_id"], "cancelled", CANCELLED)
    return f"{row['slug']}: cancelled. It was not running."


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
                f"{folder.slug} runs on {host}, where it cannot be reached from here. Type the same command there."
            ) from None
        raise ExperimentError(f"{folder.slug} is just starting or ending. Try again.") from None
