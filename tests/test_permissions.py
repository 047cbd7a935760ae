import os
import stat
from collections.abc import Iterator
from pathlib import Path

import pytest

from narrative_runs import permissions
from narrative_runs.paths import ExperimentFolder


def mode_of(path: Path | str) -> int:
    """The rights on a file or folder."""
    return stat.S_IMODE(Path(path).stat().st_mode)


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[ExperimentFolder]:
    """An experiment in a project that is open to everybody."""
    monkeypatch.chdir(tmp_path)
    before = os.umask(0o022)
    found = ExperimentFolder("cases")
    (found.journals / "session-0001").mkdir(parents=True)
    (found.journals / "session-0001/1-of-1.jsonl").write_text("{}")
    Path("results/backups").mkdir()
    Path("results/development").mkdir()
    Path("results/development/seen.jsonl").write_text("")
    Path("results/experiments.db").write_text("")
    Path(".dvc/cache").mkdir(parents=True)
    Path(".snakemake").mkdir()
    yield found
    os.umask(before)


ENTRIES = (
    "results",
    "results/experiments.db",
    "results/backups",
    "results/development",
    "results/development/seen.jsonl",
    "results/cases",
    "results/cases/journal/session-0001",
    "results/cases/journal/session-0001/1-of-1.jsonl",
    ".snakemake",
)


def test_what_is_there_is_closed_to_others(folder: ExperimentFolder) -> None:
    """Whatever lay open before, only its owner can read it once a run begins, and all that is written then."""
    assert permissions.put_right(folder, with_group=False) == ""
    assert {mode_of(entry) & 0o077 for entry in (*ENTRIES, ".dvc/cache")} == {0}
    folder.metrics.write_text("{}")
    assert mode_of(folder.metrics) == permissions.file_mode() == 0o600
    assert permissions.folder_mode() == 0o700


def test_the_group_may_do_what_the_owner_may(folder: ExperimentFolder) -> None:
    """Shared, files are readable and writable for the group, what is made later too, and for nobody else."""
    (folder.path / "locked").write_text("")
    (folder.path / "locked").chmod(0o444)
    assert permissions.put_right(folder, with_group=True) == ""
    for entry in ENTRIES:
        assert mode_of(entry) & 0o777 == (0o770 if Path(entry).is_dir() else 0o660), entry
    assert mode_of(folder.path / "locked") == 0o440
    folder.metrics.write_text("{}")
    assert mode_of(folder.metrics) == permissions.file_mode() == 0o660
    folder.logs.mkdir()
    assert mode_of(folder.logs) == 0o2770
    permissions.put_right(folder, with_group=False)
    assert mode_of(folder.metrics) == 0o600


def test_other_commands_write_as_results_are(folder: ExperimentFolder) -> None:
    """A command without params writes for the group where results/ is open to it alone, else for its owner."""
    for mode, files in (
        (0o755, 0o600),
        (0o775, 0o600),
        (0o777, 0o600),
        (0o700, 0o600),
        (0o770, 0o660),
        (0o2770, 0o660),
    ):
        Path("results").chmod(mode)
        permissions.as_results_are()
        assert permissions.file_mode() == files, oct(mode)


def test_a_cache_that_dvc_shares_stays_shared(folder: ExperimentFolder) -> None:
    """Where DVC was told that a group shares its cache, that is left to DVC."""
    Path(".dvc/config").write_text("[cache]\n    shared = group\n")
    permissions.put_right(folder, with_group=False)
    assert mode_of(".dvc/cache") == 0o755


def test_links_are_not_followed(folder: ExperimentFolder, tmp_path: Path) -> None:
    """What a link leads to may be somebody else's, and keeps its rights."""
    outside = tmp_path / "outside"
    outside.write_text("")
    (folder.path / "link").symlink_to(outside)
    permissions.put_right(folder, with_group=False)
    assert mode_of(outside) == 0o644


def test_a_drive_that_keeps_no_permissions_is_told(folder: ExperimentFolder, monkeypatch: pytest.MonkeyPatch) -> None:
    """Where modes cannot be set, a warning says who may read the texts."""
    monkeypatch.setattr(Path, "chmod", lambda *_: None)
    assert "other users of this machine may read it" in permissions.put_right(folder, with_group=False)
    assert "your group cannot use it" in permissions.put_right(folder, with_group=True)
