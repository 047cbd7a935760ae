"""Here the server behind the proxy is a fake one: what is shown are a proxy's limits, which need exact times."""

import re
from collections import Counter
from pathlib import Path

import pytest

from tests.project import Fake, Project
from tests.real_servers import servers
from tests.real_servers.experiment import assert_answered, outcomes, prepare

pytestmark = [pytest.mark.real_servers, pytest.mark.end_to_end]


def port_of(fake: Fake) -> int:
    """The port of the server behind the proxy."""
    return int(fake.origin.rsplit(":", 1)[1])


def logged(folder: Path) -> Counter[str]:
    """How many requests nginx answered with each status."""
    return Counter((folder / "access.log").read_text().split())


def test_a_time_limit_below_the_models_time(
    project: Project, fake: Fake, nginx: Path, tmp_path_factory: pytest.TempPathFactory
) -> None:
    """A proxy that gives up before every answer is told as its time limit, with its seconds; the run ends as failed
    by run.give_up_after_s, without a row."""
    fake.behave(latency_s=3)
    folder = tmp_path_factory.mktemp("nginx")
    with servers.nginx(nginx, folder, port_of(fake), "proxy_read_timeout 1s;") as proxy:
        prepare(project, proxy.url, "fake", run={"give_up_after_s": 8})
        result = project.snakemake()
    print(result.stdout, logged(folder))
    assert result.returncode == 1
    told = [line for line in result.stdout.splitlines() if "proxy" in line and "time limit" in line]
    assert told and re.search(r"\b1(\.\d)? ?s", told[0])
    assert "Start the server" not in result.stdout
    assert project.status() == "failed"
    assert "give_up_after_s" in project.query("SELECT notes FROM experiments")[0][0]
    assert outcomes(project).total() == 0


def test_a_limit_of_the_rate(
    project: Project, fake: Fake, nginx: Path, tmp_path_factory: pytest.TempPathFactory
) -> None:
    """A proxy that lets five requests a second through, evenly, has all narratives answered, and refuses less than
    one request a narrative, because the run learns the rate."""
    folder = tmp_path_factory.mktemp("nginx")
    zone = "limit_req_zone $server_port zone=requests:1m rate=5r/s;"
    with servers.nginx(nginx, folder, port_of(fake), "limit_req zone=requests;", zone) as proxy:
        prepare(project, proxy.url, "fake", narratives=40, run={"max_in_flight": 8})
        result = project.snakemake()
    print(result.stdout, logged(folder))
    assert result.returncode == 0
    assert_answered(project, 40)
    assert logged(folder)["503"] < 40


def test_a_queue_that_times_out(
    project: Project, fake: Fake, haproxy: Path, tmp_path_factory: pytest.TempPathFactory
) -> None:
    """A proxy that refuses whoever waits too long for one busy server costs no row: fewer are asked at once."""
    fake.behave(latency_s=0.3)
    with servers.haproxy(haproxy, tmp_path_factory.mktemp("haproxy"), port_of(fake), queue="400ms") as proxy:
        prepare(project, proxy.url, "fake", narratives=24, run={"max_in_flight": 8})
        result = project.snakemake()
        refused = proxy.log.read_text().count("status 503")
    print(result.stdout, f"{refused} requests refused, {fake.asked} let through")
    assert result.returncode == 0
    assert_answered(project, 24)
