"""`narrative-runs compare`: finished experiments compared with the first one named."""

from collections.abc import Sequence
from pathlib import Path

import pandas as pd

from narrative_runs.comparison import files
from narrative_runs.comparison.by_variable import ByVariable
from narrative_runs.comparison.compared import Compared, adjusted, compared, read_named, variables_compared
from narrative_runs.comparison.printed import PrintedComparison
from narrative_runs.finished import Finished
from narrative_runs.plain_console import PlainConsole
from narrative_runs.user_files import check_free


def compare(named: Sequence[str], csv_folder: Path | None, force: bool, variable: str = "") -> None:
    """Print how the experiments with these slugs or ids, or their snapshots (`SLUG@NAME`), differ; with a folder, also
    write CSV files. variable: the name of the only one to show, with the narratives that changed.

    Raises:
        FindingsError: one of them cannot be found or has no findings, is named twice, none has such a variable, or a
            file is in the way.
    """
    names = files.NAMES_OF_ONE_VARIABLE if variable else files.NAMES
    _check_free(names, csv_folder, force)
    experiments = read_named(named)
    variables = variables_compared(experiments, variable)
    if variable:
        _compare_variable(experiments, variables, csv_folder)
        return
    if variables.pairs:
        _check_free(files.NAMES_BY_VARIABLE, csv_folder, force)
    _compare_all(compared(experiments, variables), csv_folder)


def _compare_all(comparison: Compared, csv_folder: Path | None) -> None:
    slugs, variables = [one.label for one in comparison.experiments], comparison.variables
    names: Sequence[str] = files.NAMES
    if csv_folder is not None:
        tables = [
            files.param_table(comparison.params, slugs),
            files.metric_table(comparison.metrics, slugs),
            files.pair_table(comparison.tests, slugs),
            files.changed_table(comparison.changes, slugs),
        ]
        if variables.pairs:
            names = (*files.NAMES, *files.NAMES_BY_VARIABLE)
            tables += _tables(variables, slugs)
        files.write_files(tables, csv_folder, names)
    printed = PrintedComparison(comparison.experiments, PlainConsole(highlight=False), bool(variables.pairs))
    printed.show_experiments()
    printed.show_params(comparison.params)
    if comparison.has_detections:
        printed.show_metrics(comparison.metrics)
    printed.show_variables(variables.measures)
    for index, (of_pair, changes_of_pair) in enumerate(zip(comparison.tests, comparison.changes, strict=True), start=1):
        if comparison.has_pair(index):
            printed.show_pair(index, of_pair, changes_of_pair)
        if (pair := variables.pairs.get(index)) is not None:
            printed.show_variable_pair(index, pair)
            printed.show_numbers_of_changes(index, pair.changed)
    if csv_folder is not None:
        print(f"\nWritten to {csv_folder}: {', '.join(names)}")


def _compare_variable(experiments: Sequence[Finished], variables: ByVariable, csv_folder: Path | None) -> None:
    _, variables = adjusted([], variables)
    if csv_folder is not None:
        tables = _tables(variables, [one.label for one in experiments])
        files.write_files(tables, csv_folder, files.NAMES_OF_ONE_VARIABLE)
    printed = PrintedComparison(experiments, PlainConsole(highlight=False))
    printed.show_experiments()
    printed.show_variables(variables.measures)
    for index, pair in variables.pairs.items():
        printed.show_variable_pair(index, pair)
        for changes in pair.changed.values():
            printed.show_changes_of_variable(index, changes)
    if csv_folder is not None:
        print(f"\nWritten to {csv_folder}: {', '.join(files.NAMES_OF_ONE_VARIABLE)}")


def _tables(variables: ByVariable, slugs: Sequence[str]) -> list[pd.DataFrame]:
    shown = [variables.pairs.get(index) for index in range(1, len(slugs))]
    return [
        files.measure_table(variables.measures, slugs),
        files.variable_test_table([pair.tests if pair else [] for pair in shown], slugs),
        files.variable_changed_table([pair.changed if pair else {} for pair in shown], slugs),
    ]


def _check_free(names: Sequence[str], csv_folder: Path | None, force: bool) -> None:
    if csv_folder is not None:
        check_free([csv_folder / name for name in names], force)
