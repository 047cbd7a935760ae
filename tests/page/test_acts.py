import html
import stat
from collections.abc import Iterator
from pathlib import Path

import pytest
from tests.monitoring.conftest import Add, add_result
from tests.page_server import Answer, PageServer, page_served
from tests.page_world import usual, write, write_failed, write_workbook

from narrative_runs import snapshots, steering
from narrative_runs.errors import AlreadyRunning, ExperimentError, FindingsError
from narrative_runs.export.export import export_no_text
from narrative_runs.monitoring.experiments import CANCELLED, COMPLETED, DIED, RUNNING, chosen
from narrative_runs.page.acts import ACTS, export_words, offered
from narrative_runs.paths import ExperimentFolder
from narrative_runs.run_lock import RunLock

pytestmark = pytest.mark.slow

FOLDER = ExperimentFolder("cases")


@pytest.fixture(scope="module")
def page(tmp_path_factory: pytest.TempPathFactory) -> Iterator[PageServer]:
    """A page with one completed experiment, and one that failed."""
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(tmp_path_factory.mktemp("project"))
        Path("Snakefile").touch()
        write_workbook(1)
        write("cases", usual(0.1, 0.1))
        write_failed("broken")
        with page_served() as server:
            yield server


def act(page: PageServer, which: str, of: str = "cases", **form: str) -> Answer:
    """Confirm an act."""
    return page.post(f"/experiments/{of}/acts/{which}", None, confirm="yes", **form)


def said(answer: Answer) -> str:
    """What a page says, as a person reads it."""
    return html.unescape(answer.text)


@pytest.mark.parametrize("name", ACTS)
def test_each_act_asks_first(page: PageServer, name: str) -> None:
    """The page of an act says what it does and to which experiment, and does nothing before its button is pressed; what
    stands beside the button leads back."""
    before = (chosen("cases").row, sorted(FOLDER.path.rglob("*")))
    answer = page.ask(f"/experiments/cases/acts/{name}")
    assert answer.status == 200 and ACTS[name].question in said(answer) and "completed" in answer.text
    assert 'method="post"' in answer.text and 'href="/experiments/cases"' in answer.text
    assert (chosen("cases").row, sorted(FOLDER.path.rglob("*"))) == before


def test_what_is_offered() -> None:
    """An act is offered where it can be done: to cancel what is neither completed nor cancelled, and to ask again or to
    export where no run is at work."""
    assert set(offered(RUNNING)) == {"cancel", "snapshot"}
    assert set(offered(COMPLETED)) == {"retry-errors", "snapshot", "export"} == set(offered(CANCELLED))
    assert set(offered(DIED)) == set(ACTS)


def test_cancel(page: PageServer) -> None:
    """Cancelling does what the command does; where it refuses, its words are shown, and nothing changed."""
    done = act(page, "cancel", "broken")
    assert done.status == 200 and "broken: cancelled. It was not running." in said(done)
    assert chosen("broken").state == CANCELLED
    refused = act(page, "cancel")
    assert refused.status == 409 and "cases is completed: there is nothing to cancel." in said(refused)
    assert chosen("cases").state == COMPLETED


def test_snapshot(page: PageServer) -> None:
    """A snapshot is kept by its name and note; a name that is taken or cannot be used is refused in words, and what was
    typed stays in the form."""
    done = act(page, "snapshot", name="first", note="before the meeting")
    assert done.status == 200 and "Snapshot cases@first" in said(done)
    (kept,) = snapshots.all_of(FOLDER)
    assert (kept.name, kept.note) == ("first", "before the meeting")
    for name in ("first", "../out", ""):
        refused = act(page, "snapshot", name=name, note="of today")
        assert refused.status == 409 and 'role="alert"' in refused.text
        assert f'value="{name}"' in refused.text and 'value="of today"' in refused.text
    assert len(snapshots.all_of(FOLDER)) == 1


def test_export_without_text(page: PageServer, tmp_path: Path) -> None:
    """The file is the command's, byte for byte; one that exists is overwritten only if the form says so."""
    done = act(page, "export", what="no-text")
    assert done.status == 200 and f"{FOLDER.no_text}: 45 rows of cases" in said(done)
    export_no_text("cases", [], tmp_path / "by_command.csv", False)
    assert FOLDER.no_text.read_bytes() == (tmp_path / "by_command.csv").read_bytes()
    FOLDER.no_text.write_text("mine")
    refused = act(page, "export", what="no-text")
    assert refused.status == 409 and "already exists and may contain somebody's work" in said(refused)
    assert FOLDER.no_text.read_text() == "mine"
    assert act(page, "export", what="no-text", force="yes").status == 200
    assert FOLDER.no_text.read_bytes() == (tmp_path / "by_command.csv").read_bytes()


def test_export_for_review(page: PageServer) -> None:
    """A sample is dealt to the coders that the form names, each a sheet that only its owner reads."""
    done = act(page, "export", what="review", count="6", coders="ana, ben", overlap="2", seed="7", blind="yes")
    assert done.status == 200 and "drawn with seed 7" in said(done) and "stratum" in said(done)
    sheets = sorted(FOLDER.path.glob("review*.xlsx"))
    assert len(sheets) == 2 and all(stat.S_IMODE(path.stat().st_mode) == 0o600 for path in sheets)
    refused = act(page, "export", what="review", count="many")
    assert refused.status == 409 and "How many incidents: 'many' is not a whole number." in said(refused)
    assert 'value="many"' in refused.text and 'value="review" checked' in refused.text


def test_the_words_of_an_export() -> None:
    """What is typed into a form is a value of the command, and never an option of it."""
    assert export_words("cases", {"what": ["no-text"]}) == ["export", "cases", "--no-text"]
    form = {"what": ["review"], "count": ["20"], "coders": ["--force"], "variable": ["--output=/x"], "seed": [""]}
    assert export_words("cases", form) == [
        "export",
        "cases",
        "--review=20",
        "--coders=--force",
        "--variable=--output=/x",
    ]
    for count in ("", "-1", "1e3", "٣", "1" * 10):
        with pytest.raises(FindingsError, match="is not a whole number"):
            export_words("cases", {"what": ["review"], "count": [count]})


def test_an_act_that_is_none(page: PageServer) -> None:
    """There are no other acts than these, and none of an experiment that is not there."""
    assert page.ask("/experiments/cases/acts/forget").status == 404
    assert act(page, "forget").status == 404 == act(page, "cancel", "nowhere").status


def test_what_a_retry_would_ask(page: PageServer) -> None:
    """Before errors are asked again the page says how many there are of which category, as the run would."""
    answer = said(page.ask("/experiments/cases/acts/retry-errors"))
    categories = {"timeout", "parse_error", "data_error"}
    assert "Asked again:" in answer and sum(f'value="{category}"' in answer for category in categories) >= 2


def test_a_retry_that_cannot_begin(add: Add, monkeypatch: pytest.MonkeyPatch) -> None:
    """Nothing is started for an experiment that runs, has no such errors or no folder; and where the run that is
    started refuses, its last words are the message."""
    add("cases", "failed")
    with pytest.raises(ExperimentError, match="No row is such an error: nothing is asked again"):
        steering.start_retry("cases")
    add_result("cases", "1", "timeout")
    with pytest.raises(ExperimentError, match="No row is such an error"):
        steering.start_retry("cases", ["parse_error"])
    add("elsewhere", "failed", has_folder=False)
    with pytest.raises(ExperimentError, match="The folder of elsewhere is not here"):
        steering.start_retry("elsewhere")
    lock = RunLock(FOLDER.path)
    lock.acquire()
    with pytest.raises(AlreadyRunning, match=r"cases is running\. Its errors can be asked again when it has ended"):
        steering.start_retry("cases")
    lock.release()
    with pytest.raises(ExperimentError, match=r"The run refused to begin: .*Snakefile"):
        steering.start_retry("cases")
    log = FOLDER.logs / "retry_errors.log"
    assert log.read_text().startswith(
        "$ snakemake --cores 4 --config experiment_id=id-of-cases --forcerun retry_errors\n"
    )
