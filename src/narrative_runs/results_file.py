"""Results on disk, one parquet file a shard, written and read in parts and without pandas."""

from array import array
from collections.abc import Iterable, Iterator, Sequence
from itertools import accumulate, islice
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

from narrative_runs.atomic_files import written_whole
from narrative_runs.codebook.result_columns import READ_COLUMNS, Kind, ResultColumn, columns_beside, names_of
from narrative_runs.codebook.variables import Codebook
from narrative_runs.results import Result, values_of

_TYPES = {
    Kind.TEXT: pa.string(),
    Kind.LIST: pa.string(),
    Kind.INTEGER: pa.int64(),
    Kind.FRACTION: pa.float64(),
    Kind.LOGICAL: pa.bool_(),
}
_ROW_GROUP = 500
_NAMES = names_of(READ_COLUMNS)


def write(results: Iterable[Result], path: Path, codebook: Codebook) -> int:
    """Write results to `path`, which is moved into place whole; returns the number of rows.

    codebook: what was asked, and so which columns there are.
    """
    beside = columns_beside(codebook)
    schema, names = _schema((*READ_COLUMNS, *beside)), names_of(beside)
    rows, rows_left = 0, iter(results)
    with written_whole(path) as draft, pq.ParquetWriter(draft, schema) as writer:
        while part := list(islice(rows_left, _ROW_GROUP)):
            columns = [*zip(*map(values_of, part), strict=True)]
            columns += [tuple(result.coded.get(name) for result in part) for name in names]
            arrays = [_array(values, field.type) for values, field in zip(columns, schema, strict=True)]
            writer.write_table(pa.Table.from_arrays(arrays, schema=schema))
            rows += len(part)
    return rows


def read(path: Path) -> Iterator[Result]:
    """The results of a file, in its order."""
    with pq.ParquetFile(path) as file:
        beside = [name for name in file.schema_arrow.names if name not in _NAMES]
        for group in range(file.num_row_groups):
            columns = file.read_row_group(group).to_pydict()
            coded = ({name: columns[name][row] for name in beside} for row in range(len(columns[_NAMES[0]])))
            for values in zip(*(columns[name] for name in _NAMES), coded, strict=True):
                yield Result(*values)


def _schema(columns: Iterable[ResultColumn]) -> pa.Schema:
    return pa.schema([pa.field(column.name, _TYPES[column.kind]) for column in columns])


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
