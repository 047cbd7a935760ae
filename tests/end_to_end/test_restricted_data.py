import subprocess

import pytest

from tests.project import ROOT, Project, cases

pytestmark = pytest.mark.end_to_end


def test_restricted_workbook_is_never_staged(project: Project) -> None:
    """After `dvc add`, `dvc push` and `git add -A`, git holds nothing of a restricted workbook but its checksum."""
    workbook = project.write_workbook(cases(3))
    workbook.with_name("cases.xlsx.dvc").unlink()
    (project.folder / "data/extract.csv").write_text("secret text")
    assert project.run("dvc", "add", "data/cases.xlsx").returncode == 0
    project.run("dvc", "push")
    subprocess.run(["git", "add", "-A"], cwd=project.folder, check=True)
    staged = subprocess.run(
        ["git", "ls-files", "data", "results", ".dvc"], cwd=project.folder, check=True, capture_output=True, text=True
    ).stdout.splitlines()
    demo = [name for name in staged if name.startswith("data/remote/")]
    tracked = subprocess.run(
        ["git", "ls-files", "data/remote", "published", "results"], cwd=ROOT, check=True, capture_output=True, text=True
    ).stdout.splitlines()
    assert set(demo) == {name for name in tracked if name.startswith("data/remote/")}
    assert set(staged) - set(demo) == {
        ".dvc/.gitignore",
        ".dvc/config",
        "data/cases.xlsx.dvc",
        "data/narratives.xlsx.dvc",
        "results/demo-published/journal/session-0001.dvc",
        "results/demo-published/kept_metrics.json.dvc",
    }
    content = workbook.read_bytes()
    for path in (project.folder / "data/remote").rglob("*"):
        assert not path.is_file() or path.read_bytes() != content
