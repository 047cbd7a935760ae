"""`narrative-runs snapshot`: makes, deletes and lists snapshots."""

from collections.abc import Iterator

from rich.table import Table

from narrative_runs import experiment, finished, run_lock, snapshots
from narrative_runs.checkpoints.held import Tell, held
from narrative_runs.experiment import ExperimentState
from narrative_runs.observation.journal_tail import JournalTail
from narrative_runs.observation.progress import Progress
from narrative_runs.params import check
from narrative_runs.paths import ExperimentFolder
from narrative_runs.snapshots import Counts, Snapshot
from narrative_runs.steering import have_run_do

# As long as jobs on other hosts may take to answer.
RUN_MAY_TAKE_S = 60.0
_MADE_FOR = {
    snapshots.USER: "you",
    snapshots.INTERVAL: "every few hours",
    snapshots.RETRY: "before errors were asked again",
    snapshots.MORE_NARRATIVES: "before run.max_narratives changed",
    snapshots.ROLLBACK: "before a rollback",
}


def keep(which: str, name: str, note: str, tell: Tell) -> None:
    """Keep a snapshot of an experiment (slug or id), whether it runs or not.

    Raises:
        FindingsError: there is no such experiment.
        ExperimentError: the name cannot be used, nothing was answered yet, or its run cannot be reached.
        JournalError: the answers cannot be read or sealed.
    """
    folder, _ = finished.named(which)
    snapshots.must_be_free(folder, name)
    if run_lock.is_running(folder.path):
        tell(f"Snapshot {have_run_do(folder, 'snapshot', {'name': name, 'note': note}, RUN_MAY_TAKE_S)}")
        return
    with held(folder, tell):
        _, state = finished.named(which)
        counts = counts_of(folder, state)
        made = snapshots.keep(
            folder, state.experiment_id, experiment.last_params(folder, state), counts, name, note, snapshots.USER
        )
    tell(f"Snapshot {snapshots.words_of(folder, made)}")


def delete(which: str, name: str, tell: Tell) -> None:
    """Delete a snapshot of an experiment (slug or id); its answers stay.

    Raises:
        FindingsError: there is no such experiment.
        ExperimentError: there is no such snapshot, or it is needed.
    """
    folder, _ = finished.named(which)
    snapshots.delete(folder, name)
    tell(f"Snapshot {name} of {folder.slug} is deleted. Its answers stay as they are.")


def table_of(which: str) -> Table:
    """All snapshots of an experiment (slug or id), oldest first.

    Raises:
        FindingsError: there is no such experiment.
        ExperimentError: one of them is damaged.
    """
    folder, _ = finished.named(which)
    table = Table(*("snapshot", "made", "narratives", "errors", "sessions", "release", "made for", "note"), box=None)
    for snapshot in snapshots.all_of(folder):
        table.add_row(*_row(snapshot))
    return table


def counts_of(folder: ExperimentFolder, state: ExperimentState) -> Counts:
    """The progress of an experiment that does not run, from its journals."""
    params = check(experiment.last_params(folder, state), str(folder.description))
    tail = JournalTail(folder, state.experiment_id, params, Progress(began=0.0))
    tail.follow()
    return tail.counts()


def _row(snapshot: Snapshot) -> Iterator[str]:
    counts = snapshot.counts
    yield snapshot.name
    yield snapshot.made_at[:19].replace("T", " ")
    yield f"{counts.processed:,}" + ("" if counts.total is None else f" of {counts.total:,}")
    yield f"{sum(counts.errors.values()):,}"
    yield str(len(snapshot.sessions))
    yield snapshot.release
    yield _MADE_FOR.get(snapshot.made_for, snapshot.made_for)
    yield snapshot.note
