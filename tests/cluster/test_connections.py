"""The ways between nodes, their run and the model server: out for a while, or closed."""

import re
import time
from pathlib import Path

import pytest

from tests.cluster.cluster import LOGIN, NODES, Cluster
from tests.cluster.shards import COMMAND, assert_continued, half_way, ready
from tests.project import Fake, Project

pytestmark = [pytest.mark.cluster, pytest.mark.end_to_end]


def test_the_cable_is_out(slurm: Cluster, executors: Path, model_server: Fake, local: Project) -> None:
    """A node that nobody reaches for 40 s loses nothing that it had kept."""
    project = ready(slurm, "cable_out", model_server, executors)
    with half_way(project, model_server) as main:
        slurm.unplug(NODES[1])
        time.sleep(40)
        slurm.plug(NODES[1])
        model_server.behave(latency_s=0.1)
        output, _ = main.communicate(timeout=200)
    assert main.returncode == 0, output
    assert_continued(project, local, model_server)


def test_a_firewall_is_between_them(slurm: Cluster, executors: Path, model_server: Fake) -> None:
    """Where nodes cannot reach the run, one line on the screen of who started it names host and port."""
    project = ready(slurm, "walled", model_server, executors)
    slurm.wall(LOGIN)
    with project.started(*COMMAND, "--retries", "0") as main:
        output, _ = main.communicate(timeout=200)
    assert main.returncode == 1
    assert re.search(r"cannot be reached from node\d at port \d+ .*firewall", output), output
    assert model_server.asked == 0


def test_no_way_to_the_model_server(slurm: Cluster, executors: Path, model_server: Fake) -> None:
    """Where nodes cannot reach the model server, though the login node can, one line says so, and from where."""
    project = ready(slurm, "no_model", model_server, executors)
    slurm.wall("model")
    with project.started(*COMMAND, "--retries", "0") as main:
        output, _ = main.communicate(timeout=200)
    assert main.returncode == 1
    assert "on node" in output and "cannot reach the model server at" in output, output
