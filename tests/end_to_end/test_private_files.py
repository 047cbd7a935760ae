"""Who can read what a project holds, with the rights that most shells give."""

import os
import re
import stat
import subprocess
from pathlib import Path

import pytest

from tests.project import Fake, Project, cases

pytestmark = pytest.mark.end_to_end

EXPORT = ("narrative-runs", "export", "cases", "--review", "10", "--output")


def typed(project: Project, *words: str) -> subprocess.CompletedProcess[str]:
    """Run a command as from a shell that lets everybody read what it makes."""
    return project.run("sh", "-c", 'umask 022 && exec "$@"', "sh", *project.command(*words))


def open_to(project: Project, bits: int) -> list[str]:
    """What lies in the folders that can hold texts, may be reached, and has any of these rights."""
    found = []
    for top in ("results", ".dvc/cache", ".snakemake"):
        for folder, _, files in os.walk(project.folder / top):
            if not stat.S_IMODE(Path(folder).stat().st_mode) & bits:
                # Nobody gets below it.
                if folder == str(project.folder / top):
                    break
                continue
            found += [folder, *(f"{folder}/{name}" for name in files if os.lstat(f"{folder}/{name}").st_mode & bits)]
    return [path for path in found if not path.endswith(".dvc")]


def test_nobody_else_reads_a_text(project: Project, fake: Fake) -> None:
    """With a usual umask, and folders that a clone left open, nothing that can hold a text is open to others, after a
    run, `dvc repro`, an export and a migration."""
    project.write_workbook(cases(6))
    project.write_params(fake.url)
    for name in ("results", ".dvc/cache", ".snakemake"):
        (project.folder / name).mkdir(parents=True, exist_ok=True)
        (project.folder / name).chmod(0o755)
    assert typed(project, "snakemake", "--cores", "2").returncode == 0
    assert open_to(project, 0o077) == []
    record = project.folder / "results/experiments.db"
    for path in (record, *(project.folder / "results/cases").rglob("*")):
        assert not path.lstat().st_mode & 0o077 or path.is_symlink(), path
    record.chmod(0o644)
    migrated = typed(project, "narrative-runs", "migrate", "results/experiments.db")
    assert migrated.returncode == 0, migrated.stdout
    assert stat.S_IMODE(record.stat().st_mode) == 0o600
    assert typed(project, *EXPORT, "results/cases/sample.csv").returncode == 0
    assert stat.S_IMODE((project.folder / "results/cases/sample.csv").stat().st_mode) == 0o600


@pytest.mark.long
def test_a_group_shares_what_it_is_to_share(project: Project, fake: Fake) -> None:
    """With data.share: group the files of an experiment that was private are readable and writable for the group, those
    that come later too, and others still read nothing."""
    project.write_workbook(cases(6))
    project.write_params(fake.url, run={"max_narratives": 4})
    assert typed(project, "snakemake", "--cores", "2").returncode == 0
    project.write_params(fake.url, data={"share": "group"})
    assert typed(project, "snakemake", "--cores", "2").returncode == 0
    assert typed(project, *EXPORT, "results/cases/sample.csv").returncode == 0
    assert open_to(project, 0o007) == []
    for path in (project.folder / "results/experiments.db", *(project.folder / "results/cases").rglob("*")):
        mode = path.lstat().st_mode
        assert path.is_symlink() or (mode & 0o060) == 0o060, (path, oct(mode))


@pytest.mark.long
def test_git_gets_no_text(project: Project, fake: Fake) -> None:
    """A sample for review is refused where `git add` would take it; the printed command, and every other way that is
    named, work."""
    project.write_workbook(cases(6))
    project.write_params(fake.url)
    assert project.snakemake().returncode == 0
    for name in ("sample.csv", "docs/sample.xlsx", "new folder/sample.csv"):
        refused = project.run(*EXPORT, name)
        assert refused.returncode == 1 and "Traceback" not in refused.stdout, refused.stdout
        assert "the next `git add` would include them" in refused.stdout
        assert not (project.folder / name).exists()
        (command,) = re.findall(r"`(echo [^`]*)`", refused.stdout)
        assert project.run("sh", "-c", command).returncode == 0
        written = project.run(*EXPORT, name)
        assert written.returncode == 0, written.stdout
    assert project.run("narrative-runs", "export", "cases", "--review", "10").returncode == 0
    assert project.run(*EXPORT, str(project.folder.with_name("outside.csv"))).returncode == 0
    assert project.run("git", "add", "-A").returncode == 0
    staged = project.run("git", "ls-files").stdout
    assert "sample" not in staged and "review.xlsx" not in staged
