"""`narrative-runs list`: all experiments of the record, a row each."""

from typing import Any

from rich.table import Table
from rich.text import Text

from narrative_runs.findings.rounding import shown
from narrative_runs.monitoring.experiments import COMPLETED, ExperimentRow
from narrative_runs.observation.panel import done

MEASURES = {"accuracy": "accuracy", "precision": "precision_ipv", "recall": "recall_ipv", "F1": "f1_ipv"}
COLUMNS = ("slug", "name", "state", "done", *MEASURES, "started")


def table_of(experiments: list[ExperimentRow]) -> Table:
    """A table with each experiment's name, state, progress, measures if it is completed, and start time."""
    table = Table(box=None, padding=(0, 2, 0, 0))
    for column in ("slug", "name", "state"):
        table.add_column(column, overflow="fold")
    for column in ("done", *MEASURES):
        table.add_column(column, justify="right", no_wrap=True)
    table.add_column("started", no_wrap=True)
    for known in experiments:
        slug, name, *others = cells_of(known)
        table.add_row(slug, Text(name), *others)
    return table


def cells_of(known: ExperimentRow) -> list[str]:
    """The cells of an experiment's row, one for each of COLUMNS."""
    row = known.row
    measures = [_shown(row[column]) if known.state == COMPLETED else "" for column in MEASURES.values()]
    processed = done(row["n_narratives_processed"] or 0, row["n_narratives_total"])
    return [
        row["slug"] or "",
        row["experiment_name"] or "",
        known.state,
        processed,
        *measures,
        row["start_time"] or "",
    ]


def _shown(measure: Any) -> str:
    return "-" if measure is None else shown(measure, 3)
