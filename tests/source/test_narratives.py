import tempfile
from itertools import chain
from pathlib import Path

import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from narrative_runs.source.narratives import deal, write_shards
from narrative_runs.source.shards import SCHEMA, iterate

sizes = st.integers(0, 100)
counts = st.integers(1, 40)


def narratives(size: int) -> pd.DataFrame:
    """A table of that many narratives."""
    numbers = range(1, size + 1)
    return pd.DataFrame(
        {
            "row_num": pd.array(list(numbers), dtype="int64"),
            "incident_id": pd.array([f"{number // 2:04d}" for number in numbers], dtype="string"),
            "narrative_type": pd.array([("cme", "le")[number % 2] for number in numbers], dtype="string"),
            "narrative_text": pd.array([f"text {number}\né" for number in numbers], dtype="string"),
            "manual_flag_ind": pd.array([(0, 1, None)[number % 3] for number in numbers], dtype="Int64"),
            "manual_flag": pd.array([(1, None, 0)[number % 3] for number in numbers], dtype="Int64"),
            "source_row": pd.array([1 + number // 2 for number in numbers], dtype="int64"),
        }
    )


@settings(max_examples=50, deadline=None)
@given(sizes, counts)
def test_every_narrative_is_dealt_once(size: int, count: int) -> None:
    """Each narrative is in exactly one shard; shards differ by one at most, and keep workbook order."""
    hands = [hand["row_num"].tolist() for hand in deal(narratives(size), count)]
    assert len(hands) == count
    assert sorted(chain.from_iterable(hands)) == list(range(1, size + 1))
    assert max(map(len, hands)) - min(map(len, hands)) <= 1
    assert all(hand == sorted(hand) for hand in hands)


@settings(max_examples=50, deadline=None)
@given(sizes, sizes, counts)
def test_more_narratives_move_none(size: int, more: int, count: int) -> None:
    """Narratives added at the end leave each earlier one in its shard and place."""
    for before, after in zip(deal(narratives(size), count), deal(narratives(size + more), count), strict=True):
        assert after.head(len(before)).equals(before)


def test_shard_of_a_row_number() -> None:
    """Shard k holds the row numbers k, k + count, k + 2 * count and so on."""
    assert [hand["row_num"].tolist() for hand in deal(narratives(7), 3)] == [[1, 4, 7], [2, 5], [3, 6]]


@settings(max_examples=10, deadline=None)
@given(sizes, counts)
def test_written_shards_hold_what_was_dealt(size: int, count: int) -> None:
    """What is read from the files is what was dealt, in every column, empty shards included."""
    with tempfile.TemporaryDirectory() as folder:
        paths = write_shards(narratives(size), Path(folder), count)
        for path, hand in zip(paths, deal(narratives(size), count), strict=True):
            read = [(n.row_num, n.incident_id, n.narrative_type, n.narrative_text) for n in iterate(path)]
            assert read == list(hand.iloc[:, :4].itertuples(index=False, name=None))
            labels = [(n.manual_flag_ind, n.manual_flag, n.source_row) for n in iterate(path)]
            assert labels == list(
                hand.iloc[:, 4:].astype(object).where(hand.iloc[:, 4:].notna(), None).itertuples(index=False, name=None)
            )


def test_shard_files_are_named_and_typed(tmp_path: Path) -> None:
    """Shard files have numbers as wide as their count and one schema, and nothing else is left."""
    folder = tmp_path / "new" / "narratives"
    paths = write_shards(narratives(3), folder, 16)
    assert paths == sorted(folder.iterdir())
    assert (paths[0].name, paths[-1].name) == ("01-of-16.parquet", "16-of-16.parquet")
    assert all(pq.read_schema(path) == SCHEMA for path in paths)


def test_row_groups_are_small(tmp_path: Path) -> None:
    """A shard is cut into groups of 500 rows, so that a reader holds no more than these."""
    (path,) = write_shards(narratives(1200), tmp_path, 1)
    metadata = pq.read_metadata(path)
    assert [metadata.row_group(group).num_rows for group in range(metadata.num_row_groups)] == [500, 500, 200]


def test_same_narratives_same_bytes(tmp_path: Path) -> None:
    """Writing the same narratives again gives the same bytes, so that nothing downstream runs again."""
    first = [path.read_bytes() for path in write_shards(narratives(50), tmp_path, 4)]
    assert [path.read_bytes() for path in write_shards(narratives(50), tmp_path, 4)] == first


def test_failed_write_keeps_the_old_shard(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A write that fails half-way leaves the shard as it was, and no half-written one."""
    (path,) = write_shards(narratives(5), tmp_path, 1)

    def write_half(_: pa.Table, draft: Path, **__: object) -> None:
        draft.write_bytes(b"PAR1")
        raise OSError("disk full")

    monkeypatch.setattr(pq, "write_table", write_half)
    with pytest.raises(OSError, match="disk full"):
        write_shards(narratives(9), tmp_path, 1)
    assert len(list(iterate(path))) == 5
