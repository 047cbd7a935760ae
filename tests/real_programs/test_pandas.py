import re
from pathlib import Path

import pytest

import narrative_runs
from tests.project import Project
from tests.real_programs import programs
from tests.real_programs.experiment import DIGITS, ODD, SLUGS, assert_read_right
from tests.real_programs.lines import documented, of_readme

pytestmark = [pytest.mark.end_to_end, pytest.mark.long]

ALL = {"results.parquet", "results.csv", "results.json", "results.xlsx", "experiments.db"}
LOGS = {"performance.log", "api_calls.log"}


@pytest.mark.parametrize("slug", SLUGS)
@pytest.mark.parametrize(
    ("heading", "files"), [("Python", {"results.parquet"}), ("pandas", ALL | LOGS)], ids=["Python", "pandas"]
)
def test_documented_lines(finished: Project, tmp_path: Path, heading: str, files: set[str], slug: str) -> None:
    """With the documented lines pandas reads each file as it was meant: ids, logicals, numbers, times and what is
    missing."""
    read = programs.our_python().read(finished, slug, documented(heading, "python"), tmp_path)
    assert set(read) == files
    for file, table in read.items():
        assert_read_right(finished, slug, file, table)


@pytest.mark.parametrize("slug", SLUGS)
@pytest.mark.parametrize("heading", ["Python, with the project's environment", "Python, with pandas alone"])
def test_lines_beside_the_results(finished: Project, tmp_path: Path, heading: str, slug: str) -> None:
    """The lines of README.txt in the results folder can be copied as they are, and read the results right."""
    text = (finished.folder / "results" / slug / "README.txt").read_text(encoding="utf-8")
    read = programs.our_python().read(finished, slug, of_readme(text, heading), tmp_path)
    (file, table), *others = read.items()
    assert not others and file in ALL
    assert_read_right(finished, slug, file, table)


def test_files_beside_it_are_there(finished: Project) -> None:
    """README.txt names each file and folder as it lies there, and only its owner can read it, as all of them."""
    folder = finished.folder / "results" / ODD
    named = re.findall(r"^(\S+) {2,}\S", (folder / "README.txt").read_text(encoding="utf-8"), re.M)
    assert len(named) == 10 and all((folder / name).exists() for name in named)
    assert (folder / "README.txt").stat().st_mode & 0o777 == 0o600


def test_read_from_another_folder(finished: Project) -> None:
    """A notebook elsewhere names the results folder, and gets the same table, with ids as they are in the workbook."""
    results = narrative_runs.read(DIGITS, results=finished.folder / "results")
    assert results["incident_id"].iloc[0] == "000000"
    assert len(narrative_runs.read(ODD, results=str(finished.folder / "results"))) == 1_200
