import json
import os
import re
import signal
import sqlite3
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from itertools import pairwise
from pathlib import Path
from typing import Any

import httpx
import pytest

from tests.project import AT_LONGEST_S, ROOT, Fake, Project, cases, fake_server, wait_until
from tests.terminal import Window
from tests.variants import rest_is_long

pytestmark = pytest.mark.end_to_end

BLOCK = {"done", "rate", "ETA", "elapsed", "errors", "tokens", "in", "at"}
# What no status of a run that has ended holds.
LIVE_ALONE = {"rate", "ETA", "elapsed", "in", "at"}
# At this pace the server sets the time, and not the machine that runs the tests.
NARRATIVES = 1000
SLOTS = 8
LATENCY_S = 0.4
HELD_S = 3.0


@dataclass
class Seen:
    """What was seen of runs from other terminals.

    looks: those of tests.poller; during_block: the lines of the terminal while the block stood there.
    """

    project: Project
    looks: list[dict[str, Any]]
    terminal: Window
    during_block: list[str]
    last_answer_at: float
    told: dict[str, subprocess.CompletedProcess[str]] = field(default_factory=dict)
    requests_while_held: int = 0

    @property
    def counts(self) -> list[int]:
        """Narratives with a result, as each look found them."""
        return [look["status"]["n_narratives_processed"] for look in self.looks]


@pytest.fixture(scope="module")
def killed_and_resumed(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Seen]:
    """1,000 narratives: killed with signal 9 after a tenth, resumed from another terminal, watched all the time."""
    project = Project(tmp_path_factory.mktemp("watched"))
    project.write_workbook(cases(NARRATIVES // 2))
    told = {}
    with fake_server(latency_s=LATENCY_S) as fake:
        project.write_params(
            fake.url,
            run={"max_in_flight": SLOTS, "price_per_million_prompt_tokens": 2.5},
            shards={"count": 8},
        )
        with polled(project) as looks_file:
            with project.started("snakemake", "--cores", "4") as main:
                wait_until(lambda: requests(fake) >= NARRATIVES // 10)
                os.killpg(main.pid, signal.SIGKILL)
                main.wait()
            told["died"] = project.run("narrative-runs", "status")
            told["declined"] = project.run("narrative-runs", "resume")
            with in_terminal(project, 80, "narrative-runs", "resume", "--yes") as (resumed, terminal):
                wait_until(lambda: project.run("narrative-runs", "status", "--json").stdout.count('"is_live": true'))
                watching = subprocess.Popen(
                    project.command("narrative-runs", "watch"),
                    cwd=project.folder,
                    env=project.environment,
                    stdout=subprocess.PIPE,
                    stderr=subprocess.STDOUT,
                    text=True,
                )
                during = wait_until(lambda: terminal.names() >= BLOCK and terminal.lines())
                wait_until(lambda: requests(fake) >= NARRATIVES // 2)
                while_held = requests_while_held(project, fake)
                told["running"] = project.run("narrative-runs", "status")
                told["second"] = project.run("narrative-runs", "resume", "cases")
                with in_terminal(project, 60, "narrative-runs", "watch", "cases") as (left, second):
                    wait_until(lambda: second.names() >= BLOCK)
                    left.send_signal(signal.SIGINT)
                    told["left"] = subprocess.CompletedProcess("watch", left.wait(timeout=AT_LONGEST_S))
                told["left"].stdout = "\n".join(second.lines())
                assert resumed.wait(timeout=AT_LONGEST_S) == 0, terminal.lines()
                output, _ = watching.communicate(timeout=AT_LONGEST_S)
                told["watched"] = subprocess.CompletedProcess("watch", watching.returncode, output)
        for name in ("status", "list", "resume"):
            told[name] = project.run("narrative-runs", name)
        yield Seen(project, read(looks_file), terminal, during, pace(fake)["last_at"], told, while_held)


@pytest.fixture(scope="module")
def steady(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Seen]:
    """1,000 narratives on a steady server, in a terminal of 40 columns, without any disturbance."""
    project = Project(tmp_path_factory.mktemp("steady"))
    project.write_workbook(cases(NARRATIVES // 2))
    with fake_server(latency_s=LATENCY_S) as fake:
        project.write_params(fake.url, run={"max_in_flight": SLOTS}, shards={"count": 8})
        with (
            polled(project) as looks_file,
            in_terminal(project, 40, "snakemake", "--cores", "4") as (main, terminal),
        ):
            during = wait_until(lambda: terminal.names() >= BLOCK and terminal.lines())
            assert main.wait(timeout=AT_LONGEST_S) == 0, terminal.lines()
        yield Seen(project, read(looks_file), terminal, during, pace(fake)["last_at"])


def pace(fake: Fake) -> dict[str, Any]:
    """How busy the server was."""
    told: dict[str, Any] = httpx.get(f"{fake.origin}/pace", trust_env=False).json()
    return told


def requests(fake: Fake) -> int:
    """How many requests came so far."""
    return int(pace(fake)["requests"])


@contextmanager
def polled(project: Project) -> Iterator[Path]:
    """Have the project looked at every 200 ms, into a file, from its first record on."""
    file = project.folder / "looks"
    wait = "import time, pathlib\nwhile not pathlib.Path('results/experiments.db').exists(): time.sleep(0.05)\n"
    script = f"{wait}time.sleep(0.5)\nimport runpy; runpy.run_module('tests.poller', run_name='__main__')"
    with file.open("w") as output:
        poller = subprocess.Popen(
            [sys.executable, "-c", script],
            cwd=project.folder,
            env={**os.environ, "PYTHONPATH": str(ROOT)},
            stdout=output,
        )
        try:
            yield file
            # One more look, at how it ended.
            wait_until(lambda: '"state": "completed"' in file.read_text())
        finally:
            poller.kill()
            poller.wait()


def read(file: Path) -> list[dict[str, Any]]:
    """All looks, the last one only if it is whole."""
    return [json.loads(line) for line in file.read_text().splitlines(keepends=True) if line.endswith("\n")]


@contextmanager
def in_terminal(project: Project, columns: int, *words: str) -> Iterator[tuple["subprocess.Popen[bytes]", Window]]:
    """Run a command in a terminal of its own; it is killed at the end, if it still runs."""
    terminal = Window(columns)
    # COLUMNS would stand above the terminal's own width.
    environment = {name: value for name, value in project.environment.items() if name != "COLUMNS"}
    process = subprocess.Popen(
        project.command(*words),
        cwd=project.folder,
        env={**environment, "TERM": "xterm-256color"},
        stdin=terminal.slave,
        stdout=terminal.slave,
        stderr=terminal.slave,
        start_new_session=True,
    )
    try:
        yield process, terminal
    finally:
        if process.poll() is None:
            os.killpg(process.pid, signal.SIGKILL)
            process.wait()
        terminal.close()


def requests_while_held(project: Project, fake: Fake) -> int:
    """Keep a read transaction open for some seconds; how many requests came meanwhile."""
    connection = sqlite3.connect(project.folder / "results/experiments.db", isolation_level=None)
    try:
        connection.execute("BEGIN")
        connection.execute("SELECT count(*) FROM experiments").fetchone()
        before = requests(fake)
        time.sleep(HELD_S)
        return requests(fake) - before
    finally:
        connection.close()


def test_no_look_fails_or_goes_backwards(killed_and_resumed: Seen) -> None:
    """Looked at every 200 ms, over a kill and a resume, the counts never go back, and no question fails."""
    looks = killed_and_resumed.looks
    assert len(looks) > 100 and not [look for look in looks if "error" in look]
    counts = killed_and_resumed.counts
    assert all(before <= after for before, after in pairwise(counts))
    assert 0 < counts[0] + counts[len(counts) // 2] < NARRATIVES + 1 and counts[-1] == NARRATIVES
    queried = [int(row[2].split("/")[0]) for look in looks for row in look["rows"] if row[2]]
    assert queried == sorted(queried) and len(set(queried)) > 10


def test_counts_move_with_the_answers(killed_and_resumed: Seen) -> None:
    """While narratives are answered the record moves every few seconds, save while a reader holds it up."""
    moving = [look for look in killed_and_resumed.looks if look["status"]["state"] == "running"]
    stands_since: dict[int, float] = {}
    for look in moving:
        stands_since.setdefault(look["status"]["n_narratives_processed"], look["at"])
        stood = look["at"] - stands_since[look["status"]["n_narratives_processed"]]
        if 0 < look["status"]["n_narratives_processed"] < NARRATIVES and look["status"]["in_flight"]:
            assert stood < HELD_S + 5


def test_a_reader_delays_nothing_but_the_record(killed_and_resumed: Seen) -> None:
    """While another program keeps a read transaction open, narratives are asked at the same pace."""
    assert killed_and_resumed.requests_while_held > 0.6 * HELD_S * SLOTS / LATENCY_S


def eta_error(seen: Seen) -> float:
    """How far the end that was told at 30% lies from the true one, as a share of what was left of the time."""
    look = next(look for look in seen.looks if look["status"]["n_narratives_processed"] >= 0.3 * NARRATIVES)
    left, true = float(look["status"]["seconds_left"]), seen.last_answer_at - float(look["at"])
    print(f"told at {look['status']['percent_done']}%: {left:.2f} s, and it took {true:.2f} s")
    return abs(left - true) / true


@pytest.mark.long
def test_the_eta_is_true(steady: Seen) -> None:
    """On a steady server the last answer comes when it was told at 30%, within a tenth of the time left."""
    assert eta_error(steady) < 0.1


def test_the_eta_is_true_after_a_resume(killed_and_resumed: Seen) -> None:
    """The pace is this session's alone: after a kill and a resume the ETA at 30% is as true."""
    assert eta_error(killed_and_resumed) < 0.1


def test_a_run_that_died_is_told_as_such(killed_and_resumed: Seen) -> None:
    """After a kill -9 the record still says running, and status says that the run died, and what to do."""
    died = killed_and_resumed.told["died"]
    assert died.returncode == 0 and "died: killed or crashed. To continue: `snakemake" in died.stdout
    assert {look["status"]["state"] for look in killed_and_resumed.looks} == {"running", "died", "completed"}
    dead = next(look for look in killed_and_resumed.looks if look["status"]["state"] == "died")
    assert dead["status"]["status"] == "running" and dead["status"]["pid"] is None


def test_status_of_a_run(killed_and_resumed: Seen) -> None:
    """While it runs, status tells who runs it, how fast, at what cost, and where the logs are."""
    running = killed_and_resumed.told["running"].stdout
    parts = ("Cases (cases)", "PID ", "/sec", "over this session", "; cost ", f" of {SLOTS}", "results/cases/logs/")
    for part in parts:
        assert part in running
    live = [look["status"] for look in killed_and_resumed.looks if look["status"]["is_live"]]
    assert max(status["in_flight"] for status in live) == SLOTS
    assert {job for status in live for job in status["jobs"]} >= {f"{shard}-of-8" for shard in range(1, 9)}
    whole = live[-1]["cost_estimate"]
    assert whole and live[-1]["cost"] <= whole


def test_resume_from_another_terminal(killed_and_resumed: Seen) -> None:
    """Without a yes nothing happens; with it the run goes on; a running or a completed one is not resumed."""
    told = killed_and_resumed.told
    assert told["declined"].returncode == 0 and "[y/N]" in told["declined"].stdout
    assert told["second"].returncode == 1 and "cases is running" in told["second"].stdout
    assert told["resume"].returncode == 1 and "No incomplete experiments found" in told["resume"].stdout
    assert killed_and_resumed.project.query("SELECT status FROM experiments") == [("completed",)]


def test_watch_ends_with_the_run(killed_and_resumed: Seen) -> None:
    """Watched through a pipe, a run is lines of progress until it ends, then its status."""
    watched = killed_and_resumed.told["watched"]
    assert watched.returncode == 0, watched.stdout
    assert watched.stdout.count("[PROGRESS]") > 5
    assert f"done         {NARRATIVES:,} of {NARRATIVES:,} (100.0%)" in watched.stdout


def test_who_watches_may_leave(killed_and_resumed: Seen) -> None:
    """Watched in a terminal, a run is its block; Ctrl-C takes the block away without a word, and the run goes on."""
    left = killed_and_resumed.told["left"]
    assert (left.returncode, left.stdout.strip()) == (0, "")


def test_list(killed_and_resumed: Seen) -> None:
    """list shows each experiment with its state, its progress and, once completed, its measures."""
    (row,) = killed_and_resumed.told["list"].stdout.splitlines()[1:]
    accuracy = killed_and_resumed.project.query("SELECT accuracy FROM experiments")[0][0]
    for part in ("cases", "Cases", "completed", "1,000 of 1,000", f"{accuracy:.3f}"):
        assert part in row


@pytest.mark.parametrize("name", rest_is_long(["killed_and_resumed", "steady"]))
def test_the_block_in_the_terminal(name: str, request: pytest.FixtureRequest) -> None:
    """At 80 and at 40 columns the block has a line for each thing to know, and leaves nothing behind."""
    seen: Seen = request.getfixturevalue(name)
    assert [line for line in seen.during_block if line.startswith("done ")]
    assert any(f" of {SLOTS}" in line for line in seen.during_block if line.startswith("in flight"))
    assert not seen.terminal.names() & LIVE_ALONE
    assert b"\x1b[?25l" not in seen.terminal.raw, "a kill would leave the cursor hidden"
    assert any(line.startswith("Record:") for line in seen.terminal.lines())
    assert not any("[PROGRESS]" in line for line in seen.terminal.lines())


def test_progress_is_logged(killed_and_resumed: Seen) -> None:
    """Every 100 narratives, or at the next second after them, the log has a line of progress, whether or not there is
    a terminal."""
    log = (killed_and_resumed.project.folder / "results/cases/logs/experiment.log").read_text()
    told = [int(done.replace(",", "")) for done in re.findall(r"\[PROGRESS\] ([\d,]+)/", log)]
    # A second, and what the held record delays.
    late = (1 + HELD_S) * SLOTS / LATENCY_S
    assert all(100 <= after - before <= 100 + late for before, after in pairwise(told))
    assert NARRATIVES - told[-1] < 100 + late
