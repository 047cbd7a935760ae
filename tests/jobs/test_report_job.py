import json
from pathlib import Path

import pytest
from tests.small_experiment import FOLDER, params_of, read_and_answered

from narrative_runs.jobs.record import merge
from narrative_runs.jobs.report import write_prints, write_report
from narrative_runs.paths import RESULTS
from narrative_runs.report.captions import CAPTIONS
from narrative_runs.run_context import RunContext

pytestmark = pytest.mark.slow

INCIDENTS = 20


@pytest.fixture(scope="module")
def reported(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, RunContext, dict[Path, bytes]]:
    """A project with a report; what its run was for; and all that was there before."""
    folder = tmp_path_factory.mktemp("reported")
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(folder)
        context = read_and_answered(INCIDENTS, params_of())
        merge(context)
        before = files()
        write_report(context)
    return folder, context, before


@pytest.fixture(autouse=True)
def _in_its_folder(reported: tuple[Path, RunContext, dict[Path, bytes]], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(reported[0])


def files() -> dict[Path, bytes]:
    """All files under results/, with their content."""
    return {path: path.read_bytes() for path in RESULTS.rglob("*") if path.is_file()}


def test_figures_and_page_are_all_that_is_written(reported: tuple[Path, RunContext, dict[Path, bytes]]) -> None:
    """A report is its page, each figure as PNG and PDF, and the metrics to publish; record, journals and findings are
    left as they were."""
    _, _, before = reported
    after = files()
    figures = {FOLDER.figure(name, kind) for name in CAPTIONS for kind in ("png", "pdf")}
    assert set(after) - set(before) == {*figures, FOLDER.report, FOLDER.metrics_to_publish}
    assert {path: after[path] for path in before} == before
    assert all(after[path].startswith(b"%PDF" if path.suffix == ".pdf" else b"\x89PNG") for path in figures)


def test_the_page_tells_its_experiment_and_no_narrative(reported: tuple[Path, RunContext, dict[Path, bytes]]) -> None:
    """The page names the experiment, its id and the workbook's checksum, and holds no text of a narrative."""
    _, context, _ = reported
    page = FOLDER.report.read_text(encoding="utf-8")
    assert context.experiment_id in page and context.source_md5 in page and "Cases" in page
    assert "text of case" not in page


def test_what_may_be_published_is_what_was_measured() -> None:
    """Where no small counts are masked, the metrics to publish are all of them."""
    assert json.loads(FOLDER.metrics_to_publish.read_text()) == json.loads(FOLDER.metrics.read_text())


def test_safe_to_repeat(reported: tuple[Path, RunContext, dict[Path, bytes]]) -> None:
    """Drawn again from the same findings, every file is the same to the byte."""
    before = files()
    write_report(reported[1])
    assert files() == before


def test_figures_for_print_are_the_same_whoever_draws_them(
    reported: tuple[Path, RunContext, dict[Path, bytes]],
) -> None:
    """Drawn by a job of their own, the PDF files are the same to the byte, and nothing else is written."""
    before = files()
    prints = [FOLDER.figure(name, "pdf") for name in CAPTIONS]
    for path in prints:
        path.unlink()
    write_report(reported[1], with_prints=False)
    assert not any(path.exists() for path in prints)
    write_prints(reported[1])
    assert files() == before
