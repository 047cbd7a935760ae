"""A run's server with clients that come over TLS, as from another host."""

import stat
import threading
from collections.abc import Iterator
from dataclasses import replace
from functools import partial
from pathlib import Path

import pytest
from tests.project import wait_until
from tests.run_for_hosts import CONTEXT, SOON_S, STATUS, Run
from tests.small_experiment import jobs_in_this_process

from narrative_runs.coordination import client as client_module
from narrative_runs.coordination.client import Unreachable, ask_coordinator
from narrative_runs.coordination.connection_file import ConnectionFile, own_certificate, own_hosts
from narrative_runs.job_environment import ADDRESS_VARIABLE
from narrative_runs.observation.run_status import RunStatus


@pytest.fixture
def run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Run]:
    """A run that the environment names by its connection file."""
    with jobs_in_this_process() as connected:
        running = Run(tmp_path, connected)
        monkeypatch.setenv(ADDRESS_VARIABLE, str(running.path))
        yield running
        running.end()


def test_the_file_is_for_its_owner_alone(run: Run) -> None:
    """What leads to a run, and lets take part in it, can be read by its owner only, and no key of a certificate lies
    beside it."""
    assert stat.S_IMODE(run.path.stat().st_mode) == 0o600
    assert ConnectionFile.read(run.path) == run.file
    assert sorted(path.name for path in run.path.parent.iterdir()) == [".connection.json", "socket"]


def test_other_hosts_ask_how_the_run_stands(run: Run) -> None:
    """Over TLS another terminal learns the same as at the socket."""
    assert RunStatus.of_json(ask_coordinator(str(run.path), "GET", "status")) == STATUS


def test_without_the_token_nobody_is_answered(run: Run) -> None:
    """Who does not know the token gets no answer, and no message that tells more."""
    replace(run.file, token="guessed").write(run.path.parent)
    with pytest.raises(Unreachable):
        ask_coordinator(str(run.path), "GET", "status")


def test_another_certificate_is_not_trusted(run: Run, tmp_path: Path) -> None:
    """Who answers at the address with a certificate of his own is told nothing."""
    another, _ = own_certificate(tmp_path)
    replace(run.file, certificate=another).write(run.path.parent)
    with pytest.raises(Unreachable):
        ask_coordinator(str(run.path), "GET", "status")


def test_where_no_address_leads_there_all_are_named(run: Run) -> None:
    """When a run cannot be reached, host and port are told, and what may be done."""
    replace(run.file, hosts=("no-such-host.invalid",)).write(run.path.parent)
    with pytest.raises(Unreachable, match=rf"at port {run.file.port} \(no-such-host.invalid: .*firewall"):
        ask_coordinator(str(run.path), "GET", "status")


@pytest.mark.slow
def test_a_broken_connection_costs_nothing(run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    """A job whose connection breaks connects again by itself, keeps its place, and what it says meanwhile arrives."""
    monkeypatch.setattr(client_module, "TRY_AGAIN_S", 0.01)
    job = run.connected("1-of-2")
    assert (job.context, job.api_key, job.is_elsewhere) == (CONTEXT, "the key", True)
    for count, line in enumerate(("before", "meanwhile", "after"), start=1):
        run.do(run.break_connections())
        job.show(line)
        wait_until(partial(run.has_taken, count), timeout=SOON_S, every=0.01)
    job.close()
    wait_until(lambda: not run.server.jobs, timeout=SOON_S, every=0.01)
    assert [message.text for _, message in run.taken] == ["before", "meanwhile", "after"]
    assert run.lost == []


@pytest.mark.slow
def test_of_two_jobs_of_one_shard_the_second_waits(run: Run) -> None:
    """A job that was taken for dead and its successor are never at work at the same time."""
    first = run.connected("1-of-2")
    begun = threading.Event()

    def succeed() -> None:
        second = run.connected("1-of-2")
        begun.set()
        second.close()

    threading.Thread(target=succeed, daemon=True).start()
    wait_until(lambda: run.server.jobs == ["1-of-2"] * 2, timeout=SOON_S, every=0.01)
    assert not begun.wait(0.2)
    first.close()
    assert begun.wait(SOON_S)
    wait_until(lambda: not run.server.jobs, timeout=SOON_S, every=0.01)


def test_a_host_knows_by_what_it_may_be_reached() -> None:
    """A host names itself, and no address that means another machine elsewhere."""
    hosts = own_hosts()
    assert hosts and not any(host == "localhost" or host.startswith("127.") for host in hosts)
