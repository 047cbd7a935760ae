"""`report.suppress_below` that was set after an experiment was completed: its page masks as its report does."""

from pathlib import Path
from typing import Any

import pytest
import yaml
from tests.page_server import page_served
from tests.page_world import usual, write, write_workbook

from narrative_runs import experiment
from narrative_runs.estimating.command import estimate
from narrative_runs.estimating.reported import report_anew
from narrative_runs.findings.estimates_file import Wish
from narrative_runs.jobs import report as report_job
from narrative_runs.paths import ExperimentFolder
from narrative_runs.report.captions import CAPTIONS
from narrative_runs.report.estimates_figure import NAME
from narrative_runs.report.page import Picture

pytestmark = pytest.mark.slow

SLUG, BELOW = "cases", 11
FOLDER = ExperimentFolder(SLUG)


@pytest.fixture(autouse=True)
def masked_later(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A completed experiment with estimates, to which a plain run, which asks nothing, then gives a limit."""
    put = report_job._put

    def not_drawn(name: str, *others: Any, **options: Any) -> Picture:
        return put(name, *others, **options) if name == NAME else Picture(name, CAPTIONS[name], "not drawn", b"<svg/>")

    monkeypatch.setattr(report_job, "_put", not_drawn)
    monkeypatch.chdir(tmp_path)
    write_workbook(1)
    write(SLUG, usual(0.12, 0.02), groups=["Sex"])
    state = experiment.find(FOLDER)
    assert state is not None and state.params["report"]["suppress_below"] == 0
    experiment.describe(FOLDER, state)
    estimate(SLUG, Wish(assume_random=True), lambda _: None)
    described = yaml.safe_load(FOLDER.description.read_text())
    described["params"]["report"]["suppress_below"] = BELOW
    FOLDER.description.write_text(yaml.safe_dump(described))


def test_each_room_masks_as_the_report_does() -> None:
    """Findings, history, the list of all and the narratives take the limit from the params of the last session, even
    if that asked nothing and left no journal."""
    with page_served() as server:
        findings = server.ask(f"/experiments/{SLUG}/findings").text
        assert f"Counts below {BELOW} are masked" in findings and "masked</td>" in findings
        assert "Counts are not shown" in server.ask(f"/experiments/{SLUG}/narratives").text
        history = server.ask(f"/history?with={SLUG}").text
        assert "masked</td>" in history
        compared = server.ask(f"/history?with={SLUG}&with={SLUG}").text
        assert "masked</td>" in compared and "McNemar" not in compared


def test_estimates_of_another_limit_are_shown_nowhere() -> None:
    """Neither the page nor an address that somebody kept shows the figure of estimates that were made without the
    limit; the report written anew removes its files."""
    address = f"/experiments/{SLUG}/figures/{NAME}.png"
    files = [FOLDER.figure(NAME, kind) for kind in ("png", "pdf")]
    assert all(path.is_file() for path in files)
    with page_served() as server:
        assert server.ask(address).status == 404
    state = experiment.find(FOLDER)
    assert state is not None
    report_anew(FOLDER, state)
    assert not any(path.exists() for path in files)
    estimate(SLUG, Wish(assume_random=True), lambda _: None)
    with page_served() as server:
        assert server.ask(address).status == 200
