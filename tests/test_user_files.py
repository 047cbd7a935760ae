import stat
import subprocess
from pathlib import Path

import pytest

from narrative_runs.errors import FindingsError
from narrative_runs.user_files import check_free, check_git_ignores, owner_only


def mode_of(path: Path) -> int:
    """The rights on a file."""
    return stat.S_IMODE(path.stat().st_mode)


def test_only_the_owner_can_read_it_from_the_first_byte(tmp_path: Path) -> None:
    """The draft has the rights of the file, also where a killed process left a draft that others can read."""
    path = tmp_path / "folder" / "out.csv"
    path.parent.mkdir()
    (path.parent / ".out.csv.draft").write_text("left")
    with owner_only(path) as draft:
        assert mode_of(draft) == 0o600
        draft.write_text("new")
    assert (path.read_text(), mode_of(path)) == ("new", 0o600)
    assert list(path.parent.iterdir()) == [path]


def test_an_error_leaves_the_old_file(tmp_path: Path) -> None:
    """What fails half-way changes nothing and leaves nothing behind."""
    path = tmp_path / "out.csv"
    path.write_text("old")
    with pytest.raises(ValueError, match="half-way"), owner_only(path) as draft:
        draft.write_text("ne")
        raise ValueError("half-way")
    assert path.read_text() == "old"
    assert list(tmp_path.iterdir()) == [path]


def test_a_folder_that_cannot_be_made_is_told(tmp_path: Path) -> None:
    """Where a file stands in the place of the folder, a message names the path."""
    (tmp_path / "file").write_text("")
    with pytest.raises(FindingsError, match=r"file/out\.csv cannot be written"), owner_only(tmp_path / "file/out.csv"):
        pass


def test_nothing_is_overwritten_unasked(tmp_path: Path) -> None:
    """A file that is there is an error that names --force, and with it is none; a folder always is."""
    path = tmp_path / "out.csv"
    check_free([path], force=False)
    path.write_text("old")
    with pytest.raises(FindingsError, match=r"out\.csv already exists.*--force"):
        check_free([tmp_path / "other.csv", path], force=False)
    check_free([path], force=True)
    with pytest.raises(FindingsError, match="is a folder"):
        check_free([tmp_path], force=True)


def test_a_file_that_git_would_take_is_refused_with_the_option_that_names_it(tmp_path: Path) -> None:
    """The message names the option that the command has, and a place where git ignores the file."""
    subprocess.run(["git", "init", "-q", str(tmp_path)], check=True)
    path, ignored = tmp_path / "my.html", Path("results/my.html")
    with pytest.raises(FindingsError, match=r"Leave out --output \(results/my\.html is ignored by git\)"):
        check_git_ignores(path, ignored)
    with pytest.raises(FindingsError, match=r"Type --html results/my\.html, which is ignored by git") as raised:
        check_git_ignores(path, ignored, "--html")
    assert "--output" not in str(raised.value)
    (tmp_path / ".gitignore").write_text("/my.html\n")
    check_git_ignores(path, ignored, "--html")
