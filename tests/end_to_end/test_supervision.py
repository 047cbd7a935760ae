"""Whatever fails beside a run's main line is seen, and a run whose main process was killed ends in good order."""

import os
import shutil
import signal
import subprocess
from pathlib import Path

import psutil
import pytest

from tests.project import AT_LONGEST_S, Fake, Project, cases, wait_until
from tests.variants import rest_is_long

from .test_resume import assert_complete

pytestmark = [pytest.mark.end_to_end, pytest.mark.until("record")]

# Python imports this module in each process that it starts: what is to fail is found nowhere in the software itself.
FAILING = """
import sys

if sys.orig_argv[1:3] == {argv!r}:
    from {module} import {owner}

    def fail(self, *_):
        raise KeyError("a secret narrative")

    {owner}.{method} = fail
"""


@pytest.fixture
def ready(project: Project, fake: Fake) -> Project:
    """40 narratives in 3 shards, and a server that takes 0.3 s."""
    project.write_workbook(cases(20))
    project.write_params(fake.url)
    fake.behave(latency_s=0.3)
    return project


def children(main: "subprocess.Popen[str]") -> list[psutil.Process]:
    """All processes of a run but the main one."""
    return list(psutil.Process(main.pid).children(recursive=True))


def test_what_is_in_flight_is_kept_when_the_main_process_is_killed(ready: Project, fake: Fake) -> None:
    """After kill -9 of the main process nothing new is asked, what is in flight is kept, all processes end, and the
    next run asks for exactly the rest; the record says that the run failed."""
    fake.behave(latency_s=2)
    with ready.started("snakemake", "--cores", "4") as main:
        wait_until(lambda: fake.calls()["in_flight"] == 4)
        others = children(main)
        asked = fake.asked
        main.kill()
        wait_until(lambda: not any(each.is_running() for each in others))
        assert fake.asked == asked
    answered = sum(fake.calls()["answered"].values())
    assert answered == asked
    assert ready.query("SELECT status, n_narratives_processed FROM experiments") == [("failed", answered)]
    fake.behave()
    assert ready.snakemake().returncode == 0
    assert_complete(ready, fake)


def test_the_next_run_waits_for_what_is_in_flight(ready: Project, fake: Fake) -> None:
    """A run that is started while requests of a killed one are in flight says that it waits, and asks none of them."""
    # Longer than the next run takes to start, on a machine that is busy with other things.
    fake.behave(latency_s=15)
    with ready.started("snakemake", "--cores", "4") as main:
        wait_until(lambda: fake.calls()["in_flight"] == 4)
        main.kill()
        main.wait()
        fake.behave()
        result = ready.snakemake()
    assert result.returncode == 0, result.stdout
    assert "Waiting up to 30 s for requests of an earlier, killed run to finish" in result.stdout
    assert_complete(ready, fake)


def test_a_cache_folder_that_is_removed_stops_nothing(ready: Project, fake: Fake, tmp_path: Path) -> None:
    """Without the user's cache folder the run goes on, and so do record and progress; the folder comes back."""
    cache = tmp_path / "cache"
    ready.environment["XDG_CACHE_HOME"] = str(cache)
    with ready.started("snakemake", "--cores", "4") as main:
        wait_until(lambda: fake.asked >= 4)
        shutil.rmtree(cache / "narrative-runs")
        before = processed(ready)
        wait_until(lambda: processed(ready) > before)
        output, _ = main.communicate(timeout=AT_LONGEST_S)
    assert main.returncode == 0, output
    assert_complete(ready, fake)


def processed(project: Project) -> int:
    """How many narratives the record has a result of."""
    rows = project.query("SELECT n_narratives_processed FROM experiments")
    return int(rows[0][0]) if rows else 0


@pytest.mark.parametrize(
    ("argv", "module", "owner", "method"),
    rest_is_long(
        [
            (["-m", "narrative_runs.coordination"], "narrative_runs.observation.run_monitor", "RunMonitor", "follow"),
            (["-m", "narrative_runs.coordination"], "narrative_runs.coordination.limiter", "Limiter", "answered"),
            (["-m", "narrative_runs.coordination"], "narrative_runs.coordination.model_server", "ModelServer", "open"),
            (["-m", "narrative_runs.coordination"], "narrative_runs.journal", "Journal", "sync"),
            (["-m", "narrative_runs.coordination"], "narrative_runs.journal", "Journal", "append"),
            (["-m", "narrative_runs.coordination"], "narrative_runs.asking.request", "Question", "body"),
            (["-m", "narrative_runs.jobs"], "narrative_runs.coordination.client", "RunClient", "source_is_ready"),
        ]
    ),
)
def test_an_error_that_nothing_expected_ends_the_run(
    ready: Project, fake: Fake, tmp_path: Path, argv: list[str], module: str, owner: str, method: str
) -> None:
    """Wherever it comes, the run ends soon, says what it was and where, and how to continue; nothing that it failed on
    is repeated, and the same command goes on once it is gone."""
    patch = tmp_path / "patch"
    patch.mkdir()
    (patch / "sitecustomize.py").write_text(FAILING.format(argv=argv, module=module, owner=owner, method=method))
    path = os.pathsep.join([str(patch), *filter(None, [ready.environment.get("PYTHONPATH")])])
    usual, ready.environment = ready.environment, {**ready.environment, "PYTHONPATH": path}
    with ready.started("snakemake", "--cores", "4") as main:
        output, _ = main.communicate(timeout=AT_LONGEST_S)
    ready.environment = usual
    told = " ".join(output.split())
    assert main.returncode == 1 and "Traceback" not in output, output
    assert "an unexpected error, KeyError in" in told and "secret" not in output, output
    # A run that has not begun has nothing to continue.
    has_begun = (ready.folder / "results/cases/experiment.yaml").exists()
    assert ("To continue: snakemake" in told) == has_begun
    fake.behave()
    assert ready.snakemake().returncode == 0
    # What was in flight, and what began before the first failure was told.
    assert_complete(ready, fake, lost_at_most=8)


def test_signals_are_no_errors(ready: Project, fake: Fake) -> None:
    """A run that is stopped gently says nothing of an error."""
    with ready.started("snakemake", "--cores", "4") as main:
        wait_until(lambda: fake.asked >= 4)
        main.send_signal(signal.SIGINT)
        output, _ = main.communicate(timeout=AT_LONGEST_S)
    assert main.returncode == 1 and "unexpected error" not in output
