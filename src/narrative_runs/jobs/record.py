"""The job that merges all shards into the record and writes the findings; safe to repeat."""

import json
import math
import os
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq

from narrative_runs import experiment, journal, review_file
from narrative_runs.atomic_files import written_whole
from narrative_runs.codebook.texts import written
from narrative_runs.codebook.variables import Codebook
from narrative_runs.data_columns import types_of
from narrative_runs.errors import RecordError, ServerError
from narrative_runs.findings import cut_texts, metrics, seal, tables
from narrative_runs.findings.answer_quality import answer_quality
from narrative_runs.findings.by_variable.labels import labels_to_measure, read_labels
from narrative_runs.findings.by_variable.units import VariableLabels
from narrative_runs.findings.columns import types_of as types_of_columns
from narrative_runs.findings.disagreements import disagreements_by_variable
from narrative_runs.findings.readme import write_readme
from narrative_runs.jobs.error_patterns import patterns_of
from narrative_runs.params import Params, bootstrap_seed
from narrative_runs.paths import ExperimentFolder
from narrative_runs.record import database, state
from narrative_runs.record.error_patterns import put_error_patterns
from narrative_runs.record.merging import put_merged_results
from narrative_runs.record.reviews import put_reviews
from narrative_runs.record.sources import ensure_sources
from narrative_runs.run_context import RunContext
from narrative_runs.source import rules
from narrative_runs.source.groups import read_groups
from narrative_runs.source.incidents import read_incidents
from narrative_runs.source.shards import iterate_all, seen_incidents, unasked_incidents
from narrative_runs.source.variable_labels import LabelsOfVariable

# By pandas' own types whole numbers with a missing value would become fractions.
_WITH_MISSING = {
    pa.bool_(): pd.BooleanDtype(),
    pa.int64(): pd.Int64Dtype(),
    pa.float64(): pd.Float64Dtype(),
    pa.string(): pd.StringDtype(),
}


def merge(context: RunContext) -> None:
    """Merge the run's experiment: shards and retries to results.*, metrics.json and the record, in this order.

    Raises:
        ServerError: not one narrative has an answer.
        RecordError: the record cannot be written, or a narrative has not exactly one result.
    """
    folder, params = context.folder, context.params
    merged = _merged(folder, context.experiment_id, params)
    # What an earlier release completed without one stays completed.
    if not folder.metrics.exists() and not any(folder.earlier_findings.glob(f"*/{folder.metrics.name}")):
        _must_hold_an_answer(merged.results, context.experiment_id)
    _write(folder, merged, params, rules.numbered(context.reading_rules))
    write_readme(folder)
    _fill(context, merged)
    metrics.write_metrics(merged.metrics, folder.metrics)
    seal.seal(folder)
    # What was listed there, if anything, has been taken over.
    folder.changes.unlink(missing_ok=True)


def _must_hold_an_answer(results: pd.DataFrame, experiment_id: str) -> None:
    """An experiment without one answer is never completed."""
    if not len(results) or not results["error_occurred"].all():
        return
    message, count = results["error_message"].value_counts().index[0], len(results)
    raise ServerError(
        f"none of {count:,} narratives has an answer: {message}. The experiment is not completed, and its params are "
        "not frozen yet: correct them and start the same command again, or ask again as it is with "
        f"`snakemake --forcerun retry_errors --config experiment_id={experiment_id}`."
    )


def restore(context: RunContext) -> None:
    """Fill the record again where the findings exist and it is behind them; the findings stay as they are.

    Raises:
        RecordError: the record cannot be written, or a narrative has not exactly one result.
    """
    _fill(context, _merged(context.folder, context.experiment_id, context.params))


def put_back(derived: ExperimentFolder, experiment_id: str, params: Params, reason: str, total: int | None) -> None:
    """Bring an experiment's rows in the record back to an earlier state, in one transaction; this does not complete it.

    derived: the folder with the tables of that state; reason: why it is in this state, in words; total: narratives to
    classify.

    Raises:
        RecordError: the record cannot be written.
    """
    results = tables.finish(cut_texts.mark(gathered(derived, params)), params.variables)
    patterns = patterns_of(derived, experiment_id, params)
    with database.transaction() as connection:
        labels = _as_text(read_labels(derived, params.variables, results), len(results))
        put_merged_results(connection, experiment_id, results, params.variables, labels)
        put_error_patterns(connection, experiment_id, patterns, state.now())
        database.update_experiment(connection, experiment_id, _not_completed(results, params, reason, total))


def write_findings(
    folder: ExperimentFolder,
    experiment_id: str,
    params: Params,
    reading_rules: rules.ReadingRules,
    is_partial: bool = False,
) -> tuple[pd.DataFrame, dict[str, Any]]:
    """Write results.* from the shards and retries; returns the finished results, and the content of metrics.json.

    is_partial: whether narratives may have no result yet.

    Raises:
        RecordError: a narrative has more than one result, or none.
    """
    merged = _merged(folder, experiment_id, params, is_partial)
    _write(folder, merged, params, reading_rules)
    return merged.results, merged.metrics


class _Merged(NamedTuple):
    """The merged experiment.

    results: finished; metrics: the content of metrics.json; quality: that of data_quality.json; labels: of the
    codebook's variables that have any; compared: the same in the form for comparison; unasked: the incidents with a
    narrative that was not asked about.
    """

    results: pd.DataFrame
    metrics: dict[str, Any]
    quality: dict[str, Any]
    labels: dict[str, LabelsOfVariable]
    compared: dict[str, VariableLabels]
    unasked: set[str]


def _write(folder: ExperimentFolder, merged: _Merged, params: Params, reading_rules: rules.ReadingRules) -> None:
    """Write results.*, and the counts of answers in data_quality.json."""
    whole = _with_answers(folder, merged.quality, merged.results)
    exports = params.run.save_csv_json
    is_of_0_1_0 = reading_rules == rules.OF_0_1_0
    # The files of the first release held no other columns.
    others = None if is_of_0_1_0 else _other_columns(folder)
    listed = disagreements_by_variable(merged.results, params.variables, merged.compared, merged.unasked)
    tables.write_tables(
        merged.results, merged.metrics, whole, folder.path, exports, params.variables, others, is_of_0_1_0, listed
    )


def _with_answers(folder: ExperimentFolder, quality: dict[str, Any], results: pd.DataFrame) -> dict[str, Any]:
    """The content of data_quality.json with the counts of answers, which are written into it."""
    return put_answers(folder, quality, answer_quality(results))


def put_answers(folder: ExperimentFolder, quality: dict[str, Any], counts: dict[str, int]) -> dict[str, Any]:
    """Write these counts of answers into data_quality.json, none where there are none; returns its content.

    quality: its content so far.
    """
    whole = {name: value for name, value in quality.items() if name != "answers"}
    whole |= {"answers": counts} if counts else {}
    if whole != quality:
        times = folder.data_quality.stat()
        with written_whole(folder.data_quality) as draft:
            draft.write_text(json.dumps(whole, indent=2, ensure_ascii=False) + "\n", encoding="utf-8")
        # What was made from the workbook's part of it is as new as before.
        os.utime(folder.data_quality, ns=(times.st_atime_ns, times.st_mtime_ns))
    return whole


def _merged(folder: ExperimentFolder, experiment_id: str, params: Params, is_partial: bool = False) -> _Merged:
    """The finished results, with metrics, data quality and labels."""
    results = tables.finish(cut_texts.mark(gathered(folder, params)), params.variables)
    quality = json.loads(folder.data_quality.read_text(encoding="utf-8"))
    expected = quality["narratives"]["total"]
    if params.run.max_narratives is not None:
        expected = min(expected, params.run.max_narratives)
    is_short = len(results) < expected and not is_partial
    if is_short or len(results) > expected or results.duplicated(["incident_id", "narrative_type"]).any():
        raise RecordError(
            f"{folder.shards}: {len(results)} results for {expected} narratives. "
            f"Delete {folder.shards}/ and start the same command again: it is made anew from the journals."
        )
    incidents, labels = read_incidents(folder.incidents), read_labels(folder, params.variables, results)
    compared = labels_to_measure(labels, folder, params.variables, results)
    may_lack = is_partial or params.run.max_narratives is not None
    unasked = unasked_incidents(folder, results["row_num"]) if may_lack else set()
    measured = metrics.measure(
        _with_own_labels(results, incidents),
        experiment_id,
        bootstrap_seed(params.run.seed),
        types_of(params.data.columns),
        unasked,
        set(incidents.loc[incidents["is_inconsistent"], "incident_id"]),
        _groups(folder, names) if (names := params.report.groups) else None,
        params.variables,
        compared,
        seen_incidents(folder, experiment.seen_before(folder)),
    )
    return _Merged(results, measured, quality, labels, compared, unasked)


def _with_own_labels(results: pd.DataFrame, incidents: pd.DataFrame) -> pd.DataFrame:
    """The results with the labels that a person gave to incidents; in a workbook with a row a narrative and no such
    labels, `manual_flag` is otherwise the highest of the narratives, of which some may lack theirs."""
    own = incidents.set_index("incident_id")["label"]
    return results.assign(manual_flag=results["incident_id"].map(own).astype("Int64"))


def _fill(context: RunContext, merged: _Merged) -> None:
    """Bring results and metrics into the record, and the workbook's narratives where they are not in it."""
    patterns = patterns_of(context.folder, context.experiment_id, context.params)
    with database.transaction() as connection:
        as_text = _as_text(merged.labels, len(merged.results))
        put_merged_results(connection, context.experiment_id, merged.results, context.params.variables, as_text)
        completed = _columns(context.folder, merged.results, merged.metrics, context.params)
        database.update_experiment(connection, context.experiment_id, completed)
        put_error_patterns(connection, context.experiment_id, patterns, state.now())
        put_reviews(connection, context.experiment_id, review_file.read(context.folder))
    _restore_sources(context)


def _as_text(labels: Mapping[str, LabelsOfVariable], n_rows: int) -> Iterator[dict[str, str | None]]:
    """The labels as text, by variable, for each row of the results."""
    return ({name: written(each.of_rows[row]) for name, each in labels.items()} for row in range(n_rows))


def gathered(folder: ExperimentFolder, params: Params) -> pd.DataFrame:
    """All results of an experiment: those of the shards, replaced by those of retries where there are any."""
    count, types = params.shards.count, types_of_columns(params.variables)
    parts = [_table(folder.results_of(shard, count), types) for shard in range(1, count + 1)]
    parts.append(_table(folder.retries, types))
    results = pd.concat([part for part in parts if len(part)] or parts[:1], ignore_index=True)
    return results.drop_duplicates("row_num", keep="last")


def _other_columns(folder: ExperimentFolder) -> pd.DataFrame:
    """The workbook's other columns, with their `row_num`."""
    table: pd.DataFrame = pq.read_table(folder.other_columns).to_pandas(types_mapper=_WITH_MISSING.get)
    return table


def _groups(folder: ExperimentFolder, names: Sequence[str]) -> pd.DataFrame:
    """The group of each narrative in each of the columns, by `row_num`."""
    grouped = read_groups(folder.other_columns, names)
    return pd.DataFrame(
        grouped.drop_columns(["row_num"]).to_pydict(), index=grouped["row_num"].to_pylist(), dtype="string"
    )


def _table(path: Path, types: Mapping[str, str]) -> pd.DataFrame:
    table: pd.DataFrame = pq.read_table(path).to_pandas(types_mapper=None)
    return table.astype({name: kind for name, kind in types.items() if name in table})


def _restore_sources(context: RunContext) -> None:
    """Bring the workbook's narratives back into a record that was lost."""
    params = context.params
    ensure_sources(lambda: iterate_all(context.folder, params.shards.count), str(params.data.file), context.source_md5)


def _columns(
    folder: ExperimentFolder, results: pd.DataFrame, measured: dict[str, Any], params: Params
) -> dict[str, Any]:
    """The columns of a completed experiment."""
    overall, labels = measured["overall"], results["manual_flag_ind"]
    quality = json.loads(folder.data_quality.read_text(encoding="utf-8"))
    answered = journal.spans(folder.journals)
    seconds = results["response_sec"].mean()
    exports = params.run.save_csv_json
    return {
        "status": "completed",
        # As it was told where it was asked, like start_time.
        "end_time": answered[-1][1].strftime(state.TIME) if answered else None,
        "total_runtime_sec": round(sum((last - first).total_seconds() for first, last in answered), 3),
        "last_progress_update": state.now(),
        "estimated_completion_time": None,
        "notes": params.experiment.notes,
        "n_narratives_total": len(results),
        "n_narratives_skipped": _skipped(quality),
        "n_narratives_processed": measured["n_processed"],
        "n_narratives_completed": measured["n_processed"] - measured["n_errors"],
        "avg_time_per_narrative_sec": None if pd.isna(seconds) or math.isnan(seconds) else round(float(seconds), 3),
        **_detections(results, params.variables),
        "n_positive_manual": int((labels == 1).sum()),
        "n_negative_manual": int((labels == 0).sum()),
        "accuracy": _value(overall["accuracy"]),
        "precision_ipv": _value(overall["precision"]),
        "recall_ipv": _value(overall["recall"]),
        "f1_ipv": _value(overall["f1"]),
        "n_true_positive": overall["tp"],
        "n_false_positive": overall["fp"],
        "n_false_negative": overall["fn"],
        "n_true_negative": overall["tn"],
        "pct_overlap_with_manual": None if overall["accuracy"] is None else 100 * overall["accuracy"]["value"],
        "csv_file": str(folder.path / "results.csv") if exports else None,
        "json_file": str(folder.path / "results.json") if exports else None,
        **_ended_elsewhere(folder),
    }


def _detections(results: pd.DataFrame, codebook: Codebook) -> dict[str, int | None]:
    """How many narratives are detected, and how many are not; None where no variable is binary."""
    if codebook.first_binary is None:
        return {"n_positive_detected": None, "n_negative_detected": None}
    return {
        "n_positive_detected": int(results["detected"].sum()),
        "n_negative_detected": int((~results["detected"]).sum()),
    }


def _not_completed(results: pd.DataFrame, params: Params, reason: str, total: int | None) -> dict[str, Any]:
    """The columns of an experiment that is no longer, or not yet, completed."""
    return {
        **dict.fromkeys(state.MEASURED),
        "status": "failed",
        "notes": f"{params.experiment.notes}{state.STOPPED}{reason}",
        "last_progress_update": state.now(),
        "n_narratives_total": total,
        "n_narratives_processed": len(results),
        "n_narratives_completed": int((~results["error_occurred"]).sum()),
    }


def _skipped(quality: dict[str, Any]) -> int:
    """How many narratives of the source are not asked about, because they are blank, a placeholder or a duplicate."""
    placeholders = quality.get("placeholders", {})
    skipped = [quality["blanks_skipped"], quality["duplicates_dropped"]]
    if placeholders.get("handling") == "skip":
        skipped.append(placeholders)
    return sum(each["total"] for each in skipped)


def _ended_elsewhere(folder: ExperimentFolder) -> dict[str, Any]:
    """When and where an experiment ended that was adopted as a whole; nothing once a narrative was asked here."""
    rows: list[dict[str, Any]] = [head.get("adopted", {}) for head in journal.heads(folder.journals)]
    if not rows or any(row.get("status") != "completed" for row in rows):
        return {}
    kept = ("end_time", "total_runtime_sec", "last_progress_update", "hostname", "os_info")
    return {column: rows[0][column] for column in kept if rows[0].get(column) is not None}


def _value(rate: dict[str, float] | None) -> float | None:
    return None if rate is None else rate["value"]
