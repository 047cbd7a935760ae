import json
import re
import socket
import tempfile
import threading
from pathlib import Path

import pytest

from narrative_runs.monitoring.experiments import chosen
from narrative_runs.monitoring.status import as_json, ask, status_of
from narrative_runs.observation.run_status import RunStatus
from narrative_runs.record import database
from narrative_runs.run_lock import RunLock
from tests.monitoring.conftest import Add, add_result, describe
from tests.project import ROOT

OK = b"HTTP/1.0 200 OK\r\n\r\n"


def test_without_a_session_the_record_tells(add: Add) -> None:
    """Of a run that ended, counts, errors, tokens and cost are those of its rows."""
    add("cases", "failed", n_narratives_completed=1)
    describe("cases", price_per_million_prompt_tokens=1.0, price_per_million_completion_tokens=2.0)
    for incident, category in (("1", None), ("2", "timeout"), ("3", "parse_error"), ("4", "parse_error")):
        add_result("cases", incident, category, prompt_tokens=100, completion_tokens=50, tokens_used=150)
    status = status_of(chosen("cases"))
    told = status.as_dict()
    assert told["errors"] == {"parse_error": 2, "timeout": 1}
    assert (told["n_narratives_processed"], told["percent_done"], told["tokens_used"]) == (4, 40.0, 600)
    assert told["cost"] == pytest.approx(4 * (100 + 2 * 50) / 1e6)
    assert told["cost_estimate"] == pytest.approx(10 * (100 + 2 * 50) / 1e6)
    assert (told["is_live"], told["pid"], told["rate_recent"], told["estimated_completion_time"]) == (False,) + 3 * (
        None,
    )
    assert "errors       2 parse_error, 1 timeout" in list(status.lines())


def test_without_prices_or_folder_there_is_no_cost(add: Add) -> None:
    """Prices stand in the experiment's params: where these are not here, or name none, no cost is told."""
    add("cases", "failed", has_folder=False)
    assert status_of(chosen("")).status.cost is None
    describe("cases")
    assert status_of(chosen("")).status.cost is None


def test_a_session_tells_and_the_record_counts(add: Add) -> None:
    """While it runs, rates and slots are the session's; the counts stay the record's, so that none goes backwards."""
    add("cases", "running")
    lock = RunLock(Path("results/cases"))
    lock.acquire()
    with tempfile.TemporaryDirectory() as private:
        path = f"{private}/session"
        with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as listening:
            listening.bind(path)
            listening.listen()
            lock.tell(path)

            def serve() -> None:
                connection, _ = listening.accept()
                with connection:
                    assert connection.recv(1000).startswith(b"GET /status ")
                    live = RunStatus("Cases", 10, 7, 2.5, 2.0, in_flight=3, slots=4, jobs=["1-of-1"])
                    connection.sendall(OK + live.as_json().encode())

            threading.Thread(target=serve, daemon=True).start()
            told = status_of(chosen("")).as_dict()
    assert (told["state"], told["is_live"], told["n_narratives_processed"]) == ("running", True, 4)
    assert (told["rate_recent"], told["in_flight"], told["slots"], told["jobs"]) == (2.5, 3, 4, ["1-of-1"])
    assert told["pid"] > 0 and told["host"] == socket.gethostname() and told["running_since"]


@pytest.mark.parametrize(
    "answer", [b"", b"HTTP/1.0 200 OK\r\n\r\n{}", b"nonsense\n", b'HTTP/1.0 200 OK\r\n\r\n{"of": "another version"}']
)
def test_a_session_that_tells_nothing_of_use(answer: bytes, add: Add) -> None:
    """A session that has just ended, or of another version, is passed over without an error."""
    add("cases", "running")
    lock = RunLock(Path("results/cases"))
    lock.acquire()
    with tempfile.TemporaryDirectory() as private:
        with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as listening:
            listening.bind(f"{private}/session")
            listening.listen()
            lock.tell(f"{private}/session")

            def serve() -> None:
                connection, _ = listening.accept()
                with connection:
                    connection.recv(100)
                    connection.sendall(answer)

            threading.Thread(target=serve, daemon=True).start()
            assert ask(Path("results/cases")) is None
        assert ask(Path("results/cases")) is None
    assert not status_of(chosen("")).is_live


def test_an_age_is_told(add: Add) -> None:
    """How old the last update is can be read in words and in seconds."""
    add("cases", "running", last_progress_update="2026-01-02 03:04:05")
    status = status_of(chosen(""))
    assert (status.last_update_age_sec or 0) > 0
    assert any(re.match(r"last update  2026-01-02 03:04:05, \d+h \d+m ago", line) for line in status.lines())
    with database.transaction() as connection:
        database.update_experiment(connection, "id-of-cases", {"last_progress_update": None})
    assert status_of(chosen("")).last_update_age_sec is None


def test_every_key_is_documented(add: Add) -> None:
    """The keys of `status --json` are those of the table in docs/monitoring.md, in snake_case."""
    add("cases", "failed")
    keys = set(json.loads(as_json(status_of(chosen("")))))
    page = (ROOT / "docs/monitoring.md").read_text(encoding="utf-8")
    table = page.partition("### The keys of `status --json`")[2].partition("\n#")[0]
    cells = [line.split("|")[1] for line in table.splitlines() if line.startswith("| `")]
    assert keys == {key for cell in cells for key in re.findall(r"`(\w+)`", cell)}
    assert all(re.fullmatch(r"[a-z_]+", key) for key in keys)


def test_a_completed_pilot_is_called_one(add: Add) -> None:
    """Of a completed experiment that asked about a part of the workbook the status says how many there are in all."""
    add("cases", "completed")
    describe("cases")
    quality = chosen("cases").folder.data_quality
    for content, is_pilot in (
        ("{}", False),
        (json.dumps({"narratives": {"total": 10}}), False),
        (json.dumps({"narratives": {"total": 584}}), True),
    ):
        quality.write_text(content, encoding="utf-8")
        pilots = [line for line in status_of(chosen("cases")).lines() if line.startswith("pilot ")]
        assert ["10 of the workbook's 584 narratives" in line for line in pilots] == [True] * is_pilot


def test_a_completed_experiment_with_errors_names_the_command_that_asks_again(add: Add) -> None:
    """Of a completed experiment the status says how its errors are asked about again; without errors, or before the
    end, it says nothing of that."""
    add("cases", "completed")
    describe("cases")
    assert "forcerun" not in "\n".join(status_of(chosen("cases")).lines())
    add_result("cases", "2", "timeout")
    (line,) = [line for line in status_of(chosen("cases")).lines() if line.startswith("retry ")]
    experiment_id = chosen("cases").row["experiment_id"]
    assert line.endswith(f"`snakemake --cores 4 --config experiment_id={experiment_id} --forcerun retry_errors`")
    add("others", "failed")
    add_result("others", "2", "timeout")
    assert "forcerun" not in "\n".join(status_of(chosen("others")).lines())
