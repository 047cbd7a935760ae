"""From reviews to prevalences, from outside: a run, samples filled in by who knows the truth, and what is estimated."""

import hashlib
import json
import os
import random
import signal
import time
from collections.abc import Iterator
from functools import partial
from typing import Any

import pandas as pd
import pytest

from tests.end_to_end.test_reproduce import activate
from tests.fake_server import answer_to
from tests.project import LABELLED, Fake, Project, cases, fake_server
from tests.reviewed_experiment import fill

pytestmark = pytest.mark.end_to_end

COUNT, ASKED, KILLS = 300, 580, 4
FOLDER = "results/cases"
FAILED = "LE text of case 1."
ESTIMATE = ("narrative-runs", "estimate", "cases", "--by", "Sex")
CODEBOOK: dict[str, Any] = {
    "variables": {
        "detected": {"type": "binary", "unclear": "error"},
        "weapon": {"type": "category", "values": ["gun", "knife", "none"]},
        "age": {"type": "number", "minimum": 0, "maximum": 110},
        "summary": {"type": "text"},
    }
}


def is_true(text: str) -> bool:
    """What is true of a narrative: what the model says, but for one yes in three and one no in twelve."""
    chance = hashlib.sha256(f"truth|{text}".encode()).digest()[0]
    return chance >= 85 if answer_to(f"Narrative: {text}")["detected"] else chance < 21


def known(truth: dict[str, Any], row: "pd.Series[Any]") -> Any:
    """What a coder says of a row who knows the truth by incident."""
    return truth[row["incident_id"]]


def estimates_in(project: Project, slug: str = "cases") -> dict[str, Any]:
    found: dict[str, Any] = project.read_json(f"results/{slug}/estimates.json")
    return found


def done(project: Project, *words: str) -> str:
    """What a command says that must not fail."""
    result = project.run(*words)
    assert result.returncode == 0, result.stdout
    return result.stdout


def refused(project: Project, *words: str) -> str:
    """What a command says that must fail in words."""
    result = project.run(*words)
    assert result.returncode == 1 and "Traceback" not in result.stdout, result.stdout
    return " ".join(result.stdout.split())


@pytest.fixture(scope="module")
def fake() -> Iterator[Fake]:
    with fake_server() as server:
        yield server


@pytest.fixture(scope="module")
def project(tmp_path_factory: pytest.TempPathFactory, fake: Fake) -> Project:
    """A completed experiment of 300 incidents: one is an error, ten were not asked about, and all have a sex."""
    project = Project(tmp_path_factory.mktemp("project"))
    project.environment["COLUMNS"] = "160"
    activate(project)
    rows = [[*row, "F" if number % 3 else "M"] for number, row in enumerate(cases(COUNT))]
    project.write_workbook(rows, [*LABELLED, "Sex"])
    fake.behave(only_if=FAILED, status=400, body='{"error": {"message": "context length exceeded"}}')
    project.write_params(fake.url, run={"max_narratives": ASKED, "max_in_flight": 16})
    assert (ran := project.snakemake()).returncode == 0, ran.stdout
    fake.behave()
    return project


@pytest.fixture(scope="module")
def dealt(project: Project) -> Project:
    """The experiment, with a sheet for each of two coders."""
    done(project, "narrative-runs", "export", "cases", "--review", "180", "--coders", "ana,ben", "--overlap", "20")
    return project


@pytest.fixture(scope="module")
def estimated(dealt: Project) -> Project:
    """The experiment, which both coders have reviewed, with its estimates by sex."""
    review(dealt, "ana", "ben")
    done(dealt, *ESTIMATE)
    return dealt


def review(project: Project, *coders: str) -> None:
    for coder in coders:
        path = fill(project.folder / FOLDER / f"review_{coder}.xlsx", lambda row: int(is_true(row["narrative_text"])))
        done(project, "narrative-runs", "review", "import", str(path), "--coder", coder)


def test_labels_of_a_part_are_refused(project: Project) -> None:
    """Labels of a part are refused in words, with what to do; a plan says how many reviews it takes. Nothing is
    written."""
    assert "290 of 300 incidents have a label" in (words := refused(project, "narrative-runs", "estimate"))
    assert "narrative-runs export cases --review 200 --coders NAME" in words and "--assume-random" in words
    plan = done(project, "narrative-runs", "estimate", "cases", "--plan", "--width", ".15")
    assert "Nothing is reviewed yet" in plan and "unasked" in plan
    assert not (project.folder / FOLDER / "estimates.json").exists()


def test_chosen_rows_are_refused(dealt: Project) -> None:
    """Reviews of disagreements alone, and open disagreements, are refused in words, each with what to do. Nothing is
    written."""
    project = dealt
    sheet = project.folder / FOLDER / "review_ana.xlsx"
    chosen = project.folder / "chosen.xlsx"
    rows = pd.read_excel(sheet, dtype=object, engine="openpyxl")
    wrong = rows["stratum"].isin(["false positive", "false negative"])
    rows["reviewer_verdict"] = [
        int(is_true(text)) if told else None for text, told in zip(rows["narrative_text"], wrong, strict=True)
    ]
    rows.to_excel(chosen, index=False, sheet_name="review", engine="openpyxl")
    done(project, "narrative-runs", "review", "import", str(chosen), "--coder", "ana")
    words = refused(project, "narrative-runs", "estimate", "cases")
    assert "true negative (" in words and "error (1 incident)" in words and "are not a sample" in words
    fill(
        project.folder / FOLDER / "review_ben.xlsx",
        lambda row: int(not is_true(row["narrative_text"])),
        project.folder / "wrong.xlsx",
    )
    done(project, "narrative-runs", "review", "import", "wrong.xlsx", "--coder", "ben")
    words = refused(project, "narrative-runs", "estimate", "cases")
    assert "coders do not agree" in words and "narrative-runs review disagreements cases" in words
    assert not (project.folder / FOLDER / "estimates.json").exists()


def test_the_prevalence_is_that_of_the_truth(estimated: Project) -> None:
    """When both coders have filled in their sheets, the corrected interval of incidents, and that of narratives, holds
    the true share; the model's own does not. Groups are there, and their difference."""
    project = estimated
    shown = done(project, *ESTIMATE)
    found = estimates_in(project)
    of_variable = found["variables"]["detected"]
    narratives = {(row[0], kind): is_true(str(row[1 + kind])) for row in cases(COUNT) for kind in (0, 1)}
    true_narratives = sum(narratives.values()) / len(narratives)
    true_incidents = sum(narratives[row[0], 0] or narratives[row[0], 1] for row in cases(COUNT)) / COUNT
    for level, truth in (("incident", true_incidents), ("narrative", true_narratives)):
        rates = of_variable[level]["prevalence"]
        assert rates["corrected"]["low"] < truth < rates["corrected"]["high"]
        assert not rates["naive"]["low"] < truth < rates["naive"]["high"]
    incident = of_variable["incident"]
    assert [incident[name] for name in ("n", "n_answered", "n_errors", "n_unasked", "n_reviewed")] == [
        300,
        289,
        1,
        10,
        180,
    ]
    assert (incident["design"], of_variable["source"], of_variable["n_coders"]) == ("stratified", "reviews", 2)
    assert found["compared_with"] == {"Sex": "F"}
    by = incident["by"]["Sex"]
    assert (
        by["F"]["difference"] is None
        and by["M"]["difference"]["corrected"]["low"] < 0 < by["M"]["ratio"]["corrected"]["low"]
    )
    assert "prevalence" in shown and "model alone (naive)" in shown and "detected by Sex" in shown
    page = (project.folder / FOLDER / "report.html").read_text()
    assert "Estimates" in page and "180 of them, drawn at random within strata" in page


@pytest.mark.long
def test_they_are_proved(estimated: Project) -> None:
    """`prove` derives both files once more and finds them the same; an altered number is refused, and the command that
    the message names brings it back."""
    project = estimated
    assert (proved := done(project, "narrative-runs", "prove")).count("estimates.") == 2, proved
    path = project.folder / FOLDER / "estimates.json"
    whole = path.read_text()
    value = repr(json.loads(whole)["variables"]["detected"]["incident"]["prevalence"]["corrected"]["value"])
    path.write_text(whole.replace(value, "0.123"))
    assert "`narrative-runs estimate cases --by Sex`" in refused(project, "narrative-runs", "prove")
    done(project, *ESTIMATE)
    assert path.read_text() == whole


@pytest.mark.long
def test_a_masked_prevalence_comes_back_with_a_lower_limit(estimated: Project, fake: Fake) -> None:
    """With a limit the screen says which kinds of counts are small, and what can be done; done as it says, without a
    question to the model, the same estimates are there again."""
    project, asked = estimated, fake.asked
    path, params = project.folder / FOLDER / "estimates.json", project.folder / "params.yaml"
    before, whole = path.read_text(), params.read_text()
    project.write_params(fake.url, run={"max_narratives": ASKED, "max_in_flight": 16}, report={"suppress_below": 40})
    assert (ran := project.snakemake()).returncode == 0, ran.stdout
    said = " ".join(done(project, *ESTIMATE).split())
    assert "nothing is shown of incidents. A count below report.suppress_below (40)" in said
    assert "`narrative-runs estimate cases --by Sex`" in said
    assert estimates_in(project)["variables"]["detected"]["incident"]["prevalence"] == "masked"
    params.write_text(whole)
    assert (ran := project.snakemake()).returncode == 0, ran.stdout
    done(project, *ESTIMATE)
    assert path.read_text() == before and fake.asked == asked


@pytest.mark.long
def test_kills_leave_whole_files(estimated: Project) -> None:
    """Estimates that are killed at random moments leave each file whole, the earlier one or the new one; the command
    that is left alone gives the same bytes as ever."""
    project = estimated
    names = ("estimates.json", "estimates.csv", "report.html", "figures/estimates.png")
    files = [project.folder / FOLDER / name for name in names]
    began = time.monotonic()
    done(project, *ESTIMATE)
    usual = time.monotonic() - began
    whole = [path.read_bytes() for path in files]
    moments = random.Random(1)
    for _ in range(KILLS):
        with project.started(*ESTIMATE) as process:
            time.sleep(moments.uniform(0.3, 1.0) * usual)
            os.killpg(process.pid, signal.SIGKILL)
        assert [path.read_bytes() for path in files] == whole
    for path in files:
        path.unlink()
    for _ in range(KILLS):
        with project.started(*ESTIMATE) as process:
            time.sleep(moments.uniform(0.6, 1.1) * usual)
            os.killpg(process.pid, signal.SIGKILL)
        assert all(not path.exists() or path.read_bytes() == before for path, before in zip(files, whole, strict=True))
    done(project, *ESTIMATE)
    assert [path.read_bytes() for path in files] == whole


@pytest.mark.long
def test_the_plain_command_keeps_them(estimated: Project, fake: Fake) -> None:
    """After the estimates there is nothing to do for snakemake; a report that was deleted comes back with them in it,
    and nothing is asked."""
    project, asked = estimated, fake.asked
    assert "Nothing to be done" in project.snakemake("-n").stdout
    page = project.folder / FOLDER / "report.html"
    before = page.read_bytes()
    page.unlink()
    assert project.snakemake().returncode == 0
    assert page.read_bytes() == before and fake.asked == asked


@pytest.mark.long
def test_estimates_of_older_answers_are_told(estimated: Project) -> None:
    """When an error is asked again, the report and `prove` say that the estimates are of older answers; made anew they
    count the answer, and the review of what changed does not count."""
    project = estimated
    assert (ran := project.snakemake("--forcerun", "retry_errors")).returncode == 0, ran.stdout
    page = project.folder / FOLDER / "report.html"
    assert "These estimates are of older answers than there are now" in page.read_text()
    assert "not proved, as it is of older answers" in done(project, "narrative-runs", "prove")
    shown = done(project, "narrative-runs", "estimate", "cases")
    assert "reviews are of older answers, and are not counted" in shown
    assert estimates_in(project)["variables"]["detected"]["incident"]["n_errors"] == 0
    assert "of older answers than there are now" not in page.read_text()


def test_labels_by_the_users_word(estimated: Project) -> None:
    """With --assume-random the labels count as a random sample, with reviews in their stead, and file, screen and
    report call it an assumption."""
    project = estimated
    shown = done(project, "narrative-runs", "estimate", "cases", "--assume-random")
    found = estimates_in(project)["variables"]["detected"]
    assert found["is_assumed_random"] and found["source"] == "labels" and found["n_reviewed_labels"] > 100
    assert found["incident"]["design"] == "random" and found["incident"]["n_reviewed"] == 290
    assert "which is an assumption" in " ".join(shown.split())
    assert "which is an assumption" in (project.folder / FOLDER / "report.html").read_text()


@pytest.mark.long
def test_variables_of_a_codebook(tmp_path_factory: pytest.TempPathFactory, fake: Fake) -> None:
    """With a codebook each variable with reviews is estimated: where all incidents are reviewed, the shares of a
    category's values and the mean of a number are the true ones; of the others it is said why not."""
    project = Project(tmp_path_factory.mktemp("coded"))
    activate(project)
    project.write_workbook(
        [[f"{n:04}", f"CME text of case {n}.", f"LE text of case {n}."] for n in range(40)], LABELLED[:3]
    )
    project.write_params(
        fake.url,
        experiment={"name": "Coded", "slug": "coded"},
        prompt={"user_template": "<<CODEBOOK>>\nNarrative: <<TEXT>>"},
        codebook=CODEBOOK,
    )
    assert (ran := project.snakemake()).returncode == 0, ran.stdout
    weapons = {f"{n:04}": ["gun", "knife", "none", "gun"][n % 4] for n in range(40)}
    ages = {f"{n:04}": 20 + n for n in range(40)}
    for name, truth in (("weapon", weapons), ("age", ages)):
        done(project, "narrative-runs", "export", "coded", "--review", "40", "--coders", "ana", "--variable", name)
        sheet = project.folder / f"results/coded/review_{name}_ana.xlsx"
        path = fill(sheet, partial(known, truth))
        done(project, "narrative-runs", "review", "import", str(path), "--coder", "ana")
    done(project, "narrative-runs", "estimate", "coded")
    found = estimates_in(project, "coded")
    weapon, age = found["variables"]["weapon"]["incident"], found["variables"]["age"]["incident"]
    shares = {value: rates["corrected"]["value"] for value, rates in weapon["prevalence"].items()}
    assert shares == pytest.approx({"gun": 0.5, "knife": 0.25, "none": 0.25}, abs=1e-9)
    assert age["mean"]["corrected"]["value"] == pytest.approx(39.5, abs=1e-9)
    assert list(found["refused"]) == ["detected"] and "no incident is reviewed" in found["refused"]["detected"]
    assert "is of the type text" in refused(project, "narrative-runs", "estimate", "coded", "--variable", "summary")
    assert "estimates.json: follows" in done(project, "narrative-runs", "prove")


def test_a_removed_experiment_leaves_no_estimates(estimated: Project) -> None:
    """`forget` removes them with all else."""
    project = estimated
    assert (project.folder / FOLDER / "estimates.json").exists()
    done(project, "narrative-runs", "forget", "cases", "--yes")
    assert not (project.folder / FOLDER).exists()
