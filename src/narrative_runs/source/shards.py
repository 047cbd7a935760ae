"""A shard of narratives on disk, as the jobs that ask the model read it: in parts, and without pandas."""

import heapq
from collections import Counter
from collections.abc import Collection, Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq

from narrative_runs.errors import SourceError
from narrative_runs.paths import ExperimentFolder
from narrative_runs.seen_narratives import text_digest

SCHEMA = pa.schema(
    [
        pa.field("row_num", pa.int64(), nullable=False),
        pa.field("incident_id", pa.string(), nullable=False),
        pa.field("narrative_type", pa.string(), nullable=False),
        pa.field("narrative_text", pa.string(), nullable=False),
        pa.field("manual_flag_ind", pa.int64()),
        pa.field("manual_flag", pa.int64()),
        pa.field("source_row", pa.int64()),
    ]
)


@dataclass(frozen=True, slots=True)
class Narrative:
    """One narrative; `row_num` counts from 1 in workbook order, and a label is 0, 1 or None.

    source_row: its row in the workbook, as a spreadsheet counts, header included; in a Parquet file from 1.
    """

    row_num: int
    incident_id: str
    narrative_type: str
    narrative_text: str
    manual_flag_ind: int | None
    manual_flag: int | None
    source_row: int | None = None


def iterate(path: Path, limit_row_num: int | None = None) -> Iterator[Narrative]:
    """The narratives of a shard in workbook order, without those after row ``limit_row_num``.

    Holds one row group at a time. Raises SourceError if the file cannot be read.
    """
    try:
        with pq.ParquetFile(path) as file:
            for group in range(file.num_row_groups):
                # Reading threads would cost each of these small jobs 10 MB, and save it no time.
                columns = file.read_row_group(group, columns=SCHEMA.names, use_threads=False).to_pydict()
                for values in zip(*(columns[name] for name in SCHEMA.names), strict=True):
                    if limit_row_num is not None and values[0] > limit_row_num:
                        return
                    yield Narrative(*values)
    except (pa.ArrowException, OSError, KeyError) as error:
        raise SourceError(
            f"Shard of narratives cannot be read: {path}\n  {error}\nDelete it, then start the same command again."
        ) from error


def iterate_all(folder: ExperimentFolder, count: int, limit_row_num: int | None = None) -> Iterator[Narrative]:
    """The narratives of all ``count`` shards of an experiment, in workbook order."""
    shards = [iterate(folder.narratives_of(number, count), limit_row_num) for number in range(1, count + 1)]
    return heapq.merge(*shards, key=lambda narrative: narrative.row_num)


def unasked_incidents(folder: ExperimentFolder, asked: Iterable[int]) -> set[str]:
    """The incidents of an experiment with a narrative that was not asked about, because the limit left it out, or not
    yet; asked: the `row_num` of all narratives that were."""
    known = set(asked)
    unasked: set[str] = set()
    for path in folder.narratives.glob("*-of-*.parquet"):
        keys = pq.read_table(path, columns=["incident_id", "row_num"]).to_pydict()
        pairs = zip(keys["incident_id"], keys["row_num"], strict=True)
        unasked.update(incident for incident, row_num in pairs if row_num not in known)
    return unasked


def seen_incidents(folder: ExperimentFolder, digests: Collection[str]) -> Counter[str]:
    """How many narratives of each incident were seen, asked about or not; incidents without one are left out.

    digests: of the texts that were seen, as `text_digest` gives them; without any, no text is read.
    """
    seen = Counter[str]()
    for path in sorted(folder.narratives.glob("*-of-*.parquet")) if digests else ():
        seen.update(each.incident_id for each in iterate(path) if text_digest(each.narrative_text) in digests)
    return seen
