"""History: all experiments, and the chosen ones side by side."""

import asyncio
import json
from collections.abc import Sequence
from dataclasses import replace
from functools import partial
from string import ascii_uppercase
from typing import Any, NamedTuple

from aiohttp import web

from narrative_runs import experiment, snapshots
from narrative_runs.errors import ExperimentError, NarrativeRunsError
from narrative_runs.experiment import ExperimentState
from narrative_runs.findings.suppression import masked_metrics
from narrative_runs.monitoring.experiments import ExperimentRow, experiments
from narrative_runs.monitoring.listing import COLUMNS
from narrative_runs.page.addresses import address_of
from narrative_runs.page.experiment_asked import named
from narrative_runs.page.history.comparisons import ComparedTables, Comparisons
from narrative_runs.page.history.side_by_side import Side, experiments_table, metric_tables, params_of
from narrative_runs.page.masking import cells_shown
from narrative_runs.page.rendering import render
from narrative_runs.paths import ExperimentFolder
from narrative_runs.snapshots import Snapshot, divided

MOST = len(ascii_uppercase)
# A comparison that was made already is there at once; for others the page does not wait.
_SOON_S = 0.1
_WAITS = "yes"


class Choice(NamedTuple):
    """An experiment that can be chosen: its slug or id, its cells, whether it is chosen, and its snapshots."""

    which: str
    cells: list[str]
    is_chosen: bool
    snapshots: list[tuple[Snapshot, bool]]


def routes() -> list[web.RouteDef]:
    """The addresses of this room."""
    return [web.get("/history", partial(_show, Comparisons()))]


async def _show(comparisons: Comparisons, request: web.Request) -> web.Response:
    chosen = list(dict.fromkeys(request.query.getall("with", [])))
    known = await asyncio.to_thread(experiments)
    sides = await asyncio.to_thread(sides_of, chosen, known) if chosen else []
    compared: ComparedTables | str | None = None
    note = why_not_compared(sides)
    if len(sides) > 1 and not note:
        within_s = None if request.query.get("wait") == _WAITS else _SOON_S
        compared = await comparisons.of([side for side in sides if side.has_findings], within_s)
    sides = _with_metrics_of_snapshots(sides, compared)
    params, texts = params_of(sides) if len(sides) > 1 else (None, [])
    waiting: dict[str, str | list[str]] = {"with": chosen, "wait": _WAITS}
    return render(
        request,
        "history.html.j2",
        room="history",
        columns=COLUMNS,
        choices=await asyncio.to_thread(choices, known, chosen),
        sides=sides,
        overview=experiments_table(sides) if sides else None,
        differ_in_workbook=len({side.state.source_md5 for side in sides} - {""}) > 1,
        params=params,
        texts=texts,
        metrics=metric_tables(sides) if len(sides) > 1 else [],
        compared=compared,
        note=note,
        waiting=address_of("history", "", **waiting),
    )


def choices(known: Sequence[ExperimentRow], chosen: Sequence[str]) -> list[Choice]:
    """All experiments with their snapshots; chosen: the labels of those that are."""
    return [
        Choice(
            named(each),
            cells_shown(each),
            named(each) in chosen,
            [(one, f"{named(each)}@{one.name}" in chosen) for one in _snapshots(each)],
        )
        for each in known
    ]


def _snapshots(known: ExperimentRow) -> list[Snapshot]:
    if not known.row["slug"]:
        return []
    try:
        return snapshots.all_of(known.folder)
    except NarrativeRunsError:
        # The page reports a damaged one when somebody opens it.
        return []


def sides_of(labels: Sequence[str], known: Sequence[ExperimentRow]) -> list[Side]:
    """The experiments with these labels: a slug or an id, or a snapshot of one (`SLUG@NAME`).

    Raises:
        ExperimentError: there is no such experiment or snapshot, or there are too many.
        JournalError: the journals of one cannot be read.
    """
    if len(labels) > MOST:
        raise ExperimentError(f"At most {MOST} experiments can be compared; you chose {len(labels)}.")
    by_name = {name: each for each in reversed(known) for name in (each.row["experiment_id"], each.row["slug"]) if name}
    sides: list[Side] = []
    for label in labels:
        which, snapshot = (label, "") if label in by_name else divided(label)
        if which not in by_name:
            raise ExperimentError(f"There is no experiment {which} in this folder's record.")
        side = _side(ascii_uppercase[len(sides)], by_name[which], snapshot)
        if side.label not in [each.label for each in sides]:
            sides.append(side)
    return sides


def _side(letter: str, known: ExperimentRow, snapshot: str) -> Side:
    row, folder = known.row, known.folder if known.row["slug"] else None
    state = experiment.find(folder) if folder is not None and folder.path.is_dir() else None
    if folder is None or state is None:
        if snapshot:
            raise ExperimentError(f"{named(known)} has no snapshots: its folder is not here.")
        return Side(letter, named(known), "", row["experiment_name"], None, _of_record(row), None, 0, False)
    below = experiment.suppress_below(folder, state)
    if snapshot:
        state = replace(state, params=dict(snapshots.named(folder, snapshot).params))
        return Side(letter, named(known), snapshot, row["experiment_name"], folder, state, None, below, True)
    state = replace(state, params=experiment.last_params(folder, state))
    metrics = _metrics(folder)
    published = None if metrics is None else masked_metrics(metrics, below, experiment.codebook_of(state.params))
    return Side(
        letter, named(known), "", row["experiment_name"], folder, state, published, below, published is not None
    )


def _metrics(folder: ExperimentFolder) -> dict[str, Any] | None:
    if not folder.result_table.exists():
        return None
    try:
        metrics: dict[str, Any] = json.loads(folder.metrics.read_text(encoding="utf-8"))
    except (OSError, ValueError):
        # The page of its findings says why they cannot be read.
        return None
    return metrics


def _of_record(row: dict[str, Any]) -> ExperimentState:
    """The params that the record's row holds a copy of."""
    params = {
        "experiment": {"name": row.get("experiment_name")},
        "model": {
            "name": row.get("model_name"),
            "provider": row.get("model_provider"),
            "temperature": row.get("temperature"),
            "api_url": row.get("api_url"),
        },
        "prompt": {
            "version": row.get("prompt_version"),
            "system_prompt": row.get("system_prompt"),
            "user_template": row.get("user_template"),
        },
        "data": {"file": row.get("data_file")},
        "run": {"seed": row.get("run_seed")},
    }
    return ExperimentState(row["experiment_id"], "", params, True, row.get("start_time") or "")


def why_not_compared(sides: Sequence[Side]) -> str:
    """Why chosen experiments are not compared narrative by narrative, in words; empty where they are."""
    if len(sides) < 2:
        return ""
    if masking := [side.label for side in sides if side.below]:
        return (
            f"Counts below a limit are masked in {', '.join(masking)} (`report.suppress_below`). Paired tests, the "
            "narratives that changed, and the measures of snapshots would reveal them, and are left out; "
            "`narrative-runs compare` shows them on your terminal."
        )
    if sum(side.has_findings for side in sides) < 2:
        return "Fewer than two of them have findings: there is nothing to test. They come at the end of a run."
    return ""


def _with_metrics_of_snapshots(sides: list[Side], compared: ComparedTables | str | None) -> list[Side]:
    if not isinstance(compared, ComparedTables):
        return sides
    return [replace(side, metrics=compared.metrics[side.label]) if side.snapshot else side for side in sides]
