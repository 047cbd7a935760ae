"""`narrative-runs estimate` on an experiment on disk, with all that it writes."""

import json
import re
from pathlib import Path
from typing import Any

import pandas as pd
import pytest
import yaml

from narrative_runs import experiment
from narrative_runs.atomic_files import written_whole
from narrative_runs.errors import ExperimentError, FindingsError
from narrative_runs.estimating import proof
from narrative_runs.estimating.reported import report_anew
from narrative_runs.findings.suppression import MASKED
from narrative_runs.jobs import report as report_job
from narrative_runs.paths import ExperimentFolder
from narrative_runs.report.captions import CAPTIONS
from narrative_runs.report.estimates_figure import NAME
from narrative_runs.report.page import Picture
from tests.reviewed_experiment import fill, run, write_experiment

pytestmark = pytest.mark.slow

FOLDER = ExperimentFolder("cases")


@pytest.fixture(autouse=True)
def reviewed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """An experiment of 90 incidents, of which some are errors and some were not asked about; two coders read 60."""
    draw_estimates_alone(monkeypatch)
    monkeypatch.chdir(tmp_path)
    context = write_experiment(90, asked=170)
    Path("params.yaml").write_text(yaml.safe_dump(context.params.model_dump(mode="json")))
    run(monkeypatch, "export", "cases", "--review", "60", "--coders", "ana,ben", "--blind")


def draw_estimates_alone(monkeypatch: pytest.MonkeyPatch) -> None:
    """Of the report's figures that of the estimates alone is drawn: drawing the others takes longer than all else."""
    put = report_job._put

    def not_drawn(name: str, *others: Any, **options: Any) -> Picture:
        return put(name, *others, **options) if name == NAME else Picture(name, CAPTIONS[name], "not drawn", b"<svg/>")

    monkeypatch.setattr(report_job, "_put", not_drawn)


def review(monkeypatch: pytest.MonkeyPatch, *coders: str) -> None:
    """These coders fill in their sheets: one in four incidents is true."""
    for coder in coders:
        path = fill(FOLDER.path / f"review_{coder}.xlsx", lambda row: int(int(row["incident_id"][-2:]) % 4 == 0))
        run(monkeypatch, "review", "import", str(path), "--coder", coder)


def made_anew() -> None:
    """The report is made anew, as the plain command does."""
    state = experiment.find(FOLDER)
    assert state is not None
    report_anew(FOLDER, state)


def content() -> Any:
    return json.loads(FOLDER.estimates.read_text())


def test_files_are_whole_and_the_same_each_time(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """The same answers and reviews give the same bytes; incidents come before narratives, and the corrected number
    before the others, in file, table and on the screen."""
    review(monkeypatch, "ana", "ben")
    capsys.readouterr()
    run(monkeypatch, "estimate", "cases")
    shown = capsys.readouterr().out
    files = [FOLDER.estimates, FOLDER.estimates_table, FOLDER.figure("estimates", "png")]
    before = [path.read_bytes() for path in files]
    run(monkeypatch, "estimate", "cases")
    assert [path.read_bytes() for path in files] == before
    assert not list(FOLDER.path.glob(".estimates*"))
    of_variable = content()["variables"]["detected"]
    assert [name for name in of_variable if name in ("incident", "narrative")] == ["incident", "narrative"]
    rates = of_variable["incident"]["prevalence"]
    assert list(rates) == ["corrected", "labelled", "naive"]
    assert (of_variable["incident"]["n"], of_variable["incident"]["n_reviewed"]) == (90, 60)
    assert of_variable["incident"]["n_errors"] and of_variable["incident"]["n_unasked"]
    table = pd.read_csv(FOLDER.estimates_table)
    assert table["kind"].tolist() == ["corrected", "reviews alone", "model alone (naive)"] * 2
    assert table["value"][0] == pytest.approx(rates["corrected"]["value"], abs=1e-15)
    heads = next(line for line in shown.splitlines() if "prevalence" in line)
    assert heads.index("prevalence") < heads.index("reviews alone") < heads.index("model alone (naive)")
    assert content()["methods"] in shown.replace("\n", " ") or content()["methods"][:60] in shown


def test_the_report_has_them(monkeypatch: pytest.MonkeyPatch) -> None:
    """The report is made anew with a section of estimates and the paragraph; before there is none."""
    review(monkeypatch, "ana", "ben")
    run(monkeypatch, "estimate", "cases")
    page = FOLDER.report.read_text()
    assert 'id="estimates-heading"' in page and "Model alone<br>(naive)" in page
    assert content()["methods"].replace("'", "&#39;") in page
    cited = re.sub("<[^>]*>", "", page[page.rindex("Narratives were classified with") :]).split("\nSource:")[0]
    assert content()["methods"].startswith(" ".join(cited.split()))
    FOLDER.estimates.unlink()
    made_anew()
    assert "estimates" not in FOLDER.report.read_text().replace("narrative-runs estimate", "")


def test_they_are_proved_and_an_altered_number_is_not(monkeypatch: pytest.MonkeyPatch) -> None:
    """What follows from answers and reviews is proved; where a number was altered in either file it is refused, and
    the command that makes it anew does."""
    review(monkeypatch, "ana", "ben")
    assert proof.prove_estimates(Path("params.yaml")) == []
    run(monkeypatch, "estimate", "cases", "--variable", "detected")
    lines = proof.prove_estimates(Path("params.yaml"))
    assert [line.split(":")[0] for line in lines] == [str(FOLDER.estimates), str(FOLDER.estimates_table)]
    for path in (FOLDER.estimates, FOLDER.estimates_table):
        whole = path.read_text()
        number = repr(content()["variables"]["detected"]["incident"]["prevalence"]["corrected"]["value"])
        assert number in whole
        with written_whole(path) as draft:
            draft.write_text(whole.replace(number, "0.5"))
        with pytest.raises(ExperimentError, match="does not follow") as refused:
            proof.prove_estimates(Path("params.yaml"))
        assert "`narrative-runs estimate cases --variable detected`" in str(refused.value)
        run(monkeypatch, "estimate", "cases", "--variable", "detected")
        assert path.read_text() == whole


def test_estimates_of_older_reviews_are_told(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """When reviews come in later, the import says that the estimates are older, the report and the proof say so, and
    making them anew ends it."""
    review(monkeypatch, "ana")
    run(monkeypatch, "estimate", "cases")
    n_before = content()["variables"]["detected"]["incident"]["n_reviewed"]
    capsys.readouterr()
    review(monkeypatch, "ben")
    assert "estimates.json is of older reviews than there are now; to recreate it" in capsys.readouterr().out
    [line] = proof.prove_estimates(Path("params.yaml"))
    assert "not proved, as it is of older reviews" in line
    made_anew()
    assert "These estimates are of older reviews than there are now" in FOLDER.report.read_text()
    run(monkeypatch, "estimate", "cases")
    assert content()["variables"]["detected"]["incident"]["n_reviewed"] > n_before
    assert len(proof.prove_estimates(Path("params.yaml"))) == 2
    assert "are of older reviews" not in FOLDER.report.read_text()


def test_what_is_replaced_can_be_brought_back(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """Where another command made the estimates that are replaced, its line is shown with what they were made from, and
    brings back the same bytes; the same command again, and a file that nobody can read, need no word."""
    review(monkeypatch, "ana", "ben")
    run(monkeypatch, "estimate", "cases", "--variable", "detected")
    before = FOLDER.estimates.read_bytes()
    run(monkeypatch, "estimate", "cases", "--variable", "detected")
    assert "This replaces" not in capsys.readouterr().out
    run(monkeypatch, "estimate", "cases", "--assume-random")
    said = " ".join(capsys.readouterr().out.split())
    (command,) = re.findall(r"This replaces the estimates that were made by `narrative-runs (.*?)`, from reviews", said)
    assert FOLDER.estimates.read_bytes() != before
    run(monkeypatch, *command.split())
    assert FOLDER.estimates.read_bytes() == before
    assert "cases --assume-random`, from labels" in " ".join(capsys.readouterr().out.split())
    FOLDER.estimates.write_text("[]")
    run(monkeypatch, "estimate", "cases")
    assert "This replaces" not in capsys.readouterr().out


def test_small_counts_are_masked_in_all_that_is_written(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """With report.suppress_below no file, figure or screen has a number of a level with small counts; estimates that
    were made without it are not shown by the report."""
    review(monkeypatch, "ana", "ben")
    run(monkeypatch, "estimate", "cases")
    value = content()["variables"]["detected"]["incident"]["prevalence"]["corrected"]["value"]
    described = yaml.safe_load(FOLDER.description.read_text())
    described["params"]["report"]["suppress_below"] = 50
    FOLDER.description.write_text(yaml.safe_dump(described))
    made_anew()
    page = FOLDER.report.read_text()
    assert "Not shown: these estimates are of another report.suppress_below" in page
    assert f"{100 * value:.1f}%" not in page
    capsys.readouterr()
    run(monkeypatch, "estimate", "cases")
    of_variable = content()["variables"]["detected"]
    assert of_variable["incident"]["prevalence"] == of_variable["incident"]["n_reviewed"] == MASKED
    table = pd.read_csv(FOLDER.estimates_table)
    assert table["is_masked"].all() and table["value"].isna().all()
    assert f"{100 * value:.1f}%" not in capsys.readouterr().out + FOLDER.estimates.read_text()


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["--variable", "weapon"], "there is no such variable"),
        (["--by", "Sex"], "--by names Sex, and the workbook has no such column"),
        (["--plan", "--width", "1.5"], "between 0 and 1"),
    ],
)
def test_what_cannot_be_is_refused_in_words(words: list[str], message: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """A variable or column that is not there, and a width that is none, end with what is wrong; nothing is written."""
    with pytest.raises(SystemExit, match=message):
        run(monkeypatch, "estimate", "cases", *words)
    assert not FOLDER.estimates.exists() and not FOLDER.estimates_table.exists()


def test_damaged_estimates_are_told(monkeypatch: pytest.MonkeyPatch) -> None:
    """A file of estimates that is no JSON, or holds something else, is refused with what to do."""
    review(monkeypatch, "ana")
    run(monkeypatch, "estimate", "cases")
    whole = FOLDER.estimates.read_text()
    for text in (whole[:100], "[]", whole.replace('"variables": {\n', '"variables": {"a": 1,\n')):
        assert text != whole
        FOLDER.estimates.write_text(text)
        with pytest.raises(FindingsError, match="Delete it"):
            made_anew()


def test_what_the_report_needs_may_be_missing(monkeypatch: pytest.MonkeyPatch) -> None:
    """Where a part of the experiment's folder was deleted, the estimates are written, and the message says how the
    report comes."""
    review(monkeypatch, "ana")
    FOLDER.retries.unlink()
    with pytest.raises(SystemExit, match=r"a file is missing: .*retries\.parquet") as ended:
        run(monkeypatch, "estimate", "cases")
    assert "Start the run of cases again" in str(ended.value) and FOLDER.estimates.exists()
