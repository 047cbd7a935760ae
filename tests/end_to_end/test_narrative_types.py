"""Experiments with narrative types of their own, and a workbook with other columns, from outside."""

import csv
import json
from collections.abc import Iterator
from typing import Any

import openpyxl
import pandas as pd
import pytest

from tests.project import Project, fake_server

pytestmark = pytest.mark.end_to_end

COUNT = 12
HEADER = ["CaseNo", "Examiner text", "Police text", "Lab text", "Violence", "Sex", "Incident Year", "stratum"]
TYPES = {
    "three": {"examiner": "Examiner text", "police": "Police text", "lab": "Lab text", "label_police": "Violence"},
    "one": {"police": "Police text", "label_police": "Violence"},
}


def rows() -> list[list[Any]]:
    """A workbook with three narratives a row, one of which is missing here and there, and other columns."""
    return [
        [
            f"{number:03d}",
            *(f"What the {who} says of case {number}, at some length." for who in ("examiner", "police")),
            f"What the lab says of case {number}, at some length." if number % 2 else None,
            number % 2,
            "-M" if number % 2 else None,
            2000 + number,
            f"county {number}",
        ]
        for number in range(COUNT)
    ]


@pytest.fixture(scope="module")
def project(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Project]:
    """A project with the experiments `three` and `one`, of three narrative types and of one."""
    project = Project(tmp_path_factory.mktemp("project"))
    project.environment["COLUMNS"] = "80"
    project.write_workbook(rows(), HEADER)
    with fake_server() as fake:
        for slug, columns in TYPES.items():
            project.write_params(
                fake.url,
                f"{slug}.yaml",
                experiment={"name": slug, "slug": slug},
                data={"columns": {"incident_id": "CaseNo", **columns}},
            )
            result = project.snakemake("--configfile", f"{slug}.yaml")
            assert result.returncode == 0, result.stdout
            assert "specificity" in result.stdout and "police" in result.stdout
    yield project


@pytest.mark.parametrize(("slug", "types"), [("three", ["examiner", "lab", "police"]), ("one", ["police"])])
def test_each_type_is_measured_and_reported(project: Project, slug: str, types: list[str]) -> None:
    """Metrics, record and report are of the types that the params name, and of no others."""
    metrics = project.read_json(f"results/{slug}/metrics.json")
    found = project.query(
        "SELECT narrative_type, count(*) FROM narrative_results JOIN experiments USING (experiment_id) "
        "WHERE slug = ? GROUP BY 1 ORDER BY 1",
        slug,
    )
    assert [kind for kind, _ in found] == sorted(metrics["by_type"]) == types
    assert dict(found) == {kind: scope["n_answered"] for kind, scope in metrics["by_type"].items()}
    assert metrics["agreement"] is None and metrics["completeness"]["n"] == COUNT
    assert metrics["by_type"]["police"]["n"] == COUNT
    report = (project.folder / f"results/{slug}/report.html").read_text(encoding="utf-8")
    assert all(f">{kind}</th>" in report for kind in types)
    assert "CME" not in report and "Agreement of" not in report
    assert (project.folder / f"results/{slug}/figures/agreement.png").exists()


def test_other_columns_ride_along_into_each_file(project: Project) -> None:
    """All files of the results have them beside the right narrative, the record does not."""
    folder = project.folder / "results/three"
    table = pd.read_parquet(folder / "results.parquet")
    assert list(table)[-3:] == ["Sex", "Incident Year", "workbook_stratum"]
    number = table["incident_id"].astype("int64")
    assert (table["Incident Year"] == 2000 + number).all() and table["Incident Year"].dtype == "Int64"
    assert (table["workbook_stratum"] == "county " + number.astype(str)).all()
    with (folder / "results.csv").open(encoding="utf-8", newline="") as file:
        assert {row["Sex"] for row in csv.DictReader(file)} == {"'-M", ""}
    records = json.loads((folder / "results.json").read_text(encoding="utf-8"))
    assert {record["Sex"] for record in records} == {"-M", None}
    workbook = openpyxl.load_workbook(folder / "results.xlsx", read_only=True)
    for sheet in ("results", "disagreements"):
        header = next(workbook[sheet].iter_rows(max_row=1, values_only=True))
        assert {"Sex", "Incident Year", "workbook_stratum"} <= set(header)
    columns = {name for _, name, *_ in project.query("PRAGMA table_info(narrative_results)")}
    assert not columns & {"Sex", "Incident Year", "workbook_stratum"}


def test_what_rides_along_is_proved(project: Project) -> None:
    """Derived once more, results with other columns and types are the same, byte for byte."""
    for slug in TYPES:
        result = project.run("narrative-runs", "prove", "--configfile", f"{slug}.yaml")
        assert result.returncode == 0, result.stdout
        assert f"results/{slug}/results.csv: follows, byte for byte" in result.stdout


def test_a_type_of_the_experiment_is_traced_to_its_column(project: Project) -> None:
    """A narrative leads to the column that the params name; a type that is none is told with those that are."""
    found = project.run("narrative-runs", "trace", "003", "lab", "three")
    assert found.returncode == 0 and "source_column     Lab text" in found.stdout
    unknown = project.run("narrative-runs", "trace", "003", "cme", "three")
    assert unknown.returncode == 1
    assert "Its narrative types are: examiner, lab, police." in unknown.stdout


def test_experiments_are_compared_under_the_types_that_both_have(project: Project) -> None:
    """Of three types and one, the one that they share is compared; nothing of the other columns is written."""
    result = project.run("narrative-runs", "compare", "three", "one", "--csv", "results/compared")
    assert result.returncode == 0, result.stdout
    tests = pd.read_csv(project.folder / "results/compared/tests.csv").set_index("scope")
    assert list(tests.index) == ["overall", "police"]
    assert tests["n_compared"].tolist() == [COUNT, COUNT]
    assert "county" not in (project.folder / "results/compared/changed.csv").read_text(encoding="utf-8")
