"""The command of run.notify, from outside: when it is run, what it is told, and that it harms nothing."""

import os
import signal
from typing import Any

import psutil
import pytest

from tests.end_to_end.fault_runs import assert_answered, describe, run, with_cases
from tests.project import AT_LONGEST_S, Fake, Project, processes_in, wait_until
from tests.variants import rest_is_long

pytestmark = pytest.mark.end_to_end

# Adds what it is told, and whether it was given the key, as one line, which no other process can write into.
KEEP = """#!/bin/sh
printf '%s|%s|%s|%s|%s\\n' "$NARRATIVE_RUNS_EVENT" "$NARRATIVE_RUNS_SLUG" "$NARRATIVE_RUNS_STATE" \\
    "$NARRATIVE_RUNS_MESSAGE" "$LLM_API_KEY" >> notices
env >> environments
"""
KEY = "key-that-stays-here"


@pytest.fixture
def ready(project: Project, fake: Fake) -> Project:
    """40 narratives in 2 shards, a key, a server that takes 0.1 s, and a command that keeps what it is told."""
    path = project.folder / "keep"
    path.write_text(KEEP)
    path.chmod(0o755)
    project.environment["LLM_API_KEY"] = KEY
    with_cases(project, fake, run={"notify": "./keep", "give_up_after_s": 2, "max_in_flight": 4})
    fake.behave(latency_s=0.1)
    return project


def notify(project: Project, fake: Fake, command: str | None = "./keep", **run: Any) -> None:
    """Write the params anew, with this command and these values under `run`."""
    describe(project, fake.url, run={"notify": command, "give_up_after_s": 2, "max_in_flight": 4, **run})


def notices(project: Project) -> list[list[str]]:
    """Event, slug, state and message of each notice so far; none holds a text or the key."""
    path = project.folder / "notices"
    if not path.exists():
        return []
    told = path.read_text()
    everything = told + (project.folder / "environments").read_text()
    assert "text of case" not in everything and KEY not in everything
    return [line.split("|")[:4] for line in told.splitlines()]


def test_a_completed_run_is_told_once(ready: Project, fake: Fake) -> None:
    """Its counts are told when all is written; where there is nothing to do, or a file alone is made again, nothing
    is."""
    assert run(ready, fake).code == 0
    ((event, slug, state, message),) = notices(ready)
    assert (event, slug, state) == ("completed", "cases", "completed")
    assert message.startswith("40 narratives, 0 errors, "), message
    log = (ready.folder / "results/cases/logs/experiment.log").read_text()
    assert "a notice (completed): the command was run" in log
    assert run(ready, fake).code == 0
    (ready.folder / "results/cases/report.html").unlink()
    assert run(ready, fake).code == 0
    assert len(notices(ready)) == 1


@pytest.mark.long
def test_a_failed_run_says_why(ready: Project, fake: Fake) -> None:
    """After the server has been away for too long the reason and the counts are told; the next run tells its end."""
    fake.behave(latency_s=0.1, faults=[{"fault": "internal error", "after": 8}])
    assert run(ready, fake).code == 1
    ((event, _, state, message),) = notices(ready)
    assert (event, state) == ("failed", "failed") and "give_up_after_s" in message
    assert message.endswith(" of 40 done, 32 to go."), message
    fake.behave()
    assert run(ready, fake).code == 0
    assert [event for event, *_ in notices(ready)] == ["failed", "completed"]


@pytest.mark.parametrize("is_cancelled", rest_is_long([False, True]))
def test_a_run_that_is_stopped(ready: Project, fake: Fake, is_cancelled: bool) -> None:
    """Ctrl-C, to all processes as a terminal sends it, and `cancel` are told by their names; the last line is still the
    command that continues."""
    fake.behave(latency_s=1)
    with ready.started("snakemake", "--cores", "4") as main:
        wait_until(lambda: fake.asked >= 8)
        if is_cancelled:
            assert ready.run("narrative-runs", "cancel").returncode == 0
        else:
            os.killpg(main.pid, signal.SIGINT)
        output, _ = main.communicate(timeout=AT_LONGEST_S)
    assert output.strip().splitlines()[-1].startswith("snakemake"), output
    ((event, _, state, message),) = notices(ready)
    assert (event, state) == ("stopped", "cancelled" if is_cancelled else "failed")
    assert message.startswith("Cancelled from another terminal." if is_cancelled else "Stopped by Ctrl-C."), message


@pytest.mark.parametrize("killed", ["main process", "coordinator"])
@pytest.mark.long
def test_whoever_is_left_tells_that_the_other_was_killed(ready: Project, fake: Fake, killed: str) -> None:
    """A run that loses one of its two processes is told as failed, once."""
    with ready.started("snakemake", "--cores", "4") as main:
        wait_until(lambda: fake.asked >= 8)
        others = psutil.Process(main.pid).children(recursive=True)
        if killed == "main process":
            main.kill()
        else:
            next(each for each in others if "narrative_runs.coordination" in each.cmdline()).kill()
        wait_until(lambda: notices(ready))
        wait_until(lambda: not any(each.is_running() for each in others))
        main.communicate(timeout=AT_LONGEST_S)
    ((event, _, state, message),) = notices(ready)
    assert (event, state) == ("failed", "failed")
    expected = "The main process was killed." if killed == "main process" else "The coordinator ended unexpectedly."
    assert message.startswith(expected), message


@pytest.mark.long
def test_most_of_the_budget_and_a_pattern_of_errors(ready: Project, fake: Fake) -> None:
    """Each is told while the run is alive, the budget once, also over a resume; the server's words are in neither."""
    notify(ready, fake, budget_tokens=1, max_narratives=1)
    assert run(ready, fake).code == 0
    (used,) = ready.query("SELECT SUM(tokens_used) FROM narrative_results")[0]
    (ready.folder / "notices").unlink()
    notify(ready, fake, budget_tokens=used * 24)
    fake.behave(faults=[{"fault": "refusal in words", "narrative": "CME"}])
    run(ready, fake)
    told = {event: (state, message) for event, _, state, message in notices(ready)}
    assert told["budget"][0] == told["pattern"][0] == "running"
    assert "tokens (run.budget_tokens) are used" in told["budget"][1] and "of 40 done" in told["budget"][1]
    assert "results are errors so far" in told["pattern"][1]
    fake.behave()
    run(ready, fake, "snakemake", "--cores", "4", "--forcerun", "retry_errors")
    assert [event for event, *_ in notices(ready)].count("budget") == 1


def test_a_command_that_fails_changes_nothing(ready: Project, fake: Fake) -> None:
    """Exit code and findings are those of a run without it; the terminal says so once, and the log why."""
    notify(ready, fake, "echo no network; exit 7")
    ended = run(ready, fake)
    assert ended.code == 0, ended.said
    assert_answered(ready)
    assert ended.said.count("[NOTICE] The command in run.notify failed (exit code 7: no network).") == 1
    log = (ready.folder / "results/cases/logs/experiment.log").read_text()
    assert "a notice (completed): exit code 7: no network" in log


@pytest.mark.long
def test_a_command_that_hangs_is_waited_for_no_longer_than_one_wants(ready: Project, fake: Fake) -> None:
    """The end of the run says that it waits; Ctrl-C ends the command with what it started, and not the success."""
    notify(ready, fake, "sleep 300 & sleep 300")
    with ready.started("snakemake", "--cores", "4") as main:
        assert main.stdout is not None
        said = ""
        while "for the command in run.notify" not in said:
            said += (line := main.stdout.readline())
            assert line, said
        os.killpg(main.pid, signal.SIGINT)
        main.communicate(timeout=10)
    assert main.returncode == 0
    assert "Accuracy" in said or "metrics" in said, said
    assert_answered(ready)
    assert not [each for each in processes_in(ready.folder) if each.name() == "sleep"]


@pytest.mark.parametrize("command", rest_is_long([5, "", 'mail "me', "curl -u me:hush https://example.org"], 2))
def test_a_command_that_cannot_be_used_is_refused_at_the_start(ready: Project, fake: Fake, command: Any) -> None:
    """In one sentence with the key, before anything is asked, and without repeating what may be a password."""
    notify(ready, fake, command)
    ended = run(ready, fake)
    assert ended.code == 1 and "run.notify" in ended.said and "hush" not in ended.said, ended.said
    assert fake.asked == 0 and notices(ready) == []
