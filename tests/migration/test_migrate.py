import csv
import os
import random
import re
import signal
import sqlite3
import subprocess
import sys
import time
from pathlib import Path

import pytest

from narrative_runs.errors import RecordError
from narrative_runs.migration.inspection import columns_of_ours
from narrative_runs.migration.migrate import migrate
from narrative_runs.record import database
from tests.migration import r_system

COUNTS = re.compile(r"^(\w+): ([\d,]+) rows before(?: - ([\d,]+) duplicates)? = ([\d,]+) rows after$")


@pytest.fixture(params=r_system.AGES)
def record(request: pytest.FixtureRequest, tmp_path: Path) -> Path:
    """A record of each age: answers, an error, unlabelled rows, UTF-8; and NULL ids, and duplicates where it can."""
    path = tmp_path / "production_20k.db"
    r_system.make(path, request.param)
    r_system.fill(path, "experiments", [r_system.experiment()])
    r_system.fill(
        path,
        "narrative_results",
        [
            r_system.result("0001", "cme", "V’s partner, naïve — “said”.", manual_flag_ind=1),
            r_system.error("0001", "le", "LE text", "HTTP 500"),
            r_system.result("0002", "cme", "no label"),
            r_system.result(None, "cme", "no id"),
            r_system.result(None, "cme", "no id either"),
        ],
    )
    if r_system.AGES[request.param].get("index", True) is False:
        again = [r_system.result("0001", "cme", "V’s partner", rationale=f"pass {number}") for number in range(7)]
        r_system.fill(path, "narrative_results", again)
    return path


def told_by(path: Path, dry_run: bool = False) -> list[str]:
    """What migrate says."""
    told: list[str] = []
    migrate(path, dry_run, told.append)
    return told


def test_a_record_of_any_age_is_brought_up_to_date(record: Path) -> None:
    """Afterwards every column and index is there, and our own software writes to it."""
    told_by(record)
    connection = sqlite3.connect(record)
    for table, columns in columns_of_ours().items():
        there = {row[1]: row[2] for row in connection.execute(f"PRAGMA table_info({table})")}
        assert {column.name: column.declared_type for column in columns}.items() <= there.items()
    indexes = {row[0] for row in connection.execute("SELECT name FROM sqlite_master WHERE type = 'index'")}
    connection.close()
    assert "uq_result_per_exp_narrative" in indexes
    with database.transaction(record) as ours:
        database.put_experiment(ours, r_system.EXPERIMENT_ID, {"experiment_name": "again", "slug": "again"})
    assert r_system.rows(record, "SELECT slug, start_time FROM experiments") == [("again", "2025-10-27 09:00:00")]


def test_what_was_there_is_as_it_was(record: Path) -> None:
    """No value of a row that stays is changed, and a row without an id is no duplicate."""
    columns = [row[1] for row in r_system.rows(record, "PRAGMA table_info(narrative_results)")]
    kept = f"SELECT {', '.join(columns)} FROM narrative_results WHERE result_id IN (2, 3, 4, 5)"
    newest = f"SELECT {', '.join(columns)} FROM narrative_results WHERE incident_id = '0001' ORDER BY result_id DESC"
    before = [
        r_system.rows(record, kept),
        r_system.rows(record, newest)[0],
        r_system.rows(record, "PRAGMA user_version"),
    ]
    told = told_by(record)
    after = [
        r_system.rows(record, kept),
        r_system.rows(record, newest)[0],
        r_system.rows(record, "PRAGMA user_version"),
    ]
    assert after == before
    assert any("2 results without experiment, incident id" in line for line in told)
    assert r_system.rows(record, "SELECT count(*) FROM narrative_results") == [(5,)]


def test_duplicates_are_saved_before_they_are_removed(record: Path) -> None:
    """Of several results for one narrative the highest result_id stays; the others are listed and lie in a CSV file."""
    total = r_system.rows(record, "SELECT count(*), max(result_id) FROM narrative_results")[0]
    all_rows = r_system.rows(record, "SELECT result_id, rationale FROM narrative_results ORDER BY result_id")
    told = told_by(record)
    files = list(record.parent.glob("*.removed-duplicates-*.csv"))
    if total[0] == 5:
        assert files == []
        return
    (file,) = files
    assert file.stat().st_mode & 0o777 == 0o600
    with file.open(encoding="utf-8", newline="") as stream:
        removed = list(csv.DictReader(stream))
    assert [(int(row["result_id"]), row["rationale"]) for row in removed] == [
        row for row in all_rows if row[0] not in (2, 3, 4, 5, total[1])
    ]
    assert removed[0]["narrative_text"] == "V’s partner, naïve — “said”."
    assert any(line.startswith("  result_id 1: ") for line in told) and "  and 2 more" in told
    stays = "SELECT result_id FROM narrative_results WHERE incident_id = '0001' ORDER BY result_id"
    assert r_system.rows(record, stays) == [(2,), (total[1],)]


def test_every_row_is_accounted_for(record: Path) -> None:
    """The counts before, removed and after add up on the screen, and are those of the file."""
    told = told_by(record)
    counts = {
        found[1]: [int((text or "0").replace(",", "")) for text in found.groups()[1:]]
        for line in told
        if (found := COUNTS.match(line))
    }
    assert set(counts) == {"experiments", "narrative_results", "source_narratives"}
    for table, (before, removed, after) in counts.items():
        assert before - removed == after == r_system.rows(record, f"SELECT count(*) FROM {table}")[0][0]


def test_columns_of_the_r_system_stay_in_their_place(record: Path) -> None:
    """For a rollback no column is dropped, renamed, retyped or moved, and R's INSERTs by column name work."""
    tables = ("experiments", "narrative_results", "source_narratives")
    before = {table: r_system.rows(record, f"PRAGMA table_info({table})") for table in tables}
    told_by(record)
    for table in tables:
        after = r_system.rows(record, f"PRAGMA table_info({table})")
        assert after[: len(before[table])] == before[table]
        assert set(r_system.names(getattr(r_system, table.upper()))) <= {column[1] for column in after}
    r_system.fill(record, "experiments", [r_system.experiment(experiment_id="another")])
    r_system.fill(record, "narrative_results", [r_system.result("0009", "cme", "text", experiment_id="another")])
    source = {
        "incident_id": "1",
        "narrative_type": "le",
        "narrative_text": "x",
        "data_source": "a",
        "data_checksum": "b",
    }
    r_system.fill(record, "source_narratives", [source])
    assert r_system.rows(record, "SELECT attempt_count FROM narrative_results WHERE incident_id = '0009'") == [(1,)]


def test_counts_that_an_older_record_lacks_are_made_from_its_rows(tmp_path: Path) -> None:
    """n_narratives_completed of a record without that column is the number of its results without error."""
    path = tmp_path / "old.db"
    r_system.make(path, "oldest")
    r_system.fill(path, "experiments", [r_system.experiment()])
    r_system.fill(path, "narrative_results", [r_system.result(str(number), "cme", "x") for number in range(3)])
    told_by(path)
    assert r_system.rows(path, "SELECT n_narratives_completed FROM experiments") == [(3,)]


def test_old_rows_count_as_one_attempt_and_no_cause_is_guessed(record: Path) -> None:
    """attempt_count of old rows is 1, and error_category stays empty where R gave none."""
    told_by(record)
    assert set(r_system.rows(record, "SELECT attempt_count, error_category FROM narrative_results")) == {(1, None)}


def test_a_backup_comes_first(record: Path) -> None:
    """Beside the record lies a copy of it as it was, which only its owner can read."""
    before = dump(record)
    told_by(record)
    (backup,) = record.parent.glob("production_20k.db.backup-*")
    assert dump(backup) == before
    assert backup.stat().st_mode & 0o777 == 0o600


def test_again_there_is_nothing_to_do(record: Path) -> None:
    """A second migrate says so, and touches nothing; the steps taken are in the record by name and time."""
    told = told_by(record)
    names = [line.split(":")[0] for line in told if line.split(":")[0].startswith(("add_", "deduplicate_"))]
    history = r_system.rows(record, "SELECT name, applied_at FROM schema_migrations")
    assert [row[0] for row in history] == names and all(row[1] for row in history)
    before = seen(record.parent)
    assert told_by(record)[0] == f"{record} is up to date: nothing to do."
    assert seen(record.parent) == before


def test_a_dry_run_changes_nothing(record: Path) -> None:
    """--dry-run names the very steps that are then taken, and leaves bytes, times and folder as they are."""
    before = seen(record.parent)
    told = told_by(record, dry_run=True)
    assert seen(record.parent) == before
    assert steps_in(told_by(record)) == steps_in(told)


def test_a_dry_run_of_a_write_ahead_log_leaves_no_files(tmp_path: Path) -> None:
    """A record that another program put into WAL mode is looked at without -wal and -shm files."""
    path = tmp_path / "wal.db"
    r_system.make(path, "oldest")
    connection = sqlite3.connect(path)
    connection.execute("PRAGMA journal_mode = wal")
    connection.close()
    before = seen(tmp_path)
    assert told_by(path, dry_run=True)
    assert seen(tmp_path) == before
    told_by(path)
    assert told_by(path)[0].endswith("nothing to do.")


@pytest.mark.parametrize("kind", ["text", "empty", "other", "renamed", "folder", "missing"])
def test_what_is_no_such_record_is_refused_untouched(kind: str, tmp_path: Path) -> None:
    """A file that is no record of experiments keeps its bytes and its time."""
    path = tmp_path / "file.db"
    if kind in ("text", "empty"):
        path.write_text("" if kind == "empty" else "notes of a day")
    elif kind == "folder":
        path.mkdir()
    elif kind != "missing":
        connection = sqlite3.connect(path)
        connection.execute("CREATE TABLE experiments (experiment_id TEXT, experiment_name TEXT, status TEXT)")
        if kind == "renamed":
            connection.execute("CREATE TABLE narrative_results (result_id INTEGER, experiment_id TEXT, incident TEXT)")
        connection.close()
    before = seen(tmp_path)
    for dry_run in (True, False):
        with pytest.raises(RecordError, match=re.escape(str(path))):
            migrate(path, dry_run, lambda _: None)
    assert seen(tmp_path) == before


def test_a_damaged_record_is_refused(tmp_path: Path) -> None:
    """A record whose pages are damaged is named as such, and left as it is."""
    path = tmp_path / "damaged.db"
    r_system.make(path, "oldest")
    r_system.fill(path, "experiments", [r_system.experiment()])
    many = [r_system.result(str(number), "cme", "x" * 3000) for number in range(50)]
    r_system.fill(path, "narrative_results", many)
    content = bytearray(path.read_bytes())
    content[len(content) // 2 : len(content) // 2 + 8000] = os.urandom(8000)
    path.write_bytes(content)
    with pytest.raises(RecordError, match=re.escape(str(path))):
        migrate(path, False, lambda _: None)
    assert path.read_bytes() == bytes(content)


def test_a_record_that_another_program_holds_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A record that stays locked ends with the reason, and is as it was."""
    path = tmp_path / "held.db"
    r_system.make(path, "oldest")
    monkeypatch.setattr("narrative_runs.migration.migrate.BUSY_TIMEOUT_S", 0.2)
    holder = sqlite3.connect(path, isolation_level=None)
    holder.execute("BEGIN IMMEDIATE")
    before = seen(tmp_path)
    with pytest.raises(RecordError, match="locked"):
        migrate(path, False, lambda _: None)
    holder.close()
    assert seen(tmp_path) == before


@pytest.mark.slow
def test_a_killed_migrate_is_finished_by_the_next(tmp_path: Path) -> None:
    """After kill -9 at random moments the record opens with all its rows, and the next migrate finishes it."""
    path = tmp_path / "big.db"
    r_system.make(path, "before migration 1")
    r_system.fill(path, "experiments", [r_system.experiment()])
    text = "V was found. " * 60
    many = [r_system.result(f"{number % 3800}", "cme", text) for number in range(4000)]
    r_system.fill(path, "narrative_results", many)
    original = path.read_bytes()
    # Killed while it reads, copies, removes and commits; a whole one takes about 0.2 s after its start.
    chance, script = (
        random.Random(8),
        (
            "import sys; from pathlib import Path; from narrative_runs.migration.migrate import migrate;"
            "print('begins', flush=True); migrate(Path(sys.argv[1]), False, lambda line: None)"
        ),
    )
    unfinished = 0
    for _ in range(12):
        path.write_bytes(original)
        with subprocess.Popen(
            [sys.executable, "-c", script, str(path)], stdout=subprocess.PIPE, stderr=subprocess.DEVNULL
        ) as process:
            assert process.stdout is not None
            process.stdout.readline()
            time.sleep(chance.uniform(0, 0.25))
            process.send_signal(signal.SIGKILL)
        if chance.random() < 0.5:
            # The next program to open it is not always one that looks first.
            told_by(path)
        counted = r_system.rows(path, "SELECT count(*) FROM narrative_results")[0][0]
        assert r_system.rows(path, "PRAGMA integrity_check") == [("ok",)]
        is_done = bool(r_system.rows(path, "SELECT 1 FROM sqlite_master WHERE name = 'schema_migrations'"))
        assert counted == (3800 if is_done else 4000)
        unfinished += not is_done
        told_by(path)
        assert r_system.rows(path, "SELECT count(*) FROM narrative_results") == [(3800,)]
        assert told_by(path)[0].endswith("nothing to do.")
        for leftover in tmp_path.iterdir():
            if leftover != path:
                leftover.unlink()
    assert unfinished


def steps_in(told: list[str]) -> list[str]:
    """The lines that tell a step, or a row that is removed."""
    return [line for line in told if line.startswith(("add_", "deduplicate_", "  result_id"))]


def seen(folder: Path) -> dict[str, tuple[int, bytes]]:
    """All files of a folder: times and bytes."""
    return {
        path.name: (path.stat().st_mtime_ns, b"" if path.is_dir() else path.read_bytes()) for path in folder.iterdir()
    }


def dump(path: Path) -> list[str]:
    """All that a record holds, as SQL."""
    connection = sqlite3.connect(path)
    try:
        return list(connection.iterdump())
    finally:
        connection.close()


def test_an_older_record_in_place_of_ours_is_named(record: Path) -> None:
    """Whoever put an R record where ours belongs is told to migrate it, and can then go on."""
    with pytest.raises(RecordError, match=f"narrative-runs migrate {record}"):
        database.query("SELECT slug FROM experiments", path=record)
    with pytest.raises(RecordError, match="narrative-runs migrate"), database.transaction(record) as connection:
        database.put_experiment(connection, "a", {"experiment_name": "A", "slug": "a"})
    told_by(record)
    assert database.query("SELECT slug FROM experiments", path=record) == [{"slug": None}]


def test_a_record_whose_writer_was_killed(record: Path) -> None:
    """What R left half done is rolled back: by a dry run in a copy alone, by migrate in the record itself."""
    before = dump(record)
    r_system.killed_while_writing(record)
    files = seen(record.parent)
    told = told_by(record, dry_run=True)
    assert seen(record.parent) == files
    assert steps_in(told_by(record)) == steps_in(told)
    (backup,) = record.parent.glob("production_20k.db.backup-*")
    assert dump(backup) == before
