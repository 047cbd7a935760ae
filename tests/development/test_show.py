from pathlib import Path

import pytest

from narrative_runs.development.show import show
from narrative_runs.errors import FindingsError
from narrative_runs.paths import DEVELOPMENT
from tests.project import Project


def test_a_page_that_git_would_take_is_refused_by_the_name_of_its_option(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """`preflight --show 6 --html my.html` has no --output: its message names --html and a file that it takes."""
    project = Project(tmp_path)
    monkeypatch.chdir(project.folder)
    project.run("git", "init", "-q")
    with pytest.raises(FindingsError, match=f"Type --html {DEVELOPMENT}/my.html") as raised:
        show(Path("my.yaml"), 6, Path("my.html"))
    assert "--output" not in str(raised.value)
