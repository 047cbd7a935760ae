"""The table of results with its outcomes, and the files that hold it.

All files hold the rows by `row_num`, without the columns that depend on the clock (the record has those): the
same answers give the same bytes, in the workbook too.

results.parquet  everything, with pandas types
results.csv      UTF-8 for R and pandas (for Excel there is the workbook); see `write_csv`
results.json     a list of objects, one a row and a line; null for missing, indicators as a list
results.xlsx     see `excel`

The workbook's other columns follow ours, unchanged; nothing is computed from them.
"""

import json
import math
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq

from narrative_runs.atomic_files import written_whole
from narrative_runs.codebook.default import DEFAULT
from narrative_runs.codebook.result_columns import Kind, columns_of
from narrative_runs.codebook.variables import Codebook
from narrative_runs.findings.columns import CLOCK_BOUND, OUTCOME_COLUMNS, types_of
from narrative_runs.findings.csv_of_0_1_0 import write_csv_of_0_1_0
from narrative_runs.findings.disagreements import Disagreements
from narrative_runs.findings.excel import write_workbook
from narrative_runs.findings.text_cells import guarded

_ROWS_AT_ONCE = 1_000


def finish(results: pd.DataFrame, codebook: Codebook = DEFAULT) -> pd.DataFrame:
    """The results by `row_num`, all columns that this codebook gives in their order and types, with outcomes.

    Of the four outcomes exactly one is true for a labelled answer; all are missing where the row has an error
    or no label of its own (`manual_flag_ind`). Columns that are missing come out empty; others are dropped.
    """
    types = types_of(codebook)
    given = [name for name in types if name in results and name not in OUTCOME_COLUMNS]
    table = results[given].sort_values("row_num", kind="stable", ignore_index=True)
    table = table.reindex(columns=list(types)).astype(types)
    judged = table["manual_flag_ind"].notna() & table["detected"].notna()
    if codebook.fits_the_record:
        # Else another variable may be what could not be read.
        judged &= ~table["error_occurred"]
    positive = table["manual_flag_ind"].eq(1).fillna(False).to_numpy(dtype=bool)
    detected = table["detected"].fillna(False).to_numpy(dtype=bool)
    outcomes = (detected & positive, ~detected & ~positive, detected & ~positive, ~detected & positive)
    for name, outcome in zip(OUTCOME_COLUMNS, outcomes, strict=True):
        table[name] = pd.array(outcome, dtype="boolean")
        table.loc[~judged, name] = pd.NA
    return table


def write_tables(
    results: pd.DataFrame,
    metrics: dict[str, Any],
    data_quality: dict[str, Any],
    folder: Path,
    csv_json: bool,
    codebook: Codebook = DEFAULT,
    others: pd.DataFrame | None = None,
    is_of_0_1_0: bool = False,
    listed: Sequence[Disagreements] = (),
) -> None:
    """Write results.parquet and results.xlsx, and with `csv_json` results.csv and results.json, into the
    folder.

    In: results in any order, finished or not; the content of metrics.json and data_quality.json; the codebook by which
    they were read; the workbook's other columns with the `row_num` of their narrative, None where it has none; whether
    the first release began the experiment, whose results.csv then keeps its form; what `disagreements_by_variable`
    lists, for results.xlsx. Each file appears whole or not at all.
    """
    finished = finish(results, codebook).drop(columns=list(CLOCK_BOUND))
    if others is not None:
        finished = finished.join(others.set_index("row_num"), on="row_num")
    table = pa.Table.from_pandas(finished, preserve_index=False)
    with written_whole(folder / "results.parquet") as draft:
        pq.write_table(table, draft, compression="zstd")
    with written_whole(folder / "results.xlsx") as draft:
        write_workbook(table, metrics, data_quality, draft, codebook, listed)
    if csv_json:
        with written_whole(folder / "results.csv") as draft:
            (write_csv_of_0_1_0 if is_of_0_1_0 else write_csv)(table, draft)
        with written_whole(folder / "results.json") as draft:
            _write_json(table, draft, codebook)
    else:
        # Those of an earlier merge would pass for this one's.
        for name in ("results.csv", "results.json"):
            (folder / name).unlink(missing_ok=True)


def write_csv(table: pa.Table, path: Path) -> None:
    """Write a table as CSV, so that every program reads each column in its right type.

    UTF-8; texts quoted and guarded against formulas, logicals TRUE and FALSE, fractions with a point or an exponent
    even where they are whole (1.0), missing values empty and unquoted. The names of columns are guarded too, and
    quoted where they are more than one plain word.
    """
    with path.open("w", encoding="utf-8", newline="\n") as file:
        file.write(",".join(map(_head, table.column_names)) + "\n")
        for batch in table.to_batches(max_chunksize=_ROWS_AT_ONCE):
            rows = zip(*map(_csv_cells, batch.columns), strict=True)
            file.writelines(",".join(row) + "\n" for row in rows)


def _head(name: str) -> str:
    return name if name.isidentifier() else _quoted(name)


def _csv_cells(column: pa.Array) -> list[str]:
    """The values of a column as cells of a CSV file."""
    write = _csv_form(column.type)
    return ["" if value is None else write(value) for value in column.to_pylist()]


def _csv_form(kind: pa.DataType) -> Callable[[Any], str]:
    """How a value of this type is written in a CSV file."""
    if pa.types.is_string(kind) or pa.types.is_large_string(kind):
        return _quoted
    if pa.types.is_boolean(kind):
        return _logical
    return _fraction if pa.types.is_floating(kind) else str


def _quoted(text: str) -> str:
    doubled = guarded(text).replace('"', '""')
    return f'"{doubled}"'


def _logical(value: bool) -> str:
    return "TRUE" if value else "FALSE"


def _fraction(value: float) -> str:
    return "" if math.isnan(value) else repr(value)


def _write_json(table: pa.Table, path: Path, codebook: Codebook) -> None:
    lists = [column.name for column in columns_of(codebook) if column.kind is Kind.LIST]
    with path.open("w", encoding="utf-8", newline="\n") as file:
        separator = "[\n"
        for record in _records(table, lists):
            file.write(separator + json.dumps(record, ensure_ascii=False, allow_nan=False))
            separator = ",\n"
        file.write("\n]\n" if table.num_rows else "[]\n")


def _records(table: pa.Table, lists: Sequence[str]) -> Iterator[dict[str, Any]]:
    """The rows as objects; lists: the columns that hold lists as JSON."""
    for batch in table.to_batches(max_chunksize=_ROWS_AT_ONCE):
        for record in batch.to_pylist():
            for name in lists:
                if record[name] is not None:
                    record[name] = json.loads(record[name])
            # JSON has no infinity; another column of the workbook may.
            yield {name: None if _is_infinite(value) else value for name, value in record.items()}


def _is_infinite(value: Any) -> bool:
    return isinstance(value, float) and not math.isfinite(value)
