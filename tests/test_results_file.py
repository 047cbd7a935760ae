from collections.abc import Iterator
from dataclasses import fields
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any, get_args

import pyarrow.parquet as pq
import pytest
from hypothesis import given
from hypothesis import strategies as st

from narrative_runs.codebook.default import DEFAULT
from narrative_runs.results import RESULT_COLUMNS, Result
from narrative_runs.results_file import read, write

VALUES: dict[type, st.SearchStrategy[Any]] = {
    str: st.text(),
    bool: st.booleans(),
    int: st.integers(-(2**63), 2**63 - 1),
    float: st.floats(allow_nan=False),
    type(None): st.none(),
}


def any_of(kind: Any) -> st.SearchStrategy[Any]:
    """Values of a field's type, such as `str` or `int | None`."""
    return st.one_of(*(VALUES[part] for part in get_args(kind) or (kind,)))


results = st.builds(Result, **{field.name: any_of(field.type) for field in fields(Result) if field.name != "coded"})


def plain(number: int) -> Result:
    """A result whose row has this number."""
    nothing: dict[str, Any] = dict.fromkeys(RESULT_COLUMNS)
    texts = ("incident_id", "narrative_type", "narrative_text", "indicators", "processed_at", "fingerprint")
    return Result(
        **{**nothing, **dict.fromkeys(texts, "x"), "row_num": number, "error_occurred": False, "attempt_count": 1}
    )


def values_of(row: Result) -> list[Any]:
    """The values of a result in the order of its columns."""
    return [getattr(row, name) for name in RESULT_COLUMNS]


@given(st.lists(results, max_size=4))
@pytest.mark.slow
def test_results_come_back_as_they_were(rows: list[Result]) -> None:
    """Every value of every field, None among them, is read as it was written, with its type."""
    with TemporaryDirectory() as folder:
        path = Path(folder) / "shards" / "1-of-1.parquet"
        assert write(rows, path, DEFAULT) == len(rows)
        back = list(read(path))
        assert back == rows
        assert [[type(value) for value in values_of(row)] for row in back] == [
            [type(value) for value in values_of(row)] for row in rows
        ]


def test_any_number_of_results_keeps_its_order(tmp_path: Path) -> None:
    """More rows than are written at once come back in their order."""
    path = tmp_path / "1-of-1.parquet"
    assert write((plain(number) for number in range(1, 1201)), path, DEFAULT) == 1200
    assert [row.row_num for row in read(path)] == list(range(1, 1201))


def test_an_empty_shard_is_a_file_with_all_columns(tmp_path: Path) -> None:
    """A shard without narratives has a results file all the same, typed as the others are."""
    path = tmp_path / "3-of-3.parquet"
    assert write([], path, DEFAULT) == 0
    assert list(read(path)) == []
    write([plain(1)], tmp_path / "1-of-3.parquet", DEFAULT)
    schema = pq.read_schema(path)
    assert schema.equals(pq.read_schema(tmp_path / "1-of-3.parquet")) and schema.names == list(RESULT_COLUMNS)


def test_the_same_results_are_the_same_bytes(tmp_path: Path) -> None:
    """A shard that is made anew from its journals is the file that it was."""
    for name in ("a.parquet", "b.parquet"):
        write([plain(number) for number in range(700)], tmp_path / name, DEFAULT)
    assert (tmp_path / "a.parquet").read_bytes() == (tmp_path / "b.parquet").read_bytes()


def test_a_shard_that_fails_halfway_is_not_there(tmp_path: Path) -> None:
    """If a result cannot be made, neither a part of the shard nor a draft of it is left."""
    path = tmp_path / "shards" / "1-of-1.parquet"

    def rows() -> Iterator[Result]:
        yield from (plain(number) for number in range(600))
        raise RuntimeError("no answer")

    with pytest.raises(RuntimeError, match="no answer"):
        write(rows(), path, DEFAULT)
    assert list(path.parent.iterdir()) == []
