"""The six test scenarios of the R design, under its names, and what else must be gone on with."""

import os
import shutil
import signal
import subprocess
import time
from collections import Counter
from pathlib import Path

import psutil
import pytest

from narrative_runs.signals import name_of
from tests.fake_server import answer_to
from tests.project import AT_LONGEST_S, BIN, Fake, Project, cases, wait_until
from tests.variants import rest_is_long

pytestmark = [pytest.mark.end_to_end, pytest.mark.until("record")]


@pytest.fixture
def ready(project: Project, fake: Fake) -> Project:
    """40 narratives in 3 shards, and a server that takes 0.15 s."""
    project.write_workbook(cases(20))
    project.write_params(fake.url)
    fake.behave(latency_s=0.15)
    return project


def partly_done(project: Project, fake: Fake, number: int = signal.SIGKILL, at_least: int = 8) -> None:
    """Start a run, and end its main process by a signal after some answers."""
    with project.started("snakemake", "--cores", "4") as main:
        wait_until(lambda: fake.asked >= at_least)
        others = psutil.Process(main.pid).children(recursive=True)
        os.kill(main.pid, number)
        main.wait(timeout=40)
        # What is in flight is kept, whatever ended the main process.
        wait_until(lambda: not any(each.is_running() for each in others))


def assert_complete(project: Project, fake: Fake, narratives: int = 40, lost_at_most: int = 0) -> None:
    """Every narrative has one row with its own answer; at most so many were asked a second time."""
    rows = project.query("SELECT incident_id, narrative_type, narrative_text, rationale FROM narrative_results")
    assert len(rows) == len({row[:2] for row in rows}) == narratives
    for _, _, text, rationale in rows:
        assert rationale == answer_to(f"Narrative: {text}")["rationale"]
    assert project.query("SELECT status, n_narratives_processed FROM experiments") == [("completed", narratives)]
    asked = Counter(fake.calls()["asked"])
    assert len(asked) == narratives
    assert asked.total() - narratives <= lost_at_most, [text for text, times in asked.items() if times > 1]


@pytest.mark.parametrize("number", rest_is_long([signal.SIGINT, signal.SIGTERM, signal.SIGHUP], 2))
@pytest.mark.parametrize("to_group", rest_is_long([False, True]))
def test_a_run_that_is_ended_from_outside(ready: Project, fake: Fake, number: signal.Signals, to_group: bool) -> None:
    """Ctrl-C, SIGTERM and a closed terminal, to the process or to its group, let requests in flight end, are told by
    their names, and the last line is the command that goes on."""
    with ready.started("snakemake", "--cores", "4", "--config", "run={max_in_flight: 4}") as main:
        wait_until(lambda: fake.asked >= 8)
        (os.killpg if to_group else os.kill)(main.pid, number)
        output, _ = main.communicate(timeout=AT_LONGEST_S)
    name = {signal.SIGINT: "Ctrl-C", signal.SIGTERM: "SIGTERM", signal.SIGHUP: "its terminal was closed"}[number]
    *_, before, last = output.strip().splitlines()
    assert main.returncode == 1 and "Traceback" not in output and "RuleException" not in output, output
    assert f"Stopping ({name_of(number)})" in output and name in output
    done, _ = ready.query("SELECT n_narratives_processed, status FROM experiments WHERE status = 'failed'")[0]
    assert f"Stopped by {name_of(number)}: {done} of 40 done, {40 - done} to go." in output, output
    assert done == sum(fake.calls()["answered"].values()) and before.endswith("To continue:")
    ended = subprocess.run(
        last,
        shell=True,
        cwd=ready.folder,
        env=with_programs(ready),
        capture_output=True,
        text=True,
        timeout=AT_LONGEST_S,
    )
    assert ended.returncode == 0, ended.stdout + ended.stderr
    assert_complete(ready, fake)


def with_programs(project: Project) -> dict[str, str]:
    """The environment in which a person types commands: the programs are in its path."""
    return {**project.environment, "PATH": f"{BIN}{os.pathsep}{os.environ['PATH']}"}


@pytest.mark.long
def test_a_hangup_that_is_ignored_stays_ignored(ready: Project, fake: Fake) -> None:
    """Under nohup a run outlives its terminal."""
    with ready.started("nohup", str(BIN / "snakemake"), "--cores", "4") as main:
        wait_until(lambda: fake.asked >= 8)
        os.killpg(main.pid, signal.SIGHUP)
        main.communicate(timeout=AT_LONGEST_S)
    assert main.returncode == 0
    assert_complete(ready, fake)


@pytest.mark.parametrize("number", rest_is_long([signal.SIGKILL, signal.SIGTERM, signal.SIGINT]))
def test_1_basic_resume_flow(ready: Project, fake: Fake, number: int) -> None:
    """A killed run has partial results, and the same command completes them; nothing is asked twice."""
    partly_done(ready, fake, number)
    processed = ready.query("SELECT n_narratives_processed FROM experiments")[0][0]
    assert 0 < processed == sum(fake.calls()["answered"].values()) < 40
    assert ready.query("SELECT status FROM experiments") == [("failed",)]
    result = ready.snakemake()
    assert result.returncode == 0, result.stdout
    assert "RESUMING EXPERIMENT: Cases" in result.stdout
    assert_complete(ready, fake)
    assert "RESUME ATTEMPT" in (ready.folder / "results/cases/logs/resume_log.txt").read_text()
    assert len(list((ready.folder / "results/backups").iterdir())) == 1


def test_2_data_integrity_validation(ready: Project, fake: Fake) -> None:
    """An edited workbook is refused with both checksums, tracked anew or not; putting the old one back resumes."""
    partly_done(ready, fake)
    workbook = ready.folder / "data/cases.xlsx"
    shutil.copy(workbook, ready.folder / "old.xlsx")
    asked = fake.asked
    workbook.write_bytes(workbook.read_bytes() + b"modified")
    for _ in range(2):
        result = ready.snakemake()
        assert result.returncode == 1
        assert "Data file has changed since original load!" in result.stdout
        assert "Original checksum" in result.stdout and "Current checksum" in result.stdout
        ready.track(workbook)
    assert fake.asked == asked
    shutil.copy(ready.folder / "old.xlsx", workbook)
    ready.track(workbook)
    assert ready.snakemake().returncode == 0
    assert_complete(ready, fake, lost_at_most=4)


@pytest.mark.until("report")
def test_3_idempotency(ready: Project, fake: Fake) -> None:
    """A completed experiment that is resumed by its id is refused with exit code 1, and nothing is asked."""
    fake.behave()
    assert ready.snakemake().returncode == 0
    (experiment_id,) = ready.query("SELECT experiment_id FROM experiments")[0]
    result = ready.snakemake("--config", f"experiment_id={experiment_id}")
    assert result.returncode == 1
    assert "Cannot resume completed experiment" in result.stdout
    assert_complete(ready, fake)


def test_4_error_retry(ready: Project, fake: Fake) -> None:
    """Exactly the rows that the record calls errors are asked again, and are errors no more."""
    fake.behave()
    assert ready.snakemake().returncode == 0
    connection_rows = ready.query("SELECT result_id, incident_id FROM narrative_results ORDER BY result_id LIMIT 10")
    execute(
        ready,
        "UPDATE narrative_results SET error_occurred = 1, error_message = 'Simulated error' WHERE result_id IN "
        "(SELECT result_id FROM narrative_results ORDER BY result_id LIMIT 10)",
        "UPDATE experiments SET status = 'failed'",
    )
    asked = fake.asked
    result = ready.run("snakemake", "--forcerun", "retry_errors")
    assert result.returncode == 0, result.stdout
    assert fake.asked == asked + 10
    assert ready.query("SELECT COUNT(*) FROM narrative_results WHERE error_occurred = 1") == [(0,)]
    retried = ready.query(
        "SELECT result_id, incident_id FROM narrative_results WHERE attempt_count = 2 "
        "AND first_error_message = 'Simulated error' AND last_attempt_at IS NOT NULL ORDER BY result_id"
    )
    assert retried == connection_rows
    assert_complete(ready, fake, lost_at_most=10)


def test_5_progress_tracking(ready: Project, fake: Fake) -> None:
    """While a run is alive its counts, its ETA and its rows in the record move, and never go backwards."""
    fake.behave(latency_s=0.6)
    seen = []
    with ready.started("snakemake", "--cores", "4") as main:
        while main.poll() is None:
            if (ready.folder / "results/experiments.db").exists():
                seen += ready.query(
                    "SELECT n_narratives_processed, estimated_completion_time, last_progress_update, "
                    "(SELECT COUNT(*) FROM narrative_results) FROM experiments WHERE status = 'running'"
                )
            time.sleep(0.2)
    counts = [row[0] for row in seen]
    assert counts == sorted(counts)
    assert len({count for count in counts if 0 < count < 40}) >= 2
    assert any(row[1] for row in seen) and any(row[2] for row in seen)
    assert len({row[3] for row in seen}) >= 3


def test_6_concurrent_execution_prevention(ready: Project, fake: Fake) -> None:
    """A second run of the same experiment stops at once with the PID of the first, which is undisturbed."""
    with ready.started("snakemake", "--cores", "4") as main:
        wait_until(lambda: fake.asked >= 4)
        # The first cannot end before the second has begun, however busy the machine is.
        fake.behave(latency_s=8)
        second = ready.snakemake()
        fake.behave()
        assert second.returncode == 1
        assert f"already running: PID {main.pid}" in second.stdout
        output, _ = main.communicate(timeout=AT_LONGEST_S)
        assert main.returncode == 0, output
    assert_complete(ready, fake)


def execute(project: Project, *statements: str) -> None:
    """Change the record by hand."""
    import sqlite3

    connection = sqlite3.connect(project.folder / "results/experiments.db", timeout=30)
    with connection:
        for statement in statements:
            connection.execute(statement)
    connection.close()


@pytest.mark.long
def test_two_experiments_side_by_side(ready: Project, fake: Fake) -> None:
    """Two experiments run at the same time into one record, each to its end."""
    ready.write_params(fake.url, "other.yaml", experiment={"name": "Other", "slug": "other"}, model={"temperature": 1})
    with (
        ready.started("snakemake", "--cores", "2") as first,
        ready.started("snakemake", "--cores", "2", "--configfile", "other.yaml") as second,
    ):
        for process in (first, second):
            output, _ = process.communicate(timeout=AT_LONGEST_S)
            assert process.returncode == 0, output
    assert ready.query(
        "SELECT slug, status, count(*) FROM experiments JOIN narrative_results USING (experiment_id) GROUP BY slug"
    ) == [("cases", "completed", 40), ("other", "completed", 40)]


@pytest.mark.long
def test_prompt_edited_half_way(ready: Project, fake: Fake) -> None:
    """An edited prompt is named and not used: all answers of an experiment answer the same question."""
    partly_done(ready, fake)
    ready.write_params(fake.url, prompt={"user_template": "Edited: <<TEXT>>"})
    result = ready.snakemake()
    assert result.returncode == 0
    assert "WARNING: prompt.user_template has been frozen" in result.stdout
    assert_complete(ready, fake, lost_at_most=4)


@pytest.mark.long
def test_prompt_mended_before_the_first_answer(ready: Project, fake: Fake) -> None:
    """Before the first answer nothing is frozen: a typo in the prompt is just mended."""
    fake.behave(status=401)
    assert ready.snakemake().returncode == 1
    fake.behave()
    ready.write_params(fake.url, prompt={"user_template": "Mended: <<TEXT>>"})
    asked = set(fake.calls()["asked"])
    result = ready.snakemake()
    assert result.returncode == 0 and "WARNING" not in result.stdout
    assert all(text.startswith("Mended: ") for text in set(fake.calls()["asked"]) - asked)
    assert ready.query("SELECT count(*) FROM experiments") == [(1,)]


def test_resume_by_id(ready: Project, fake: Fake) -> None:
    """An experiment is resumed by its id whatever params.yaml says now; an unknown id is an error."""
    partly_done(ready, fake)
    (experiment_id,) = ready.query("SELECT experiment_id FROM experiments")[0]
    ready.write_params(fake.url, experiment={"name": "Another", "slug": "another"}, model={"temperature": 1.5})
    unknown = ready.snakemake("--config", "experiment_id=00000000-0000-0000-0000-000000000000")
    assert unknown.returncode == 1 and "Experiment ID not found" in unknown.stdout
    result = ready.snakemake("--config", f"experiment_id={experiment_id}")
    assert result.returncode == 0, result.stdout
    assert_complete(ready, fake, lost_at_most=4)


@pytest.mark.until("report")
def test_slug_of_another_experiment(ready: Project, fake: Fake) -> None:
    """A copied file that kept the slug is refused, and so is a slug whose journals were taken away."""
    fake.behave()
    assert ready.snakemake().returncode == 0
    asked = fake.asked
    ready.write_params(fake.url, "copy.yaml", experiment={"name": "New idea"}, model={"temperature": 1})
    result = ready.snakemake("--configfile", "copy.yaml")
    assert result.returncode == 1 and "belongs to another experiment, Cases" in result.stdout
    shutil.move(ready.folder / "results/cases", ready.folder / "elsewhere")
    result = ready.snakemake()
    assert result.returncode == 1 and "was run in results/cases/, but its answers are no longer there" in result.stdout
    assert fake.asked == asked


@pytest.mark.until("report")
def test_pilot_then_the_rest(ready: Project, fake: Fake) -> None:
    """Raising max_narratives takes a completed pilot back to running, and asks only what is new."""
    fake.behave()
    ready.write_params(fake.url, run={"max_narratives": 10})
    assert ready.snakemake().returncode == 0
    assert fake.asked == 10
    assert ready.query("SELECT status, n_narratives_total FROM experiments") == [("completed", 10)]
    assert [row[0] for row in ready.query("SELECT row_num FROM narrative_results ORDER BY 1")] == list(range(1, 11))
    ready.write_params(fake.url)
    result = ready.snakemake()
    assert result.returncode == 0
    assert_complete(ready, fake)


@pytest.mark.until("report")
@pytest.mark.long
def test_only_journals_are_left(ready: Project, fake: Fake) -> None:
    """All of results/ but the journals can be lost: it is made again, without asking."""
    fake.behave()
    assert ready.snakemake().returncode == 0
    rows = ready.query("SELECT incident_id, narrative_type, rationale FROM narrative_results ORDER BY row_num")
    ids = ready.query("SELECT experiment_id FROM experiments")
    asked = fake.asked
    for path in (ready.folder / "results").iterdir():
        if path.name != "cases":
            path.unlink() if path.is_file() else shutil.rmtree(path)
    for path in (ready.folder / "results/cases").iterdir():
        if path.name != "journal":
            path.unlink() if path.is_file() else shutil.rmtree(path)
    assert ready.snakemake().returncode == 0
    assert ready.query("SELECT incident_id, narrative_type, rationale FROM narrative_results ORDER BY row_num") == rows
    assert ready.query("SELECT experiment_id FROM experiments") == ids
    assert ready.query("SELECT count(*) FROM source_narratives") == [(40,)]
    assert fake.asked == asked


@pytest.mark.until("report")
@pytest.mark.long
def test_touches_and_edits_ask_nothing(ready: Project, fake: Fake) -> None:
    """A touched workbook and an edited rule throw no answer away; whatever is deleted is made again, unasked."""
    fake.behave()
    assert ready.snakemake().returncode == 0
    asked = fake.asked
    (ready.folder / "data/cases.xlsx").touch()
    (ready.folder / "data/cases.xlsx.dvc").touch()
    rule = ready.folder / "workflow/rules/classify.smk"
    rule.write_text(rule.read_text().replace("exec python", "exec  python"))
    assert ready.snakemake().returncode == 0
    results = ready.folder / "results/cases"
    made = [
        *(next((results / folder).iterdir()) for folder in ("shards", "narratives", "figures")),
        *(results / name for name in ("retries.parquet", "data_quality.json", "results.xlsx")),
    ]
    for path in made:
        path.unlink()
    assert ready.snakemake().returncode == 0
    assert [path for path in made if not path.exists()] == []
    assert_complete(ready, fake)
    assert fake.asked == asked


def test_cancel_from_another_terminal(ready: Project, fake: Fake) -> None:
    """`narrative-runs cancel` ends a run and marks it as cancelled; the plain command warns and goes on."""
    # Slow enough not to be done before a command of a busy machine has started.
    fake.behave(latency_s=2)
    with ready.started("snakemake", "--cores", "4") as main:
        wait_until(lambda: fake.asked >= 6)
        told = ready.run("narrative-runs", "cancel")
        assert told.returncode == 0, told.stdout
        main.wait(timeout=40)
        assert main.returncode == 1
    assert ready.query("SELECT status FROM experiments") == [("cancelled",)]
    fake.behave(latency_s=0)
    result = ready.snakemake()
    assert result.returncode == 0
    assert "cancelled" in result.stdout
    assert_complete(ready, fake)


@pytest.mark.long
def test_torn_line_is_cut_off(ready: Project, fake: Fake) -> None:
    """A torn last line of a journal is cut off and counted, and its narrative is asked again."""
    with ready.started("snakemake", "--cores", "4") as main:
        wait_until(lambda: fake.asked >= 8)
        # All processes, as a power cut does: else the session would be sealed.
        os.killpg(main.pid, signal.SIGKILL)
    wait_until(lambda: fake.calls()["in_flight"] == 0)
    journal = max((ready.folder / "results/cases/journal").rglob("*.jsonl"), key=lambda path: path.stat().st_size)
    journal.write_bytes(journal.read_bytes()[:-20])
    result = ready.snakemake()
    assert result.returncode == 0
    assert "removed from the journals and are asked again: 1." in result.stdout
    assert_complete(ready, fake, lost_at_most=5)


@pytest.mark.until("report")
@pytest.mark.long
def test_retry_that_fails_again(ready: Project, fake: Fake) -> None:
    """A row that fails again stays an error with its count; a good row is never asked again, nor by a plain run."""
    fake.behave(only_if="LE text of case 1.", status=400, body='{"error": {"message": "context length exceeded"}}')
    assert ready.snakemake().returncode == 0
    assert ready.snakemake().returncode == 0
    errors = "SELECT incident_id, attempt_count, error_category FROM narrative_results WHERE error_occurred"
    assert ready.query(errors) == [("0001", 1, "data_error")]
    for passes in (2, 3):
        before = fake.calls()["asked"]
        assert ready.run("snakemake", "--forcerun", "retry_errors").returncode == 0
        after = fake.calls()["asked"]
        assert {text for text in after if after[text] != before[text]} == {"Narrative: LE text of case 1."}
        assert ready.query(errors) == [("0001", passes, "data_error")]
    # A record that was lost meanwhile knows of the passes from the journals.
    (ready.folder / "results/experiments.db").unlink()
    fake.behave()
    assert ready.run("snakemake", "--forcerun", "retry_errors").returncode == 0
    assert ready.query("SELECT attempt_count FROM narrative_results WHERE first_error_message IS NOT NULL") == [(4,)]
    assert ready.query(errors) == []
    assert ready.read_json("results/cases/metrics.json")["n_errors"] == 0


@pytest.mark.until("report")
@pytest.mark.long
def test_retry_that_cannot_be_asked(ready: Project, fake: Fake) -> None:
    """A retry that the server refuses ends with its reason; plain runs stand as before, and a later retry asks."""
    fake.behave()
    assert ready.snakemake().returncode == 0
    execute(ready, "UPDATE narrative_results SET error_occurred = 1 WHERE incident_id = '0001'")
    fake.behave(status=401)
    refused = ready.run("snakemake", "--forcerun", "retry_errors")
    assert refused.returncode == 1 and "LLM_API_KEY" in refused.stdout
    fake.behave()
    asked = fake.asked
    plain = ready.snakemake()
    assert plain.returncode == 0, plain.stdout
    assert fake.asked == asked
    assert ready.query("SELECT status FROM experiments") == [("completed",)]
    assert ready.run("snakemake", "--forcerun", "retry_errors").returncode == 0


@pytest.mark.long
def test_retry_killed_half_way(ready: Project, fake: Fake) -> None:
    """A killed retry goes on where it was: what it has asked is not asked again."""
    fake.behave()
    assert ready.snakemake().returncode == 0
    execute(ready, "UPDATE narrative_results SET error_occurred = 1, error_message = 'Simulated error'")
    asked = fake.asked
    fake.behave(latency_s=0.15)
    with ready.started("snakemake", "--forcerun", "retry_errors") as main:
        wait_until(lambda: fake.asked >= asked + 10)
        os.killpg(main.pid, signal.SIGKILL)
    result = ready.run("snakemake", "--forcerun", "retry_errors")
    assert result.returncode == 0, result.stdout
    assert 40 <= fake.asked - asked <= 44
    assert ready.query("SELECT count(*) FROM narrative_results WHERE attempt_count = 2 AND NOT error_occurred") == [
        (40,)
    ]


@pytest.mark.until("report")
@pytest.mark.long
def test_plain_run_after_a_killed_retry(ready: Project, fake: Fake) -> None:
    """After a killed retry a plain run asks nothing and merges what came back; the next retry asks for the rest."""
    fake.behave(only_if="LE text", status=400, body='{"error": {"message": "context length exceeded"}}')
    assert ready.snakemake().returncode == 0
    asked = fake.asked
    fake.behave(latency_s=0.15)
    with ready.started("snakemake", "--forcerun", "retry_errors") as main:
        wait_until(lambda: fake.asked >= asked + 8)
        os.killpg(main.pid, signal.SIGKILL)
    kept = fake.asked
    plain = ready.snakemake()
    assert plain.returncode == 0, plain.stdout
    assert fake.asked == kept
    assert 0 < ready.query("SELECT count(*) FROM narrative_results WHERE error_occurred")[0][0] < 20
    result = ready.run("snakemake", "--forcerun", "retry_errors")
    assert result.returncode == 0, result.stdout
    assert 20 <= fake.asked - asked <= 24
    assert ready.query("SELECT count(*) FROM narrative_results WHERE attempt_count = 2 AND NOT error_occurred") == [
        (20,)
    ]


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
@pytest.mark.long
def test_a_second_signal_stops_at_once(ready: Project, fake: Fake, number: int) -> None:
    """Once more, and the run waits for nothing in flight; it is told as failed, and the same command goes on."""
    with ready.started("snakemake", "--cores", "4") as main:
        wait_until(lambda: fake.asked >= 8)
        fake.behave(hang=True)
        wait_until(lambda: nothing_moves(fake))
        main.send_signal(number)
        time.sleep(1)
        assert main.poll() is None
        main.send_signal(number)
        output, _ = main.communicate(timeout=8)
    assert main.returncode == 1 and "Traceback" not in output
    assert ready.query("SELECT status FROM experiments") == [("failed",)]
    fake.behave()
    assert ready.snakemake().returncode == 0
    assert_complete(ready, fake, lost_at_most=4)


def nothing_moves(fake: Fake) -> bool:
    """Whether no request comes for twice the time that an answer takes: all that are in flight hang."""
    asked = fake.asked
    time.sleep(0.3)
    return fake.asked == asked


def journal_lines(folder: Path) -> int:
    """All lines of all journals."""
    return sum(path.read_bytes().count(b"\n") for path in (folder / "results/cases/journal").rglob("*.jsonl"))


def words_of(process: psutil.Process) -> list[str]:
    """The command line of a process; nothing of one that has ended."""
    try:
        return list(process.cmdline())
    except psutil.Error:
        return []


def kill_child(main: subprocess.Popen[str], victim: str) -> None:
    """Kill one process of a run, the oldest of its kind: a job, perhaps before it is connected, or the coordinator."""

    def oldest() -> psutil.Process | None:
        children = psutil.Process(main.pid).children(recursive=True)
        found = [child for child in children if any(victim in word for word in words_of(child)[1:4])]
        return min(found, key=lambda child: child.create_time(), default=None)

    process: psutil.Process = wait_until(oldest)
    process.kill()


@pytest.mark.parametrize("victim", ["classify", "coordination"])
@pytest.mark.long
def test_killed_child(ready: Project, fake: Fake, victim: str) -> None:
    """A job or the coordinator that is killed ends the run soon, with a reason; the same command goes on."""
    # All answers would take 20 s.
    fake.behave(latency_s=2)
    with ready.started("snakemake", "--cores", "4") as main:
        wait_until(lambda: fake.asked >= 5)
        kill_child(main, victim)
        output, _ = main.communicate(timeout=40)
    assert main.returncode == 1
    assert "ended unexpectedly" in output
    assert 0 < journal_lines(ready.folder) < 40
    fake.behave(latency_s=0)
    assert ready.snakemake().returncode == 0
    assert_complete(ready, fake, lost_at_most=4)


@pytest.mark.long
def test_nobody_reads_the_output_any_more(ready: Project, fake: Fake) -> None:
    """A run that fails while the reader of its output is gone still ends, and the same command goes on."""
    with ready.started("snakemake", "--cores", "4") as main:
        wait_until(lambda: fake.asked >= 8)
        assert main.stdout is not None
        main.stdout.close()
        kill_child(main, "coordination")
        assert main.wait(timeout=40) == 1
    assert ready.snakemake().returncode == 0
    assert_complete(ready, fake, lost_at_most=4)


@pytest.mark.long
def test_full_disk(ready: Project, fake: Fake) -> None:
    """When an answer cannot be written the run stops with the reason; with room again the same command completes it."""
    fake.behave(padding=20_000)
    ready.write_params(fake.url, shards={"count": 1})
    # A limit on the size of files stands for the full disk: the journal of 40 such answers reaches it first.
    limited = ready.run("bash", "-c", f"ulimit -f 400; exec {ready.command('snakemake')[0]} --cores 4")
    assert limited.returncode == 1
    assert "the answer cannot be written" in limited.stdout and "Traceback" not in limited.stdout
    assert 0 < len(ready.journal_entries()) < 40
    result = ready.snakemake()
    assert result.returncode == 0, result.stdout
    # The answers that found no room were lost: no more than were in flight.
    assert_complete(ready, fake, lost_at_most=4)
