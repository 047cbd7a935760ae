"""The results of a finished experiment for a notebook: `narrative_runs.read`."""

from pathlib import Path

import pandas as pd

from narrative_runs.errors import FindingsError
from narrative_runs.paths import ExperimentFolder


def results_of(slug: str, results: Path) -> pd.DataFrame:
    """All rows of the experiment in `results/<slug>/`, with the types that its merge gave them.

    Raises:
        FindingsError: there is no such experiment, it is not finished, or its table cannot be read.
    """
    folder = ExperimentFolder(slug, results)
    if not folder.result_table.exists():
        raise FindingsError(_what_is_missing(folder))
    try:
        return pd.read_parquet(folder.result_table)
    except (OSError, ValueError) as error:
        raise FindingsError(f"{folder.result_table} cannot be read: {error}.") from None


def _what_is_missing(folder: ExperimentFolder) -> str:
    if folder.path.is_dir():
        return f"{folder.slug} is not finished: {folder.result_table} is missing. It is written at the end of the run."
    if not folder.results.is_dir():
        return (
            f"There is no folder {folder.results.resolve()}. Start Python in the project folder, or give the "
            f'path to the results: narrative_runs.read("{folder.slug}", results="/path/to/results").'
        )
    finished = sorted(path.parent.name for path in folder.results.glob(f"*/{folder.result_table.name}"))
    there = f"Finished experiments there: {', '.join(finished)}." if finished else "No experiment there is finished."
    return f"There is no experiment {folder.slug} in {folder.results.resolve()}. {there}"
