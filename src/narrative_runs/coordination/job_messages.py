"""What a job says that cannot reach its run: it leaves a note in the experiment's folder, which both hosts see."""

import platform
import uuid
from contextlib import suppress
from pathlib import Path

from narrative_runs.permissions import file_mode, folder_mode

NAME = ".job_messages"


def leave(folder: Path, text: str) -> None:
    """Leave a note; where that cannot be, there is nobody to tell."""
    with suppress(OSError):
        (folder / NAME).mkdir(mode=folder_mode(), exist_ok=True)
        draft = folder / NAME / f".{uuid.uuid4().hex}"
        draft.touch(file_mode())
        draft.write_text(f"{platform.node()}: {text}", encoding="utf-8")
        draft.rename(draft.with_name(f"{draft.name[1:]}.txt"))


def take(folder: Path) -> list[str]:
    """The notes that jobs have left, which are removed."""
    notes = []
    for path in sorted((folder / NAME).glob("[!.]*.txt")):
        with suppress(OSError):
            notes.append(path.read_text(encoding="utf-8", errors="replace"))
            path.unlink()
    with suppress(OSError):
        (folder / NAME).rmdir()
    return notes
