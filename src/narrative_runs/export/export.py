"""`narrative-runs export`: a sample for manual review, or the results without text."""

from collections.abc import Mapping, Sequence
from pathlib import Path

import pandas as pd
import pyarrow as pa
from rich.table import Table

from narrative_runs import finished
from narrative_runs.codebook.default import DEFAULT
from narrative_runs.errors import FindingsError
from narrative_runs.experiment import last_params
from narrative_runs.export import no_text, review
from narrative_runs.export.masked_rows import masked_rows
from narrative_runs.export.sample import STRATA, sample
from narrative_runs.findings.sheets import Sheet, table_rows, write_sheets
from narrative_runs.findings.tables import write_csv
from narrative_runs.plain_console import PlainConsole
from narrative_runs.user_files import check_free, check_git_ignores, owner_only

ENDINGS = (".xlsx", ".csv")


def export_review(
    which: str, count: int, seed: int, blind: bool, others: Sequence[str], output: Path | None, force: bool
) -> None:
    """Write `count` sampled answers of an experiment (slug, id, or empty for the one started last) for a reviewer.

    others: the workbook's other columns that a blind reviewer sees; one who is not blind sees all.

    Raises:
        FindingsError: there are no findings or no such columns, too few are asked for, or the file cannot be written.
    """
    experiment = finished.read(which, review.COLUMNS, others if blind else None)
    if experiment.codebook.first_binary is None:
        raise FindingsError(
            "A review sample is drawn by what the model detected, and this codebook has no binary variable. Its values "
            f"are in {experiment.folder.path / 'results.xlsx'}."
        )
    path = _checked(output or experiment.folder.review, force)
    check_git_ignores(path, experiment.folder.review)
    drawn = sample(experiment.results, count, seed)
    _write(review.review_sheet(drawn, blind, experiment.others), "review", path, review.CHOICES)
    print(f"{path}: {len(drawn)} answers of {experiment.folder.slug}, drawn with seed {seed}.")
    if len(drawn) < count:
        print(f"There are only {len(drawn)}: all were taken.")
    if n_errors := int(experiment.results["error_occurred"].sum()):
        print(f"Left out because they are errors: {n_errors}.")
    PlainConsole(highlight=False).print(_strata(drawn))


def export_no_text(which: str, others: Sequence[str], output: Path | None, force: bool) -> None:
    """Write the results of an experiment (slug, id, or empty for the one started last) without any text.

    others: the workbook's other columns that are to be in it all the same.

    Raises:
        FindingsError: there are no findings or no such columns, or the file cannot be written.
    """
    experiment = finished.read(which, no_text.columns_of, others)
    path = _checked(output or experiment.folder.no_text, force)
    below = last_params(experiment.folder, experiment.begun).get("report", {}).get("suppress_below", 0)
    rows = no_text.without_text(experiment.results, experiment.others, DEFAULT if below else experiment.codebook)
    _write(masked_rows(rows, experiment.others, below) if below else rows, "results", path)
    print(f"{path}: {len(experiment.results)} rows of {experiment.folder.slug}, without text, ids and messages.")
    if experiment.others:
        print(f"With these columns of the workbook, as they are: {', '.join(experiment.others)}.")
    if below and not experiment.codebook.fits_the_record:
        print("Left out are the values of the codebook's variables: their small counts cannot be masked yet.")
    if below:
        print(
            f"Cells by which counts below {below} could be found are blank, the rows have no order, and nothing tells "
            "which narratives are of one incident (report.suppress_below)."
        )


def _checked(path: Path, force: bool) -> Path:
    if path.suffix.lower() not in ENDINGS:
        raise FindingsError(f"--output {path}: the ending says what is written, and must be {' or '.join(ENDINGS)}.")
    check_free([path], force)
    return path


def _write(rows: pd.DataFrame, title: str, path: Path, choices: Mapping[str, Sequence[str]] | None = None) -> None:
    table = pa.Table.from_pandas(rows, preserve_index=False)
    with owner_only(path) as draft:
        if path.suffix.lower() == ".csv":
            write_csv(table, draft)
        else:
            write_sheets([Sheet(title, table.column_names, table_rows(table), table.num_rows, choices or {})], draft)


def _strata(drawn: pd.DataFrame) -> Table:
    table = Table(box=None, padding=(0, 1, 0, 0))
    table.add_column("stratum")
    for name in ("answers", "drawn", "weight"):
        table.add_column(name, justify="right")
    for name in STRATA:
        rows = drawn[drawn["stratum"] == name]
        if len(rows):
            size, weight = rows[["stratum_size", "sampling_weight"]].iloc[0]
            table.add_row(name, f"{size:.0f}", str(len(rows)), f"{weight:,.1f}")
    return table
