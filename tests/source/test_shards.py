import subprocess
import sys
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from narrative_runs.errors import SourceError
from narrative_runs.paths import ExperimentFolder, shard_name
from narrative_runs.seen_narratives import text_digest
from narrative_runs.source.shards import SCHEMA, Narrative, iterate, seen_incidents, unasked_incidents


def write_shard(path: Path, size: int, row_group_size: int = 3) -> list[Narrative]:
    """Write a shard of that many narratives with odd row numbers; returns them."""
    narratives = [
        Narrative(number * 2 + 1, f"{number:03d}", "cme", f"text {number}", number % 2, None) for number in range(size)
    ]
    rows = [{name: getattr(narrative, name) for name in SCHEMA.names} for narrative in narratives]
    pq.write_table(pa.Table.from_pylist(rows, schema=SCHEMA), path, row_group_size=row_group_size)
    return narratives


@pytest.mark.parametrize(
    ("number", "count", "name"),
    [(3, 16, "03-of-16"), (1, 1, "1-of-1"), (9, 9, "9-of-9"), (7, 100, "007-of-100")],
)
def test_shard_names_sort_as_their_numbers(number: int, count: int, name: str) -> None:
    """A shard's number has as many digits as the count, so that names sort as numbers do."""
    assert shard_name(number, count) == name


@pytest.mark.parametrize("size", [0, 1, 3, 8])
def test_all_narratives_are_read(tmp_path: Path, size: int) -> None:
    """A shard gives back each of its narratives, over all row groups, and none if it is empty."""
    written = write_shard(tmp_path / "shard.parquet", size)
    assert list(iterate(tmp_path / "shard.parquet")) == written


@pytest.mark.parametrize(
    ("limit", "rows"), [(0, []), (1, [1]), (6, [1, 3, 5]), (7, [1, 3, 5, 7]), (99, [1, 3, 5, 7, 9])]
)
def test_limit_is_a_row_number(tmp_path: Path, limit: int, rows: list[int]) -> None:
    """The limit leaves out the narratives with a higher row number, not those after so many of the shard."""
    write_shard(tmp_path / "shard.parquet", 5)
    assert [narrative.row_num for narrative in iterate(tmp_path / "shard.parquet", limit)] == rows


@pytest.mark.parametrize("content", [b"", b"PAR1 and no more"])
def test_damaged_shard_is_named(tmp_path: Path, content: bytes) -> None:
    """A shard that cannot be read raises SourceError with its path and what to do."""
    path = tmp_path / "shard.parquet"
    path.write_bytes(content)
    with pytest.raises(SourceError, match=r"shard\.parquet(.|\n)*Delete it"):
        list(iterate(path))


def test_missing_shard_is_named(tmp_path: Path) -> None:
    """A shard that is not there raises SourceError with its path."""
    with pytest.raises(SourceError, match=r"gone\.parquet"):
        list(iterate(tmp_path / "gone.parquet"))


@pytest.mark.slow
def test_reading_needs_no_pandas(tmp_path: Path) -> None:
    """A job that reads its narratives never loads pandas."""
    write_shard(tmp_path / "shard.parquet", 4)
    script = (
        "import sys; from pathlib import Path; from narrative_runs.source.shards import iterate;"
        "print(len(list(iterate(Path(sys.argv[1]), 99))), 'pandas' in sys.modules)"
    )
    done = subprocess.run(
        [sys.executable, "-c", script, str(tmp_path / "shard.parquet")],
        check=True,
        capture_output=True,
        text=True,
    )
    assert done.stdout.split() == ["4", "False"]


def test_incidents_that_are_not_asked_whole(tmp_path: Path) -> None:
    """An incident counts as not asked while any of its narratives, in whatever shard, has no result."""
    folder = ExperimentFolder("cases", tmp_path)
    folder.narratives.mkdir(parents=True)
    first, second = (write_shard(folder.narratives_of(number, 2), size) for number, size in ((1, 4), (2, 2)))
    rows = {narrative.row_num for narrative in (*first, *second)}
    assert unasked_incidents(folder, rows) == set()
    assert unasked_incidents(folder, rows - {first[3].row_num}) == {"003"}
    assert unasked_incidents(folder, []) == {"000", "001", "002", "003"}


def test_incidents_of_which_a_narrative_was_seen(tmp_path: Path) -> None:
    """Each incident has the number of its narratives whose text was seen, in whatever shard they are; those without one
    are left out, and with no digest nothing is read."""
    folder = ExperimentFolder("cases", tmp_path)
    folder.narratives.mkdir(parents=True)
    first, second = (write_shard(folder.narratives_of(number, 2), size) for number, size in ((1, 4), (2, 2)))
    assert first[1].incident_id == second[1].incident_id == "001"
    digests = {text_digest("text 1"), text_digest("text 3"), text_digest("of another workbook")}
    assert seen_incidents(folder, digests) == {"001": 2, "003": 1}
    folder.narratives_of(1, 2).write_bytes(b"damaged")
    assert seen_incidents(folder, frozenset()) == {}
