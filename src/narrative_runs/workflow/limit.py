"""How many narratives a run is for: raising `run.max_narratives` extends an experiment, lowering it takes nothing
away."""

from typing import Any

from narrative_runs import experiment, journal
from narrative_runs.experiment import ExperimentState
from narrative_runs.params import Params
from narrative_runs.paths import ExperimentFolder
from narrative_runs.record import result_rows


def effective_limit(state: ExperimentState | None, folder: ExperimentFolder, params: Params) -> int | None:
    """`run.max_narratives`, or, if there are results beyond it, the number of the last narrative that has one; None
    means all narratives."""
    limit = params.run.max_narratives
    if limit is None or state is None or not state.has_answers:
        return limit
    heads = [head["params"]["run"]["max_narratives"] for head in journal.heads(folder.journals)]
    earlier = [*heads, experiment.last_params(folder, state)["run"]["max_narratives"]]
    if all(before is not None and before <= limit for before in earlier):
        return limit
    furthest, total = _furthest(state, folder, params)
    if furthest is None:
        # The workbook is to be read again: what earlier sessions were for holds the answers at any rate.
        return None if None in earlier else max(before for before in earlier if before is not None)
    if furthest <= limit:
        return limit
    return None if furthest == total else furthest


def _furthest(state: ExperimentState, folder: ExperimentFolder, params: Params) -> tuple[int | None, int]:
    """The `row_num` of the last narrative that has a result, and how many narratives there are; None until the workbook
    is read."""
    count = params.shards.count
    paths = [folder.narratives_of(number, count) for number in range(1, count + 1)]
    if not all(path.exists() for path in paths):
        return None, 0
    # Imported here: only such a command needs it.
    import pyarrow.parquet as pq

    rows: dict[tuple[str, str], int] = {}
    for path in paths:
        table: dict[str, Any] = pq.read_table(path, columns=["incident_id", "narrative_type", "row_num"]).to_pydict()
        rows |= {(incident_id, kind): row_num for incident_id, kind, row_num in zip(*table.values(), strict=True)}
    keys = {
        (entry["incident_id"], entry["narrative_type"])
        for path in journal.files(folder.journals)
        for _, entry in journal.entries(path)
    }
    last = max((rows[key] for key in keys if key in rows), default=0)
    return max(last, result_rows.last_row_num(state.experiment_id)), len(rows)
