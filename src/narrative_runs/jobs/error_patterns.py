"""Patterns among the errors of a merged experiment, from its results and journals alone."""

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import pyarrow.compute as pc
import pyarrow.parquet as pq

from narrative_runs import journal
from narrative_runs.error_patterns.outcomes import ErrorKind, Outcomes
from narrative_runs.error_patterns.search import FEWEST_ERRORS, Pattern, search
from narrative_runs.error_patterns.sentences import Experiment, sentence
from narrative_runs.params import Params
from narrative_runs.paths import ExperimentFolder, shard_name
from narrative_runs.source.groups import groups_of

_ROWS_AT_ONCE = 1_000
_COLUMNS = ["row_num", "narrative_text", "error_category", "error_message", "fingerprint"]


def patterns_of(folder: ExperimentFolder, experiment_id: str, params: Params) -> list[tuple[Pattern, str]]:
    """The patterns among the errors of an experiment, each with its sentence for the user.

    In: the folder of its result table, shards and journals; its id and params.
    """
    count = params.shards.count
    errors = pq.read_table(folder.result_table, columns=["error_occurred"])["error_occurred"]
    if (pc.sum(errors).as_py() or 0) < FEWEST_ERRORS:
        return []
    outcomes = Outcomes(groups_of(folder, params))
    heads = {path: journal.head(path) for path in journal.files(folder.journals)}
    asked_by, asked_at, adopted = _asked_by(heads), _asked_at(folder, count), _adopted(heads)
    retried = set(pq.read_table(folder.retries, columns=["row_num"])["row_num"].to_pylist())
    for row_num, characters, category, message, fingerprint in _rows(folder):
        if fingerprint in adopted:
            continue
        server, host = asked_by.get(fingerprint, ("", ""))
        shard = shard_name((row_num - 1) % count + 1, count)
        error = ErrorKind.of(category, message)
        outcomes.put(row_num, characters, shard, server, host, asked_at.get(row_num), error, row_num in retried)
    experiment = Experiment.of(experiment_id, params)
    return [(pattern, sentence(pattern, experiment)) for pattern in search(outcomes)]


def _rows(folder: ExperimentFolder) -> Iterator[tuple[Any, ...]]:
    """The results with the length of each text instead of the text, some rows at a time."""
    with pq.ParquetFile(folder.result_table) as file:
        for part in file.iter_batches(_ROWS_AT_ONCE, columns=_COLUMNS):
            texts = part.schema.get_field_index("narrative_text")
            columns = part.set_column(texts, "narrative_text", pc.utf8_length(part["narrative_text"])).to_pydict()
            yield from zip(*(columns[name] for name in _COLUMNS), strict=True)


def _asked_at(folder: ExperimentFolder, count: int) -> dict[int, str]:
    """When each narrative was first asked, which only the shards say."""
    times: dict[int, str] = {}
    for path in (folder.results_of(shard, count) for shard in range(1, count + 1)):
        table = pq.read_table(path, columns=["row_num", "processed_at"])
        times.update(zip(table["row_num"].to_pylist(), table["processed_at"].to_pylist(), strict=True))
    return times


def _adopted(heads: Mapping[Path, Mapping[str, Any]]) -> set[str]:
    """The fingerprints of results from other software, which say nothing about this one's hosts and hours.

    In, here and below: the heads of all journals, oldest session first.
    """
    adopted: set[str] = set()
    for path, head in heads.items():
        is_adopted = "adopted" in head
        if is_adopted or (adopted and journal.name_of(path) == journal.RETRY):
            asked = {entry["fingerprint"] for _, entry in journal.entries(path)}
            adopted = adopted | asked if is_adopted else adopted - asked
    return adopted


def _asked_by(heads: Mapping[Path, Mapping[str, Any]]) -> dict[str, tuple[str, str]]:
    """Which server and host first gave each result, by its fingerprint; nothing where there was one of each."""
    models = [head.get("params", {}).get("model", {}) for head in heads.values()]
    has_servers = any(isinstance(model.get("api_url"), list) for model in models)
    if not has_servers and len({head.get("host") for head in heads.values() if head}) < 2:
        return {}
    asked_by: dict[str, tuple[str, str]] = {}
    for path, head in heads.items():
        if journal.name_of(path) == journal.RETRY:
            continue
        for _, entry in journal.entries(path):
            # Of two answers the first counts.
            asked_by.setdefault(entry["fingerprint"], (entry.get("server") or "", head.get("host") or ""))
    return asked_by
