"""A comparison as CSV files, for R, pandas and the appendix of a paper; no narrative text."""

import json
from collections.abc import Iterable, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

import pandas as pd
import pyarrow as pa

from narrative_runs.comparison.metrics_beside import MetricBeside
from narrative_runs.comparison.pairs import PairTest
from narrative_runs.comparison.params_apart import ParamApart
from narrative_runs.findings.tables import write_csv
from narrative_runs.user_files import owner_only

NAMES = ("params.csv", "metrics.csv", "tests.csv", "changed.csv")


def param_table(params: Iterable[ParamApart], slugs: Sequence[str]) -> pd.DataFrame:
    """One row a param and experiment: `param`, `kind` (frozen or free), `experiment` (its slug), `value`, whole."""
    rows = [
        (row.key, "frozen" if row.is_frozen else "free", slug, as_text(value))
        for row in params
        for slug, value in zip(slugs, row.values, strict=True)
    ]
    return pd.DataFrame(rows, columns=["param", "kind", "experiment", "value"], dtype="string")


def metric_table(metrics: Iterable[MetricBeside], slugs: Sequence[str]) -> pd.DataFrame:
    """One row a metric and experiment: `scope`, `metric`, `experiment` (its slug), `value`, `low`, `high`."""
    rows = [
        {"scope": row.scope, "metric": row.metric, "experiment": slug}
        | (value if isinstance(value, dict) else {"value": value})
        for row in metrics
        for slug, value in zip(slugs, row.values, strict=True)
    ]
    table = pd.DataFrame(rows, columns=["scope", "metric", "experiment", "value", "low", "high"])
    return table.astype(dict.fromkeys(("value", "low", "high"), "Float64"))


def pair_table(tests: Sequence[Sequence[PairTest]], slugs: Sequence[str]) -> pd.DataFrame:
    """One row a pair and scope: `first` and `other` (slugs), and the fields of `PairTest`."""
    rows = []
    for other, of_pair in zip(slugs[1:], tests, strict=True):
        for test in of_pair:
            kappa = dict.fromkeys(("value", "low", "high")) if test.kappa is None else test.kappa
            rows.append({"first": slugs[0], "other": other, **asdict(test), "kappa": kappa["value"], **kappa})
    table = pd.DataFrame(rows).drop(columns="value").rename(columns={"low": "kappa_low", "high": "kappa_high"})
    return table.astype(dict.fromkeys(("kappa", "kappa_low", "kappa_high", "p_value", "p_holm"), "Float64"))


def changed_table(changes: Sequence[pd.DataFrame], slugs: Sequence[str]) -> pd.DataFrame:
    """One row a pair and narrative whose detection changed: `first` and `other` (slugs), and what `changed` gives."""
    parts = []
    for other, of_pair in zip(slugs[1:], changes, strict=True):
        part = of_pair.copy()
        part.insert(0, "first", pd.Series(slugs[0], index=part.index, dtype="string"))
        part.insert(1, "other", pd.Series(other, index=part.index, dtype="string"))
        parts.append(part)
    return pd.concat(parts, ignore_index=True)


def write_files(tables: Sequence[pd.DataFrame], folder: Path) -> None:
    """Write the four tables into the folder, in the order of NAMES.

    Raises:
        FindingsError: a file cannot be written.
    """
    for name, table in zip(NAMES, tables, strict=True):
        with owner_only(folder / name) as draft:
            write_csv(pa.Table.from_pandas(table, preserve_index=False), draft)


def as_text(value: Any) -> str | None:
    """A param's value in words: a text as it is, all else as JSON, None where there is none."""
    return value if value is None or isinstance(value, str) else json.dumps(value, ensure_ascii=False)
