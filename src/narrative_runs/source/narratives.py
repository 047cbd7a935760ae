"""Dealing the narratives of a workbook into shards, and writing them."""

from pathlib import Path

import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq

from narrative_runs.places import shard_name
from narrative_runs.source.shards import SCHEMA
from narrative_runs.whole_files import written_whole

_ROW_GROUP = 500


def deal(narratives: pd.DataFrame, count: int) -> list[pd.DataFrame]:
    """Deal narratives round robin: shard k of 1..count holds those with (row_num - 1) % count == k - 1.

    So a narrative stays in its shard when others are added behind it. With fewer narratives than shards, some
    shards are empty.
    """
    turn = (narratives["row_num"] - 1) % count
    return [narratives[turn == place].reset_index(drop=True) for place in range(count)]


def write_shards(narratives: pd.DataFrame, folder: Path, count: int) -> list[Path]:
    """Write ``<folder>/<k>-of-<count>.parquet`` for each shard; a file is there whole or not at all.

    The same narratives give the same bytes. Returns the paths in the order of the shards.
    """
    folder.mkdir(parents=True, exist_ok=True)
    paths = [folder / f"{shard_name(number, count)}.parquet" for number in range(1, count + 1)]
    for shard, path in zip(deal(narratives, count), paths, strict=True):
        table = pa.Table.from_pandas(shard, schema=SCHEMA, preserve_index=False).replace_schema_metadata(None)
        with written_whole(path) as draft:
            pq.write_table(table, draft, row_group_size=_ROW_GROUP)
    return paths
