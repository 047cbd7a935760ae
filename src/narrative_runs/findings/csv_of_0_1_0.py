"""results.csv as the first release wrote it: an experiment that it began keeps the form of its files, to the byte."""

from pathlib import Path

import pyarrow as pa
import pyarrow.csv

from narrative_runs.findings.text_cells import guarded

_ROWS_AT_ONCE = 1_000


def write_csv_of_0_1_0(table: pa.Table, path: Path) -> None:
    """Write a table as CSV: UTF-8, texts quoted and guarded against formulas, missing values empty and unquoted,
    logicals true and false."""
    options = pa.csv.WriteOptions(include_header=False)
    with path.open("wb") as file:
        file.write(",".join(table.column_names).encode() + b"\n")
        for batch in table.to_batches(max_chunksize=_ROWS_AT_ONCE):
            pa.csv.write_csv(_with_guarded_texts(batch), file, options)


def _with_guarded_texts(batch: pa.RecordBatch) -> pa.RecordBatch:
    columns = [
        pa.array([text if text is None else guarded(text) for text in column.to_pylist()], column.type)
        if pa.types.is_string(column.type) or pa.types.is_large_string(column.type)
        else column
        for column in batch.columns
    ]
    return pa.RecordBatch.from_arrays(columns, names=batch.schema.names)
