import hashlib
import subprocess
import sys
from pathlib import Path

import pytest

from narrative_runs.errors import SourceChanged, SourceError
from narrative_runs.source.checksum import fetch, md5_of, must_be, tracked_md5, verify


@pytest.fixture
def repository(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The working folder: a DVC repository of its own, without git and without a remote."""
    dvc(tmp_path, "init", "--no-scm", "--quiet")
    monkeypatch.chdir(tmp_path)
    return tmp_path


@pytest.fixture
def workbook(repository: Path) -> Path:
    """A file that DVC tracks."""
    path = Path("data/narratives.csv")
    path.parent.mkdir()
    path.write_bytes(b"IncidentID,NarrativeCME,NarrativeLE\r\n1,a,b\r\n")
    dvc(repository, "add", "--quiet", str(path))
    return path


def dvc(folder: Path, *arguments: str) -> None:
    """Run a DVC command in a folder."""
    subprocess.run([sys.executable, "-m", "dvc", *arguments], cwd=folder, check=True, capture_output=True)


def track(path: Path, text: str) -> Path:
    """Write a file and, as its .dvc file, the text."""
    path.write_text("content")
    path.with_name(path.name + ".dvc").write_text(text)
    return path


def test_md5_is_that_of_the_bytes(tmp_path: Path) -> None:
    """A file larger than any buffer has the MD5 of all of its bytes, as they are."""
    content = b"line\r\n" * 500_000
    (tmp_path / "file").write_bytes(content)
    assert md5_of(tmp_path / "file") == hashlib.md5(content).hexdigest()


@pytest.mark.slow
def test_verify_agrees_with_dvc(workbook: Path) -> None:
    """A text file with Windows line ends that DVC has just tracked is verified, and its MD5 returned."""
    assert verify(workbook) == tracked_md5(workbook) == hashlib.md5(workbook.read_bytes()).hexdigest()


@pytest.mark.slow
def test_change_is_told_with_both_checksums_and_both_ways_out(workbook: Path) -> None:
    """A changed workbook raises SourceChanged with file, both checksums and the two ways out."""
    original = tracked_md5(workbook)
    workbook.write_text("changed")
    with pytest.raises(SourceChanged) as raised:
        verify(workbook)
    lines = [line.strip() for line in str(raised.value).splitlines()]
    assert lines[0] == "Data file has changed since original load!"
    assert f"File: {workbook}" in lines
    assert f"Original checksum: {original}" in lines
    assert f"Current checksum:  {md5_of(workbook)}" in lines
    assert "Cannot safely resume. Please start a new experiment." in lines
    changed = "data/narratives-changed.csv"
    assert f"`mv data/narratives.csv {changed} && dvc checkout data/narratives.csv.dvc`" in str(raised.value)
    assert "`dvc add data/narratives.csv`" in str(raised.value)


@pytest.mark.slow
def test_a_workbook_that_is_saved_meanwhile_is_told(workbook: Path) -> None:
    """What has been verified may be changed a moment later: it is compared anew each time, and told as changed."""
    original = verify(workbook)
    must_be(workbook, original)
    workbook.write_bytes(workbook.read_bytes() + b"more")
    with pytest.raises(SourceChanged, match="Data file has changed"):
        must_be(workbook, original)


@pytest.mark.slow
def test_untracked_workbook_is_to_be_added(repository: Path) -> None:
    """A workbook without a .dvc file raises SourceError that says which command tracks it."""
    workbook = Path("x.xlsx")
    workbook.write_text("content")
    with pytest.raises(SourceError, match=r"`dvc add x\.xlsx`"):
        verify(workbook)


def test_missing_workbook_is_named(tmp_path: Path) -> None:
    """A workbook that is not there raises SourceError with its path."""
    with pytest.raises(SourceError, match=r"not found: .*gone\.xlsx"):
        verify(tmp_path / "gone.xlsx")


@pytest.mark.slow
def test_checksum_of_an_older_dvc_is_refused(repository: Path) -> None:
    """A .dvc file without `hash: md5` raises SourceError that says to add it again, though its MD5 fits."""
    digest = hashlib.md5(b"content").hexdigest()
    workbook = track(Path("x.csv"), f"outs:\n- md5: {digest}\n  size: 7\n  path: x.csv\n")
    with pytest.raises(SourceError, match=r"hash: md5(.|\n)*dvc add .*x\.csv"):
        verify(workbook)


@pytest.mark.parametrize("text", ["", "outs: []", "outs:\n- path: x", "outs: [", "outs: 3", "- a", "outs:\n- text"])
@pytest.mark.slow
def test_damaged_dvc_file_is_named(repository: Path, text: str) -> None:
    """A .dvc file that holds no checksum raises SourceError with its path and what to do."""
    workbook = track(Path("x.csv"), text)
    with pytest.raises(SourceError, match=r"x\.csv\.dvc(.|\n)*dvc add"):
        tracked_md5(workbook)
    workbook.unlink()
    with pytest.raises(SourceError, match=r"x\.csv\.dvc(.|\n)*Put the data file there"):
        tracked_md5(workbook)


@pytest.mark.slow
def test_fetch_brings_back_a_missing_workbook(
    workbook: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    """A missing workbook comes back from DVC, from any working folder, and nothing is printed."""
    content = workbook.read_bytes()
    remote = Path("remote").absolute()
    dvc(Path(), "remote", "add", "--default", "store", str(remote))
    dvc(Path(), "push")
    workbook.unlink()
    monkeypatch.chdir(workbook.parent)
    fetch(Path(workbook.name))
    assert Path(workbook.name).read_bytes() == content
    assert capfd.readouterr() == ("", "")


@pytest.mark.slow
def test_fetch_leaves_an_existing_workbook(workbook: Path) -> None:
    """A workbook that is there keeps its content, even if it is not the tracked one."""
    workbook.write_text("changed")
    fetch(workbook)
    assert workbook.read_text() == "changed"


def test_fetch_without_tracking_does_nothing(tmp_path: Path) -> None:
    """A workbook that is missing and untracked is left to verify, which tells the user."""
    fetch(tmp_path / "gone.xlsx")
    assert list(tmp_path.iterdir()) == []


@pytest.mark.slow
def test_failed_fetch_tells_what_dvc_said(repository: Path) -> None:
    """When DVC cannot deliver, SourceError names the workbook, quotes DVC, and does not say to try the same again."""
    workbook = Path("x.csv")
    lost = hashlib.md5(b"lost").hexdigest()
    track(workbook, f"outs:\n- md5: {lost}\n  size: 4\n  hash: md5\n  path: x.csv\n").unlink()
    with pytest.raises(SourceError) as raised:
        fetch(workbook)
    message = str(raised.value)
    assert "could not fetch it: x.csv" in message
    assert "dvc: " in message
    assert "Put the file there" in message and "`" not in message


@pytest.mark.slow
def test_a_colon_in_a_name_ends_no_name(repository: Path) -> None:
    """A workbook with a colon in its name is fetched like any other."""
    workbook = Path("cases: 2024.csv")
    workbook.write_text("content")
    dvc(repository, "add", "--quiet", str(workbook))
    workbook.unlink()
    fetch(workbook)
    assert workbook.read_text() == "content"


def test_import_is_light() -> None:
    """Checking a checksum loads neither pandas nor pyarrow nor dvc."""
    script = "import sys, narrative_runs.source.checksum; print({'pandas', 'pyarrow', 'dvc'} & sys.modules.keys())"
    loaded = subprocess.run([sys.executable, "-c", script], check=True, capture_output=True, text=True)
    assert loaded.stdout.strip() == "set()"
