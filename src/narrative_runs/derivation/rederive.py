"""`narrative-runs rederive`: takes over what this release reads differently from the same answers, without asking."""

import subprocess
import sys
from collections.abc import Callable

from narrative_runs import __version__, experiment, finished, run_lock
from narrative_runs.derivation.earlier import keep_findings
from narrative_runs.derivation.look import difference_of
from narrative_runs.errors import AlreadyRunning, ExperimentError
from narrative_runs.params import check
from narrative_runs.record import database
from narrative_runs.shell import to_resume


def rederive(which: str, tell: Callable[[str], None]) -> None:
    """Derive the findings of a completed experiment with this release, and keep the old ones beside them.

    Safe to repeat, and to kill at any moment. which: slug or id; tell: shows a line to the user.

    Raises:
        FindingsError: there is no such experiment here.
        ExperimentError: it is not completed, or it could not be derived.
        NarrativeRunsError: the workbook or an answer is missing.
    """
    folder, state = finished.named(which)
    if not state.has_journals:
        raise ExperimentError(f"{folder.path}/ has no answers to derive findings from.")
    if run_lock.is_running(folder.path):
        raise AlreadyRunning(f"{folder.slug} is running: {run_lock.holder(folder.path)}. Wait until it has ended.")
    row = database.experiment(state.experiment_id)
    # A record that was lost is filled again by this.
    if not folder.metrics.exists() or (row is not None and row["status"] != "completed"):
        raise ExperimentError(
            f"{folder.slug} is not completed: this release reads the answers of an unfinished experiment anyway. To "
            f"continue: `{to_resume(state.experiment_id)}`"
        )
    params = check(experiment.last_params(folder, state), str(folder.description))
    difference = difference_of(state, params, folder, tell)
    if difference is None:
        tell(f"{folder.slug}: this release ({__version__}) derives the same findings. There is nothing to update.")
        return
    kept = keep_findings(folder)
    derive_again(state.experiment_id)
    tell(f"{folder.slug}: {difference.words()} changed with this release. The old findings are in {kept}/.")


def derive_again(experiment_id: str) -> None:
    """Have the workflow make everything again from the answers."""
    command = ["--cores", "4", "--config", f"experiment_id={experiment_id}", "rederive=true"]
    ended = subprocess.run([sys.executable, "-m", "snakemake", *command], stdin=subprocess.DEVNULL)
    if ended.returncode:
        row = database.experiment(experiment_id)
        is_under_way = row is not None and row["status"] != "completed"
        raise ExperimentError(
            "Not all findings could be derived; see the reason above. Nothing is lost, and the model is not asked. "
            f"To continue: `{to_resume(experiment_id) if is_under_way else f'narrative-runs rederive {experiment_id}'}`"
        )
