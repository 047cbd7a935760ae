"""The whole run in one Slurm job, as docs/cluster.md has it."""

import re
import subprocess
from collections.abc import Iterator
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
    describe,
)
from tests.project import ROOT, Fake, Project, wait_until

pytestmark = [pytest.mark.cluster, pytest.mark.end_to_end]

ENDED = ("COMPLETED", "FAILED", "CANCELLED", "TIMEOUT", "NODE_FAIL")
KEY = "sk-canary-of-the-cluster-5093"


def script(project: Project, *lines: str) -> None:
    """Write the script of docs/cluster.md, with more lines before the run."""
    (text,) = re.findall(r"^```bash\n(.*?)^```$", (ROOT / "docs/cluster.md").read_text("utf-8"), re.M | re.S)
    text = re.sub(r"^snakemake ", "\n".join([*lines, "snakemake "]), text, flags=re.M)
    (project.folder / "study.sbatch").write_text(text)


def begun(project: ClusterProject, fake: Fake) -> str:
    """The number of a job that runs the script in the project folder, and has asked for some narratives."""
    before, ends = fake.asked, log(project).count("To continue:")
    number = project.submit("study.sbatch")
    wait_until(lambda: fake.asked >= before + 2 * SLOTS or log(project).count("To continue:") > ends, timeout=120)
    assert fake.asked >= before + 2 * SLOTS, log(project)
    return number


def log(project: Project) -> str:
    """What the jobs have said so far."""
    path = project.folder / "study.log"
    return path.read_text() if path.exists() else ""


def assert_complete(project: Project, calls: dict[str, Any], sessions: int) -> None:
    """All is answered, in so many sessions, and only what was in flight at a kill was answered twice."""
    entries = project.journal_entries()
    assert len({entry["fingerprint"] for entry in entries}) == len(entries) == 2 * INCIDENTS
    assert len(list((project.folder / "results/cases/journal").glob("session-*"))) == sessions
    assert_answered(calls, SLOTS * (sessions - 1))
    assert project.status() == "completed"


def test_a_node_dies_half_way(
    slurm: Cluster, cluster_project: ClusterProject, model_server: Fake, local: Project
) -> None:
    """A run whose node dies is continued on another node: no answer that was kept is asked for again, and the findings
    are, byte for byte, those of a run on one machine."""
    describe(cluster_project, model_server.url)
    model_server.behave(latency_s=SLOW_S)
    script(cluster_project)
    number = begun(cluster_project, model_server)
    node = slurm.job(number)["BatchHost"]
    slurm.kill(node)
    model_server.behave(latency_s=0.1)
    assert 0 < len(cluster_project.journal_entries()) < 2 * INCIDENTS
    # Slurm sees it in 20 s, and the run waits a minute for a sign of life from the dead node.
    job = slurm.wait_for(number, *ENDED, timeout=180)
    print(log(cluster_project))
    assert (job["JobState"], job["Restarts"]) == ("COMPLETED", "1")
    assert {job["BatchHost"]} == {*NODES} - {node}
    assert "RESUMING EXPERIMENT: Cases" in log(cluster_project)
    assert_complete(cluster_project, model_server.calls(), sessions=2)
    assert_same_findings(cluster_project, local)
    metrics, expected = (each.read_json("results/cases/metrics.json") for each in (cluster_project, local))
    assert metrics | {"experiment_id": ""} == expected | {"experiment_id": ""}


@dataclass(frozen=True)
class Warned:
    """A run with a key in a file, which Slurm warned half-way of the end of its time, and which then was completed.

    job: what Slurm says of it at its end; calls: what its model server was asked; status, second: what the login node
    said of it, and to a second run there; with_key: the files that held the key while it ran, and at its end.
    """

    project: ClusterProject
    node: str
    job: dict[str, str]
    calls: dict[str, Any]
    status: subprocess.CompletedProcess[str]
    second: subprocess.CompletedProcess[str]
    with_key: tuple[list[Path], list[Path]]


@pytest.fixture(scope="module")
def key_file(slurm: Cluster) -> Path:
    """A file with the key, which only its owner can read."""
    path = slurm.shared / "llm_api_key"
    path.touch(mode=0o600)
    path.write_text(f"{KEY}\n")
    return path


@pytest.fixture(scope="module")
def warned(slurm: Cluster, key_file: Path) -> Iterator[Warned]:
    """A run that Slurm warned, for the tests that only look at it."""
    project = ClusterProject(slurm, "warned")
    with slurm.model_server(latency_s=3.0) as fake:
        describe(project, fake.url)
        script(project, f"export LLM_API_KEY_FILE={key_file}")
        number = begun(project, fake)
        node = slurm.job(number)["BatchHost"]
        status = project.run("narrative-runs", "status")
        second = project.snakemake("--configfile", "my.yaml")
        while_it_ran = slurm.files_with(KEY.encode())
        # What `#SBATCH --signal=B:USR1@180` has Slurm do.
        slurm.on(LOGIN, "scancel", "--signal=USR1", "--batch", number)
        slurm.wait_for(number, "PENDING")
        fake.behave(latency_s=0.0)
        job = slurm.wait_for(number, *ENDED)
        print(log(project))
        with_key = while_it_ran, slurm.files_with(KEY.encode())
        yield Warned(project, node, job, fake.calls(), status, second, with_key)


def test_the_time_ends(warned: Warned) -> None:
    """A run that Slurm warns of the end of its time ends gently, is queued again, and is completed: each narrative is
    asked once."""
    assert (warned.job["JobState"], warned.job["Restarts"]) == ("COMPLETED", "1")
    assert f"of {2 * INCIDENTS} done" in log(warned.project)
    assert set(warned.calls["asked"].values()) == {1}
    assert_complete(warned.project, warned.calls, sessions=2)


def test_from_the_login_node(warned: Warned) -> None:
    """From the login node a run on a node is seen, and a second one of the experiment is refused, with that node's
    name."""
    said = warned.status.stdout
    assert f"on {warned.node}" in said and f"of {2 * INCIDENTS}" in said, said
    assert warned.second.returncode == 1
    assert "already running" in warned.second.stdout and f"on {warned.node}" in warned.second.stdout


def test_a_key_from_a_file_is_written_nowhere(slurm: Cluster, warned: Warned, key_file: Path) -> None:
    """A key in a file reaches the model server, and no file of Slurm, of a node or of the project."""
    assert warned.calls["keys"] == [f"Bearer {KEY}"]
    alone = [key_file.relative_to(slurm.folder)]
    assert warned.with_key == (alone, alone)


def test_a_key_in_the_environment_is_written_to_disk(slurm: Cluster, cluster_project: ClusterProject) -> None:
    """Slurm keeps the environment of a job in its files: this is why the key is in none, and how the test above would
    see it."""
    key = KEY[::-1]
    cluster_project.environment["LLM_API_KEY"] = key
    number = cluster_project.submit("--wrap", "sleep 60")
    slurm.wait_for(number, "RUNNING")
    assert {path.parts[0] for path in slurm.files_with(key.encode())} == {"state"}


def test_ended_by_a_person(slurm: Cluster, cluster_project: ClusterProject, model_server: Fake) -> None:
    """`cancel` by way of `srun`, and `scancel`, end a run gently and for good, and the same script continues it."""
    describe(cluster_project, model_server.url)
    model_server.behave(latency_s=1.0)
    script(cluster_project)
    number = begun(cluster_project, model_server)
    cancel = cluster_project.program("narrative-runs", "cancel")
    cancelled = cluster_project.run("srun", f"--jobid={number}", "--overlap", *cancel)
    assert cancelled.returncode == 0 and "cases: cancelled." in cancelled.stdout, cancelled.stdout
    assert slurm.wait_for(number, *ENDED)["JobState"] == "FAILED"
    assert cluster_project.status() == "cancelled"
    said = log(cluster_project)

    number = begun(cluster_project, model_server)
    slurm.on(LOGIN, "scancel", number)
    job = slurm.wait_for(number, *ENDED)
    assert (job["JobState"], job["Restarts"]) == ("CANCELLED", "0")
    wait_until(lambda: "To continue:" in log(cluster_project).removeprefix(said), timeout=10)
    print(log(cluster_project))
    calls = model_server.calls()
    assert set(calls["asked"].values()) == {1} and calls["asked"] == calls["answered"]
    assert len(cluster_project.journal_entries()) == len(calls["answered"]) < 2 * INCIDENTS
