"""The plan of Snakemake on another host, for one job of a run: nothing of its own, only what the run has planned.

There Snakemake reads the Snakefile again and makes one job. It first asks whether its run is alive and still waits for
that job: a job of a run that has ended stops here, before Snakemake removes the file that the job would make.
"""

import json
import os
import sys
from pathlib import Path

from narrative_runs import params as params_module
from narrative_runs import permissions
from narrative_runs.coordination.client import Unreachable, ask_coordinator
from narrative_runs.coordination.connection_file import NAME
from narrative_runs.coordination.job_messages import leave
from narrative_runs.errors import ExperimentError
from narrative_runs.experiment import ExperimentState
from narrative_runs.job_environment import ADDRESS_VARIABLE, JOBS_VARIABLE
from narrative_runs.paths import RESULTS
from narrative_runs.run_context import RunContext
from narrative_runs.workflow.command import Command
from narrative_runs.workflow.plan import Plan

ENDED = "this job belongs to a run that has ended, so it does nothing"


def plan_of_job(command: Command) -> Plan:
    """The plan of the run to which this job belongs; its environment leads the job to the run from now on.

    Raises:
        ExperimentError: the run has ended, cannot be reached from here, or does not wait for this job.
    """
    path = _connection_file(command)
    shard = _shard()
    try:
        plan = json.loads(ask_coordinator(str(path), "GET", f"plan?shard={shard}"))
    except Unreachable as error:
        leave(path.parent, str(error))
        raise ExperimentError(str(error)) from None
    if not plan["is_wanted"]:
        raise ExperimentError(f"{ENDED}: shard {shard} is written already.")
    context = RunContext.of_dict(plan["context"])
    os.environ[ADDRESS_VARIABLE] = str(path)
    # The process that forks jobs is another host's.
    os.environ.pop(JOBS_VARIABLE, None)
    permissions.as_results_are()
    state = ExperimentState(
        context.experiment_id,
        context.source_md5,
        context.params.model_dump(mode="json"),
        has_answers=True,
        began_at=context.began_at,
        reading_rules=context.reading_rules,
    )
    return Plan(
        params=context.params,
        folder=context.folder,
        state=state,
        source_md5=context.source_md5,
        recorded=False,
        completed=False,
        record_is_behind=False,
        retry_errors=False,
        origin=command.origin,
    )


def _connection_file(command: Command) -> Path:
    """The connection file of this command's run.

    Raises:
        ExperimentError: it has ended.
    """
    if command.experiment_id is None:
        slug = params_module.check(command.values, command.origin).slug
        paths = [RESULTS / slug / NAME]
    else:
        paths = sorted(RESULTS.glob(f"*/{NAME}"))
    for path in paths:
        if path.exists() and (command.experiment_id is None or _is_of(path.parent, command.experiment_id)):
            return path.absolute()
    raise ExperimentError(f"{ENDED}.")


def _is_of(folder: Path, experiment_id: str) -> bool:
    description = folder / "experiment.yaml"
    return description.exists() and experiment_id in description.read_text(encoding="utf-8")


def _shard() -> str:
    """The shard whose job this is, as Snakemake names it on its command line: `classify:shard=03-of-16`."""
    words = [word for word in sys.argv if word.startswith("classify:shard=")]
    return words[0].partition("=")[2] if words else ""
