"""What Snakemake plans on another host, for one job of a run."""

import os
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from narrative_runs.coordination.job_messages import take
from narrative_runs.errors import ExperimentError
from narrative_runs.job_environment import ADDRESS_VARIABLE, JOBS_VARIABLE
from narrative_runs.workflow.command import Command
from narrative_runs.workflow.job_context import ENDED, plan_of_job
from tests.run_for_hosts import CONTEXT, Run
from tests.small_experiment import FOLDER, jobs_in_this_process

COMMAND = Command(CONTEXT.params.model_dump(mode="json"), {}, "my.yaml")


@pytest.fixture
def run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Run]:
    """A run that waits for the shard 1-of-2, and what a job of it finds on another host."""
    monkeypatch.chdir(tmp_path)
    FOLDER.path.mkdir(parents=True)
    monkeypatch.setenv(ADDRESS_VARIABLE, "/tmp/of-another-host")
    monkeypatch.setenv(JOBS_VARIABLE, "/tmp/of-another-host-too")
    monkeypatch.setattr(sys, "argv", ["snakemake", "--target-jobs", "classify:shard=1-of-2", "--mode", "remote"])
    with jobs_in_this_process() as connected:
        running = Run(FOLDER.path, connected)
        yield running
        running.end()


def test_a_job_plans_what_its_run_has_planned(run: Run) -> None:
    """Params and folder are those of the run, whatever the file says by now, and the job is led to the run."""
    changed = COMMAND.values | {"prompt": {"system_prompt": "Another.", "user_template": "Other: <<TEXT>>"}}
    plan = plan_of_job(Command(changed, {}, "my.yaml"))
    assert (plan.params, plan.folder, plan.source_md5) == (CONTEXT.params, FOLDER, CONTEXT.source_md5)
    assert os.environ[ADDRESS_VARIABLE] == str(run.path.absolute()) and JOBS_VARIABLE not in os.environ


def test_a_job_finds_its_run_by_an_id(run: Run) -> None:
    """Where the command names an experiment by its id, the job finds the run that has it."""
    (FOLDER.path / "experiment.yaml").write_text(f"experiment_id: {CONTEXT.experiment_id}\n")
    assert plan_of_job(Command({}, {}, "my.yaml", experiment_id=CONTEXT.experiment_id)).folder == FOLDER
    with pytest.raises(ExperimentError, match=ENDED):
        plan_of_job(Command({}, {}, "my.yaml", experiment_id="another"))


def test_a_shard_that_is_written_is_left_alone(run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    """A job that starts late, for a shard that the run does not wait for, ends before Snakemake removes its file."""
    monkeypatch.setattr(sys, "argv", ["snakemake", "--target-jobs", "classify:shard=2-of-2", "--mode", "remote"])
    with pytest.raises(ExperimentError, match="shard 2-of-2 is written already"):
        plan_of_job(COMMAND)


def test_a_job_of_a_run_that_has_ended_does_nothing(run: Run) -> None:
    """Without a run there is nothing to do, and that is said."""
    run.path.unlink()
    with pytest.raises(ExperimentError, match=ENDED):
        plan_of_job(COMMAND)


def test_a_run_that_cannot_be_reached_is_told_so(run: Run) -> None:
    """Where the way to the run is closed, the reason is left where the run finds it, and shows it to its user."""
    run.do(run.server.close())
    with pytest.raises(ExperimentError, match=rf"at port {run.file.port}"):
        plan_of_job(COMMAND)
    (note,) = take(FOLDER.path)
    assert f"at port {run.file.port}" in note
    assert take(FOLDER.path) == []
