"""`narrative-runs rederive`: what this release reads differently from the same answers is taken over, unasked."""

import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

from narrative_runs import __version__, experiment, finished
from narrative_runs.derivation.difference import difference_of
from narrative_runs.errors import AlreadyRunning, ExperimentError
from narrative_runs.findings.seal import SEALED
from narrative_runs.params import check
from narrative_runs.places import ExperimentFolder
from narrative_runs.record import database
from narrative_runs.session import lock
from narrative_runs.shell import to_resume
from narrative_runs.source.checksum import md5_of


def rederive(which: str, tell: Callable[[str], None]) -> None:
    """Derive the findings of a completed experiment by this release, and keep the old ones beside them.

    Safe to repeat, and to kill at any moment. which: slug or id; tell: shows a line to the user.

    Raises:
        FindingsError: there is no such experiment here.
        ExperimentError: it is not completed, or it could not be derived.
        NarrativeRunsError: the workbook or an answer is missing.
    """
    folder, begun = finished.found(which)
    if not begun.has_journals:
        raise ExperimentError(f"{folder.path}/ holds no answers from which anything could be derived.")
    if lock.is_running(folder.path):
        raise AlreadyRunning(f"{folder.slug} is running: {lock.holder(folder.path)}. Wait for its end.")
    row = database.experiment(begun.experiment_id)
    # A record that was lost is filled again by this.
    if not folder.metrics.exists() or (row is not None and row["status"] != "completed"):
        raise ExperimentError(
            f"{folder.slug} is not completed: an unfinished experiment is read by this release anyway. To continue: "
            f"`{to_resume(begun.experiment_id)}`"
        )
    params = check(experiment.last_params(folder, begun), str(folder.description))
    found = difference_of(begun, params, folder, tell)
    if found is None:
        tell(f"{folder.slug}: this release ({__version__}) derives the same findings. There is nothing to take over.")
        return
    kept = _keep(folder)
    _derive(begun.experiment_id)
    tell(f"{folder.slug}: {found.words()} changed with this release. The old findings are in {kept}/.")


def _keep(folder: ExperimentFolder) -> Path:
    """Copy the findings as they are to a folder of their own, whole; returns it. What lies there already is not copied
    again."""
    findings = {name: md5_of(folder.path / name) for name in SEALED if (folder.path / name).exists()}
    earlier = sorted(folder.earlier_findings.glob("[0-9]" * 4))
    for kept in earlier:
        if all((kept / name).exists() and md5_of(kept / name) == md5 for name, md5 in findings.items()):
            return kept
    target = folder.earlier_findings / f"{len(earlier) + 1:04d}"
    # Always the same name, so that what a killed command left behind does not pile up.
    draft = folder.earlier_findings / ".draft"
    shutil.rmtree(draft, ignore_errors=True)
    draft.mkdir(parents=True)
    others = (folder.path / "results.xlsx", folder.report, folder.derived_by, folder.changes)
    for path in [*(folder.path / name for name in findings), *(path for path in others if path.exists())]:
        shutil.copy2(path, draft)
    if folder.figures.is_dir():
        shutil.copytree(folder.figures, draft / folder.figures.name)
    draft.rename(target)
    return target


def _derive(experiment_id: str) -> None:
    """Have the workflow make everything again from the answers."""
    command = ["--cores", "4", "--config", f"experiment_id={experiment_id}", "rederive=true"]
    ended = subprocess.run([sys.executable, "-m", "snakemake", *command], stdin=subprocess.DEVNULL)
    if ended.returncode:
        row = database.experiment(experiment_id)
        is_begun = row is not None and row["status"] != "completed"
        raise ExperimentError(
            "The findings could not all be derived; the reason is told above. Nothing is lost, and nothing is asked. "
            f"To continue: `{to_resume(experiment_id) if is_begun else f'narrative-runs rederive {experiment_id}'}`"
        )
