"""`narrative-runs list`: all experiments of the record, a row each."""

import json
from typing import Any

from rich.table import Table
from rich.text import Text

from narrative_runs.findings.rounding import shown
from narrative_runs.monitoring.experiments import COMPLETED, ExperimentRow
from narrative_runs.observation.panel import done
from narrative_runs.paths import ExperimentFolder

MEASURES = {"accuracy": "accuracy", "precision": "precision_ipv", "recall": "recall_ipv", "F1": "f1_ipv"}
_OF_INCIDENTS = ("accuracy", "precision", "recall", "f1")
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
    """The cells of an experiment's row, one for each of COLUMNS; measures of incidents, where they alone have labels,
    say so in a second line."""
    row = known.row
    measures = [_shown(row[column]) if known.state == COMPLETED else "" for column in MEASURES.values()]
    if known.state == COMPLETED and row["slug"] and all(row[column] is None for column in MEASURES.values()):
        measures = _of_incidents(known.folder) or measures
    processed = done(row["n_narratives_processed"] or 0, row["n_narratives_total"])
    return [
        row["slug"] or "",
        row["experiment_name"] or "",
        known.state,
        processed,
        *measures,
        row["start_time"] or "",
    ]


def _of_incidents(folder: ExperimentFolder) -> list[str]:
    """The measures of incidents, where they have labels and no narrative has; else none."""
    try:
        metrics = json.loads(folder.metrics.read_text(encoding="utf-8"))
        if metrics["overall"]["n"] or not metrics["incident"]["n"]:
            return []
        rates = [metrics["incident"][name] for name in _OF_INCIDENTS]
        return [f"{_shown(rate and rate['value'])}\nincidents" for rate in rates]
    except (OSError, ValueError, KeyError, TypeError):
        return []


def _shown(measure: Any) -> str:
    return "-" if measure is None else shown(measure, 3)
