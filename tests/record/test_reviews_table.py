import sqlite3
from contextlib import closing
from pathlib import Path

import pytest
from tests.test_review_file import DEAL, verdict

from narrative_runs.paths import RECORD
from narrative_runs.record import database, removal
from narrative_runs.record.reviews import put_reviews
from narrative_runs.review_file import Line


@pytest.fixture(autouse=True)
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The working folder is empty."""
    monkeypatch.chdir(tmp_path)
    Path("results").mkdir()


def put(experiment_id: str, lines: list[Line]) -> None:
    """Have the record hold these reviews of an experiment."""
    with database.transaction() as connection:
        database.put_experiment(connection, experiment_id, {"experiment_name": "Cases"})
        put_reviews(connection, experiment_id, lines)


def test_the_record_holds_the_latest_verdicts() -> None:
    """A row is a coder's latest verdict, with the weight of its stratum; those of other experiments stay."""
    put("other", [DEAL, verdict("h", "gun")])
    put("cases", [DEAL, verdict("g", "gun"), verdict("g", "rope", notes="sure")])
    put("cases", [DEAL, verdict("g", "gun"), verdict("g", "rope", notes="sure")])
    rows = database.query("SELECT * FROM reviews ORDER BY experiment_id")
    assert [tuple(row.values()) for row in rows] == [
        ("cases", "2", "cme", "weapon", "ana", "rope", "sure", "error", 10.0, "2026-01-01 12:00:00", "sample"),
        ("other", "3", "cme", "weapon", "ben", "gun", None, "right", 90.0, "2026-01-01 12:00:00", "sample"),
    ]


def test_a_record_with_reviews_is_whole() -> None:
    """SQLite's own check, which is made before each backup, has nothing to say against a record with reviews."""
    put("cases", [DEAL, verdict("g", "gun"), verdict("h", "rope", notes="sure")])
    with closing(sqlite3.connect(RECORD)) as connection:
        assert connection.execute("PRAGMA integrity_check").fetchall() == [("ok",)]


def test_an_experiment_without_reviews_makes_no_table() -> None:
    """A record of experiments that nobody reviewed is what it was."""
    put("cases", [])
    assert database.query("SELECT 1 FROM sqlite_master WHERE name = 'reviews'") == []


def test_a_removed_experiment_has_no_reviews() -> None:
    """What is removed from the record takes its reviews with it."""
    put("other", [DEAL, verdict("h", "gun")])
    put("cases", [DEAL, verdict("g", "gun")])
    removal.remove(RECORD, ["cases"])
    assert [row["experiment_id"] for row in database.query("SELECT * FROM reviews")] == ["other"]
