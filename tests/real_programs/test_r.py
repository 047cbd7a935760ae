from pathlib import Path

import pytest

from tests.project import Project
from tests.real_programs.experiment import SLUGS, assert_read_right
from tests.real_programs.lines import documented, of_readme
from tests.real_programs.programs import Program

pytestmark = [pytest.mark.real_programs, pytest.mark.end_to_end]

BASE = {"results.csv", "performance.log", "api_calls.log"}
PACKAGES = {"results.csv", "performance.log", "results.xlsx", "results.json", "experiments.db"}


@pytest.mark.parametrize("slug", SLUGS)
@pytest.mark.parametrize(("number", "files"), [(0, BASE), (1, PACKAGES)], ids=["base", "packages"])
def test_documented_lines(
    finished: Project, r: Program, tmp_path: Path, number: int, files: set[str], slug: str
) -> None:
    """With the documented lines R reads each file as it was meant, and without a warning."""
    read = r.read(finished, slug, documented("R", "r", number), tmp_path)
    assert set(read) == files
    for file, table in read.items():
        assert_read_right(finished, slug, file, table)


@pytest.mark.parametrize("slug", SLUGS)
def test_lines_beside_the_results(finished: Project, r: Program, tmp_path: Path, slug: str) -> None:
    """The lines of README.txt in the results folder can be copied as they are, and read the results right."""
    text = (finished.folder / "results" / slug / "README.txt").read_text(encoding="utf-8")
    read = r.read(finished, slug, of_readme(text, "R"), tmp_path)
    assert set(read) == {"results.csv"}
    assert_read_right(finished, slug, "results.csv", read["results.csv"])
