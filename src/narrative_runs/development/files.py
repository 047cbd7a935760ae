"""The tables of `try` as CSV files, for R and pandas; with ids, but no narrative text."""

from collections.abc import Sequence
from pathlib import Path

import pandas as pd

from narrative_runs.comparison import files
from narrative_runs.development.configuration import Answered, Sample
from narrative_runs.development.measured import Differing, Spent, tried
from narrative_runs.user_files import check_free

NAMES = ("measures.csv", "differences.csv", "differing.csv", "tokens.csv")


def check_files_free(folder: Path | None, force: bool) -> None:
    """See that none of NAMES is in the folder; with `force` they may be.

    Raises:
        FindingsError: one does.
    """
    if folder is not None:
        check_free([folder / name for name in NAMES], force)


def write_files(folder: Path, sample: Sample, answered: Sequence[Answered]) -> None:
    """Write NAMES into the folder.

    Raises:
        FindingsError: a file cannot be written.
    """
    comparison, names = tried(sample, answered), [each.configuration.name for each in answered]
    tests = [comparison.pairs[index].tests for index in range(1, len(names))]
    tables = [
        files.measure_table(comparison.measures, names).rename(columns={"experiment": "configuration"}),
        files.variable_test_table(tests, names),
        differing_table(comparison.differing, names),
        spent_table(comparison.spent, names),
    ]
    files.write_files(tables, folder, NAMES)


def differing_table(differing: Sequence[Differing], names: Sequence[str]) -> pd.DataFrame:
    """One row a narrative, variable and configuration: `incident_id`, `narrative_type`, `variable`, `label`,
    `configuration`, `value`."""
    rows = [(*each[:4], name, value) for each in differing for name, value in zip(names, each.values, strict=True)]
    columns = ["incident_id", "narrative_type", "variable", "label", "configuration", "value"]
    return pd.DataFrame(rows, columns=columns, dtype="string")


def spent_table(spent: Sequence[Spent], names: Sequence[str]) -> pd.DataFrame:
    """One row a configuration: `configuration`, and the fields of `Spent`."""
    table = pd.DataFrame(spent, columns=list(Spent._fields))
    table.insert(0, "configuration", pd.Series(list(names), dtype="string"))
    whole = dict.fromkeys(("prompt_tokens", "completion_tokens"), "Int64")
    return table.astype({**whole, **dict.fromkeys(("seconds", *Spent._fields[5:]), "Float64")})
