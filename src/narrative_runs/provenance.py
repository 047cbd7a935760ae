"""`narrative-runs trace`: follows one result back to its question, its answer, and its cell in the workbook."""

import json
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from narrative_runs import experiment, journal, one_result
from narrative_runs.codebook.variables import Codebook
from narrative_runs.data_columns import NARRATIVE_TEXT, narrative_types, plain_columns
from narrative_runs.errors import ExperimentError
from narrative_runs.journal import RETRY, EntryReference
from narrative_runs.monitoring.experiments import chosen
from narrative_runs.params import check
from narrative_runs.paths import ExperimentFolder, shard_name
from narrative_runs.plain_text import plain
from narrative_runs.record import result_rows
from narrative_runs.results import last_that_counts, result_of
from narrative_runs.source.layouts import LONG
from narrative_runs.source.shards import SCHEMA, Narrative


@dataclass(frozen=True, slots=True)
class Attempt:
    """One earlier pass over a narrative.

    number: of the pass, from 1; asked_at: as the record writes times; error_category, error_message: None if it
    brought an answer; raw_response: what the model wrote, None if nothing came.
    """

    number: int
    asked_at: str
    error_category: str | None
    error_message: str | None
    raw_response: str | None


def show(incident_id: str, narrative_type: str, which: str, variable: str = "") -> None:
    """Print a result for its reader, then where it comes from.

    which: slug or id of the experiment; empty for the one that was started last; variable: the one variable of the
    codebook to show; empty for all.

    Raises:
        ExperimentError: as `trace`; what the record holds of the result is shown all the same.
        FindingsError: there is no such variable.
        RecordError: the record cannot be read.
    """
    known = chosen(which).row
    experiment_id, recorded = known["experiment_id"], None
    if variable:
        # Imported here: what knows no variable needs no tables.
        from narrative_runs import variable_outcomes

        recorded = variable_outcomes.read(known, variable)
    row = result_rows.of_narrative(experiment_id, incident_id, narrative_type)
    if row is not None:
        alone = recorded.of(row["result_id"]) if recorded else None
        lines = one_result.as_lines(row, one_result.terminal_width(), alone=alone)
        print("\n".join(lines), flush=True)
    origin = trace(incident_id, narrative_type, experiment_id)
    print("\nWHERE IT COMES FROM")
    for name, value in origin.items():
        print(plain(f"{name:17} {'' if value is None else value}"))
    sys.stdout.flush()


def trace(incident_id: str, narrative_type: str, which: str) -> dict[str, Any]:
    """Where the result of a narrative comes from; its journal, and never the merge, says what was asked.

    which: slug or id of the experiment; empty for the one that was started last. Out: by name, in the order of the
    way back: the result, what was asked of which model, by which software, where and when, where the answer is in the
    journals, and the narrative's cell.

    Raises:
        ExperimentError: there is no such experiment, narrative type or result, or its answer is not in the journals.
    """
    row = chosen(which).row
    if not row["slug"]:
        raise ExperimentError(f"{row['experiment_name']} comes from the R system: adopt it first (docs/from-r.md).")
    folder = ExperimentFolder(row["slug"])
    result = result_rows.of_narrative(row["experiment_id"], incident_id, narrative_type)
    state = experiment.find(folder)
    if result is None:
        types = narrative_types(state.params) if state is not None else (narrative_type,)
        known_types = "" if narrative_type in types else f" Its narrative types are: {', '.join(types)}."
        raise ExperimentError(
            f"{row['slug']} has no result for the narrative {incident_id} {narrative_type}.{known_types}"
        )
    if state is None:
        raise ExperimentError(f"{folder.path}/ is not here. Restore it: its journals say what was asked.")
    if not folder.data_quality.exists():
        raise ExperimentError(
            f"{folder.data_quality} is missing. Start the run again: it is recreated without asking the model."
        )
    count = check(state.params, str(folder.description)).shards.count
    reference = _answer_of(result, folder, count, experiment.codebook_of(state.params))
    head, entry = journal.head(reference.path), reference.read()
    quality = json.loads(folder.data_quality.read_text(encoding="utf-8"))
    return {
        "experiment": f"{row['experiment_name']} ({row['experiment_id']})",
        "narrative": f"{incident_id} {narrative_type}",
        "result": result["error_category"] or _detection(result),
        "model_asked": head["params"]["model"]["name"],
        "model_answered": result["model_answered"],
        "fingerprint": entry["fingerprint"],
        "asked_at": entry["asked_at"],
        "attempt": entry["attempt"],
        "software_version": head.get("software_version"),
        "git_commit": head.get("git_commit"),
        "host": head.get("host"),
        "journal": str(reference.path),
        "journal_byte": reference.offset,
        "source_file": head["params"]["data"]["file"],
        "source_md5": head["source_md5"],
        "source_sheet": _sheet(quality["sheet"], folder, result["row_num"]),
        "source_row": result["source_row"],
        "source_column": _column(quality["layout"], narrative_type, head["params"]["data"].get("columns") or {}),
    }


def _detection(result: dict[str, Any]) -> str:
    if result["coded"]:
        return f"{len(result['coded'])} variables"
    return "detected" if result["detected"] else "not detected"


def earlier_attempts(result: Mapping[str, Any], folder: ExperimentFolder) -> list[Attempt]:
    """What earlier passes over a narrative brought, the first one first; the last pass is the result itself, or what
    could not replace it.

    result: as the record's `of_narrative` gives it; folder: that of its experiment.

    Raises:
        ExperimentError: the experiment's folder is not here.
        JournalError: a journal cannot be read.
    """
    if (result["attempt_count"] or 1) == 1:
        return []
    state = experiment.find(folder)
    if state is None:
        raise ExperimentError(f"{folder.path}/ is not here. Bring it back: its journals tell what was asked.")
    params = check(state.params, str(folder.description))
    passes = _passes(dict(result), folder, params.shards.count)
    narrative, codebook = _narrative_of(dict(result)), experiment.codebook_of(state.params)
    attempts = []
    for number in sorted(passes)[:-1]:
        read = result_of(narrative, passes[number][1], codebook)
        attempts.append(Attempt(number, read.processed_at, read.error_category, read.error_message, read.raw_response))
    return attempts


def _passes(
    result: dict[str, Any], folder: ExperimentFolder, count: int
) -> dict[int, tuple[EntryReference, dict[str, Any]]]:
    """The entries of a narrative by pass, up to that of its result: a first pass is in its shard's journals, a later
    one among the retries."""
    last = result["attempt_count"] or 1
    name = shard_name((result["row_num"] - 1) % count + 1, count)
    passes: dict[int, tuple[EntryReference, dict[str, Any]]] = {}
    for path in [*journal.files(folder.journals, name), *journal.files(folder.journals, RETRY)]:
        for reference, entry in journal.entries(path, holding=result["fingerprint"]):
            is_its = entry["fingerprint"] == result["fingerprint"] and entry["attempt"] <= last
            # Of two of one pass the first counts among the shard's, the last among the retries.
            if is_its and (entry["attempt"] not in passes or journal.name_of(path) == RETRY):
                passes[entry["attempt"]] = reference, entry
    return passes


def _answer_of(result: dict[str, Any], folder: ExperimentFolder, count: int, codebook: Codebook) -> EntryReference:
    """The entry that became the result."""
    last, passes = result["attempt_count"] or 1, _passes(result, folder, count)
    if last in passes:
        if codebook.fits_the_record:
            return passes[last][0]
        ordered = [passes[number] for number in sorted(passes)]
        index, _ = last_that_counts(_narrative_of(result), [entry for _, entry in ordered], codebook)
        return ordered[index][0]
    raise ExperimentError(
        f"{folder.journals}/ holds no answer with the fingerprint {result['fingerprint']}. Restore the journals."
    )


def _narrative_of(result: dict[str, Any]) -> Narrative:
    return Narrative(**{name: result[name] for name in SCHEMA.names})


def _sheet(sheet: str | list[str] | None, folder: ExperimentFolder, row_num: int) -> str | None:
    """The sheet of a narrative; if several were read, the other columns name it."""
    if not isinstance(sheet, list):
        return sheet
    # Imported here: only such a workbook needs it.
    import pyarrow.parquet as pq

    beside = pq.read_table(folder.other_columns, columns=["source_sheet"], filters=[("row_num", "==", row_num)])
    return str(beside["source_sheet"][0])


def _column(layout: str, narrative_type: str, columns: dict[str, str]) -> str:
    named = plain_columns(columns)
    if layout == LONG:
        return named.get(NARRATIVE_TEXT, NARRATIVE_TEXT)
    return named.get(narrative_type, f"Narrative{narrative_type.upper()}")
