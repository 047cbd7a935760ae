from pathlib import Path

import pytest

from tests.project import Project
from tests.real_programs.experiment import SLUGS, assert_read_right
from tests.real_programs.lines import documented
from tests.real_programs.programs import Program

pytestmark = [pytest.mark.real_programs, pytest.mark.end_to_end]

BY_BOTH = {"results.parquet", "results.csv", "results.json", "performance.log", "api_calls.log"}


@pytest.mark.parametrize("slug", SLUGS)
@pytest.mark.parametrize(
    ("heading", "files"), [("polars", BY_BOTH | {"results.xlsx", "experiments.db"}), ("DuckDB", BY_BOTH)]
)
def test_documented_lines(
    finished: Project, other_python: Program, tmp_path: Path, heading: str, files: set[str], slug: str
) -> None:
    """With the documented lines polars and DuckDB read each file as it was meant."""
    read = other_python.read(finished, slug, documented(heading, "python"), tmp_path)
    assert set(read) == files
    for file, table in read.items():
        assert_read_right(finished, slug, file, table)
