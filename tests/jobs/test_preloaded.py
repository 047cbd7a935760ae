import signal
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

import psutil
import pytest
from tests.project import processes_in, wait_until

from narrative_runs.coordination.jobs_process import JobsProcess
from narrative_runs.job_environment import JOBS_VARIABLE
from narrative_runs.jobs.preloaded import begin, exit_code_of, hand_over
from narrative_runs.signals import ENDING


@pytest.fixture(autouse=True)
def _signals() -> Iterator[None]:
    """Who hands a job over ignores what ends the whole group; the tests after these do not."""
    before = {number: signal.getsignal(number) for number in ENDING}
    yield
    for number, handler in before.items():
        signal.signal(number, handler)


@pytest.fixture
def process(monkeypatch: pytest.MonkeyPatch) -> Iterator[JobsProcess]:
    """The process that forks jobs, as a coordinator starts it; the coordinator itself is not there."""
    with tempfile.TemporaryDirectory() as private:
        started = JobsProcess(Path(private) / "nobody")
        monkeypatch.setenv(JOBS_VARIABLE, started.address)
        yield started
        started.close()


@pytest.mark.usefixtures("process")
@pytest.mark.slow
def test_a_job_that_cannot_find_its_run_fails_there_too() -> None:
    """What a job ends with is told to who handed it over: without a run it ends with exit code 1."""
    assert hand_over(["classify", "1-of-1"]) == 1


@pytest.mark.usefixtures("process")
def test_only_jobs_are_handed_over() -> None:
    """A command that people type runs where it was typed."""
    assert hand_over(["status"]) is None and hand_over([]) is None


def test_who_is_waited_for_may_be_killed(process: JobsProcess) -> None:
    """Whoever waits for a job, begun or not, hears of it when the process that forks them is killed."""
    (started,) = [each for each in psutil.Process().children() if "narrative_runs.jobs" in each.cmdline()]
    started.suspend()
    begun = begin(["classify", "1-of-1"])
    assert begun is not None
    process.close()
    assert exit_code_of(begun) == 1
    # From now on each job imports for itself.
    assert wait_until(lambda: begin(["classify", "1-of-1"]) is None)


STARTED_AND_KILLED = """
import os, signal, sys
from pathlib import Path
from narrative_runs.coordination.jobs_process import JobsProcess
JobsProcess(Path(sys.argv[1]))
os.kill(os.getpid(), signal.SIGKILL)
"""


def test_it_ends_with_a_coordinator_that_is_killed_at_once(tmp_path: Path) -> None:
    """However early the coordinator is killed, the process that it started does not stay."""
    killed = subprocess.run([sys.executable, "-c", STARTED_AND_KILLED, tmp_path / "coordinator"], cwd=tmp_path)
    assert killed.returncode == -signal.SIGKILL
    wait_until(lambda: not processes_in(tmp_path), timeout=30)


def test_without_the_process_a_job_runs_by_itself(monkeypatch: pytest.MonkeyPatch) -> None:
    """On another host, or by hand, nothing is handed over."""
    monkeypatch.delenv(JOBS_VARIABLE, raising=False)
    assert hand_over(["classify", "1-of-1"]) is None and begin(["report"]) is None
