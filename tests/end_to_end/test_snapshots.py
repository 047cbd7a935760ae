"""Snapshots of whole experiments, and the way back to one, as a user has them."""

import json
import os
import random
import signal
import time
from pathlib import Path
from typing import Any

import pytest

from tests.project import AT_LONGEST_S, BIN, Fake, Project, cases, processes_in, wait_until

pytestmark = pytest.mark.end_to_end

FINDINGS = ("results.parquet", "results.csv", "results.json", "metrics.json", "data_quality.json")
INCIDENTS = 20


@pytest.fixture
def ready(project: Project, fake: Fake) -> Project:
    """40 narratives in 3 shards."""
    project.write_workbook(cases(INCIDENTS))
    project.write_params(fake.url)
    return project


def folder_of(project: Project) -> Path:
    return project.folder / "results/cases"


def findings(project: Project) -> dict[str, bytes]:
    """The bytes of all findings that are there."""
    paths = (folder_of(project) / name for name in FINDINGS)
    return {path.name: path.read_bytes() for path in paths if path.exists()}


def record(project: Project) -> list[tuple[Any, ...]]:
    """What the record holds of the results, and the experiment's counts and figures, without clocks and row numbers."""
    rows = [row[1:] for row in project.query("SELECT * FROM narrative_results ORDER BY row_num")]
    counts = project.query(
        "SELECT n_narratives_total, n_narratives_processed, n_narratives_completed, accuracy, recall_ipv, f1_ipv, "
        "n_true_positive, n_false_negative, n_positive_detected FROM experiments"
    )
    return [*rows, *counts]


def done(project: Project, *words: str) -> str:
    """Run a command that has to work; returns what it said."""
    ended = project.run(*words)
    assert ended.returncode == 0, ended.stdout
    return ended.stdout


def refused(project: Project, *words: str) -> str:
    """Run a command that has to be refused in a sentence; returns it."""
    ended = project.run(*words)
    assert ended.returncode != 0 and "Traceback" not in ended.stdout, ended.stdout
    return ended.stdout


def snapshot(project: Project, name: str) -> dict[str, Any]:
    """The content of a snapshot's file."""
    content: dict[str, Any] = json.loads((folder_of(project) / f"snapshots/{name}.json").read_text())
    return content


def test_there_and_back(ready: Project, fake: Fake) -> None:
    """A completed pilot is kept, extended, gone back to and returned from: each state is byte for byte what it was, and
    nothing is asked."""
    done(ready, "snakemake", "--cores", "4", "--config", "run={max_narratives: 12}")
    assert "cases@pilot: 12 of 12 narratives, 0 errors" in done(
        ready, "narrative-runs", "snapshot", "cases", "--name", "pilot", "--note", "first twelve"
    )
    pilot, pilot_record = findings(ready), record(ready)
    done(ready, "snakemake", "--cores", "4")
    whole, whole_record, asked = findings(ready), record(ready), fake.asked
    assert len(pilot) == len(whole) == len(FINDINGS) and asked == 40
    listed = done(ready, "narrative-runs", "snapshot", "cases", "--list")
    assert "pilot" in listed and "first twelve" in listed and "before-max-narratives-" in listed
    assert listed.count("12 of 12") == 2

    went = done(ready, "narrative-runs", "rollback", "cases", "pilot", "--yes")
    assert "Set aside, but kept: session-0002" in went and "--undo" in went
    assert findings(ready) == pilot and record(ready) == pilot_record
    status = done(ready, "narrative-runs", "status")
    assert "completed" in status and "to pilot; `narrative-runs rollback cases --undo`" in status
    assert "already" in done(ready, "narrative-runs", "rollback", "cases", "pilot", "--yes")
    # What was set aside is compared with what counts.
    name = next(path.stem for path in (folder_of(ready) / "snapshots").glob("before-rollback-*.json"))
    compared = done(ready, "narrative-runs", "compare", "cases", f"cases@{name}")
    assert f"cases@{name}" in compared and "28" in compared

    done(ready, "narrative-runs", "rollback", "cases", "--undo", "--yes")
    assert findings(ready) == whole and record(ready) == whole_record
    # Of another release.
    file = folder_of(ready) / "snapshots/pilot.json"
    made_by = json.loads(file.read_text())["release"]
    file.write_text(file.read_text().replace(f'"release": "{made_by}"', '"release": "0.1.9"'))
    declined = refused(ready, "narrative-runs", "rollback", "cases", "pilot")
    assert "Release 0.1.9 made the snapshot" in declined and "Nothing was changed" in declined
    assert not (folder_of(ready) / "journal/set_aside.json").exists()
    assert "nothing to undo" in refused(ready, "narrative-runs", "rollback", "cases", "--undo", "--yes")
    assert fake.asked == asked


@pytest.mark.long
def test_a_run_goes_on_from_where_it_went_back_to(ready: Project, fake: Fake) -> None:
    """After a rollback the plain command asks what the state lacks, and mixes nothing; an undo is refused then, with a
    way that works."""
    done(ready, "snakemake", "--cores", "4", "--config", "run={max_narratives: 12}")
    done(ready, "narrative-runs", "snapshot", "cases", "--name", "pilot")
    done(ready, "snakemake", "--cores", "4")
    whole = findings(ready)
    done(ready, "narrative-runs", "rollback", "cases", "pilot", "--yes")
    done(ready, "snakemake", "--cores", "4")
    assert fake.asked == 40 + 28
    # The fake model answers alike: the same findings, of other sessions.
    again = findings(ready)
    assert set(again) == set(whole)
    said = refused(ready, "narrative-runs", "rollback", "cases", "--undo", "--yes")
    assert "answers of two states are never mixed" in said
    way = said.split("`")[1].split()
    done(ready, *way, "--yes")
    assert findings(ready) == whole
    assert done(ready, "narrative-runs", "prove").count("byte for byte") >= 4


@pytest.mark.long
def test_errors_are_asked_again_and_that_is_taken_back(ready: Project, fake: Fake) -> None:
    """Before errors are asked again the state is kept by itself, and to go there is to have the errors back."""
    fake.behave(faults=[{"fault": "bad request", "narrative": "case 3."}])
    done(ready, "snakemake", "--cores", "4")
    before, before_record = findings(ready), record(ready)
    assert ready.query("SELECT sum(error_occurred) FROM narrative_results")[0][0] > 0
    fake.behave(faults=[])
    done(ready, "snakemake", "--forcerun", "retry_errors")
    assert ready.query("SELECT sum(error_occurred) FROM narrative_results") == [(0,)]
    (name,) = (path.stem for path in (folder_of(ready) / "snapshots").glob("*.json"))
    assert name.startswith("before-retry-errors-") and snapshot(ready, name)["counts"]["errors"]
    done(ready, "narrative-runs", "rollback", "cases", name, "--yes")
    assert findings(ready) == before and record(ready) == before_record


@pytest.mark.long
def test_a_run_is_kept_while_it_goes_on(ready: Project, fake: Fake) -> None:
    """A snapshot of a run seals what was answered, without a pause: nothing is asked twice, the findings are those of a
    run without it, and to go back to it is to ask only what it lacks."""
    # Slow enough for three commands meanwhile.
    fake.behave(latency_s=1.5)
    with ready.started("snakemake", "--cores", "4") as main:
        wait_until(lambda: fake.asked >= 12 or main.poll() is not None)
        said = done(ready, "narrative-runs", "snapshot", "cases", "--name", "half-way")
        assert "is running" not in said and "already running" in refused(
            ready, "narrative-runs", "rollback", "cases", "half-way", "--yes"
        )
        assert "already" in refused(ready, "narrative-runs", "snapshot", "cases", "--name", "half-way")
        output, _ = main.communicate(timeout=AT_LONGEST_S)
    assert main.returncode == 0, output
    assert "Snapshot half-way: " in output
    whole, asked = findings(ready), fake.asked
    assert asked == 40
    kept = snapshot(ready, "half-way")
    assert list(kept["sessions"]) == ["session-0001"] and 8 <= kept["counts"]["processed"] < 40
    entries = ready.journal_entries()
    assert len(entries) == len({entry["fingerprint"] for entry in entries}) == 40
    went = done(ready, "narrative-runs", "rollback", "cases", "half-way", "--yes")
    assert "The next run asks about the open narratives" in went
    assert ready.query("SELECT count(*) FROM narrative_results") == [(kept["counts"]["processed"],)]
    assert not findings(ready).keys() & {"metrics.json", "results.csv"}
    status = json.loads(done(ready, "narrative-runs", "status", "--json"))
    assert (status["state"], status["n_narratives_processed"]) == ("failed", kept["counts"]["processed"])
    assert "half-way" in status["explanation"]
    done(ready, "narrative-runs", "compare", "cases@half-way", next(iter(_before_rollback(ready))))
    fake.behave(latency_s=0)
    done(ready, "snakemake", "--cores", "4")
    assert fake.asked == 40 + 40 - kept["counts"]["processed"]
    assert findings(ready).keys() == whole.keys()


def _before_rollback(project: Project) -> list[str]:
    return [f"cases@{path.stem}" for path in (folder_of(project) / "snapshots").glob("before-rollback-*.json")]


@pytest.mark.long
def test_snapshots_by_the_clock(ready: Project, fake: Fake) -> None:
    """With `run.snapshot_every` a run keeps its state again and again, and of these the last eight."""
    fake.behave(latency_s=1.2)
    ready.write_params(fake.url, run={"max_in_flight": 4, "snapshot_every": "1s"})
    done(ready, "snakemake", "--cores", "4")
    kept = sorted((folder_of(ready) / "snapshots").glob("auto-*.json"))
    assert len(kept) == 8
    counts = [json.loads(path.read_text())["counts"]["processed"] for path in kept]
    assert counts == sorted(set(counts)) and fake.asked == 40
    assert all(path.stat().st_size < 20_000 for path in kept)


@pytest.mark.long
def test_what_cannot_be(ready: Project, fake: Fake) -> None:
    """What cannot be kept or gone back to is refused in a sentence, and nothing changes."""
    command = ("narrative-runs", "snapshot", "cases")
    assert "There is no experiment cases" in refused(ready, *command, "--name", "pilot")
    done(ready, "snakemake", "--cores", "4")
    before = findings(ready)
    assert "cannot be named 'a/b'" in refused(ready, *command, "--name", "a/b")
    assert "has none yet" in refused(ready, "narrative-runs", "rollback", "cases", "pilot")
    assert "give the NAME" in refused(ready, "narrative-runs", "rollback", "cases")
    assert "--note can only be used with --name" in refused(ready, *command, "--list", "--note", "x")
    done(ready, *command, "--name", "pilot")
    assert "already" in refused(ready, *command, "--name", "pilot")
    assert "It has: pilot" in refused(ready, "narrative-runs", "compare", "cases", "cases@other")
    done(ready, *command, "--delete", "pilot")
    assert "has none yet" in refused(ready, *command, "--delete", "pilot")
    ready.write_params(fake.url, run={"snapshot_every": "often"})
    assert "snapshot_every" in refused(ready, "snakemake", "--cores", "4")
    assert findings(ready) == before


@pytest.mark.long
def test_an_altered_session_is_no_way_back(ready: Project) -> None:
    """A snapshot whose answers were altered since is not gone back to."""
    done(ready, "snakemake", "--cores", "4", "--config", "run={max_narratives: 12}")
    done(ready, "narrative-runs", "snapshot", "cases", "--name", "pilot")
    done(ready, "snakemake", "--cores", "4")
    path = next((folder_of(ready) / "journal/session-0001").glob("*.jsonl"))
    state = path.stat()
    path.write_bytes(path.read_bytes().replace(b"0.9", b"0.8"))
    os.utime(path, ns=(state.st_atime_ns, state.st_mtime_ns))
    before = findings(ready)
    assert "changed since the session was sealed" in refused(
        ready, "narrative-runs", "rollback", "cases", "pilot", "--yes"
    )
    assert findings(ready) == before and not (folder_of(ready) / "journal/set_aside.json").exists()


@pytest.mark.long
def test_a_rollback_that_is_killed(ready: Project, fake: Fake) -> None:
    """Killed with signal 9 at any point, a rollback leaves the one state or the other; the plain command, which asks
    nothing, brings all that is derived to it."""
    done(ready, "snakemake", "--cores", "4", "--config", "run={max_narratives: 12}")
    done(ready, "narrative-runs", "snapshot", "cases", "--name", "pilot")
    pilot = findings(ready)
    done(ready, "snakemake", "--cores", "4")
    whole, asked, chance = findings(ready), fake.asked, random.Random(22)
    began = time.monotonic()
    done(ready, "narrative-runs", "rollback", "cases", "pilot", "--yes")
    takes_s = time.monotonic() - began
    done(ready, "narrative-runs", "rollback", "cases", "--undo", "--yes")
    ends = set()
    for _ in range(8):
        with ready.started("narrative-runs", "rollback", "cases", "pilot", "--yes") as command:
            time.sleep(chance.uniform(0.3, 1.0) * takes_s)
            os.killpg(command.pid, signal.SIGKILL)
            command.wait()
        wait_until(lambda: not processes_in(ready.folder))
        is_back = (folder_of(ready) / "journal/set_aside.json").exists()
        limit = 12 if is_back else 40
        done(ready, "snakemake", "--cores", "4", "--config", f"run={{max_narratives: {limit}}}")
        assert findings(ready) == (pilot if is_back else whole)
        ends.add(is_back)
        if is_back:
            done(ready, "narrative-runs", "rollback", "cases", "--undo", "--yes")
            assert findings(ready) == whole
    assert fake.asked == asked and True in ends


@pytest.mark.long
def test_journals_that_dvc_tracks(ready: Project) -> None:
    """Where DVC tracks the journals they stay tracked, and what is to be added to git and DVC is said; the commands
    work as printed."""
    done(ready, "snakemake", "--cores", "4", "--config", "run={max_narratives: 12}")
    done(ready, "narrative-runs", "snapshot", "cases", "--name", "pilot")
    done(ready, "snakemake", "--cores", "4")
    done(ready, "dvc", "add", "-q", "--no-relink", "results/cases/journal/session-0002")
    said = done(ready, "narrative-runs", "rollback", "cases", "pilot", "--yes")
    # As with the environment active.
    ready.environment["PATH"] = f"{BIN}{os.pathsep}{ready.environment['PATH']}"
    commands = [part for part in said.split("`")[1::2] if part.startswith(("git", "dvc"))]
    assert [command.split()[0] for command in commands] == ["git", "dvc"]
    for command in commands:
        done(ready, "bash", "-c", command)
    status = done(ready, "git", "status", "--short")
    assert "set_aside.json" in status
    assert ready.query("SELECT count(*) FROM narrative_results") == [(12,)]
