"""Findings: the results of an experiment; each count links to its narratives."""

import asyncio
import json
from collections import Counter
from collections.abc import Mapping
from functools import lru_cache
from typing import Any, NamedTuple

import pyarrow as pa
import pyarrow.parquet as pq
from aiohttp import web

from narrative_runs import experiment
from narrative_runs.errors import FindingsError
from narrative_runs.experiment import ExperimentState
from narrative_runs.findings.estimates_file import damaged, made_from, older_in, read_estimates
from narrative_runs.findings.suppression import masked_metrics
from narrative_runs.monitoring.experiments import COMPLETED, RUNNING, ExperimentRow
from narrative_runs.page.experiment_asked import experiment_asked, named
from narrative_runs.page.file_states import FileState, state_of_file
from narrative_runs.page.findings import of_record as record_findings
from narrative_runs.page.findings.sections import Findings, sections
from narrative_runs.page.masking import suppress_below
from narrative_runs.page.rendering import render
from narrative_runs.page.tables import Section
from narrative_runs.paths import ExperimentFolder
from narrative_runs.record.error_rows import error_counts
from narrative_runs.report.captions import CAPTIONS
from narrative_runs.report.estimates import EstimatesShown, estimates_shown
from narrative_runs.report.header import ReportHeader
from narrative_runs.report.summary import summary

_COUNTED = ("narrative_type", "error_category", "model_answered")
_ROWS_AT_ONCE = 50_000
_ESTIMATES = "estimates"
_FIGURES = (*CAPTIONS, _ESTIMATES)
_TITLES = {**{name: caption.title for name, caption in CAPTIONS.items()}, _ESTIMATES: "Estimated prevalences"}
_TEXTS = {**{name: caption.text for name, caption in CAPTIONS.items()}, _ESTIMATES: ""}


def routes() -> list[web.RouteDef]:
    """The addresses of this room."""
    return [
        web.get("/experiments/{experiment}/findings", _show),
        web.get("/experiments/{experiment}/figures/{name}.png", _figure),
    ]


async def _show(request: web.Request) -> web.Response:
    known = await experiment_asked(request)
    shown, notes = await asyncio.to_thread(findings_shown, known)
    return render(
        request,
        "findings.html.j2",
        room="findings",
        experiment=named(known),
        known=known,
        notes=notes,
        sections=shown,
        titles=_TITLES,
        texts=_TEXTS,
    )


async def _figure(request: web.Request) -> web.Response:
    known, name = await experiment_asked(request), request.match_info["name"]
    if name not in _FIGURES or not known.row.get("slug"):
        raise web.HTTPNotFound
    content = await asyncio.to_thread(_figure_shown, known, name)
    if content is None:
        raise web.HTTPNotFound
    return web.Response(body=content, content_type="image/png")


def _figure_shown(known: ExperimentRow, name: str) -> bytes | None:
    """A figure of the experiment as PNG; None if there is none, or its page leaves it out."""
    state, metrics = experiment.find(known.folder), _metrics(known.folder)
    if state is None or metrics is None:
        return None
    try:
        is_shown = name in _read(named(known), known.folder, state, metrics).figures
        return known.folder.figure(name, "png").read_bytes() if is_shown else None
    except OSError:
        return None


def findings_shown(known: ExperimentRow) -> tuple[list[Section], list[str]]:
    """The sections of an experiment's findings, and notes that readers should see first.

    Raises:
        NarrativeRunsError: they are damaged, or between two states.
    """
    folder = known.folder if known.row.get("slug") else None
    state = experiment.find(folder) if folder is not None and folder.path.is_dir() else None
    metrics = None if folder is None or state is None else _metrics(folder)
    if folder is None or state is None or metrics is None:
        return _of_record(known, state)
    experiment.must_not_be_between(folder)
    notes = []
    if known.state == RUNNING:
        notes.append("It is running: these are the findings of its last merge, which the next one replaces.")
    elif known.state != COMPLETED:
        notes.append(f"It is not completed ({known.state}): these are the findings of its last merge.")
    return sections(_read(named(known), folder, state, metrics)), notes


def _of_record(known: ExperimentRow, state: ExperimentState | None) -> tuple[list[Section], list[str]]:
    """The same for an experiment without findings files: what the record has."""
    counts = error_counts(known.row["experiment_id"])
    below = suppress_below(known)
    if known.state == RUNNING:
        note = "It is running: findings come with its merge, at the end. What the record has so far:"
    elif state is None:
        note = "Its folder is not here, as with an experiment of the R system: this is what the record has."
    else:
        note = "It has no findings yet: they come when its run is at its end. What the record has:"
    return record_findings.sections(named(known), known.row, counts, below), [note]


def _metrics(folder: ExperimentFolder) -> dict[str, Any] | None:
    try:
        metrics: dict[str, Any] = json.loads(folder.metrics.read_text(encoding="utf-8"))
    except FileNotFoundError:
        return None
    except (OSError, ValueError) as error:
        raise FindingsError(
            f"{folder.metrics} cannot be read: {error}. Delete it and start the run of {folder.slug} again: it is made "
            "anew, and nothing is asked."
        ) from None
    return metrics


def _read(which: str, folder: ExperimentFolder, state: ExperimentState, metrics: dict[str, Any]) -> Findings:
    codebook, below = experiment.codebook_of(state.params), experiment.suppress_below(folder, state)
    published = masked_metrics(metrics, below, codebook)
    counts = _counts(folder, state_of_file(folder.result_table))
    header = ReportHeader(state.experiment_id, folder.slug, state.source_md5, experiment.last_params(folder, state), [])
    has_detections = codebook.first_binary is not None
    estimated = _estimates(folder, below)
    return Findings(
        which,
        published,
        below,
        dict(codebook.variables) if state.params.get(experiment.CODEBOOK) else {},
        has_detections,
        counts.errors,
        # How the errors of a few are divided would tell more than their number.
        {} if below else counts.errors_by_type,
        summary(header, published, counts.models) if has_detections else [],
        estimated,
        _figures(folder, published, estimated),
    )


class _Counts(NamedTuple):
    """Counts from the results: errors by category, the most frequent first, and by narrative type; and the models
    that answered, as they named themselves, each with its number of answers."""

    errors: dict[str, int]
    errors_by_type: dict[str, dict[str, int]]
    models: list[tuple[str, int]]


@lru_cache(maxsize=64)
def _counts(folder: ExperimentFolder, _: FileState) -> _Counts:
    """Count again only if the results were rewritten; some rows at a time, as there may be a million.

    Raises:
        FindingsError: the results cannot be read.
    """
    errors, of_types, models = Counter[str](), dict[str, Counter[str]](), Counter[str]()
    try:
        file = pq.ParquetFile(folder.result_table, read_dictionary=[*_COUNTED])
        for batch in file.iter_batches(_ROWS_AT_ONCE, columns=[*_COUNTED, "error_occurred"], use_threads=False):
            groups = pa.Table.from_batches([batch]).group_by(batch.schema.names, use_threads=False)
            for row in groups.aggregate([([], "count_all")]).to_pylist():
                of_type = of_types.setdefault(str(row["narrative_type"]), Counter())
                if row["error_occurred"]:
                    category = str(row["error_category"] or "unknown")
                    errors[category] += row["count_all"]
                    of_type[category] += row["count_all"]
                if row["model_answered"] is not None:
                    models[str(row["model_answered"])] += row["count_all"]
    except (OSError, ValueError, KeyError, pa.ArrowException) as error:
        raise FindingsError(
            f"The findings in {folder.path} cannot be read: {error}. Delete {folder.result_table} and start its run "
            "again: they are made anew, and nothing is asked."
        ) from None
    by_type = {kind: dict(of_types[kind]) for kind in sorted(of_types)}
    return _Counts(dict(_most_frequent_first(errors)), by_type, _most_frequent_first(models))


def _most_frequent_first(counts: Counter[str]) -> list[tuple[str, int]]:
    return sorted(counts.items(), key=lambda each: (-each[1], each[0]))


def _figures(folder: ExperimentFolder, published: Mapping[str, Any], estimated: EstimatesShown | None) -> list[str]:
    """The names of the figures that exist, unless they were drawn from other metrics or estimates than the page
    shows."""
    try:
        drawn_from = json.loads(folder.metrics_to_publish.read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return []
    if drawn_from != published:
        return []
    left_out = () if estimated is not None and estimated.has_figure else (_ESTIMATES,)
    return [name for name in _FIGURES if name not in left_out and folder.figure(name, "png").is_file()]


def _estimates(folder: ExperimentFolder, below: int) -> EstimatesShown | None:
    content = read_estimates(folder)
    if content is None:
        return None
    now = _made_from(folder, below, *map(state_of_file, (folder.result_table, folder.reviews)))
    try:
        return estimates_shown(content, older_in(content, now), folder.slug)
    except (KeyError, TypeError, AttributeError, ValueError) as error:
        raise damaged(folder, f"it is not as it was written ({error!r})") from None


@lru_cache(maxsize=64)
def _made_from(folder: ExperimentFolder, below: int, *_: FileState) -> dict[str, Any]:
    """The inputs of estimates made now, read again only if a file has changed."""
    return made_from(folder, below)
