"""`narrative-runs compare`: finished experiments compared with the first one named."""

from collections.abc import Sequence
from pathlib import Path

from narrative_runs import finished
from narrative_runs.comparison import files, pairs
from narrative_runs.comparison.metrics_beside import metrics_beside
from narrative_runs.comparison.params_apart import params_apart
from narrative_runs.comparison.printed import LETTERS, PrintedComparison
from narrative_runs.derivation.at_snapshot import read_at
from narrative_runs.errors import FindingsError
from narrative_runs.finished import Finished
from narrative_runs.params import bootstrap_seed
from narrative_runs.plain_console import PlainConsole
from narrative_runs.snapshots import divided
from narrative_runs.user_files import check_free


def compare(named: Sequence[str], csv_folder: Path | None, force: bool) -> None:
    """Print how the experiments with these slugs or ids, or their snapshots (`SLUG@NAME`), differ; with a folder, write
    that as CSV files too.

    Raises:
        FindingsError: one of them cannot be found or has no findings, is named twice, or a file stands in the way.
    """
    if csv_folder is not None:
        check_free([csv_folder / name for name in files.NAMES], force)
    experiments = [_read(which) for which in named]
    slugs = [one.label for one in experiments]
    if not len({*slugs}) == len(slugs) <= len(LETTERS) or len(slugs) == 1:
        raise FindingsError(f"Name two to {len(LETTERS)} experiments, each once; named were: {', '.join(slugs)}.")
    first = experiments[0]
    params = params_apart([one.begun for one in experiments])
    metrics = metrics_beside([one.metrics for one in experiments])
    joined = [pairs.joined(first.results, other.results) for other in experiments[1:]]
    seed, of_first = bootstrap_seed(first.begun.params["run"]["seed"]), first.metrics["by_type"]
    types = [[kind for kind in of_first if kind in other.metrics["by_type"]] for other in experiments[1:]]
    tests = pairs.adjusted([pairs.pair_tests(pair, seed, of_both) for pair, of_both in zip(joined, types, strict=True)])
    changes = [pairs.changed(pair) for pair in joined]

    if csv_folder is not None:
        tables = [
            files.param_table(params, slugs),
            files.metric_table(metrics, slugs),
            files.pair_table(tests, slugs),
            files.changed_table(changes, slugs),
        ]
        files.write_files(tables, csv_folder)
    printed = PrintedComparison(experiments, PlainConsole(highlight=False))
    printed.show_experiments()
    printed.show_params(params)
    printed.show_metrics(metrics)
    for place, (of_pair, changes_of_pair) in enumerate(zip(tests, changes, strict=True), start=1):
        printed.show_pair(place, of_pair, changes_of_pair)
    if csv_folder is not None:
        print(f"\nWritten to {csv_folder}: {', '.join(files.NAMES)}")


def _read(named: str) -> Finished:
    which, snapshot = divided(named)
    return read_at(which, snapshot, pairs.COLUMNS) if snapshot else finished.read(which, pairs.COLUMNS)
