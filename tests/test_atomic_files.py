import os
import socket
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from narrative_runs.atomic_files import temporary_folder, written_whole


def test_the_file_is_not_there_before_it_is_whole(tmp_path: Path) -> None:
    """Nobody sees a file that is still being written; then it is there, and its draft is gone."""
    path = tmp_path / "new" / "results.csv"
    with written_whole(path) as draft:
        draft.write_text("half")
        assert not path.exists()
        draft.write_text("whole")
    assert path.read_text() == "whole"
    assert list(path.parent.iterdir()) == [path]


def test_a_failure_leaves_what_was_there(tmp_path: Path) -> None:
    """If writing fails, the old file stays, and no draft of the new one."""
    path = tmp_path / "results.csv"
    path.write_text("old")
    with pytest.raises(RuntimeError, match="disk"), written_whole(path) as draft:
        draft.write_text("half")
        raise RuntimeError("disk full")
    assert path.read_text() == "old"
    assert list(tmp_path.iterdir()) == [path]


def test_the_draft_of_a_killed_process_is_overwritten(tmp_path: Path) -> None:
    """What was left behind neither piles up nor gets into the file."""
    path = tmp_path / "results.csv"
    with written_whole(path) as draft:
        left_behind = draft
        draft.write_text("x")
    left_behind.write_text("a long text that a killed process left behind")
    with written_whole(path) as draft:
        draft.write_text("new")
    assert path.read_text() == "new"
    assert list(tmp_path.iterdir()) == [path]


def test_a_temporary_folder_is_gone_at_the_end(tmp_path: Path) -> None:
    """Whatever was written into it goes with it, also after an error."""
    with pytest.raises(ValueError, match="half-way"), temporary_folder("runs-", tmp_path) as folder:
        assert folder.stat().st_mode & 0o777 == 0o700
        (folder / "text").write_text("restricted")
        raise ValueError("half-way")
    assert list(tmp_path.iterdir()) == []


def test_what_killed_processes_left_is_removed(tmp_path: Path) -> None:
    """The folder of a process that was killed goes when the next one is made; that of one that lives stays, and so does
    what is not ours."""
    code = (
        "import sys, pathlib; from narrative_runs.atomic_files import temporary_folder\n"
        "with temporary_folder('runs-', pathlib.Path(sys.argv[1])) as folder:\n"
        "    (folder / 'text').write_text('restricted'); print(folder, flush=True); sys.stdin.read()"
    )
    command = [sys.executable, "-c", code, str(tmp_path)]
    pipes: dict[str, Any] = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE, "text": True}
    with subprocess.Popen(command, **pipes) as killed, subprocess.Popen(command, **pipes) as living:
        assert killed.stdout is not None and living.stdout is not None
        folders = [Path(process.stdout.readline().strip()) for process in (killed, living) if process.stdout]
        killed.kill()
        killed.wait()
        (tmp_path / "other").mkdir()
        link = tmp_path / "runs-link"
        link.symlink_to(tmp_path / "other")
        with temporary_folder("runs-", tmp_path):
            assert not folders[0].exists() and folders[1].exists()
            assert link.is_symlink() and (tmp_path / "other").exists()
        living.kill()


def test_what_the_first_release_left_is_removed(tmp_path: Path) -> None:
    """Its folders hold no lock: the socket at which nobody listens tells that its process is gone."""
    dead, alive, young = (tmp_path / f"runs-{name}" for name in ("dead", "alive", "young"))
    with socket.socket(socket.AF_UNIX) as listening:
        for folder in (dead, alive, young):
            folder.mkdir()
        with socket.socket(socket.AF_UNIX) as ended:
            ended.bind(str(dead / "session"))
        listening.bind(str(alive / "session"))
        listening.listen()
        for folder in (dead, alive):
            os.utime(folder, (0, 0))
        with temporary_folder("runs-", tmp_path):
            assert not dead.exists() and alive.exists() and young.exists()
