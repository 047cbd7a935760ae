"""The findings of a snapshot, derived from its answers on request: a snapshot keeps none."""

from dataclasses import replace

from narrative_runs import finished, snapshots
from narrative_runs.derivation.aside import derived_at
from narrative_runs.finished import Columns, Finished


def read_at(which: str, name: str, columns: Columns, with_labels: bool = False) -> Finished:
    """The findings of the snapshot `name` of the experiment with this slug or id, from the answers at that time.

    columns and with_labels: as in `finished.read`.

    Raises:
        FindingsError: there is no such experiment.
        ExperimentError: it has no such snapshot.
        JournalError: a session of the snapshot is missing, or was altered.
        SourceError: the workbook is not here, or not the one that the experiment began with.
    """
    folder, state = finished.named(which)
    snapshot = snapshots.named(folder, name)
    with derived_at(snapshot, state, folder) as aside:
        derived = finished.read_in(
            aside, replace(state, params=dict(snapshot.params)), columns, with_labels=with_labels
        )
    return replace(derived, folder=folder, snapshot=name)
