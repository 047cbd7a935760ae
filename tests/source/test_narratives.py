import tempfile
from collections.abc import Sequence
from itertools import chain
from pathlib import Path

import pyarrow.parquet as pq
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from narrative_runs.source.narratives import deal, write_shards
from narrative_runs.source.shards import SCHEMA, Narrative, iterate

sizes = st.integers(0, 100)
counts = st.integers(1, 40)


def narratives(size: int) -> list[Narrative]:
    """That many narratives."""
    return [
        Narrative(
            row_num=number,
            incident_id=f"{number // 2:04d}",
            narrative_type=("cme", "le")[number % 2],
            narrative_text=f"text {number}\né",
            manual_flag_ind=(0, 1, None)[number % 3],
            manual_flag=(1, None, 0)[number % 3],
            source_row=1 + number // 2,
        )
        for number in range(1, size + 1)
    ]


def row_nums(shard: Sequence[Narrative]) -> list[int]:
    """The row numbers of a shard."""
    return [narrative.row_num for narrative in shard]


@settings(max_examples=50, deadline=None)
@given(sizes, counts)
def test_every_narrative_is_dealt_once(size: int, count: int) -> None:
    """Each narrative is in exactly one shard; shards differ by one at most, and keep workbook order."""
    hands = [row_nums(hand) for hand in deal(narratives(size), count)]
    assert len(hands) == count
    assert sorted(chain.from_iterable(hands)) == list(range(1, size + 1))
    assert max(map(len, hands)) - min(map(len, hands)) <= 1
    assert all(hand == sorted(hand) for hand in hands)


@settings(max_examples=50, deadline=None)
@given(sizes, sizes, counts)
def test_more_narratives_move_none(size: int, more: int, count: int) -> None:
    """Narratives added at the end leave each earlier one in its shard and place."""
    for before, after in zip(deal(narratives(size), count), deal(narratives(size + more), count), strict=True):
        assert after[: len(before)] == before


def test_shard_of_a_row_number() -> None:
    """Shard k holds the row numbers k, k + count, k + 2 * count and so on."""
    assert [row_nums(hand) for hand in deal(narratives(7), 3)] == [[1, 4, 7], [2, 5], [3, 6]]


@settings(max_examples=10, deadline=None)
@given(sizes, counts)
def test_written_shards_hold_what_was_dealt(size: int, count: int) -> None:
    """What is read from the files is what was dealt, in every column, empty shards included."""
    with tempfile.TemporaryDirectory() as folder:
        dealt = deal(narratives(size), count)
        paths = write_shards(dealt, Path(folder))
        assert [list(iterate(path)) for path in paths] == dealt


def test_shard_files_are_named_and_typed(tmp_path: Path) -> None:
    """Shard files have numbers as wide as their count and one schema, and nothing else is left."""
    folder = tmp_path / "new" / "narratives"
    paths = write_shards(deal(narratives(3), 16), folder)
    assert paths == sorted(folder.iterdir())
    assert (paths[0].name, paths[-1].name) == ("01-of-16.parquet", "16-of-16.parquet")
    assert all(pq.read_schema(path) == SCHEMA for path in paths)


def test_row_groups_are_small(tmp_path: Path) -> None:
    """A shard is cut into groups of 500 rows, so that a reader holds no more than these."""
    (path,) = write_shards(deal(narratives(1200), 1), tmp_path)
    metadata = pq.read_metadata(path)
    assert [metadata.row_group(group).num_rows for group in range(metadata.num_row_groups)] == [500, 500, 200]


def test_same_narratives_same_bytes(tmp_path: Path) -> None:
    """Writing the same narratives again gives the same bytes, so that nothing downstream runs again."""
    first = [path.read_bytes() for path in write_shards(deal(narratives(50), 4), tmp_path)]
    assert [path.read_bytes() for path in write_shards(deal(narratives(50), 4), tmp_path)] == first


def test_failed_write_keeps_the_old_shard(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A write that fails half-way leaves the shard as it was, and no half-written one."""
    (path,) = write_shards(deal(narratives(5), 1), tmp_path)

    def write_half(*_: object) -> None:
        raise OSError("disk full")

    monkeypatch.setattr(pq.ParquetWriter, "write_table", write_half)
    with pytest.raises(OSError, match="disk full"):
        write_shards(deal(narratives(9), 1), tmp_path)
    assert len(list(iterate(path))) == 5
