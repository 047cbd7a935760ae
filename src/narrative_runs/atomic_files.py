"""Files that appear whole or not at all, and the folders in which unfinished ones lie meanwhile."""

import fcntl
import os
import shutil
import socket
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from narrative_runs.permissions import folder_mode

_LOCK = ".lock"
# Between its making and its lock a folder has none.
_SURELY_LEFT_S = 60.0


@contextmanager
def written_whole(path: Path) -> Iterator[Path]:
    """Give a temporary path in the same folder to write to; move it to `path` at the end, or remove it on an
    error.

    The content is on the disk before the move, so that a power cut leaves the old file or the new one. The
    folder is made if it is missing.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    # Always the same name, so that what a killed process left behind is overwritten and does not pile up.
    draft = path.with_name(f".{path.name}.draft")
    try:
        yield draft
        with draft.open("rb+") as written:
            os.fsync(written.fileno())
        draft.replace(path)
    finally:
        draft.unlink(missing_ok=True)


@contextmanager
def scratch_folder(path: Path) -> Iterator[Path]:
    """Make the empty folder `path`, for those alone who may read texts, and remove it with all it holds at the end."""
    # Always the same name here too: it may hold narratives.
    shutil.rmtree(path, ignore_errors=True)
    path.mkdir(mode=folder_mode())
    try:
        yield path
    finally:
        shutil.rmtree(path)


@contextmanager
def temporary_folder(prefix: str, within: Path) -> Iterator[Path]:
    """Make a folder of a new name that begins with `prefix`, for its owner alone, and remove it at the end.

    What killed processes left of the same prefix is removed first: each holds a lock, which the kernel frees.
    """
    remove_left_behind(prefix, within)
    folder = Path(tempfile.mkdtemp(prefix=prefix, dir=within))
    try:
        with (folder / _LOCK).open("wb") as lock:
            fcntl.flock(lock, fcntl.LOCK_EX)
            yield folder
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def remove_left_behind(prefix: str, within: Path) -> None:
    """Remove the temporary folders with this prefix whose processes are gone."""
    for left in within.glob(f"{prefix}*"):
        if _is_left_behind(left):
            shutil.rmtree(left, ignore_errors=True)


def _is_left_behind(folder: Path) -> bool:
    """Whether this is a folder of ours whose process is gone."""
    try:
        status = folder.lstat()
        if not folder.is_dir() or folder.is_symlink() or status.st_uid != os.getuid():
            return False
        with (folder / _LOCK).open("rb") as lock:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
            return True
    except FileNotFoundError:
        return _is_of_0_1_0(folder) and time.time() - status.st_mtime > _SURELY_LEFT_S
    except OSError:
        return False


def _is_of_0_1_0(folder: Path) -> bool:
    """Whether the first release, which held no lock, left this folder: nobody listens at the socket in it."""
    try:
        for path in folder.iterdir():
            if path.is_socket():
                with socket.socket(socket.AF_UNIX) as connection:
                    connection.connect(str(path))
                return False
    except ConnectionRefusedError:
        return True
    except OSError:
        return False
    return True
