import csv
import re
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest

from narrative_runs.observation import logs
from narrative_runs.observation.logs import PERFORMANCE_HEADER, Logs

ENTRY: dict[str, Any] = {
    "incident_id": "12",
    "narrative_type": "cme",
    "asked_at": "2026-01-02T03:04:05+01:00",
    "response_sec": 0.25,
    "requests": 2,
    "response": {"choices": []},
}
ASKED_AT = "2026-01-02 03:04:05"
FAILED = {**ENTRY, "error": {"category": "timeout", "message": "no answer within 3 s"}}
DATED = r"\d{4}-\d\d-\d\d \d\d:\d\d:\d\d"


def lines_of(folder: Path, name: str) -> list[str]:
    """The lines of one log."""
    return (folder / name).read_text(encoding="utf-8").splitlines()


def test_an_answer_is_a_line_in_two_logs(tmp_path: Path) -> None:
    """As soon as an answer is told, the call and its duration can be read, and nothing is an error."""
    Logs(tmp_path).entry(ENTRY, None)
    assert re.fullmatch(f"{DATED} INFO 12 cme ok 0.25s in 2 requests", lines_of(tmp_path, "api_calls.log")[0])
    assert lines_of(tmp_path, "performance.log") == [PERFORMANCE_HEADER, f"{ASKED_AT},12,cme,0.25,2,ok"]
    assert lines_of(tmp_path, "errors.log") == []


def test_a_failure_is_among_the_errors(tmp_path: Path) -> None:
    """A narrative that failed for good is in errors.log, with category and message."""
    Logs(tmp_path).entry(FAILED, None)
    assert re.fullmatch(f"{DATED} ERROR 12 cme timeout: no answer within 3 s", lines_of(tmp_path, "errors.log")[0])


def test_the_reason_of_a_stop_is_in_both_logs(tmp_path: Path) -> None:
    """Why a run stopped stands among what happened to it, and among the errors."""
    kept = Logs(tmp_path)
    kept.event("a session begins")
    kept.trouble("TimedOut", "01-of-16", "no answer")
    kept.stopped("the server is gone")
    assert [line.split(" ", 2)[2] for line in lines_of(tmp_path, "experiment.log")] == [
        "INFO a session begins",
        "ERROR the server is gone",
    ]
    assert lines_of(tmp_path, "errors.log")[0].endswith("ERROR the server is gone")
    assert lines_of(tmp_path, "api_calls.log")[0].endswith("WARNING 01-of-16 TimedOut: no answer")


def test_a_later_session_adds_to_the_logs(tmp_path: Path) -> None:
    """What stands in a log stays, and the table of durations has one header."""
    for _ in range(2):
        Logs(tmp_path).entry(ENTRY, None)
    assert lines_of(tmp_path, "performance.log")[0] == PERFORMANCE_HEADER
    assert len(lines_of(tmp_path, "performance.log")) == 3
    assert len(lines_of(tmp_path, "api_calls.log")) == 2


def test_a_log_that_grows_too_large_is_continued_in_a_new_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The latest lines are in the log itself, earlier ones in numbered files, and the oldest go."""
    monkeypatch.setattr(logs, "LARGEST_FILE", 100)
    monkeypatch.setattr(logs, "KEPT_FILES", 2)
    kept = Logs(tmp_path)
    for number in range(12):
        kept.event(f"{number:040}")
    names = ["experiment.log.2", "experiment.log.1", "experiment.log"]
    assert sorted(path.name for path in tmp_path.glob("experiment.log*")) == sorted(names)
    lines = [line for name in names for line in lines_of(tmp_path, name)]
    assert [int(line.split()[-1]) for line in lines] == [9, 10, 11]
    assert all((tmp_path / name).stat().st_size <= 100 for name in names)


def test_a_log_that_cannot_be_put_aside_grows_on(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Where an earlier file cannot be replaced, the log is written all the same, and no line is lost."""
    monkeypatch.setattr(logs, "LARGEST_FILE", 100)
    monkeypatch.setattr(logs, "KEPT_FILES", 1)
    (tmp_path / "experiment.log.1").mkdir()
    kept = Logs(tmp_path)
    for number in range(5):
        kept.event(f"{number:040}")
    assert [int(line.split()[-1]) for line in lines_of(tmp_path, "experiment.log")] == list(range(5))


def test_threads_write_whole_lines(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Of several threads every line is there once and whole, also where a new file begins meanwhile."""
    monkeypatch.setattr(logs, "LARGEST_FILE", 2000)
    monkeypatch.setattr(logs, "KEPT_FILES", 100)
    kept = Logs(tmp_path)
    with ThreadPoolExecutor(8) as threads:
        list(threads.map(lambda number: kept.event(f"{number:040}"), range(800)))
    names = [path.name for path in tmp_path.glob("experiment.log*")]
    lines = [line for name in names for line in lines_of(tmp_path, name)]
    assert all(re.fullmatch(f"{DATED} INFO \\d{{40}}", line) for line in lines)
    assert sorted(int(line.split()[-1]) for line in lines) == list(range(800))
    assert len(names) > 20


def test_every_part_of_the_table_has_its_header(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A program that reads CSV reads each part of performance.log, the newest and those put aside."""
    monkeypatch.setattr(logs, "LARGEST_FILE", 200)
    kept = Logs(tmp_path)
    for _ in range(8):
        kept.entry(ENTRY, None)
    parts = sorted(tmp_path.glob("performance.log*"))
    assert len(parts) > 2
    for part in parts:
        with part.open(newline="", encoding="utf-8") as stream:
            assert {tuple(row.values()) for row in csv.DictReader(stream)} == {
                (ASKED_AT, "12", "cme", "0.25", "2", "ok")
            }


def test_lines_of_an_earlier_release_have_a_file_of_their_own(tmp_path: Path) -> None:
    """A table whose times have the form of 0.1.0 is put aside whole, once, so that no file mixes two forms."""
    before = f"{PERFORMANCE_HEADER}\n{ENTRY['asked_at']},12,cme,0.25,2,ok\n"
    (tmp_path / "performance.log").write_text(before)
    for _ in range(2):
        Logs(tmp_path).entry(ENTRY, None)
    assert (tmp_path / "performance.log.1").read_text() == before
    assert lines_of(tmp_path, "performance.log") == [PERFORMANCE_HEADER, *[f"{ASKED_AT},12,cme,0.25,2,ok"] * 2]
    assert len(list(tmp_path.glob("performance.log*"))) == 2


def test_an_event_is_one_line(tmp_path: Path) -> None:
    """A message of several lines stands in one."""
    Logs(tmp_path).event("params.yaml cannot be used:\n  run.seed: missing.\r\n")
    assert len(lines_of(tmp_path, "experiment.log")) == 1
