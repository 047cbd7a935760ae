import threading
import time
from pathlib import Path

import psutil
import pytest
from tests.project import processes_in, wait_until

from narrative_runs.observation import notifier as module
from narrative_runs.observation.notice import Event, Notice
from narrative_runs.observation.notifier import Notifier
from narrative_runs.paths import ExperimentFolder

FOLDER = ExperimentFolder("cases")
NOTICE = Notice(Event.PATTERN, "Errors: 12 of 40.")


@pytest.fixture(autouse=True)
def project(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A project folder in which an experiment has begun."""
    monkeypatch.chdir(tmp_path)
    FOLDER.logs.mkdir(parents=True)
    return tmp_path


def log() -> str:
    """What the experiment's log says."""
    path = FOLDER.logs / "experiment.log"
    return path.read_text() if path.exists() else ""


def sent(command: str | None, *notices: Notice, may_take_s: float = 10) -> list[str]:
    """Run the command for these notices; returns what the user is told."""
    told: list[str] = []
    mine = Notifier(command, FOLDER, told.append, may_take_s)
    for notice in notices or (NOTICE,):
        mine.send(notice)
    assert mine.wait(20)
    return told


def test_the_command_gets_all_in_its_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    """It is a line for a shell, with the variables filled in and the user's own kept; nothing comes by its input."""
    monkeypatch.setenv("OWN", "mine")
    assert (
        sent('cat; echo "$OWN $NARRATIVE_RUNS_EVENT $NARRATIVE_RUNS_SLUG: $NARRATIVE_RUNS_MESSAGE" | tee heard') == []
    )
    assert Path("heard").read_text() == "mine pattern cases: Errors: 12 of 40.\n"
    assert log().endswith("INFO a notice (pattern): the command was run\n")


def test_the_key_is_not_given_away(monkeypatch: pytest.MonkeyPatch) -> None:
    """Neither the key of the model server, nor its file, nor what jobs reach their run by."""
    for name in module.KEPT_FROM_IT:
        monkeypatch.setenv(name, "hidden")
    sent("env > heard")
    heard = Path("heard").read_text()
    assert "NARRATIVE_RUNS_STATE=running" in heard and "hidden" not in heard


@pytest.mark.slow
def test_one_comes_after_the_other() -> None:
    """Two commands never run at once, and they run in the order of their notices."""
    first = 'test "$NARRATIVE_RUNS_EVENT" = eta && sleep 0.3; '
    sent(f'{first}echo "$NARRATIVE_RUNS_EVENT" >> heard', Notice(Event.ETA, ""), Notice(Event.BUDGET, ""))
    assert Path("heard").read_text() == "eta\nbudget\n"


@pytest.mark.parametrize(
    ("command", "problem"),
    [
        ("echo before; echo wrong address; exit 3", "exit code 3: wrong address"),
        ("there-is-no-such-program", "exit code 127: "),
        ("kill -9 $$", "signal 9"),
        ("yes | head -c 5000000; echo; echo the end; exit 1", "exit code 1: the end"),
        (r"printf '\033[2Jred\n'; exit 1", r"exit code 1: \u001b[2Jred"),
    ],
)
def test_a_command_that_fails_is_logged_and_told_once(command: str, problem: str) -> None:
    """Each failure is in the log with the last line that it wrote; the terminal has the first one alone."""
    (told,) = sent(command, NOTICE, NOTICE)
    assert told.startswith("[NOTICE] The command in run.notify failed (exit code" if "exit" in problem else "[NOTICE]")
    assert log().count(f"a notice (pattern): {problem}") == 2


@pytest.mark.slow
def test_a_command_that_hangs_is_ended_with_all_that_it_started(project: Path) -> None:
    """After its time it is killed, and so is what it started, whether that keeps its output open or not."""
    began = time.monotonic()
    (told,) = sent("sleep 60 & sleep 60 > /dev/null 2>&1 & sleep 60", may_take_s=0.5)
    assert time.monotonic() - began < 5 and "ended after" in told and "a notice (pattern): it was ended" in log()
    wait_until(lambda: not [each for each in processes_in(project) if each.name() == "sleep"], timeout=5)


@pytest.mark.slow
def test_what_writes_without_end_fills_no_memory() -> None:
    """Of a command that only writes, no more than a part is kept, and it ends with its time."""
    before = psutil.Process().memory_info().rss
    sent("yes", may_take_s=1)
    assert psutil.Process().memory_info().rss - before < 50_000_000


@pytest.mark.slow
def test_who_waits_no_longer_ends_it(project: Path) -> None:
    """`end`, as at a second Ctrl-C, kills what runs, and what was still to be told is logged as not run."""
    told: list[str] = []
    mine = Notifier("sleep 60", FOLDER, told.append)
    mine.send(NOTICE)
    mine.send(Notice(Event.COMPLETED, ""))
    wait_until(lambda: [each for each in processes_in(project) if each.name() == "sleep"])
    threading.Timer(0.2, mine.end).start()
    began = time.monotonic()
    assert mine.wait(20) and time.monotonic() - began < 5
    assert told == [] and "a notice (completed): not run, because the run had ended" in log()


@pytest.mark.slow
def test_close_waits_no_longer_than_it_may() -> None:
    """A run that ends waits so long, and no process of the command stays."""
    mine = Notifier("sleep 60", FOLDER, print)
    mine.send(NOTICE)
    began = time.monotonic()
    mine.close(0.5)
    assert 0.5 <= time.monotonic() - began < 5 and mine.wait(0)


def test_without_a_command_nothing_happens() -> None:
    """Who wants no notices gets none, and no log says so."""
    assert sent(None) == [] and log() == ""


def test_a_log_that_cannot_be_written_keeps_nothing_back() -> None:
    """The command is run, whatever has become of the experiment's folder."""
    FOLDER.logs.rmdir()
    assert sent("echo here > heard") == [] and Path("heard").exists()
