"""Results on disk, one parquet file a shard, written and read in parts and without pandas."""

from collections.abc import Iterable, Iterator
from itertools import islice
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq

from narrative_runs.results import RESULT_COLUMNS, Result
from narrative_runs.whole_files import written_whole

_TYPES = {
    "row_num": pa.int64(),
    "manual_flag_ind": pa.int64(),
    "manual_flag": pa.int64(),
    "detected": pa.bool_(),
    "confidence": pa.float64(),
    "response_sec": pa.float64(),
    "error_occurred": pa.bool_(),
    "prompt_tokens": pa.int64(),
    "completion_tokens": pa.int64(),
    "tokens_used": pa.int64(),
    "attempt_count": pa.int64(),
    "p_detected": pa.float64(),
}
SCHEMA = pa.schema([pa.field(name, _TYPES.get(name, pa.string())) for name in RESULT_COLUMNS])
_ROW_GROUP = 500


def write(results: Iterable[Result], path: Path) -> int:
    """Write results to `path`, which is moved into place whole; returns the number of rows."""
    rows, rows_left = 0, iter(results)
    with written_whole(path) as draft, pq.ParquetWriter(draft, SCHEMA) as writer:
        while part := list(islice(rows_left, _ROW_GROUP)):
            columns = {name: [getattr(result, name) for result in part] for name in RESULT_COLUMNS}
            writer.write_table(pa.table(columns, schema=SCHEMA))
            rows += len(part)
    return rows


def read(path: Path) -> Iterator[Result]:
    """The results of a file, in its order."""
    with pq.ParquetFile(path) as file:
        for group in range(file.num_row_groups):
            columns = file.read_row_group(group).to_pydict()
            for values in zip(*(columns[name] for name in RESULT_COLUMNS), strict=True):
                yield Result(*values)
