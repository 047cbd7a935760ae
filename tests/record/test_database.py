import sqlite3
import subprocess
import sys
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from narrative_runs.errors import RecordError
from narrative_runs.record import database, schema
from narrative_runs.results import RESULT_COLUMNS, Result

CRASHES = """
import os, signal, sys
from pathlib import Path
from narrative_runs.record import database
with database.transaction(Path(sys.argv[1])) as connection:
    connection.execute("PRAGMA cache_size = 1")
    connection.execute("UPDATE experiments SET notes = 'half'")
    for number in range(200):
        connection.execute(
            "INSERT INTO narrative_results (experiment_id, incident_id, narrative_type, narrative_text)"
            " VALUES ('a', ?, 'cme', ?)",
            (str(number), "x" * 3000),
        )
    os.kill(os.getpid(), signal.SIGKILL)
"""


def result_of(incident_id: str, **changes: Any) -> Result:
    """A result of an incident's CME narrative; `changes` are fields of it."""
    plain = Result(
        row_num=1,
        incident_id=incident_id,
        narrative_type="cme",
        narrative_text="V was found by a neighbor.",
        manual_flag_ind=1,
        manual_flag=None,
        detected=True,
        confidence=0.9,
        indicators='["threat"]',
        rationale="Because.",
        reasoning_steps=None,
        raw_response="{}",
        response_sec=1.5,
        processed_at="2024-05-01 12:00:00",
        error_occurred=False,
        error_message=None,
        prompt_tokens=10,
        completion_tokens=5,
        tokens_used=15,
        attempt_count=1,
        first_error_message=None,
        last_attempt_at="2024-05-01 12:00:00",
        error_category=None,
        p_detected=0.75,
        model_answered="m",
        fingerprint="f",
        source_row=2,
    )
    return replace(plain, **changes)


@pytest.fixture
def path(tmp_path: Path) -> Path:
    """Where a record is to be."""
    return tmp_path / "results" / "experiments.db"


@pytest.fixture
def put(path: Path) -> Callable[..., None]:
    """Puts results of experiment `a` into the record."""

    def put_all(*results: Result) -> None:
        with database.transaction(path) as connection:
            database.put_results(connection, "a", results)

    return put_all


def test_a_record_is_made_where_there_is_none(path: Path) -> None:
    """The first transaction makes folder, file and tables, and nobody else may read the file."""
    with database.transaction(path) as connection:
        database.put_experiment(connection, "a", {"experiment_name": "A"})
    assert path.stat().st_mode & 0o777 == 0o600
    assert [row["experiment_name"] for row in database.query("SELECT * FROM experiments", path=path)] == ["A"]


def test_a_transaction_happens_whole_or_not_at_all(path: Path) -> None:
    """An error inside leaves the record as it was before."""
    with database.transaction(path) as connection:
        database.put_experiment(connection, "a", {"experiment_name": "A"})
    with pytest.raises(RuntimeError), database.transaction(path) as connection:
        database.put_experiment(connection, "b", {"experiment_name": "B"})
        raise RuntimeError
    assert [row["experiment_id"] for row in database.query("SELECT * FROM experiments", path=path)] == ["a"]


@pytest.mark.slow
def test_a_record_is_read_after_a_writer_was_killed(path: Path) -> None:
    """After kill -9 amid a transaction the first to look sees the record as it was before."""
    with database.transaction(path) as connection:
        database.put_experiment(connection, "a", {"experiment_name": "A", "notes": "whole"})
    assert subprocess.run([sys.executable, "-c", CRASHES, str(path)], check=False).returncode == -9
    assert database.query("SELECT notes FROM experiments", path=path) == [{"notes": "whole"}]
    assert database.query("SELECT count(*) AS n FROM narrative_results", path=path) == [{"n": 0}]


@pytest.mark.slow
def test_a_record_is_written_after_a_writer_was_killed(path: Path, put: Callable[..., None]) -> None:
    """After kill -9 amid a transaction the next one goes on from the record as it was before."""
    put(result_of("before"))
    assert subprocess.run([sys.executable, "-c", CRASHES, str(path)], check=False).returncode == -9
    put(result_of("after"))
    rows = database.query("SELECT incident_id FROM narrative_results ORDER BY result_id", path=path)
    assert [row["incident_id"] for row in rows] == ["before", "after"]


def test_writers_wait_for_each_other(path: Path) -> None:
    """Experiments that write at the same time lose nothing."""

    def write(experiment: int) -> None:
        for number in range(10):
            with database.transaction(path) as connection:
                database.put_results(connection, str(experiment), [result_of(str(number))])

    with ThreadPoolExecutor(4) as pool:
        list(pool.map(write, range(4)))
    counts = database.query("SELECT count(*) AS n FROM narrative_results GROUP BY experiment_id", path=path)
    assert [row["n"] for row in counts] == [10] * 4


def test_a_reader_sees_no_half_transaction(path: Path, put: Callable[..., None]) -> None:
    """While a transaction is open, others read what was before it."""
    put(result_of("1"))
    with database.transaction(path) as connection:
        database.put_results(connection, "a", [result_of("2")])
        assert database.query("SELECT count(*) AS n FROM narrative_results", path=path) == [{"n": 1}]


def test_a_result_keeps_its_id(path: Path, put: Callable[..., None]) -> None:
    """A result that is put again, or in the place of an error, has the id that it had, and no double."""
    put(result_of("1"), result_of("2", detected=None, error_occurred=True))
    before = database.query("SELECT result_id FROM narrative_results ORDER BY row_num, incident_id", path=path)
    put(result_of("1"))
    put(result_of("2", attempt_count=2), result_of("3"))
    after = database.query("SELECT * FROM narrative_results ORDER BY incident_id", path=path)
    assert [row["result_id"] for row in after][:2] == [row["result_id"] for row in before]
    assert [row["incident_id"] for row in after] == ["1", "2", "3"]
    assert (after[1]["detected"], after[1]["error_occurred"], after[1]["attempt_count"]) == (1, 0, 2)


def test_an_earlier_pass_does_not_come_back(path: Path, put: Callable[..., None]) -> None:
    """What a retry found is not overwritten by the error before it, whichever comes later."""
    put(result_of("1", attempt_count=2))
    put(result_of("1", attempt_count=1, detected=None, error_occurred=True))
    assert database.query("SELECT detected, attempt_count FROM narrative_results", path=path) == [
        {"detected": 1, "attempt_count": 2}
    ]


def test_all_of_a_result_is_kept(path: Path, put: Callable[..., None]) -> None:
    """Each field of a result stands in the column of its name."""
    result = result_of("0012", manual_flag=0, reasoning_steps="é😀\n", rationale='it\'s; "quoted"')
    put(result)
    (row,) = database.query("SELECT * FROM narrative_results", path=path)
    assert {name: row[name] for name in RESULT_COLUMNS} == {name: getattr(result, name) for name in RESULT_COLUMNS}
    assert row["experiment_id"] == "a"


def test_results_of_experiments_stand_apart(path: Path) -> None:
    """One narrative has a result in each experiment."""
    with database.transaction(path) as connection:
        database.put_results(connection, "a", [result_of("1")])
        database.put_results(connection, "b", [result_of("1", detected=False)])
    rows = database.query("SELECT experiment_id, detected FROM narrative_results ORDER BY experiment_id", path=path)
    assert [tuple(row.values()) for row in rows] == [("a", 1), ("b", 0)]


def test_an_experiment_that_is_put_again_keeps_what_is_not_said(
    path: Path, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """A resume sets its own columns and leaves the others as they are."""
    monkeypatch.chdir(tmp_path)
    with database.transaction() as connection:
        database.put_experiment(connection, "a", {"experiment_name": "A", "notes": "mine", "status": "failed"})
        database.put_experiment(connection, "b", {"experiment_name": "B"})
        database.put_experiment(connection, "a", {"experiment_name": "A", "status": "running"})
        database.update_experiment(connection, "a", {"n_narratives_total": 5})
    row = database.experiment("a")
    assert row is not None
    assert (row["notes"], row["status"], row["n_narratives_total"]) == ("mine", "running", 5)
    other = database.experiment("b")
    assert other is not None
    assert other["n_narratives_total"] is None
    assert database.experiment("c") is None


def test_without_a_record_there_is_nothing_to_read(path: Path) -> None:
    """Looking makes no file, and an empty file holds no rows."""
    assert database.query("SELECT * FROM experiments", path=path) == []
    assert not path.parent.exists()
    path.parent.mkdir()
    path.touch()
    assert database.query("SELECT * FROM experiments", path=path) == []


@pytest.mark.parametrize("content", [b"This is no database, but a text of some length.\n" * 100])
def test_a_file_that_is_no_record_is_named_and_left(path: Path, content: bytes) -> None:
    """Neither reading nor writing touches what is no record; the message names the file."""
    path.parent.mkdir()
    path.write_bytes(content)
    with pytest.raises(RecordError, match=r"experiments\.db"):
        database.query("SELECT * FROM experiments", path=path)
    with pytest.raises(RecordError, match=r"experiments\.db"), database.transaction(path):
        pass
    assert path.read_bytes() == content


def test_a_record_that_cannot_be_made_is_named(tmp_path: Path) -> None:
    """Where a file stands in the way of the folder, the message names the record, and answers are safe."""
    (tmp_path / "results").write_text("a file")
    with (
        pytest.raises(RecordError, match="safe in the journals"),
        database.transaction(tmp_path / "results" / "experiments.db"),
    ):
        pass


def test_paths_with_marks_of_urls_are_plain_paths(tmp_path: Path) -> None:
    """A project folder may be called anything."""
    path = tmp_path / "100% of #1? ä" / "experiments.db"
    with database.transaction(path) as connection:
        database.put_experiment(connection, "a", {"experiment_name": "A"})
    assert len(database.query("SELECT * FROM experiments", path=path)) == 1


def test_a_query_cannot_write(path: Path, put: Callable[..., None]) -> None:
    """Whoever reads the record leaves it as it is."""
    put(result_of("1"))
    with pytest.raises(RecordError):
        database.query("DELETE FROM narrative_results", path=path)
    assert database.query("SELECT count(*) AS n FROM narrative_results", path=path) == [{"n": 1}]


def test_one_result_a_narrative_is_kept_by_the_record_itself(path: Path, put: Callable[..., None]) -> None:
    """The unique index of the R system stands, so that no other program can add a double."""
    put(result_of("1"))
    connection = sqlite3.connect(path)
    try:
        assert "uq_result_per_exp_narrative" in schema.UNIQUE_RESULT
        names = [row[1] for row in connection.execute("PRAGMA index_list(narrative_results)") if row[2]]
        assert names == ["uq_result_per_exp_narrative"]
        with pytest.raises(sqlite3.IntegrityError):
            connection.execute(
                "INSERT INTO narrative_results (experiment_id, incident_id, narrative_type) VALUES ('a', '1', 'cme')"
            )
    finally:
        connection.close()
