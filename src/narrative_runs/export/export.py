"""`narrative-runs export --no-text`: the results without text."""

from collections.abc import Sequence
from functools import partial
from pathlib import Path

import pandas as pd
import pyarrow as pa

from narrative_runs import finished
from narrative_runs.codebook.default import DEFAULT
from narrative_runs.errors import FindingsError
from narrative_runs.experiment import suppress_below
from narrative_runs.export import no_text
from narrative_runs.export.masked_rows import masked_rows
from narrative_runs.findings.sheets import Sheet, table_rows, write_sheets
from narrative_runs.findings.tables import write_csv
from narrative_runs.user_files import check_free, owner_only

ENDINGS = (".xlsx", ".csv")


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
    below = suppress_below(experiment.folder, experiment.state)
    if below and by_name:
        raise FindingsError(
            f"--variable {variable}: small counts of a codebook's variables cannot be masked yet, and "
            f"report.suppress_below is {below}. Leave --variable out: the values of all variables are left out then."
        )
    codebook = DEFAULT if below else experiment.codebook
    rows = no_text.without_text(experiment.results, experiment.others, codebook, variable)
    _write(masked_rows(rows, experiment.others, below) if below else rows, path)
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
        raise FindingsError(f"--output {path}: the file name must end in {' or '.join(ENDINGS)}.")
    check_free([path], force)
    return path


def _write(rows: pd.DataFrame, path: Path) -> None:
    table = pa.Table.from_pandas(rows, preserve_index=False)
    with owner_only(path) as draft:
        if path.suffix.lower() == ".csv":
            write_csv(table, draft)
        else:
            write_sheets([Sheet("results", table.column_names, table_rows(table), table.num_rows)], draft)
