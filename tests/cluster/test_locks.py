"""One run at a time, where each host mounts the shared folder on its own, and locks of the kernel hold there alone."""

import re
import subprocess
import sys
import time
from collections.abc import Iterator

import psutil
import pytest

from tests.cluster.cluster import (
    INCIDENTS,
    NODES,
    SLOTS,
    Cluster,
    ClusterProject,
    assert_answered,
    assert_same_findings,
    describe,
)
from tests.project import Fake, Project, wait_until

pytestmark = [pytest.mark.cluster, pytest.mark.end_to_end]

COMMAND = ("snakemake", "--cores", "2", "--configfile", "my.yaml")
ASLEEP_S = 90.0
HOLD = """
import fcntl, sys
file = open("flocked", "w")
fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
print("held", flush=True)
"""


@pytest.fixture(scope="module")
def split(slurm: Cluster, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Cluster]:
    """A second cluster, with a mount for each host; `slurm` has installed what it needs."""
    started = Cluster(tmp_path_factory.mktemp("split"), file_system="bindfs")
    try:
        started.start()
        yield started
    finally:
        started.stop()


@pytest.fixture
def fake(split: Cluster) -> Iterator[Fake]:
    """A fake model server on its host `model`."""
    with split.model_server(latency_s=0.5) as server:
        yield server


def test_the_kernels_lock_is_held_twice(split: Cluster) -> None:
    """Here two hosts hold one lock of the kernel at once: the tests below are about what this software adds."""
    first = subprocess.Popen(
        split.command(NODES[0], sys.executable, "-c", HOLD + "sys.stdin.read()"),
        cwd=split.shared,
        env=split.environment,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )
    assert first.stdout is not None and first.stdout.readline() == "held\n"
    assert split.on(NODES[1], sys.executable, "-c", HOLD) == "held\n"
    with pytest.raises(AssertionError, match="BlockingIOError"):
        split.on(NODES[0], sys.executable, "-c", HOLD)
    first.communicate()


def test_a_live_run_on_another_host(split: Cluster, fake: Fake) -> None:
    """A second run of an experiment is refused on another host, with the host and the PID of the first; it asks and
    writes nothing, and the first one does not notice."""
    project = ClusterProject(split, "alive", NODES[0])
    describe(project, fake.url)
    with project.started(*COMMAND) as main:
        wait_until(lambda: fake.asked >= SLOTS or main.poll() is not None, timeout=60)
        second = project.on(NODES[1]).run(*COMMAND, timeout=60)
        output, _ = main.communicate(timeout=120)
    assert second.returncode == 1
    assert re.search(rf"already running: PID \d+ on {NODES[0]}, since ", second.stdout), second.stdout
    assert main.returncode == 0, output
    assert set(fake.calls()["asked"].values()) == {1} and len(fake.calls()["asked"]) == 2 * INCIDENTS
    assert len(list((project.folder / "results/cases/journal").glob("session-*"))) == 1


def test_a_run_that_sleeps(split: Cluster, fake: Fake, local: Project) -> None:
    """A run whose machine sleeps is taken over from another host after a minute of silence; when it wakes, it ends
    before it asks or writes, and says why. At most what was in flight is asked twice."""
    project = ClusterProject(split, "asleep", NODES[0])
    describe(project, fake.url)
    with project.started(*COMMAND) as sleeper:
        wait_until(lambda: fake.asked >= INCIDENTS or sleeper.poll() is not None, timeout=60)
        asleep_since = time.monotonic()
        asleep = _put_to_sleep(sleeper)
        other = project.on(NODES[1]).run(*COMMAND, timeout=180)
        assert other.returncode == 0, other.stdout
        asked, entries = fake.asked, project.journal_entries()
        time.sleep(max(0.0, ASLEEP_S - (time.monotonic() - asleep_since)))
        _wake(asleep)
        output, _ = sleeper.communicate(timeout=60)
    assert "Waiting for a sign of life from there" in other.stdout and "RESUMING EXPERIMENT" in other.stdout
    assert sleeper.returncode == 1
    assert f"on {NODES[1]}, has taken over this experiment while this one was asleep" in output, output
    assert_answered(fake.calls())
    assert (fake.asked, project.journal_entries()) == (asked, entries)
    assert_same_findings(project, local)
    assert project.status() == "completed"


def _put_to_sleep(process: "subprocess.Popen[str]") -> list[psutil.Process]:
    """Stop all that a command is on its host; returns that, after the process that led it there."""
    leads, *asleep = psutil.Process(process.pid).children(recursive=True)
    for member in asleep:
        member.suspend()
    # It stops itself when it sees that, and would do so later again if it were stopped meanwhile.
    wait_until(lambda: leads.status() == psutil.STATUS_STOPPED)
    return [leads, *asleep]


def _wake(asleep: list[psutil.Process]) -> None:
    """Let go on what was stopped, all of which is still there."""
    for member in reversed(asleep):
        member.resume()
