"""Takes all that follows from the answers back to a snapshot: the record, the tables, the findings.

Every step can be repeated: if it is killed at any point, it starts again from its beginning.
"""

import json
import shutil
from dataclasses import replace

from narrative_runs.derivation.earlier import keep_findings
from narrative_runs.experiment import ExperimentState, describe
from narrative_runs.jobs.record import put_answers, put_back
from narrative_runs.params import check
from narrative_runs.paths import ExperimentFolder
from narrative_runs.snapshots import Snapshot


def take_back(folder: ExperimentFolder, state: ExperimentState, snapshot: Snapshot, derived: ExperimentFolder) -> None:
    """Take the derived files in the experiment's folder, and its rows in the record, back to a snapshot.

    derived: the folder with the findings of the snapshot, as this code derives them. The experiment's own tables and
    figures are removed, after the findings were copied to `earlier_findings`; the next run makes them again.

    Raises:
        RecordError: the record cannot be written.
    """
    params = check(dict(snapshot.params), f"snapshot {snapshot.name}")
    if folder.metrics.exists():
        keep_findings(folder)
    _remove_findings(folder)
    put_back(
        derived,
        state.experiment_id,
        params,
        f"rolled back to {snapshot.name}: {snapshot.counts.words}",
        snapshot.counts.total,
    )
    describe(folder, replace(state, params=dict(snapshot.params)))


def _remove_findings(folder: ExperimentFolder) -> None:
    # The metrics first: without them nobody takes the rest for that of a completed experiment.
    files = [
        folder.metrics,
        folder.metrics_to_publish,
        folder.report,
        folder.retries,
        folder.derived_by,
        folder.changes,
    ]
    files += [folder.path / f"results.{ending}" for ending in ("parquet", "csv", "json", "xlsx")]
    for path in files:
        path.unlink(missing_ok=True)
    for path in (folder.shards, folder.figures):
        shutil.rmtree(path, ignore_errors=True)
    if folder.data_quality.exists():
        # What it tells of the workbook stays.
        put_answers(folder, json.loads(folder.data_quality.read_text(encoding="utf-8")), {})
