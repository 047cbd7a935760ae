"""Deals the narratives of a workbook into shards, and writes these."""

from collections.abc import Iterable, Sequence
from itertools import islice
from operator import attrgetter
from pathlib import Path
from typing import TypeVar

import pyarrow as pa
import pyarrow.parquet as pq

from narrative_runs.atomic_files import written_whole
from narrative_runs.paths import shard_name
from narrative_runs.source.shards import SCHEMA, Narrative

_ROW_GROUP = 500
_values = attrgetter(*SCHEMA.names)

Dealt = TypeVar("Dealt")


def deal(narratives: Sequence[Dealt], count: int) -> list[Sequence[Dealt]]:
    """Deal narratives round robin: shard k of 1..count holds those with (row_num - 1) % count == k - 1.

    So a narrative stays in its shard when others are added after it. With fewer narratives than shards, some
    shards are empty.
    """
    return [narratives[start::count] for start in range(count)]


def write_shards(shards: Sequence[Iterable[Narrative]], folder: Path) -> list[Path]:
    """Write ``<folder>/<k>-of-<count>.parquet`` for each shard; a file is there whole or not at all.

    The same narratives give the same bytes. Returns the paths in the order of the shards.
    """
    folder.mkdir(parents=True, exist_ok=True)
    paths = [folder / f"{shard_name(number, len(shards))}.parquet" for number in range(1, len(shards) + 1)]
    for shard, path in zip(shards, paths, strict=True):
        with written_whole(path) as draft, pq.ParquetWriter(draft, SCHEMA) as writer:
            rows = iter(shard)
            while part := list(islice(rows, _ROW_GROUP)):
                columns = zip(*map(_values, part), strict=True)
                arrays = [pa.array(column, field.type) for column, field in zip(columns, SCHEMA, strict=True)]
                writer.write_table(pa.Table.from_arrays(arrays, schema=SCHEMA))
    return paths
