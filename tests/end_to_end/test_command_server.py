"""A model server that the run starts: `model.provider: command`, in whole runs."""

import os
import signal
import sys
import time
from collections.abc import Callable

import psutil
import pytest

from tests.project import AT_LONGEST_S, ROOT, Project, cases, processes_in, wait_until
from tests.variants import rest_is_long

pytestmark = [pytest.mark.end_to_end, pytest.mark.until("record")]

INCIDENTS = 100
SERVER = f"{sys.executable} -m tests.fake_server " + '\'{{"port": {{port}}, "stays": true, "latency_s": {latency}}}\''


def describe(project: Project, latency: float = 0.2, command: str = "") -> None:
    """Write a workbook, and params whose command starts a fake model server."""
    project.write_workbook(cases(INCIDENTS))
    project.environment["PYTHONPATH"] = os.pathsep.join(
        [*filter(None, [project.environment.get("PYTHONPATH")]), str(ROOT)]
    )
    model = {"provider": "command", "api_url": "", "command": command or SERVER.format(latency=latency)}
    project.write_params("", model=model, run={"max_in_flight": 4})


def servers_of(project: Project) -> list[psutil.Process]:
    """The model servers that run for this project."""
    return [process for process in processes_in(project.folder) if "tests.fake_server" in _words(process)]


def _words(process: psutil.Process) -> list[str]:
    """The command line of a process; none of one that has just ended."""
    try:
        words: list[str] = process.cmdline()
    except psutil.NoSuchProcess:
        return []
    return words


def answers(project: Project) -> int:
    """Narratives that have their answer in the journals."""
    return len({entry["fingerprint"] for entry in project.journal_entries()})


def assert_complete(project: Project) -> None:
    """All is answered, nothing twice but what a server had when it died, and nobody is left."""
    assert project.query("SELECT count(*), sum(error_occurred) FROM narrative_results") == [(2 * INCIDENTS, 0)]
    assert answers(project) == len(project.journal_entries()) == 2 * INCIDENTS
    assert processes_in(project.folder) == []


@pytest.mark.until("report")
def test_it_is_started_and_ended(project: Project) -> None:
    """The server is started, asked and ended with the run; its log is kept, and holds no narrative."""
    describe(project, latency=0.0)
    ended = project.snakemake()
    assert ended.returncode == 0, ended.stdout
    assert_complete(project)
    (log,) = (project.folder / "results/cases/logs").glob("model_server-*.log")
    said = log.read_text()
    assert "port" in said and "text of case" not in said


@pytest.mark.long
def test_it_dies_and_is_started_again(project: Project) -> None:
    """A server that dies three times is started again each time, and the run is completed; the fourth time ends the run
    with the reason, and the plain command continues."""
    describe(project, latency=0.4)

    def kill(times: int) -> None:
        for _ in range(times):
            before = answers(project)
            wait_until(lambda: (servers_of(project) and answers(project) >= before + 4) or main.poll() is not None)  # noqa: B023
            for server in servers_of(project):
                server.kill()

    with project.started("snakemake", "--cores", "4") as main:
        kill(4)
        output, _ = main.communicate(timeout=AT_LONGEST_S)
    assert main.returncode == 1, output
    assert output.count("starting it again") == 3
    assert "To continue:" in output and processes_in(project.folder) == []
    with project.started("snakemake", "--cores", "4") as main:
        kill(3)
        output, _ = main.communicate(timeout=AT_LONGEST_S)
    assert main.returncode == 0, output
    assert_complete(project)


def interrupted(main: psutil.Process) -> None:
    """Ctrl-C."""
    os.killpg(main.pid, signal.SIGINT)


def killed(main: psutil.Process) -> None:
    """The main process alone, as when the memory is full."""
    main.kill()


def all_killed(main: psutil.Process) -> None:
    """All of the session at once, as when a job is cancelled."""
    os.killpg(main.pid, signal.SIGKILL)


def coordinator_killed(main: psutil.Process) -> None:
    """The process that asks."""
    next(child for child in main.children(recursive=True) if "narrative_runs.coordination" in child.cmdline()).kill()


@pytest.mark.parametrize("end", rest_is_long([interrupted, killed, all_killed, coordinator_killed]))
def test_nobody_is_left(project: Project, end: Callable[[psutil.Process], None]) -> None:
    """However a run ends, its server ends soon after it, and the same command continues with a new one."""
    describe(project, latency=0.3)
    with project.started("snakemake", "--cores", "4") as main:
        wait_until(lambda: answers(project) >= 20 or main.poll() is not None)
        end(psutil.Process(main.pid))
        main.communicate(timeout=AT_LONGEST_S)
        wait_until(lambda: not processes_in(project.folder), timeout=45)
    assert project.snakemake().returncode == 0
    assert_complete(project)


def test_a_command_that_is_not_there(project: Project) -> None:
    """A command that is not found ends the run in one sentence, before anything is in the record."""
    describe(project, command="no-such-server --port {port}")
    ended = project.snakemake()
    assert ended.returncode == 1
    assert "no-such-server" in ended.stdout and "Traceback" not in ended.stdout
    assert not (project.folder / "results/experiments.db").exists() and processes_in(project.folder) == []


def test_a_model_that_does_not_load(project: Project) -> None:
    """A server that ends while it loads ends the run, with the last lines of its log."""
    words = "no memory for this model"
    describe(project, command=f"sh -c 'echo {words}; exit 3' {{port}}")
    ended = project.snakemake()
    assert ended.returncode == 1
    assert words in ended.stdout and "3" in ended.stdout and "Traceback" not in ended.stdout
    time.sleep(0.1)
    assert processes_in(project.folder) == []
