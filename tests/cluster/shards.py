"""Runs whose shards are asked on the nodes of a Slurm cluster, for the tests of these."""

import json
import os
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from tests.cluster.cluster import (
    INCIDENTS,
    SLOTS,
    SLOW_S,
    Cluster,
    ClusterProject,
    assert_answered,
    assert_same_findings,
    describe,
)
from tests.project import ROOT, Fake, Project, wait_until

# As the profile has it, but for a cluster that is small, and quick.
COMMAND = (
    *("snakemake", "--profile", "profiles/slurm", "--configfile", "my.yaml", "--latency-wait", "5"),
    *("--slurm-init-seconds-before-status-checks", "3"),
    *("--default-resources", "runtime=60", "mem_mb=500", "cpus_per_task=2"),
)


def ready(
    slurm: Cluster, name: str, fake: Fake | None, executors: Path, shards: int = 3, **model: str
) -> ClusterProject:
    """A project on the cluster from whose login node the shards can be asked on the nodes.

    fake: the server that is asked, if one is; model: values of this section of the params.
    """
    project = ClusterProject(slurm, name)
    describe(project, fake.url if fake else "", shards, **model)
    paths = (project.environment.get("PYTHONPATH"), str(executors), str(ROOT))
    project.environment["PYTHONPATH"] = os.pathsep.join(filter(None, paths))
    return project


def hosts_of(project: Project) -> set[str]:
    """The hosts that asked, as the journals tell."""
    heads = (path.open().readline() for path in (project.folder / "results/cases/journal").glob("*/*.jsonl"))
    return {json.loads(line)["head"]["host"] for line in heads}


@contextmanager
def half_way(project: ClusterProject, fake: Fake) -> "Iterator[subprocess.Popen[str]]":
    """A run that has asked for half of its narratives, and gets no further until its server is told to be quick."""
    fake.behave(latency_s=0.3)
    with project.started(*COMMAND) as main:
        wait_until(lambda: fake.asked >= INCIDENTS or main.poll() is not None, timeout=120)
        fake.behave(latency_s=SLOW_S)
        yield main


def assert_continued(project: ClusterProject, local: Project, fake: Fake) -> None:
    """All is answered, at most what was in flight was answered twice, and the findings are those of a local run."""
    calls = fake.calls()
    assert_answered(calls)
    assert calls["busiest"] <= SLOTS
    assert_same_findings(project, local)
