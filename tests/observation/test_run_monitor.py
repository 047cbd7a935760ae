import json
import re
import sqlite3
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from narrative_runs import journal
from narrative_runs.asking.request import Question
from narrative_runs.errors import RecordLocked
from narrative_runs.journal import RETRY, Journal
from narrative_runs.observation import record_writer as room
from narrative_runs.observation import run_monitor as monitor_module
from narrative_runs.observation.promised_end import PromisedEnd
from narrative_runs.observation.run_monitor import RunMonitor
from narrative_runs.params import Params, check
from narrative_runs.paths import RECORD, ExperimentFolder
from narrative_runs.record import database
from narrative_runs.run_spec import RunSpec
from narrative_runs.source.narratives import write_shards
from narrative_runs.source.shards import Narrative

ID = "00000000-0000-0000-0000-000000000001"
FOLDER = ExperimentFolder("cases")
PARAMS = check(
    {
        "experiment": {"name": "Cases"},
        "model": {"name": "m", "api_url": "http://localhost:1/v1"},
        "prompt": {"user_template": "<<TEXT>>"},
        "data": {"file": "data/cases.xlsx"},
        "run": {"price_per_million_prompt_tokens": 1.0, "price_per_million_completion_tokens": 2.0},
        "shards": {"count": 1},
    },
    "here",
)
NARRATIVES = [Narrative(number, f"{number:03}", "cme", f"Text {number}.", 1, None) for number in range(1, 21)]
ANSWER = json.dumps({"detected": True, "confidence": 0.9, "indicators": [], "rationale": "So."})


@pytest.fixture(autouse=True)
def project(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """An empty project folder, and a record that is not waited for."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(room, "PATIENCE_S", 0.1)
    monkeypatch.setattr(room, "EVERY_S", 0.0)


def read_workbook() -> None:
    """The workbook has been read into its shard."""
    write_shards([NARRATIVES], FOLDER.narratives)
    FOLDER.data_quality.write_text("{}")


def begun(resumes: bool = False, params: Params = PARAMS) -> RunMonitor:
    """The account of a session that has begun."""
    journal.seal(FOLDER.journals)
    mine = RunMonitor(
        RunSpec(
            slug="cases",
            experiment_id=ID,
            source_md5="md5",
            params=params.model_dump(mode="json"),
            began_at="2026-01-02 03:04:05",
            reading_rules=2,
            earlier_release="",
            resumes=resumes,
            recorded=False,
            retry_errors=False,
            retry_categories=[],
            changes=[],
            shards=["1-of-1"],
            reads_workbook=False,
            lock_token="",
        ),
        params,
    )
    mine.begin_writing()
    return mine


@pytest.fixture
def answer() -> Callable[..., None]:
    """Writes answers to these narratives into this session's journal; `name` is the journal's."""
    written: dict[Path, Journal] = {}

    def write(*narratives: Narrative, content: str = ANSWER, name: str = "1-of-1", attempt: int = 1) -> None:
        folder = journal.growing(FOLDER.journals, 1)
        file = written.setdefault(folder / name, Journal(folder / f"{name}.jsonl", {"experiment_id": ID}))
        for narrative in narratives:
            usage = {"prompt_tokens": 100, "completion_tokens": 50, "total_tokens": 150}
            message = {"choices": [{"message": {"content": content}}], "usage": usage}
            file.append(
                {
                    "fingerprint": Question(PARAMS).fingerprint(narrative),
                    "incident_id": narrative.incident_id,
                    "narrative_type": narrative.narrative_type,
                    "asked_at": "2026-01-02T03:04:05+00:00",
                    "requests": 1,
                    "response_sec": 0.5,
                    "response": message,
                    "attempt": attempt,
                    "first_error_message": None,
                }
            )

    return write


def recorded() -> dict[str, Any]:
    """The experiment's row, and how many rows of results there are."""
    row = database.experiment(ID)
    assert row is not None
    return {**row, "rows": database.query("SELECT count(*) AS rows FROM narrative_results")[0]["rows"]}


def test_rows_and_counts_move_together(answer: Callable[..., None]) -> None:
    """What the record counts are the rows it holds, errors included, at every step."""
    read_workbook()
    mine = begun()
    for done in (3, 9, 20):
        before = recorded()["rows"]
        answer(*NARRATIVES[before : done - 1])
        answer(NARRATIVES[done - 1], content="I would rather not say.")
        mine.follow()
        now = recorded()
        assert (now["rows"], now["n_narratives_processed"], now["n_narratives_total"]) == (done, done, 20)
    assert recorded()["n_narratives_completed"] == 17
    status = mine.status()
    assert status.errors == {"parse_error": 3} and status.tokens_used == 20 * 150
    assert status.cost == pytest.approx(20 * (100 * 1.0 + 50 * 2.0) / 1e6) == status.cost_estimate


def test_a_resumed_session_counts_all_before_it_tells_anything(answer: Callable[..., None]) -> None:
    """Its first move is from what all journals hold; that is nothing of its own pace."""
    read_workbook()
    mine = begun()
    answer(*NARRATIVES[:8])
    mine.follow()
    assert recorded()["n_narratives_processed"] == 8
    mine = begun(resumes=True)
    assert recorded()["n_narratives_processed"] == 8
    mine.follow()
    assert (recorded()["n_narratives_processed"], mine.progress.done, mine.progress.done_now) == (8, 8, 0)


def test_nothing_moves_before_the_narratives_are_known(answer: Callable[..., None]) -> None:
    """While the workbook has still to be read again, the record keeps the counts of before."""
    read_workbook()
    mine = begun()
    answer(*NARRATIVES[:8])
    mine.follow()
    for path in (*FOLDER.narratives.iterdir(), FOLDER.data_quality):
        path.unlink()
    mine = begun(resumes=True)
    mine.follow()
    assert (recorded()["n_narratives_processed"], recorded()["n_narratives_total"]) == (8, 20)
    read_workbook()
    mine.follow()
    assert (recorded()["n_narratives_processed"], mine.progress.done_now) == (8, 0)


@pytest.mark.slow
def test_a_reader_only_delays_the_record(answer: Callable[..., None]) -> None:
    """While a reader keeps the record the session goes on; once it is gone, nothing is missing."""
    read_workbook()
    mine = begun()
    answer(*NARRATIVES[:5])
    reader = sqlite3.connect(RECORD, isolation_level=None)
    reader.execute("BEGIN")
    reader.execute("SELECT count(*) FROM experiments").fetchone()
    mine.follow()
    answer(*NARRATIVES[5:9])
    mine.follow()
    assert mine.status().n_narratives_processed == 9
    reader.close()
    assert recorded()["rows"] == 0
    mine.follow()
    assert (recorded()["rows"], recorded()["n_narratives_processed"]) == (9, 9)


def test_a_record_locked_for_long_is_told_once(
    answer: Callable[..., None], monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """The user learns which file is locked, and is not told again each second."""
    read_workbook()
    mine = begun()
    monkeypatch.setattr(room, "LOCKED_FOR_LONG_S", 0.0)

    def locked(*_: Any, **__: Any) -> None:
        raise RecordLocked("locked")

    monkeypatch.setattr("narrative_runs.record.state.move", locked)
    answer(*NARRATIVES[:5])
    for _ in range(5):
        mine.follow()
    assert capsys.readouterr().err.count("results/experiments.db is locked by another program") == 1


def test_a_retry_that_succeeds_leaves_one_error_less(answer: Callable[..., None]) -> None:
    """Errors are those that are left: the latest pass over a narrative counts."""
    read_workbook()
    mine = begun()
    answer(*NARRATIVES[:18])
    answer(*NARRATIVES[18:], content="I would rather not say.")
    mine.follow()
    assert mine.status().errors == {"parse_error": 2}
    answer(NARRATIVES[19], name=RETRY, attempt=2)
    mine.follow()
    assert mine.status().errors == {"parse_error": 1} and mine.progress.done == 20


def test_the_merge_has_the_last_word(answer: Callable[..., None]) -> None:
    """Once the experiment is completed, what the session still counts changes nothing."""
    read_workbook()
    mine = begun()
    answer(*NARRATIVES)
    mine.follow()
    completed = {"status": "completed", "n_narratives_completed": 15, "estimated_completion_time": None}
    with database.transaction() as connection:
        database.update_experiment(connection, ID, completed)
    mine.close("success", None, cancelled=False)
    assert {column: recorded()[column] for column in completed} == completed


def test_a_few_narratives_are_no_line(answer: Callable[..., None], capsys: pytest.CaptureFixture[str]) -> None:
    """Fewer than a hundred narratives, within 30 seconds, are no line of progress."""
    read_workbook()
    mine = begun()
    answer(*NARRATIVES)
    mine.follow()
    assert "[PROGRESS]" not in capsys.readouterr().err


def test_a_slip_and_most_of_the_budget_are_notices(
    answer: Callable[..., None], monkeypatch: pytest.MonkeyPatch
) -> None:
    """An end that slips, and 80% of the budget, are told once, with counts, and not again at a resume."""
    heard: list[dict[str, Any]] = []
    monkeypatch.setattr(monitor_module, "report", heard.append)
    slips = iter([None, (1_000_000.0, 2_000_000.0), None])
    monkeypatch.setattr(PromisedEnd, "see", lambda *_: next(slips))
    limits = PARAMS.run.model_copy(update={"notify": "true", "budget_tokens": 10 * 150})
    params = PARAMS.model_copy(update={"run": limits})
    read_workbook()
    mine = begun(params=params)
    for first, last in ((0, 7), (7, 9), (9, 10)):
        answer(*NARRATIVES[first:last])
        mine.follow()
    assert [each["notice"] for each in heard] == ["budget", "eta"]
    assert heard[0]["message"].startswith("1,350 of 1,500 tokens (run.budget_tokens) are used. 9 of 20 done")
    assert re.match(
        r"The run is now expected to end at 1970-01-2\d [\d:]{8} instead of 1970-01-1\d", heard[1]["message"]
    )
    heard.clear()
    monkeypatch.setattr(PromisedEnd, "see", lambda *_: None)
    mine = begun(resumes=True, params=params)
    mine.follow()
    assert heard == []


@pytest.mark.slow
def test_what_two_threads_tell_the_main_process_stays_apart() -> None:
    """Each line to the main process is whole, however many threads speak to it at once."""
    program = (
        "import sys, threading\n"
        "from narrative_runs.observation.run_monitor import report\n"
        "sys.setswitchinterval(1e-6)\n"
        "def speak():\n"
        "    for _ in range(2000):\n"
        "        report({'stopped': 'why ' * 20})\n"
        "threads = [threading.Thread(target=speak) for _ in range(4)]\n"
        "[thread.start() for thread in threads]\n"
        "[thread.join() for thread in threads]\n"
    )
    told = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True).stdout
    assert {json.loads(line)["stopped"] for line in told.splitlines()} == {"why " * 20}
    assert len(told.splitlines()) == 8000
