import sqlite3
from dataclasses import replace
from pathlib import Path

import pytest

from narrative_runs.error_patterns.outcomes import ErrorKind
from narrative_runs.error_patterns.search import Pattern
from narrative_runs.paths import RECORD
from narrative_runs.record import database, removal
from narrative_runs.record.error_patterns import messages_of_patterns, put_error_patterns

SHARD = Pattern("shard", "03-of-16", 2, 2, 12, 15, 125, ErrorKind("timeout", "no answer within 300 s"))
HOST = Pattern("host", "node2", 1, 1, 20, 40, 600, None)


@pytest.fixture(autouse=True)
def project(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """An empty project folder."""
    monkeypatch.chdir(tmp_path)


def put(experiment_id: str, when: str, *patterns: Pattern) -> None:
    """Write the patterns of an experiment, each with its dimension as the message."""
    with database.transaction() as connection:
        put_error_patterns(connection, experiment_id, [(each, f"see the {each.dimension}") for each in patterns], when)


def test_a_pattern_keeps_when_it_was_noticed() -> None:
    """Patterns are written anew with their counts, one that is not there any more goes, and no other experiment's."""
    put("b", "2026-01-01 00:00:00", HOST)
    put("a", "2026-01-01 00:00:00", SHARD)
    put("a", "2026-01-02 00:00:00", replace(SHARD, n_errors=14), HOST)
    columns = "dimension, value, n_errors, noticed_at"
    rows = database.query(f"SELECT {columns} FROM error_patterns WHERE experiment_id = 'a' ORDER BY noticed_at")
    assert [tuple(row.values()) for row in rows] == [
        ("shard", "03-of-16", 14, "2026-01-01 00:00:00"),
        ("host", "node2", 20, "2026-01-02 00:00:00"),
    ]
    assert messages_of_patterns("a") == ["see the shard", "see the host"]
    put("a", "2026-01-03 00:00:00")
    assert (messages_of_patterns("a"), messages_of_patterns("b")) == ([], ["see the host"])


def test_an_earlier_record_gains_the_table() -> None:
    """A record without the table has no patterns, and has it from the first write on; no other table is changed."""
    put("a", "2026-01-01 00:00:00")
    with sqlite3.connect(RECORD) as connection:
        connection.execute("DROP TABLE error_patterns")
        before = connection.execute("SELECT name, sql FROM sqlite_master ORDER BY name").fetchall()
    assert messages_of_patterns("a") == []
    put("a", "2026-01-01 00:00:00", SHARD)
    with sqlite3.connect(RECORD) as connection:
        after = connection.execute("SELECT name, sql FROM sqlite_master ORDER BY name").fetchall()
    assert [row for row in after if "error_patterns" not in row[0]] == before
    assert messages_of_patterns("a") == ["see the shard"]


def test_a_removed_experiment_leaves_no_pattern() -> None:
    """Forgetting an experiment takes its patterns, which may name a group or a server, and those of no other."""
    for experiment_id in ("a", "b"):
        with database.transaction() as connection:
            database.put_experiment(connection, experiment_id, {"experiment_name": experiment_id, "data_file": "x"})
        put(experiment_id, "2026-01-01 00:00:00", SHARD)
    removal.remove(RECORD, ["a"])
    assert (messages_of_patterns("a"), messages_of_patterns("b")) == ([], ["see the shard"])
