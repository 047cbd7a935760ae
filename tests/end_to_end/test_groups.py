"""Findings by group, and masked counts, from outside."""

import csv
from collections.abc import Iterator
from typing import Any

import pytest

from tests.project import LABELLED, Fake, Project, cases, fake_server

pytestmark = pytest.mark.end_to_end

COUNT = 60
FOLDER = "results/cases"
SEXES = {7: "other", 9: "other", 11: None}


@pytest.fixture(scope="module")
def fake() -> Iterator[Fake]:
    with fake_server() as server:
        yield server


@pytest.fixture(scope="module")
def finished(tmp_path_factory: pytest.TempPathFactory, fake: Fake) -> Project:
    """A completed experiment on a workbook with other columns, measured by none of them."""
    project = Project(tmp_path_factory.mktemp("project"))
    project.environment["COLUMNS"] = "80"
    rows = [
        [*row, SEXES.get(number, "F" if number % 2 else "M"), 2010 + number % 3]
        for number, row in enumerate(cases(COUNT))
    ]
    project.write_workbook(rows, [*LABELLED, "Sex", "IncidentYear"])
    write_params(project, fake)
    result = project.snakemake()
    assert result.returncode == 0, result.stdout
    return project


def write_params(project: Project, fake: Fake, **report: Any) -> None:
    """The params of the experiment; `report`: its report section."""
    project.write_params(fake.url, report=report)


@pytest.mark.long
def test_a_mistyped_group_is_told_before_anything_is_done(finished: Project, fake: Fake) -> None:
    """A column that the workbook does not have ends the command with those that it has, and changes nothing: of a
    completed experiment, and of a new one before its first question."""
    write_params(finished, fake, groups=["Sexx"])
    before, asked = finished.read_json(f"{FOLDER}/metrics.json"), fake.asked
    result = finished.snakemake()
    assert result.returncode != 0 and "Traceback" not in result.stdout
    told = " ".join(result.stdout.split())
    assert "report.groups names Sexx, and the workbook has no such column. There are: Sex, IncidentYear." in told
    assert finished.read_json(f"{FOLDER}/metrics.json") == before
    params = finished.write_params(
        fake.url, "new.yaml", experiment={"name": "New", "slug": "new"}, report={"groups": ["Sexx"]}
    )
    assert params["report"] == {"groups": ["Sexx"]}
    result = finished.snakemake("--configfile", "new.yaml")
    assert result.returncode != 0 and "report.groups names Sexx" in " ".join(result.stdout.split())
    assert fake.asked == asked
    # Nothing is begun by a run that could not be measured as it is wanted.
    assert not (finished.folder / "results/new/experiment.yaml").exists()


def test_groups_of_a_completed_experiment_are_measured_without_a_question(finished: Project, fake: Fake) -> None:
    """With report.groups set, the plain command measures by them: in metrics.json, on the screen and in the report; it
    asks nothing, and the same command again changes nothing. The findings are proved with their groups."""
    asked = fake.asked
    write_params(finished, fake, groups=["Sex", "incidentyear"])
    result = finished.snakemake()
    assert result.returncode == 0, result.stdout
    groups = finished.read_json(f"{FOLDER}/metrics.json")["groups"]
    assert {column: list(values) for column, values in groups.items()} == {
        "Sex": ["(blank)", "F", "M", "other"],
        "IncidentYear": ["2010", "2011", "2012"],
    }
    assert sum(group["n_total"] for group in groups["Sex"].values()) == 2 * COUNT
    assert groups["Sex"]["other"]["n_total"] == 4 and groups["Sex"]["other"]["is_small"]
    assert "by Sex;" in result.stdout
    page = (finished.folder / FOLDER / "report.html").read_text(encoding="utf-8")
    assert 'id="groups"' in page
    proved = finished.run("narrative-runs", "prove")
    assert proved.returncode == 0, proved.stdout
    state = {path.name: path.stat().st_mtime_ns for path in (finished.folder / FOLDER).glob("*.*")}
    assert finished.snakemake().returncode == 0
    assert {path.name: path.stat().st_mtime_ns for path in (finished.folder / FOLDER).glob("*.*")} == state
    assert fake.asked == asked


@pytest.mark.long
def test_small_counts_are_masked_wherever_they_may_be_published(finished: Project, fake: Fake) -> None:
    """report.suppress_below masks the report, the metrics to publish and rows without text, and nothing that stays at
    home; it asks nothing and needs no other merge."""
    write_params(finished, fake, groups=["Sex", "incidentyear"])
    assert finished.snakemake().returncode == 0
    asked = fake.asked
    before = (finished.folder / FOLDER / "metrics.json").read_bytes()
    write_params(finished, fake, groups=["Sex"], suppress_below=5)
    result = finished.snakemake()
    assert result.returncode == 0, result.stdout
    metrics, published = (finished.read_json(f"{FOLDER}/{name}.json") for name in ("metrics", "metrics_to_publish"))
    assert metrics["groups"]["Sex"]["other"]["n_total"] == 4
    other, blank = (published["groups"]["Sex"][name] for name in ("other", "(blank)"))
    assert other["n_total"] == other["n_answered"] == other["tp"] == blank["n_answered"] == "masked"
    page = (finished.folder / FOLDER / "report.html").read_text(encoding="utf-8")
    assert "Counts below 5 are masked" in page
    exported = finished.run("narrative-runs", "export", "cases", "--no-text", "--columns", "Sex", "--output", "out.csv")
    assert exported.returncode == 0 and "Cells by which counts below 5" in exported.stdout, exported.stdout
    with (finished.folder / "out.csv").open(encoding="utf-8", newline="") as file:
        rows = list(csv.DictReader(file))
    assert len(rows) == 2 * COUNT and "other" not in {row["Sex"] for row in rows}
    assert "incident" not in rows[0] and "row_num" not in rows[0]
    write_params(finished, fake, groups=["Sex", "incidentyear"])
    assert finished.snakemake().returncode == 0
    assert (finished.folder / FOLDER / "metrics.json").read_bytes() == before
    assert (finished.folder / FOLDER / "metrics_to_publish.json").read_bytes() == before
    assert fake.asked == asked


@pytest.mark.long
def test_a_limit_that_is_set_later_names_the_command_for_the_estimates(finished: Project, fake: Fake) -> None:
    """A plain run that writes the report again under another limit says which estimates are left out, and with which
    command they are made anew; after that command it says nothing more of them."""
    made = finished.run("narrative-runs", "estimate", "cases", "--by", "Sex", "--assume-random")
    assert made.returncode == 0, made.stdout
    write_params(finished, fake, suppress_below=5)
    result = finished.snakemake()
    told = " ".join(result.stdout.split())
    assert result.returncode == 0 and "are of another report.suppress_below" in told, result.stdout
    command = "narrative-runs estimate cases --by Sex --assume-random"
    assert f"`{command}`" in told
    assert not (finished.folder / FOLDER / "figures/estimates.png").exists()
    assert finished.run(*command.split()).returncode == 0
    assert finished.read_json(f"{FOLDER}/estimates.json")["made_from"]["suppress_below"] == 5
    write_params(finished, fake, suppress_below=5, groups=["Sex"])
    again = finished.snakemake()
    assert again.returncode == 0 and "are of another report.suppress_below" not in " ".join(again.stdout.split())
