"""A comparison as CSV files, for R, pandas and the appendix of a paper; no narrative text."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, fields
from itertools import chain
from pathlib import Path
from typing import Any

import pandas as pd
import pyarrow as pa

from narrative_runs.comparison.metrics_beside import MetricBeside
from narrative_runs.comparison.pairs import PairTest
from narrative_runs.comparison.params_apart import ParamApart, as_text
from narrative_runs.comparison.variable_pairs import CHANGED_COLUMNS, VariableTest
from narrative_runs.comparison.variables_beside import MeasureBeside
from narrative_runs.findings.intervals import Rate
from narrative_runs.findings.tables import write_csv
from narrative_runs.user_files import owner_only

NAMES = ("params.csv", "metrics.csv", "tests.csv", "changed.csv")
# Of experiments with a codebook, beside the others; and of one variable alone.
NAMES_BY_VARIABLE = ("variables.csv", "variable_tests.csv", "variable_changes.csv")
NAMES_OF_ONE_VARIABLE = ("variables.csv", "variable_tests.csv", "changed.csv")
_RATES = ("same", "difference")


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


def measure_table(measures: Iterable[MeasureBeside], slugs: Sequence[str]) -> pd.DataFrame:
    """One row a measure and experiment: `variable`, `level`, `measure`, `experiment` (its slug), `value`, `low`,
    `high`."""
    rows = [
        {"variable": row.variable, "level": row.level, "measure": row.measure, "experiment": slug}
        | (value if isinstance(value, dict) else {"value": value})
        for row in measures
        for slug, value in zip(slugs, row.values, strict=True)
    ]
    names = ["variable", "level", "measure", "experiment", "value", "low", "high"]
    return pd.DataFrame(rows, columns=names).astype(dict.fromkeys(("value", "low", "high"), "Float64"))


def variable_test_table(tests: Sequence[Sequence[VariableTest]], slugs: Sequence[str]) -> pd.DataFrame:
    """One row a pair and variable: `first` and `other` (slugs), and the fields of `VariableTest`; a rate among
    them has its value, then its bounds as `same_low` and `same_high`."""
    rows = []
    for other, of_pair in zip(slugs[1:], tests, strict=True):
        for test in of_pair:
            row: dict[str, Any] = {"first": slugs[0], "other": other}
            for name, value in asdict(test).items():
                row |= _spread(name, value) if name in _RATES else {name: value}
            rows.append(row)
    numbers = {rate: list(_spread(rate, None)) for rate in _RATES}
    columns = [column for field in fields(VariableTest) for column in numbers.get(field.name, [field.name])]
    table = pd.DataFrame(rows, columns=["first", "other", *columns])
    return table.astype(dict.fromkeys((*chain(*numbers.values()), "p_value", "p_holm"), "Float64"))


def variable_changed_table(changes: Sequence[Mapping[str, pd.DataFrame]], slugs: Sequence[str]) -> pd.DataFrame:
    """One row a pair, variable and narrative whose value changed: `first` and `other` (slugs), `variable`, and the
    key, values and labels as `variable_pair` gives them."""
    parts = [pd.DataFrame(columns=["first", "other", "variable", *CHANGED_COLUMNS], dtype="string")]
    for other, of_pair in zip(slugs[1:], changes, strict=True):
        parts += [
            part.assign(first=slugs[0], other=other, variable=name)[list(parts[0].columns)]
            for name, part in of_pair.items()
        ]
    return pd.concat(parts, ignore_index=True).astype("string")


def write_files(tables: Sequence[pd.DataFrame], folder: Path, names: Sequence[str] = NAMES) -> None:
    """Write the tables into the folder, by these names in their order.

    Raises:
        FindingsError: a file cannot be written.
    """
    for name, table in zip(names, tables, strict=True):
        with owner_only(folder / name) as draft:
            write_csv(pa.Table.from_pandas(table, preserve_index=False), draft)


def _spread(name: str, value: Rate) -> dict[str, float | None]:
    """A rate as three columns."""
    known = value or dict.fromkeys(("value", "low", "high"))
    return {name: known["value"], f"{name}_low": known["low"], f"{name}_high": known["high"]}
