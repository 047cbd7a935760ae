import json
from pathlib import Path
from typing import Any

import pytest

from narrative_runs.asking.advice import advised
from narrative_runs.asking.failures import Failure, Kind
from narrative_runs.observation.notice import Event, Notice, notice_of_end
from narrative_runs.paths import RECORD
from narrative_runs.record import database
from narrative_runs.record.state import CANCELLED

ID = "00000000-0000-0000-0000-000000000001"


@pytest.fixture(autouse=True)
def project(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """An empty project folder."""
    monkeypatch.chdir(tmp_path)


def recorded(status: str, done: int = 83, answered: int = 80, **more: Any) -> None:
    """An experiment of 220 narratives in the record."""
    counts = {"n_narratives_total": 220, "n_narratives_processed": done, "n_narratives_completed": answered}
    with database.transaction() as connection:
        database.put_experiment(connection, ID, {"experiment_name": "Cases", "status": status, **counts, **more})


def test_a_completed_run_tells_its_counts() -> None:
    """Narratives, errors and hours."""
    recorded("completed", 220, 217, total_runtime_sec=5000.0)
    assert notice_of_end(ID, True, "") == Notice(
        Event.COMPLETED, "220 narratives, 3 errors, 1h 23m of asking.", "completed"
    )


@pytest.mark.parametrize(
    ("reason", "status", "event", "state", "begin"),
    [
        ("the budget is reached", "failed", Event.FAILED, "failed", "The budget is reached."),
        ("stopped by Ctrl-C", "failed", Event.STOPPED, "failed", "Stopped by Ctrl-C."),
        (CANCELLED, "cancelled", Event.STOPPED, "cancelled", "Cancelled from another terminal."),
        (
            "the coordinator ended unexpectedly",
            "running",
            Event.FAILED,
            "failed",
            "The coordinator ended unexpectedly.",
        ),
    ],
)
def test_a_run_that_ends_early_tells_why_and_how_far_it_came(
    reason: str, status: str, event: Event, state: str, begin: str
) -> None:
    """The reason, what is done, and what is left; a state that nobody could write is failed."""
    recorded(status)
    assert notice_of_end(ID, False, reason) == Notice(event, f"{begin} 83 of 220 done, 137 to go.", state)


def test_a_part_of_the_workflow_is_no_completed_experiment() -> None:
    """Where the merge was left out, the notice says so."""
    recorded("failed")
    notice = notice_of_end(ID, True, "")
    assert (notice.event, notice.state) == (Event.STOPPED, "failed") and "without the merge" in notice.message


def test_the_servers_words_are_left_out() -> None:
    """What a server says may quote a prompt: of a reason, only what this software says of it is told."""
    failure = Failure(Kind.REFUSED, "HTTP 400", 400, words="a secret case")
    reason = advised(failure, {}, (), has_key=False)
    assert "a secret case" in reason
    recorded("failed")
    message = notice_of_end(ID, False, reason).message
    assert "secret" not in message and message.startswith("HTTP 400: the server rejects this request")
    of_log = "The model server ended. Its log (a.log) ends with:\n  a secret case\nCorrect it."
    assert notice_of_end(ID, False, of_log).message == "The model server ended. 83 of 220 done, 137 to go."


def test_a_record_that_cannot_be_read_keeps_no_notice_back() -> None:
    """Without counts the reason is told all the same."""
    RECORD.parent.mkdir()
    RECORD.write_text("no database, but long enough to be looked at as one" * 100)
    assert notice_of_end(ID, False, "the disk is full").message == "The disk is full."


def test_what_the_environment_holds_is_one_plain_line() -> None:
    """Line breaks, zero characters and escape sequences reach no mail and no terminal, and JSON can hold the rest."""
    variables = Notice(Event.ETA, 'two\nlines \x00 and \x1b[2J" \\' + "x" * 5000).variables("cases")
    assert set(variables) == {f"NARRATIVE_RUNS_{name}" for name in ("EVENT", "SLUG", "STATE", "MESSAGE")}
    message = variables.pop("NARRATIVE_RUNS_MESSAGE")
    assert message.startswith(r"two lines \u0000 and \u001b[2J' /xxx") and len(message) < 1100
    assert json.loads(f'"{message}"')
    assert list(variables.values()) == ["eta", "cases", "running"]
