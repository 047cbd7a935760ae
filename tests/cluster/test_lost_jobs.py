"""Jobs that end before their shards are answered."""

import sys
from contextlib import suppress
from pathlib import Path

import psutil
import pytest

from tests.cluster.cluster import INCIDENTS, LOGIN, NODES, Cluster, assert_same_findings
from tests.cluster.shards import COMMAND, assert_continued, half_way, hosts_of, ready
from tests.project import Fake, Project, wait_until

pytestmark = [pytest.mark.cluster, pytest.mark.end_to_end]


def test_a_node_dies(slurm: Cluster, executors: Path, model_server: Fake, local: Project) -> None:
    """When a node dies its shards are asked on another one: no answer that was kept is asked for again."""
    project = ready(slurm, "node_dies", model_server, executors)
    with half_way(project, model_server) as main:
        slurm.kill(NODES[1])
        model_server.behave(latency_s=0.1)
        output, _ = main.communicate(timeout=200)
    assert main.returncode == 0, output
    assert_continued(project, local, model_server)


def test_a_job_is_cancelled(slurm: Cluster, executors: Path, model_server: Fake, local: Project) -> None:
    """A job that a person cancels ends neither the run nor the other jobs: its shard is asked by another job."""
    project = ready(slurm, "cancelled", model_server, executors)
    with half_way(project, model_server) as main:
        jobs = slurm.on(LOGIN, "squeue", "--noheader", "--states", "running", "--format", "%i").split()
        slurm.on(LOGIN, "scancel", jobs[-1])
        model_server.behave(latency_s=0.1)
        output, _ = main.communicate(timeout=200)
    assert main.returncode == 0, output
    assert_continued(project, local, model_server)


def test_a_job_with_a_server_of_its_own_is_cancelled(slurm: Cluster, executors: Path, local: Project) -> None:
    """Where each job starts a model server on its node, one that is cancelled leaves none behind; its shard is asked by
    another job, which starts its own, and the findings are the same."""
    command = f"{sys.executable} -m tests.fake_server " + '\'{"port": {port}, "stays": true, "latency_s": 0.5}\''
    project = ready(slurm, "own_servers", None, executors, provider="command", command=command, api_url="")
    with project.started(*COMMAND) as main:
        wait_until(lambda: len(project.journal_entries()) >= INCIDENTS or main.poll() is not None, timeout=90)
        before = servers_of(project)
        jobs = slurm.on(LOGIN, "squeue", "--noheader", "--states", "running", "--format", "%i").split()
        slurm.on(LOGIN, "scancel", jobs[-1])
        output, _ = main.communicate(timeout=200)
    assert main.returncode == 0, output
    assert len(before) >= 2 and hosts_of(project) == {*NODES}
    wait_until(lambda: not servers_of(project), timeout=15)
    entries = project.journal_entries()
    assert len({entry["fingerprint"] for entry in entries}) == 2 * INCIDENTS
    assert_same_findings(project, local)


def servers_of(project: Project) -> list[psutil.Process]:
    """The model servers that run for this project, on whichever host."""
    servers = []
    for process in psutil.process_iter():
        with suppress(psutil.NoSuchProcess, psutil.AccessDenied):
            here = any(str(project.folder) in value for value in process.environ().values())
            if here and "tests.fake_server" in process.cmdline():
                servers.append(process)
    return servers
