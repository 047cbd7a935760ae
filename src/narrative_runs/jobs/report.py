"""The job that draws the figures and writes the report of a merged experiment; safe to repeat.

Nothing is computed here that metrics.json holds already. The job asks no model, and leaves the record alone.
"""

import json
import logging
from collections.abc import Iterator
from pathlib import Path
from typing import Any, NamedTuple

import pandas as pd
import pyarrow.parquet as pq

from narrative_runs import journal
from narrative_runs.atomic_files import written_whole
from narrative_runs.codebook.variables import Quote, not_in_text_column
from narrative_runs.findings.estimates_file import damaged, made_from, older_in, read_estimates
from narrative_runs.findings.metrics import write_metrics
from narrative_runs.findings.suppression import masked_metrics, masked_quality
from narrative_runs.jobs.error_patterns import patterns_of
from narrative_runs.paths import ExperimentFolder
from narrative_runs.report import contents, distributions, estimates, estimates_figure, figures, probabilities
from narrative_runs.report.canvas import LEFT_OUT, Drawing, files_of, nothing, style
from narrative_runs.report.captions import CAPTIONS, Caption
from narrative_runs.report.estimates import EstimatesShown
from narrative_runs.report.header import header_of
from narrative_runs.report.page import Contents, Picture, page
from narrative_runs.run_context import RunContext

_KEY_COLUMNS = ["row_num", "incident_id", "narrative_type"]
_COLUMNS = [
    *_KEY_COLUMNS,
    "detected",
    "confidence",
    "p_detected",
    "indicators",
    "error_occurred",
    "error_category",
    "prompt_tokens",
    "completion_tokens",
    "model_answered",
    "is_true_positive",
    "is_true_negative",
    "is_false_positive",
    "is_false_negative",
]
_SHOWN_COLUMNS = ["rationale", "narrative_text"]


def write_report(context: RunContext, with_prints: bool = True) -> None:
    """Write the figures of the run's experiment, and then its report.html.

    with_prints: whether the figures as PDF are written as well; else `write_prints` writes them meanwhile.
    """
    folder, params = context.folder, context.params
    below, shows_narratives = params.report.suppress_below, params.report.show_narratives
    metrics = _metrics_to_publish(context)
    quality = masked_quality(json.loads(folder.data_quality.read_text(encoding="utf-8")), below, metrics)
    write_metrics(metrics, folder.metrics_to_publish)
    results = _results(folder, _COLUMNS)
    drawings = _drawings(context, metrics, results)
    pictures = [_put(name, CAPTIONS[name], drawing, folder, with_prints) for name, drawing in drawings.items()]
    heads = journal.heads(folder.journals)
    patterns = [] if below else patterns_of(folder, context.experiment_id, params)
    page_contents = Contents(
        models=contents.models_answered(results),
        errors=contents.error_counts(results),
        indicators=contents.indicator_counts(
            results, max(below, 1 if shows_narratives else contents.FEWEST_ROWS), below
        ),
        read_first=None if below else contents.to_read_first(results, shows_narratives),
        wrong_answers=contents.wrong_answers(_wrong_rows(folder)) if shows_narratives else None,
        servers=[] if below else contents.server_counts(_entries_of_servers(folder, heads)),
        error_patterns=[text for _, text in patterns],
        passages_not_in_text=_passages_not_in_text(context) if shows_narratives and not below else {},
    )
    header = header_of(context, heads)
    estimated = _estimates(folder, below)
    if estimated is not None and estimated.drawing is not None:
        pictures.append(
            _put(estimates_figure.NAME, estimates_figure.CAPTION, estimated.drawing, folder, with_print=True)
        )
    elif estimated is not None:
        # It was drawn under another limit, and shows what this one masks.
        for kind in ("png", "pdf"):
            folder.figure(estimates_figure.NAME, kind).unlink(missing_ok=True)
    shown = None if estimated is None else estimated.shown
    _write(folder.report, page(header, metrics, quality, page_contents, pictures, shown).encode(errors="replace"))


def write_prints(context: RunContext) -> None:
    """Write the figures of the run's experiment as PDF only."""
    folder = context.folder
    drawings = _drawings(context, _metrics_to_publish(context), _results(folder, _COLUMNS))
    for name, drawing in drawings.items():
        _write(folder.figure(name, "pdf"), files_of(drawing.figure, ("pdf",))["pdf"])


def _metrics_to_publish(context: RunContext) -> dict[str, Any]:
    metrics = json.loads(context.folder.metrics.read_text(encoding="utf-8"))
    return masked_metrics(metrics, context.params.report.suppress_below, context.params.variables)


def _drawings(context: RunContext, metrics: dict[str, Any], results: pd.DataFrame) -> dict[str, Drawing]:
    # Else it tells when it looks for fonts for the first time.
    logging.getLogger("matplotlib").setLevel(logging.ERROR)
    seconds = _response_seconds(context.folder, context.params.shards.count)
    with style():
        return drawn(metrics, results, seconds, context.params.report.suppress_below)


def drawn(metrics: dict[str, Any], results: pd.DataFrame, seconds: pd.Series, below: int = 0) -> dict[str, Drawing]:
    """All figures by name, in the order of their captions.

    In: what may be published of metrics.json; one row a narrative; response times in seconds; the limit below which
    counts are masked: with one, figures whose bars are counts of rows are left out.
    """
    drawings = {
        "detection_rates": figures.detection_rates(metrics),
        "confusion_matrices": figures.confusion_matrices(metrics),
        "agreement": figures.agreement(metrics),
        "confidence_by_outcome": nothing(LEFT_OUT) if below else distributions.confidence_by_outcome(results),
        "reliability": probabilities.reliability(metrics),
        "roc_precision_recall": probabilities.roc_precision_recall(metrics),
        "errors_by_category": distributions.errors_by_category(contents.error_counts(results), metrics["n_processed"]),
        "response_times_tokens": nothing(LEFT_OUT) if below else distributions.response_times_tokens(seconds, results),
    }
    return {name: drawings[name] for name in CAPTIONS}


def _put(name: str, caption: Caption, drawing: Drawing, folder: ExperimentFolder, with_print: bool) -> Picture:
    """Write a figure as PNG, and as PDF if that is wanted; returns it as the page shows it."""
    kinds = ("png", "pdf") if with_print else ("png",)
    files = files_of(drawing.figure, ("svg", *kinds))
    for kind in kinds:
        _write(folder.figure(name, kind), files[kind])
    return Picture(name, caption, drawing.words, files["svg"])


class _Estimated(NamedTuple):
    """The section of estimates, and its figure, None where nothing may be drawn."""

    shown: EstimatesShown
    drawing: Drawing | None


def _estimates(folder: ExperimentFolder, below: int) -> _Estimated | None:
    """The part of estimates.json that the report shows; None where nothing was estimated.

    Raises:
        FindingsError: it cannot be read.
    """
    content = read_estimates(folder)
    if content is None:
        return None
    try:
        shown = estimates.estimates_shown(content, older_in(content, made_from(folder, below)), folder.slug)
        with style():
            return _Estimated(shown, estimates_figure.drawing(content) if shown.has_figure else None)
    except (KeyError, TypeError, AttributeError, ValueError) as error:
        raise damaged(folder, f"it is not as it was written ({error!r})") from None


def _results(folder: ExperimentFolder, columns: list[str]) -> pd.DataFrame:
    table: pd.DataFrame = pq.read_table(folder.result_table, columns=columns).to_pandas()
    return table


def _entries_of_servers(folder: ExperimentFolder, heads: list[dict[str, Any]]) -> Iterator[dict[str, Any]]:
    """The entries of all journals, if a session had several servers."""
    if any(isinstance(head.get("params", {}).get("model", {}).get("api_url"), list) for head in heads):
        for path in journal.files(folder.journals):
            yield from (entry for _, entry in journal.entries(path))


def _wrong_rows(folder: ExperimentFolder) -> pd.DataFrame:
    """The false positives and false negatives with their texts; the texts of all other rows are not read into
    pandas."""
    wrong = [("is_false_positive", "==", True)], [("is_false_negative", "==", True)]
    table: pd.DataFrame = pq.read_table(
        folder.result_table, columns=[*_COLUMNS, *_SHOWN_COLUMNS], filters=list(wrong)
    ).to_pandas()
    return table


def _passages_not_in_text(context: RunContext) -> dict[str, list[contents.PassagesNotInText]]:
    """By quote variable, the narratives with passages that are not in their text; no other rows are read into
    pandas."""
    listed = {}
    for name, variable in context.params.variables.variables.items():
        if isinstance(variable, Quote):
            column = not_in_text_column(name)
            rows = pq.read_table(
                context.folder.result_table, columns=[*_KEY_COLUMNS, column], filters=[(column, "!=", "[]")]
            )
            listed[name] = contents.passages_not_in_text(rows.to_pandas(), name)
    return listed


def _response_seconds(folder: ExperimentFolder, count: int) -> pd.Series:
    """Response times in seconds, which only the shards hold; a retry replaces the first pass."""
    paths = [*(folder.results_of(shard, count) for shard in range(1, count + 1)), folder.retries]
    timed = pd.concat([pq.read_table(path, columns=["row_num", "response_sec"]).to_pandas() for path in paths])
    seconds: pd.Series = timed.drop_duplicates("row_num", keep="last")["response_sec"]
    return seconds


def _write(path: Path, content: bytes) -> None:
    with written_whole(path) as draft:
        draft.write_bytes(content)
