"""A Slurm on this machine, brought up once; where it cannot be, its tests are skipped, with the reason."""

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from tests.cluster import cluster
from tests.cluster.cluster import Cluster, ClusterProject, describe
from tests.project import Fake, Project, fake_server
from tests.real_servers.environments import NotInstallable


def installed(install: Callable[[], None]) -> None:
    """Install something, or skip with the reason."""
    try:
        install()
    except NotInstallable as reason:
        pytest.skip(str(reason))


@pytest.fixture(scope="session")
def slurm(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Cluster]:
    """The cluster of all tests."""
    installed(cluster.install)
    started = Cluster(tmp_path_factory.mktemp("slurm"))
    try:
        started.start()
        yield started
    finally:
        started.stop()


@pytest.fixture(autouse=True)
def set_right(slurm: Cluster) -> Iterator[None]:
    """After each test no job is left, and all hosts are up."""
    yield
    slurm.set_right()


@pytest.fixture(scope="session")
def executors() -> Path:
    """The folder of Snakemake's plugins for clusters, which is to be on PYTHONPATH."""
    installed(cluster.EXECUTORS.install)
    return cluster.EXECUTOR_PACKAGES


@pytest.fixture
def cluster_project(slurm: Cluster, request: pytest.FixtureRequest) -> ClusterProject:
    """A fresh copy of the project on the cluster."""
    return ClusterProject(slurm, request.node.name)


@pytest.fixture
def model_server(slurm: Cluster) -> Iterator[Fake]:
    """A fake model server on the cluster's host `model`."""
    with slurm.model_server() as server:
        yield server


@pytest.fixture(scope="session")
def local(tmp_path_factory: pytest.TempPathFactory) -> Project:
    """The experiment of all tests, run to its end on one machine."""
    project = Project(tmp_path_factory.mktemp("local"))
    with fake_server() as fake:
        describe(project, fake.url)
        result = project.snakemake("--configfile", "my.yaml")
    assert result.returncode == 0, result.stdout
    return project
