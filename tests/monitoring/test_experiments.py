import os
from pathlib import Path

import pytest

from narrative_runs.errors import ExperimentError
from narrative_runs.monitoring.experiments import chosen, experiments, state_of
from narrative_runs.monitoring.status import status_of
from narrative_runs.record import database
from narrative_runs.run_lock import RunLock
from tests.monitoring.conftest import HERE, Add

TO_CONTINUE = "To continue: `snakemake --cores 4 --config experiment_id=id-of-cases`"


@pytest.mark.parametrize("status", ["running", "failed", "cancelled", "completed"])
def test_who_holds_the_lock_runs(status: str) -> None:
    """A run whose session has not yet written is running, whatever an earlier one wrote last."""
    assert state_of({"status": status, "hostname": "there"}, True, "here", True) == "running"


@pytest.mark.parametrize(
    ("hostname", "is_here", "state"),
    [("here", True, "died"), ("here", False, "elsewhere"), ("there", True, "elsewhere"), ("there", False, "elsewhere")],
)
def test_running_without_a_lock(hostname: str, is_here: bool, state: str) -> None:
    """A run that the record calls running died, if it could be seen from here were it alive."""
    assert state_of({"status": "running", "hostname": hostname}, False, "here", is_here) == state


@pytest.mark.parametrize("status", ["failed", "cancelled", "completed"])
def test_what_has_ended_is_told_as_written(status: str) -> None:
    """Who wrote a last word did not die, wherever that was."""
    assert state_of({"status": status, "hostname": "there"}, False, "here", False) == status


def test_the_one_that_runs_is_meant(add: Add) -> None:
    """Without a name it is the one that runs, else the one started last; slug and id name any."""
    add("old", "failed", start_time="2026-01-01 00:00:00")
    add("new", "completed", start_time="2026-02-01 00:00:00")
    assert [known.row["slug"] for known in experiments()] == ["new", "old"]
    assert chosen("").row["slug"] == "new"
    assert chosen("old").row["slug"] == chosen("id-of-old").row["slug"] == "old"
    lock = RunLock(Path("results/old"))
    lock.acquire()
    assert (chosen("").row["slug"], chosen("").state) == ("old", "running")
    assert lock._descriptor is not None
    os.close(lock._descriptor)
    assert chosen("old").state == "failed"


def test_the_reason_of_a_stop_is_told(add: Add) -> None:
    """Why a run stopped stands in its notes after the user's own; the latest reason counts."""
    notes = "Mine.\n[stopped] the server is gone\n[stopped] stopped by Ctrl-C: 5 of 8 done, 3 to go."
    add("cases", "failed", notes=notes)
    assert chosen("").explanation == f"stopped by Ctrl-C: 5 of 8 done, 3 to go. {TO_CONTINUE}"


def test_of_elsewhere_what_is_known(add: Add) -> None:
    """A run of another machine is told with its machine, and whether its folder is here."""
    add("far", "running", has_folder=False, hostname="cluster-7")
    assert chosen("").state == "elsewhere"
    assert "started on cluster-7" in chosen("").explanation
    assert chosen("").explanation.endswith("its folder is not here")


def test_an_experiment_of_the_r_system(add: Add) -> None:
    """A row without a folder of ours is told as well."""
    add("r", "running", has_folder=False, hostname=None, log_dir=None)
    with database.transaction() as connection:
        database.update_experiment(connection, "id-of-r", {"slug": None})
    assert (chosen("").state, chosen("id-of-r").row["slug"]) == ("elsewhere", None)
    assert next(status_of(chosen("")).lines()) == "R"


def test_a_died_run_of_this_host(add: Add) -> None:
    """It is called died, and the way on is told."""
    add("cases", "running", hostname=HERE)
    assert (chosen("").state, chosen("").explanation) == (
        "died",
        f"killed or crashed. {TO_CONTINUE}",
    )


def test_outside_a_project(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """In any other folder the message says so; in a project without a run, that there is none yet."""
    monkeypatch.chdir(tmp_path)
    with pytest.raises(ExperimentError, match="not a project folder"):
        chosen("")
    Path("Snakefile").touch()
    with pytest.raises(ExperimentError, match="There is no experiment yet"):
        chosen("")


def test_an_unknown_name(add: Add) -> None:
    """The name is told, and where all names are to be found."""
    add("cases", "completed")
    with pytest.raises(ExperimentError, match=r"no experiment nothing .*narrative-runs list"):
        chosen("nothing")
