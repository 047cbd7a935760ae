"""Several model servers of one model, in whole runs."""

from collections import Counter
from collections.abc import Iterator
from contextlib import ExitStack
from typing import Any

import pytest

from tests.project import AT_LONGEST_S, Fake, Project, cases, fake_server, wait_until

pytestmark = [pytest.mark.end_to_end, pytest.mark.until("record")]

INCIDENTS = 150
SLOTS = 4


@pytest.fixture
def fakes() -> Iterator[list[Fake]]:
    """Four fake model servers."""
    with ExitStack() as running:
        yield [running.enter_context(fake_server(latency_s=0.1)) for _ in range(4)]


def describe(project: Project, fakes: list[Fake], **run: Any) -> None:
    """Write a workbook, and params that name all these servers."""
    project.write_workbook(cases(INCIDENTS))
    urls = [fake.url for fake in fakes]
    project.write_params("", model={"api_url": urls}, run={"max_in_flight": SLOTS, "timeout_s": 20, **run})


def assert_answered(project: Project, at_most_twice: int = 0) -> None:
    """Each narrative has its answer, and so many at most were answered twice."""
    rows = project.query("SELECT error_occurred FROM narrative_results")
    assert rows == [(0,)] * (2 * INCIDENTS)
    entries = project.journal_entries()
    assert len({entry["fingerprint"] for entry in entries}) == 2 * INCIDENTS
    assert len(entries) - 2 * INCIDENTS <= at_most_twice


@pytest.mark.until("report")
def test_all_are_asked_alike(project: Project, fakes: list[Fake]) -> None:
    """Each of four servers has max_in_flight requests at once and a fair part of all; no narrative is asked twice, the
    journal names the server of each answer, and status and report tell what each did."""
    describe(project, fakes)
    with project.started("snakemake", "--cores", "4") as main:
        wait_until(lambda: sum(fake.asked for fake in fakes) > INCIDENTS or main.poll() is not None)
        status = project.run("narrative-runs", "status").stdout
        output, _ = main.communicate(timeout=AT_LONGEST_S)
    assert main.returncode == 0, output
    assert_answered(project)
    calls = [fake.calls() for fake in fakes]
    assert all(each["busiest"] <= SLOTS for each in calls)
    asked = [sum(each["asked"].values()) for each in calls]
    assert sum(asked) == 2 * INCIDENTS and min(asked) > INCIDENTS / 4
    by_server = Counter(entry["server"] for entry in project.journal_entries())
    assert by_server == {fake.url: count for fake, count in zip(fakes, asked, strict=True)}
    report = (project.folder / "results/cases/report.html").read_text()
    for fake in fakes:
        assert f"{fake.url}: " in status, status
        assert fake.url in report


@pytest.mark.long
def test_one_is_killed_and_comes_back(project: Project, fakes: list[Fake]) -> None:
    """A server that is killed half-way is left alone until it is back: no narrative becomes an error or is answered
    twice but those it had, and it gets its part again."""
    describe(project, fakes, max_attempts=3)
    for fake in fakes:
        fake.behave(latency_s=0.4)
    with project.started("snakemake", "--cores", "4") as main, ExitStack() as running:
        wait_until(lambda: sum(fake.asked for fake in fakes) > INCIDENTS / 2 or main.poll() is not None)
        port = int(fakes[0].origin.rpartition(":")[2])
        fakes[0].stop()
        before = sum(fake.asked for fake in fakes[1:])
        wait_until(lambda: sum(fake.asked for fake in fakes[1:]) > before + 80 or main.poll() is not None)
        again = running.enter_context(fake_server(port=port, latency_s=0.4))
        for fake in fakes[1:]:
            # The run goes on until the one that came back has its part.
            fake.behave(latency_s=1.0)
        wait_until(lambda: again.asked > SLOTS or main.poll() is not None)
        for fake in (again, *fakes[1:]):
            fake.behave(latency_s=0.0)
        output, _ = main.communicate(timeout=AT_LONGEST_S)
        assert main.returncode == 0, output
        assert again.asked > SLOTS
        answered = Counter(text for fake in (again, *fakes[1:]) for text in fake.calls()["answered"])
    assert set(answered.values()) == {1}
    assert_answered(project)
    assert f"[WAITING] {fakes[0].url}: " in output


@pytest.mark.long
def test_one_that_refuses_everything_is_left_out(project: Project, fakes: list[Fake]) -> None:
    """A server that takes no request, where the others do, is left out and told; no narrative becomes an error."""
    describe(project, fakes)
    fakes[0].behave(faults=[{"fault": "bad request"}])
    ended = project.snakemake()
    assert ended.returncode == 0, ended.stdout
    assert_answered(project)
    assert f"{fakes[0].url}" in ended.stdout
    assert {entry["server"] for entry in project.journal_entries()} == {fake.url for fake in fakes[1:]}


def test_one_is_away_at_the_start(project: Project, fakes: list[Fake]) -> None:
    """A server that is not started yet keeps nobody waiting: the others are asked, and that is told."""
    describe(project, fakes)
    fakes[0].stop()
    ended = project.snakemake()
    assert ended.returncode == 0, ended.stdout
    assert f"[WAITING] No answer from {fakes[0].url}" in ended.stdout
    assert_answered(project)


@pytest.mark.long
def test_one_serves_another_model(project: Project, fakes: list[Fake]) -> None:
    """A server with another model behind its address stops the run before an answer of it counts: at the start, and
    half-way."""
    describe(project, fakes)
    fakes[0].behave(models=["another"], answers_as="another")
    ended = project.snakemake()
    assert ended.returncode == 1 and "does not serve 'fake', but another" in ended.stdout, ended.stdout
    fakes[0].behave(models=["fake"], latency_s=0.4)
    with project.started("snakemake", "--cores", "4") as main:
        wait_until(lambda: sum(fake.asked for fake in fakes) > INCIDENTS / 2 or main.poll() is not None)
        fakes[0].behave(models=["another"], answers_as="another")
        output, _ = main.communicate(timeout=AT_LONGEST_S)
    assert main.returncode == 1
    assert f"the server at {fakes[0].url} now answers as another, but answered as fake before" in output, output
    assert {entry["response"]["model"] for entry in project.journal_entries()} == {"fake"}
