import builtins
import os
from pathlib import Path
from typing import Any

import pytest

from narrative_runs.errors import AlreadyCompleted, AlreadyRunning, ExperimentError
from narrative_runs.monitoring.resume import resume, unfinished
from narrative_runs.run_lock import RunLock
from tests.monitoring.conftest import Add


def test_the_latest_unfinished_one(add: Add) -> None:
    """Completed ones and those of other machines are passed over; died, failed and cancelled ones can go on."""
    add("cancelled", "cancelled", start_time="2026-01-01 00:00:00")
    add("died", "running", start_time="2026-01-03 00:00:00")
    add("failed", "failed", start_time="2026-01-02 00:00:00")
    add("completed", "completed", start_time="2026-01-04 00:00:00")
    add("far", "failed", has_folder=False, start_time="2026-01-05 00:00:00")
    assert unfinished("").row["slug"] == "died"
    assert unfinished("cancelled").row["slug"] == "cancelled"


def test_nothing_to_resume(add: Add) -> None:
    """What cannot be resumed is refused with the reason."""
    add("completed", "completed")
    add("far", "failed", has_folder=False, hostname="cluster-7")
    with pytest.raises(ExperimentError, match="No incomplete experiments found"):
        unfinished("")
    with pytest.raises(AlreadyCompleted, match="completed is completed"):
        unfinished("completed")
    with pytest.raises(ExperimentError, match=r"started on cluster-7, and its folder results/far/ is not here"):
        unfinished("far")
    add("running", "running")
    lock = RunLock(Path("results/running"))
    lock.acquire()
    for which in ("", "running"):
        with pytest.raises(AlreadyRunning, match="running is running"):
            unfinished(which)


@pytest.mark.parametrize(("reply", "goes_on"), [("y", True), ("YES ", True), ("n", False), ("", False), (None, False)])
def test_only_a_yes_goes_on(
    reply: str | None, goes_on: bool, add: Add, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """What is known is shown first; then only a yes starts snakemake of this environment, with the experiment's id."""
    add("cases", "failed")
    started: list[list[str]] = []

    def answer(_: str) -> str:
        assert "Cases (cases)" in capsys.readouterr().out
        if reply is None:
            raise EOFError
        return reply

    def execute(program: str, words: list[str]) -> Any:
        assert Path(program).is_file()
        started.append(words[1:])

    monkeypatch.setattr(builtins, "input", answer)
    monkeypatch.setattr(os, "execv", execute)
    resume("", cores=2, is_sure=False)
    assert started == ([["--cores", "2", "--config", "experiment_id=id-of-cases"]] if goes_on else [])
