"""`narrative-runs compare`: finished experiments compared with the first one named."""

from collections.abc import Sequence
from pathlib import Path

import pandas as pd

from narrative_runs import finished
from narrative_runs.comparison import files, pairs
from narrative_runs.comparison.by_variable import ByVariable, by_variable
from narrative_runs.comparison.coded_experiment import columns
from narrative_runs.comparison.metrics_beside import metrics_beside
from narrative_runs.comparison.pairs import PairTest
from narrative_runs.comparison.params_apart import params_apart
from narrative_runs.comparison.printed import LETTERS, PrintedComparison
from narrative_runs.comparison.variable_pairs import VariableTest
from narrative_runs.derivation.at_snapshot import read_at
from narrative_runs.errors import FindingsError
from narrative_runs.finished import Finished
from narrative_runs.params import bootstrap_seed
from narrative_runs.plain_console import PlainConsole
from narrative_runs.snapshots import divided
from narrative_runs.user_files import check_free


def compare(named: Sequence[str], csv_folder: Path | None, force: bool, variable: str = "") -> None:
    """Print how the experiments with these slugs or ids, or their snapshots (`SLUG@NAME`), differ; with a folder, write
    that as CSV files too. variable: the name of the one that is shown alone, with the narratives that changed.

    Raises:
        FindingsError: one of them cannot be found or has no findings, is named twice, none has such a variable, or a
            file stands in the way.
    """
    names = files.NAMES_OF_ONE_VARIABLE if variable else files.NAMES
    _check_free(names, csv_folder, force)
    experiments = [_read(which) for which in named]
    slugs = [one.label for one in experiments]
    if not len({*slugs}) == len(slugs) <= len(LETTERS) or len(slugs) == 1:
        raise FindingsError(f"Name two to {len(LETTERS)} experiments, each once; named were: {', '.join(slugs)}.")
    seed = bootstrap_seed(experiments[0].begun.params["run"]["seed"])
    variables = by_variable(experiments, seed, variable)
    if variable:
        _compare_variable(experiments, variables, csv_folder)
        return
    if variables.pairs:
        _check_free(files.NAMES_BY_VARIABLE, csv_folder, force)
    _compare_all(experiments, variables, seed, csv_folder)


def _compare_all(experiments: Sequence[Finished], variables: ByVariable, seed: int, csv_folder: Path | None) -> None:
    slugs, first = [one.label for one in experiments], experiments[0]
    params = params_apart([one.begun for one in experiments])
    metrics = metrics_beside([one.metrics for one in experiments])
    joined = [pairs.joined(first.results, other.results) for other in experiments[1:]]
    of_first = first.metrics["by_type"]
    types = [[kind for kind in of_first if kind in other.metrics["by_type"]] for other in experiments[1:]]
    tests, variables = _adjusted(
        [pairs.pair_tests(pair, seed, of_both) for pair, of_both in zip(joined, types, strict=True)], variables
    )
    changes = [pairs.changed(pair) for pair in joined]

    names: Sequence[str] = files.NAMES
    if csv_folder is not None:
        tables = [
            files.param_table(params, slugs),
            files.metric_table(metrics, slugs),
            files.pair_table(tests, slugs),
            files.changed_table(changes, slugs),
        ]
        if variables.pairs:
            names = (*files.NAMES, *files.NAMES_BY_VARIABLE)
            tables += _tables(variables, slugs)
        files.write_files(tables, csv_folder, names)
    printed = PrintedComparison(experiments, PlainConsole(highlight=False), bool(variables.pairs))
    printed.show_experiments()
    printed.show_params(params)
    # Without a variable of yes or no there is nothing in the columns that every experiment has.
    has_detections = [one.codebook.first_binary is not None for one in experiments]
    if any(has_detections):
        printed.show_metrics(metrics)
    printed.show_variables(variables.measures)
    for index, (of_pair, changes_of_pair) in enumerate(zip(tests, changes, strict=True), start=1):
        if has_detections[0] and has_detections[index]:
            printed.show_pair(index, of_pair, changes_of_pair)
        if (pair := variables.pairs.get(index)) is not None:
            printed.show_variable_pair(index, pair)
            printed.show_numbers_of_changes(index, pair.changed)
    if csv_folder is not None:
        print(f"\nWritten to {csv_folder}: {', '.join(names)}")


def _compare_variable(experiments: Sequence[Finished], variables: ByVariable, csv_folder: Path | None) -> None:
    _, variables = _adjusted([], variables)
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


def _adjusted(tests: Sequence[Sequence[PairTest]], variables: ByVariable) -> tuple[list[list[PairTest]], ByVariable]:
    """All tests, each with its p value adjusted for the number of all of them."""
    shown: list[Sequence[PairTest | VariableTest]] = [*tests, *(pair.tests for pair in variables.pairs.values())]
    adjusted = pairs.adjusted(shown)
    with_holm = [[test for test in of_pair if isinstance(test, VariableTest)] for of_pair in adjusted[len(tests) :]]
    return (
        [[test for test in of_pair if isinstance(test, PairTest)] for of_pair in adjusted[: len(tests)]],
        variables._replace(
            pairs={
                index: pair._replace(tests=of_pair)
                for (index, pair), of_pair in zip(variables.pairs.items(), with_holm, strict=True)
            }
        ),
    )


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


def _read(named: str) -> Finished:
    which, snapshot = divided(named)
    if snapshot:
        return read_at(which, snapshot, columns, with_labels=True)
    return finished.read(which, columns, with_labels=True)
