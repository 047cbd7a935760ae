"""The shards of a run, asked on the nodes of a Slurm cluster: `snakemake --profile profiles/slurm`."""

import json
import os
import re
import signal
from collections.abc import Iterator
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from tests.cluster.cluster import (
    INCIDENTS,
    LOGIN,
    NODES,
    SLOTS,
    SLOW_S,
    Cluster,
    ClusterProject,
    assert_answered,
    assert_same_findings,
)
from tests.cluster.shards import COMMAND, half_way, hosts_of, ready
from tests.project import Fake, Project, wait_until

pytestmark = [pytest.mark.cluster, pytest.mark.end_to_end]

KEY = "sk-canary-of-the-shards-7718"
# What cluster-generic wants to know of a job, as docs/cluster.md says.
STATUS = """#!/bin/sh
case $(scontrol --oneliner show job "$1") in
  *JobState=COMPLETED*) echo success ;;
  *JobState=PENDING* | *JobState=RUNNING* | *JobState=COMPLETING*) echo running ;;
  *) echo failed ;;
esac
"""
GENERIC = (
    *("snakemake", "--executor", "cluster-generic", "--jobs", "8", "--configfile", "my.yaml", "--latency-wait", "5"),
    "--cluster-generic-submit-cmd",
)


@dataclass(frozen=True)
class Ended:
    """A run that nothing disturbed.

    calls: what the model server was asked; statuses: what each host said of it while it ran, again and again; watched:
    what `watch` showed on each; with_key: the files that held the API key meanwhile.
    """

    project: ClusterProject
    calls: dict[str, Any]
    statuses: dict[str, list[dict[str, Any]]]
    watched: list[str]
    with_key: list[Path]


def counts_of(looks: list[dict[str, Any]]) -> set[int]:
    """How many narratives were done, as these looks say."""
    return {look["n_narratives_processed"] for look in looks}


@pytest.fixture(scope="module")
def ended(slurm: Cluster, executors: Path) -> Iterator[Ended]:
    """A whole run, whose key stands in the environment of the terminal on the login node."""
    with slurm.model_server(latency_s=SLOW_S) as fake:
        project = ready(slurm, "undisturbed", fake, executors)
        project.environment["LLM_API_KEY"] = KEY
        statuses: dict[str, list[dict[str, Any]]] = {LOGIN: [], NODES[0]: []}
        with ExitStack() as running:
            main = running.enter_context(project.started(*COMMAND))
            wait_until(lambda: fake.asked or main.poll() is not None, timeout=120)
            watching = [running.enter_context(project.on(host).started("narrative-runs", "watch")) for host in statuses]
            while main.poll() is None and any(len(counts_of(looks)) < 3 for looks in statuses.values()):
                for host, looks in statuses.items():
                    looks.append(json.loads(project.on(host).run("narrative-runs", "status", "--json").stdout))
            with_key = slurm.files_with(KEY.encode())
            fake.behave(latency_s=0.1)
            output, _ = main.communicate(timeout=120)
            watched = [watch.communicate(timeout=60)[0] for watch in watching]
        assert main.returncode == 0, output
        yield Ended(project, fake.calls(), statuses, watched, with_key)


def test_the_shards_are_asked_on_the_nodes(ended: Ended, local: Project) -> None:
    """Both nodes ask, together never more than run.max_in_flight at once; nothing is asked twice, and the findings are,
    byte for byte, those of a run on one machine."""
    assert hosts_of(ended.project) == {*NODES}
    assert ended.calls["busiest"] <= SLOTS
    assert len(ended.calls["asked"]) == 2 * INCIDENTS and set(ended.calls["asked"].values()) == {1}
    assert_same_findings(ended.project, local)


def test_the_run_is_seen_from_every_host(ended: Ended) -> None:
    """All the while, the counts of `status` move on the login node and on a node alike, and `watch` ends with it."""
    for looks in ended.statuses.values():
        counts = [look["n_narratives_processed"] for look in looks]
        assert counts == sorted(counts) and len(counts_of(looks)) >= 3, counts
        assert all(look["is_live"] for look in looks)
    for output in ended.watched:
        assert f"{2 * INCIDENTS} of {2 * INCIDENTS} (100.0%)" in output, output


def test_the_key_is_in_no_file(slurm: Cluster, ended: Ended) -> None:
    """The key of the terminal reaches the model server, and no file of Slurm, of a host or of the project."""
    assert ended.calls["keys"] == [f"Bearer {KEY}"]
    assert ended.with_key == [] and slurm.files_with(KEY.encode()) == []


def test_the_main_process_is_killed(slurm: Cluster, executors: Path, model_server: Fake, local: Project) -> None:
    """After kill -9 of the main process the same command continues: what was in flight is kept, and the jobs of the
    dead run that were queued, and start late, do no harm."""
    project = ready(slurm, "main_killed", model_server, executors, shards=6)
    with half_way(project, model_server) as main:
        os.killpg(main.pid, signal.SIGKILL)
    model_server.behave(latency_s=0.1)
    again = project.run(*COMMAND, timeout=250)
    assert again.returncode == 0, again.stdout
    assert_answered(model_server.calls())
    assert_same_findings(project, local)


def test_another_scheduler(slurm: Cluster, executors: Path, model_server: Fake, local: Project) -> None:
    """By cluster-generic, whose jobs here begin with an empty environment, shards are asked on the nodes as well."""
    project = ready(slurm, "generic", model_server, executors)
    status = project.folder / "status.sh"
    status.write_text(STATUS)
    status.chmod(0o755)
    submit = f"sbatch --parsable --export=NIL --cpus-per-task=2 --output={project.folder}/%j.out"
    ended = project.run(
        *(*GENERIC, submit, "--cluster-generic-status-cmd", str(status), "--cluster-generic-cancel-cmd", "scancel"),
        timeout=200,
    )
    assert ended.returncode == 0, ended.stdout
    assert hosts_of(project) == {*NODES}
    assert set(model_server.calls()["asked"].values()) == {1}
    assert_same_findings(project, local)


def test_a_job_that_the_scheduler_refuses(slurm: Cluster, executors: Path, model_server: Fake) -> None:
    """What the scheduler says of a job that it does not take stands on the screen of who started the run."""
    project = ready(slurm, "refused", model_server, executors)
    ended = project.run(*GENERIC, "sbatch --parsable --partition=nowhere")
    assert ended.returncode == 1
    words = r"\[JOB\] \d-of-3 failed\. .*invalid partition specified: nowhere"
    assert re.search(words, ended.stdout, re.S), ended.stdout
