"""`narrative-runs export`: a sample for manual review, or the results without text."""

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import partial
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
from narrative_runs.export.sample import Strata, by_detection, sample
from narrative_runs.export.variable_strata import by_variable
from narrative_runs.findings.by_variable.outcomes import ERROR
from narrative_runs.findings.excel import REVIEWED
from narrative_runs.findings.sheets import Sheet, table_rows, write_sheets
from narrative_runs.findings.tables import write_csv
from narrative_runs.plain_console import PlainConsole
from narrative_runs.user_files import check_free, check_git_ignores, owner_only
from narrative_runs.variable_outcomes import outcomes_in

ENDINGS = (".xlsx", ".csv")


def export_review(
    which: str,
    count: int,
    seed: int,
    blind: bool,
    others: Sequence[str],
    output: Path | None,
    force: bool,
    variable: str = "",
) -> None:
    """Write `count` sampled answers of an experiment (slug, id, or empty for the one started last) for a reviewer.

    others: the workbook's other columns that a blind reviewer sees; one who is not blind sees all; variable: the one of
    the codebook that is reviewed; empty for the first binary one.

    Raises:
        ExperimentError: what was read of the workbook is not in the experiment's folder.
        FindingsError: there are no findings or no such columns or variable, too few are asked for, or the file cannot
            be written.
    """
    experiment = finished.read(which, partial(review.columns_of, variable=variable), others if blind else None)
    by_name = "" if experiment.codebook.fits_the_record else variable
    if not by_name and experiment.codebook.first_binary is None:
        raise FindingsError(
            "A review sample is drawn by what the model detected, and this codebook has no binary variable. Name the "
            f"variable that is to be reviewed: --variable {' or '.join(experiment.codebook.names)}."
        )
    usual = _named_after(experiment.folder.review, by_name)
    path = _checked(output or usual, force)
    check_git_ignores(path, usual)
    results, sheet = _to_review(experiment, by_name)
    drawn = sample(results, count, seed, sheet.strata)
    _write(review.review_sheet(drawn, blind, sheet.others, sheet.columns), "review", path, sheet.choices)
    of_what = f"{by_name} in {experiment.folder.slug}" if by_name else experiment.folder.slug
    print(f"{path}: {len(drawn)} answers of {of_what}, drawn with seed {seed}.")
    if len(drawn) < count:
        print(f"There are only {len(drawn)}: all were taken.")
    for why, n_rows in sheet.left_out.items():
        print(f"Left out because they are {why}: {n_rows}.")
    PlainConsole(highlight=False, markup=False).print(_table_of_strata(drawn, sheet.strata.names))


@dataclass(frozen=True)
class _ToReview:
    """How a sample becomes a sheet. columns: what is shown of a narrative; choices: what can be chosen in the columns
    to be filled in; others: the workbook's other columns; left_out: how many rows are in no stratum, by the reason."""

    strata: Strata
    columns: Sequence[str]
    choices: Mapping[str, Sequence[str]]
    others: Sequence[str]
    left_out: Mapping[str, int]


def _to_review(experiment: finished.Finished, name: str) -> tuple[pd.DataFrame, _ToReview]:
    """The results, with the labels of the variable of this name beside them, and their sheet; where the name is empty,
    the sheet of the first binary one."""
    results, codebook = experiment.results, experiment.codebook
    if not name:
        n_errors = int(results["error_occurred"].sum())
        left_out = {"errors": n_errors} if n_errors else {}
        return results, _ToReview(by_detection(results), REVIEWED, review.CHOICES, experiment.others, left_out)
    variable = codebook.variables[name]
    outcomes = outcomes_in(experiment.folder, codebook, name, results)
    strata = by_variable(name, variable, results, outcomes["outcome"])
    is_left_out = strata.of_rows.isna()
    if is_left_out.all():
        raise FindingsError(f"There is no answer of {name} to review: all are errors, unclear or not asked.")
    label = review.label_column(name, outcomes)
    clashing = f"workbook_{label}"
    results = results.rename(columns={label: clashing}).assign(**{label: outcomes["label"]})
    return results, _ToReview(
        strata,
        review.reviewed_columns(codebook, name, label),
        review.choices_of(variable),
        [clashing if other == label else other for other in experiment.others],
        Counter(outcomes.loc[is_left_out, "outcome"].replace({ERROR: "errors"}).tolist()),
    )


def export_no_text(which: str, others: Sequence[str], output: Path | None, force: bool, variable: str = "") -> None:
    """Write the results of an experiment (slug, id, or empty for the one started last) without any text.

    others: the workbook's other columns that are to be in it all the same; variable: the one of the codebook whose
    values are in it; empty for all.

    Raises:
        FindingsError: there are no findings, no such columns or no such variable, or the file cannot be written.
    """
    experiment = finished.read(which, partial(no_text.columns_of, variable=variable), others)
    by_name = "" if experiment.codebook.fits_the_record else variable
    path = _checked(output or _named_after(experiment.folder.no_text, by_name), force)
    below = last_params(experiment.folder, experiment.begun).get("report", {}).get("suppress_below", 0)
    if below and by_name:
        raise FindingsError(
            f"--variable {variable}: small counts of a codebook's variables cannot be masked yet, and "
            f"report.suppress_below is {below}. Leave --variable out: the values of all variables are left out then."
        )
    codebook = DEFAULT if below else experiment.codebook
    rows = no_text.without_text(experiment.results, experiment.others, codebook, variable)
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


def _named_after(path: Path, variable: str) -> Path:
    return path.with_stem(f"{path.stem}_{variable}") if variable else path


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


def _table_of_strata(drawn: pd.DataFrame, names: Sequence[str]) -> Table:
    table = Table(box=None, padding=(0, 1, 0, 0))
    table.add_column("stratum")
    for name in ("answers", "drawn", "weight"):
        table.add_column(name, justify="right")
    for name in names:
        rows = drawn[drawn["stratum"] == name]
        if len(rows):
            size, weight = rows[["stratum_size", "sampling_weight"]].iloc[0]
            table.add_row(name, f"{size:.0f}", str(len(rows)), f"{weight:,.1f}")
    return table
