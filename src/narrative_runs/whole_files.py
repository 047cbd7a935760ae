"""Files that appear whole or not at all, and the folder in which unfinished ones lie meanwhile."""

import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from narrative_runs.permissions import folder_mode


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
