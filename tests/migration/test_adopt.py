import os
import signal
import sqlite3
import subprocess
import sys
from collections.abc import Callable, Iterator
from datetime import datetime
from pathlib import Path

import pytest
import yaml

from narrative_runs import experiment, journal
from narrative_runs.errors import ExperimentError, NarrativeRunsError, ParamsError, RecordError, SourceError
from narrative_runs.migration.adopt import adopt
from narrative_runs.observation.journal_tail import JournalTail
from narrative_runs.observation.progress import Progress
from narrative_runs.params import check
from narrative_runs.paths import ExperimentFolder
from narrative_runs.record import database
from narrative_runs.source.checksum import md5_of
from tests.migration import r_system
from tests.project import wait_until

TEXTS = {("0012", "cme"): "text one", ("0012", "le"): "Une naïveté", ("13", "cme"): "three", ("13", "le"): "four"}
KILLED = """
import sys
from pathlib import Path
from narrative_runs.migration import adopt
from narrative_runs.record import database
put = database.put_results
def slow(*given):
    put(*given)
    print("now", flush=True)
    sys.stdin.read()
database.put_results = slow
adopt.adopt(Path("r.db"), sys.argv[1], "", "", print)
"""


@pytest.fixture
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """A folder with a tracked workbook and an R record: of four narratives two are answered, and one is an error."""
    monkeypatch.chdir(tmp_path)
    mask = os.umask(0o077)
    workbook = tmp_path / "data" / "cases.csv"
    workbook.parent.mkdir()
    lines = "\n".join(f"{incident_id},{kind},{text}," for (incident_id, kind), text in TEXTS.items())
    workbook.write_text(f"incident_id,narrative_type,narrative_text,manual_flag_ind\n{lines}\n", encoding="utf-8")
    track(workbook)
    r_system.make(tmp_path / "r.db", "before tokens")
    r_system.fill(tmp_path / "r.db", "experiments", [r_system.experiment(data_file="data/cases.csv")])
    r_system.fill(
        tmp_path / "r.db",
        "narrative_results",
        [
            r_system.result("0012", "cme", "text one"),
            r_system.result("0012", "le", "Une naïveté"),
            r_system.error("13", "cme", "three", "HTTP 500"),
        ],
    )
    yield tmp_path
    os.umask(mask)


def track(path: Path) -> None:
    """What `dvc add` does."""
    out = {"md5": md5_of(path), "hash": "md5", "path": path.name}
    path.with_name(f"{path.name}.dvc").write_text(yaml.safe_dump({"outs": [out]}))


def adopted(slug: str = "", data: str = "", experiment_id: str = r_system.EXPERIMENT_ID) -> list[str]:
    """What adopt says."""
    told: list[str] = []
    adopt(Path("r.db"), experiment_id, data, slug, told.append)
    return told


def results() -> list[Path]:
    """All that lies below results/, but for the record."""
    return [path for path in Path("results").rglob("*") if not path.name.startswith("experiments.db")]


def test_an_old_record_is_adopted_as_it_is(here: Path) -> None:
    """A record that was never migrated comes over; what it has no column for is empty."""
    told = adopted()
    assert any("3 results adopted, 1 of them errors; 1 are still to be asked" in line for line in told)
    rows = database.query("SELECT * FROM narrative_results ORDER BY row_num")
    assert [(row["incident_id"], row["narrative_type"]) for row in rows] == list(TEXTS)[:3]
    assert {row["tokens_used"] for row in rows} == {None}
    assert [row["error_category"] for row in rows] == [None, None, "api_error"]
    assert database.query("SELECT count(*) AS n FROM source_narratives") == [{"n": 4}]


def test_journal_and_description_tell_the_same_experiment(here: Path) -> None:
    """The journals' head holds id, source, params and the R system's whole row; experiment.yaml says the same."""
    adopted("old")
    folder = ExperimentFolder("old")
    begun = experiment.find(folder)
    assert begun is not None and begun.has_answers
    assert (begun.experiment_id, begun.began_at) == (r_system.EXPERIMENT_ID, "2025-10-27 09:00:00")
    assert begun.source_md5 == md5_of(here / "data/cases.csv")
    described = yaml.safe_load(folder.description.read_text(encoding="utf-8"))
    assert (described["experiment_id"], described["params"]) == (begun.experiment_id, begun.params)
    (head, *_) = journal.heads(folder.journals)
    assert head["adopted"]["r_version"] == "R version 4.4.1 (2024-06-14)"
    assert head["software_version"] == "R system, R version 4.4.1 (2024-06-14)"
    assert {path.name for path in folder.journals.iterdir()} == {"session-0001"}


@pytest.mark.slow
def test_an_experiment_without_a_result_can_be_begun(here: Path) -> None:
    """One that failed before its first answer keeps its id, and nothing of it is frozen yet."""
    r_system.fill(
        here / "r.db", "experiments", [r_system.experiment(experiment_id="empty", data_file="data/cases.csv")]
    )
    adopted("empty", experiment_id="empty")
    folder, begun = experiment.find_by_id("empty")
    assert folder.slug == "empty" and not begun.has_answers


@pytest.mark.slow
def test_a_completed_experiment_that_lacks_answers_can_be_gone_on_with(here: Path) -> None:
    """A completed one with open narratives comes over as failed, and that is said."""
    execute(here, "UPDATE experiments SET status = 'completed', n_narratives_total = 4")
    execute(here, "DELETE FROM narrative_results WHERE incident_id = '0012' AND narrative_type = 'le'")
    assert any("Its status was completed; it is failed here" in line for line in adopted())
    assert database.query("SELECT status, n_narratives_total FROM experiments") == [
        {"status": "failed", "n_narratives_total": 4}
    ]


def execute(folder: Path, sql: str) -> None:
    """Change the R record."""
    connection = sqlite3.connect(folder / "r.db")
    with connection:
        connection.execute(sql)
    connection.close()


def untracked(folder: Path) -> None:
    (folder / "data/cases.csv.dvc").unlink()


def edited(folder: Path) -> None:
    (folder / "data/cases.csv").write_text("changed")


def lost(folder: Path) -> None:
    (folder / "data/cases.csv").unlink()
    untracked(folder)


def another_file(folder: Path) -> None:
    execute(folder, "ALTER TABLE source_narratives ADD COLUMN data_checksum TEXT")
    execute(
        folder,
        "INSERT INTO source_narratives (incident_id, narrative_type, data_source, data_checksum) "
        "VALUES ('1', 'le', 'data/cases.csv', 'ffff')",
    )


def no_prompt(folder: Path) -> None:
    execute(folder, "UPDATE experiments SET user_template = ''")


def folder_taken(folder: Path) -> None:
    (folder / "results/r-run-thresholds-0-5").mkdir(parents=True)


def no_record(folder: Path) -> None:
    (folder / "r.db").write_text("no database")


@pytest.mark.parametrize(
    ("spoil", "error", "told"),
    [
        (untracked, SourceError, "dvc add data/cases.csv"),
        (edited, SourceError, "has changed"),
        (lost, SourceError, "Data file not found: data/cases.csv"),
        (another_file, SourceError, "ffff"),
        (no_prompt, ParamsError, "user_template"),
        (folder_taken, ExperimentError, "--slug"),
        (no_record, RecordError, "no SQLite database"),
    ],
)
@pytest.mark.slow
def test_what_cannot_come_over_leaves_nothing(
    spoil: Callable[[Path], None], error: type[NarrativeRunsError], told: str, here: Path
) -> None:
    """Whatever is wrong is told with what to do, and below results/ nothing is new."""
    spoil(here)
    before = results()
    with pytest.raises(error, match=told):
        adopted()
    assert results() == before
    assert database.query("SELECT * FROM experiments") == []


def test_an_unknown_id_is_answered_with_those_that_are_there(here: Path) -> None:
    """The message lists the record's experiments."""
    with pytest.raises(ExperimentError, match=f"(?s)holds no experiment nobody.*{r_system.EXPERIMENT_ID}"):
        adopted(experiment_id="nobody")


def test_a_record_that_cannot_be_written_leaves_nothing(here: Path) -> None:
    """Where our record is damaged, no folder is left either."""
    (here / "results").mkdir()
    (here / "results/experiments.db").write_text("damaged " * 100)
    with pytest.raises(RecordError):
        adopted()
    assert results() == []


@pytest.mark.slow
def test_a_killed_adopt_is_done_again(here: Path) -> None:
    """After kill -9 amid the writing nothing is here, and the same command brings it all over."""
    with subprocess.Popen(
        [sys.executable, "-c", KILLED, r_system.EXPERIMENT_ID], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    ) as process:
        assert process.stdout is not None
        wait_until(lambda: process.stdout is not None and process.stdout.readline() == "now\n")
        process.send_signal(signal.SIGKILL)
    assert not Path("results/r-run-thresholds-0-5").exists()
    assert database.query("SELECT * FROM experiments") == []
    with pytest.raises(ExperimentError):
        experiment.find_by_id(r_system.EXPERIMENT_ID)
    adopted()
    assert len(database.query("SELECT * FROM narrative_results")) == 3
    assert not Path("results/.adopting").exists()


@pytest.mark.slow
def test_an_experiment_whose_r_process_was_killed(here: Path) -> None:
    """A record that R left amid a transaction is read as it was before, and stays as R left it."""
    r_system.killed_while_writing(here / "r.db")
    before = {path.name: path.read_bytes() for path in here.glob("*r.db*")}
    adopted()
    assert {path.name: path.read_bytes() for path in here.glob("*r.db*")} == before
    assert len(database.query("SELECT * FROM narrative_results")) == 3
    assert database.query("SELECT notes FROM experiments") == [{"notes": "first try, naïve prompt"}]


def test_an_experiment_of_our_own_is_not_adopted(here: Path) -> None:
    """Of an experiment that was begun here the journals count, not a row in some record."""
    execute(here, "ALTER TABLE experiments ADD COLUMN slug TEXT")
    execute(here, "UPDATE experiments SET slug = 'ours'")
    with pytest.raises(ExperimentError, match="results/ours/"):
        adopted()


@pytest.mark.slow
def test_a_session_counts_what_was_adopted(here: Path) -> None:
    """What came over is done and its tokens are used, but none of it is a sign that our server takes requests."""
    execute(here, "ALTER TABLE narrative_results ADD COLUMN tokens_used INTEGER")
    execute(here, "UPDATE narrative_results SET tokens_used = 120 WHERE error_occurred = 0")
    adopted("old")
    folder, begun = experiment.find_by_id(r_system.EXPERIMENT_ID)
    progress = Progress(began=0.0)
    JournalTail(folder, begun.experiment_id, check(begun.params, "journal"), progress).follow()
    assert (progress.total, progress.done, progress.completed, progress.adopted) == (4, 3, 2, 2)
    assert progress.tokens == 240


@pytest.mark.slow
def test_entries_stand_in_the_order_of_the_answers(here: Path) -> None:
    """A journal's first and last entry tell when the R system asked, also where a time of it cannot be read."""
    for incident_id, kind, time in (("0012", "cme", "2025-10-28 01:00:00"), ("0012", "le", "yesterday")):
        where = f"incident_id = '{incident_id}' AND narrative_type = '{kind}'"
        execute(here, f"UPDATE narrative_results SET processed_at = '{time}' WHERE {where}")
    execute(
        here,
        "INSERT INTO narrative_results (experiment_id, incident_id, narrative_type, narrative_text, detected) "
        f"VALUES ('{r_system.EXPERIMENT_ID}', '13', 'le', 'four', 1)",
    )
    adopted("old")
    entries = [entry for path in journal.files(ExperimentFolder("old").journals) for _, entry in journal.entries(path)]
    assert len(entries) == 4
    times = {(entry["incident_id"], entry["narrative_type"]): entry["asked_at"] for entry in entries}
    assert all(datetime.fromisoformat(time).tzinfo for time in times.values())
    assert times["0012", "le"] == times["13", "le"] != times["0012", "cme"]
    rows = database.query("SELECT processed_at FROM narrative_results ORDER BY row_num")
    assert [row["processed_at"] for row in rows] == [
        "2025-10-28 01:00:00",
        "yesterday",
        "2025-10-27 10:00:00",
        "2025-10-27 09:00:00",
    ]
