"""Results on disk, one parquet file a shard, written and read in parts and without pandas."""

from array import array
from collections.abc import Iterable, Iterator, Sequence
from itertools import accumulate, islice
from operator import attrgetter
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

from narrative_runs.atomic_files import written_whole
from narrative_runs.results import RESULT_COLUMNS, Result

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
    "source_row": pa.int64(),
}
SCHEMA = pa.schema([pa.field(name, _TYPES.get(name, pa.string())) for name in RESULT_COLUMNS])
_ROW_GROUP = 500
_values = attrgetter(*RESULT_COLUMNS)


def write(results: Iterable[Result], path: Path) -> int:
    """Write results to `path`, which is moved into place whole; returns the number of rows."""
    rows, rows_left = 0, iter(results)
    with written_whole(path) as draft, pq.ParquetWriter(draft, SCHEMA) as writer:
        while part := list(islice(rows_left, _ROW_GROUP)):
            columns = zip(*map(_values, part), strict=True)
            arrays = [_array(values, field.type) for values, field in zip(columns, SCHEMA, strict=True)]
            writer.write_table(pa.Table.from_arrays(arrays, schema=SCHEMA))
            rows += len(part)
    return rows


def read(path: Path) -> Iterator[Result]:
    """The results of a file, in its order."""
    with pq.ParquetFile(path) as file:
        for group in range(file.num_row_groups):
            columns = file.read_row_group(group).to_pydict()
            for values in zip(*(columns[name] for name in RESULT_COLUMNS), strict=True):
                yield Result(*values)


def _array(values: Sequence[Any], kind: pa.DataType) -> pa.Array:
    """The values, of which any may be None, as pyarrow keeps them ("Arrow Columnar Format", fixed-size and
    variable-size binary layout).

    pa.array would do the same, but imports pandas first: 0.3 s and 50 MB for each job.
    """
    if kind == pa.string():
        texts = [b"" if value is None else value.encode() for value in values]
        content = [array("i", accumulate(map(len, texts), initial=0)), b"".join(texts)]
    elif kind == pa.bool_():
        content = [_bits(values)]
    else:
        code = "q" if kind == pa.int64() else "d"
        content = [array(code, [0 if value is None else value for value in values])]
    valid = _bits([value is not None for value in values])
    return pa.Array.from_buffers(kind, len(values), [pa.py_buffer(buffer) for buffer in (valid, *content)])


def _bits(values: Sequence[Any]) -> bytes:
    """One bit a value, set where it is true; the first is the lowest of the first byte."""
    bits = "".join("1" if value else "0" for value in reversed(values))
    return int(bits, 2).to_bytes((len(values) + 7) // 8, "little")
