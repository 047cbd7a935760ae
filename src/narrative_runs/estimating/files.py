"""estimates.json and estimates.csv, each whole or not at all."""

import json
from collections.abc import Iterator, Mapping
from typing import Any

import pandas as pd
import pyarrow as pa

from narrative_runs.atomic_files import written_whole
from narrative_runs.estimating.units import LEVELS
from narrative_runs.findings.estimates_file import DIFFERENCE, RATIO, by_value, kinds_of, quantity_in
from narrative_runs.findings.suppression import MASKED
from narrative_runs.findings.tables import write_csv
from narrative_runs.paths import ExperimentFolder

_COUNTS = ("n", "n_answered", "n_errors", "n_unasked", "n_reviewed")
COLUMNS = (
    "variable",
    "value_of_variable",
    "level",
    "by",
    "group",
    "compared_with",
    "quantity",
    "kind",
    "value",
    "low",
    "high",
    "is_masked",
    *_COUNTS,
    "design",
    "estimator",
)


def json_of(content: Mapping[str, Any]) -> bytes:
    """estimates.json."""
    return (json.dumps(content, indent=2, ensure_ascii=False, allow_nan=False) + "\n").encode()


def table_of(content: Mapping[str, Any]) -> pd.DataFrame:
    """estimates.csv: a row for each number with its interval. `kind` says in words which of the three it is; the
    corrected one comes first. Numbers that are masked or unknown are missing."""
    rows = [
        row
        for name, of_variable in content["variables"].items()
        for level in LEVELS
        for row in _of_level(name, level, of_variable, content["compared_with"])
    ]
    table = pd.DataFrame(rows, columns=list(COLUMNS))
    types = dict.fromkeys(("value", "low", "high"), "Float64") | dict.fromkeys(_COUNTS, "Int64")
    texts = dict.fromkeys((name for name in COLUMNS if name not in {*types, "is_masked"}), "string")
    return table.astype({**types, **texts, "is_masked": bool})


def csv_of(content: Mapping[str, Any], folder: ExperimentFolder) -> bytes:
    """estimates.csv; `folder`: may hold a draft of it for a moment."""
    draft = folder.estimates_table.with_name(f".{folder.estimates_table.name}.made")
    try:
        write_csv(pa.Table.from_pandas(table_of(content), preserve_index=False), draft)
        return draft.read_bytes()
    finally:
        draft.unlink(missing_ok=True)


def write_estimates(content: Mapping[str, Any], folder: ExperimentFolder) -> None:
    """Write both files."""
    for path, made in ((folder.estimates, json_of(content)), (folder.estimates_table, csv_of(content, folder))):
        with written_whole(path) as draft:
            draft.write_bytes(made)


def _of_level(
    name: str, level: str, of_variable: Mapping[str, Any], references: Mapping[str, str]
) -> Iterator[dict[str, Any]]:
    scope, kind = of_variable[level], of_variable["type"]
    same = {"variable": name, "level": level}
    kinds = kinds_of(of_variable["source"])
    yield from ({**same, **row} for row in _of_scope(scope, quantity_in(scope), kind, kinds))
    for column, groups in scope.get("by", {}).items():
        if groups == MASKED:
            yield {**same, "by": column, "quantity": quantity_in(scope), "is_masked": True}
            continue
        for group, of_group in groups.items():
            for quantity in (quantity_in(scope), DIFFERENCE, RATIO):
                if of_group[quantity] is None:
                    continue
                own = {**same, "by": column, "group": group}
                own |= {"compared_with": references[column]} if quantity in (DIFFERENCE, RATIO) else {}
                yield from ({**own, **row} for row in _of_scope(of_group, quantity, kind, kinds))


def _of_scope(scope: Mapping[str, Any], quantity: str, kind: str, kinds: Mapping[str, str]) -> Iterator[dict[str, Any]]:
    same = {"quantity": quantity, "design": scope["design"], "is_masked": scope[quantity] == MASKED}
    same |= {name: None if scope[name] == MASKED else scope[name] for name in _COUNTS}
    if same["is_masked"]:
        yield same
        return
    estimators = by_value(kind, scope["estimator"])
    for value, rates in by_value(kind, scope[quantity]).items():
        for name, words in kinds.items():
            estimator = estimators[value] if name == "corrected" else None
            yield {
                **same,
                "value_of_variable": value or None,
                "kind": words,
                "estimator": estimator,
                **(rates[name] or {}),
            }
