"""The sessions that a rollback has set aside: `results/<slug>/journal/set_aside.json`.

Their journals stay where they are. The file appears whole, so that at any moment every reader has one state of the
experiment or the other.
"""

import json
from dataclasses import asdict, dataclass
from functools import lru_cache
from pathlib import Path
from typing import Any

from narrative_runs.atomic_files import written_whole
from narrative_runs.errors import JournalError

NAME = "set_aside.json"


@dataclass(frozen=True)
class Rollback:
    """What the last rollback did.

    sessions: the names of those that do not count; snapshot: to which it went; undone_by: the snapshot of the state
    before; at: local time with its offset; earlier: the same of the rollback before, if it was not undone; derive_from:
    the snapshot from which all that follows from the answers is still to be derived, empty once that is done.
    """

    sessions: list[str]
    snapshot: str
    undone_by: str
    at: str
    earlier: dict[str, Any] | None = None
    derive_from: str = ""

    @property
    def needed(self) -> set[str]:
        """The names of the snapshots without which it can be neither undone nor finished."""
        own = {self.snapshot, self.undone_by, self.derive_from}
        return own if self.earlier is None else own | Rollback(**self.earlier).needed


def read(journals: Path) -> Rollback | None:
    """What the last rollback did; None where nothing is set aside.

    Raises:
        JournalError: the file is damaged, so that nobody knows which answers count.
    """
    path = journals / NAME
    try:
        state = path.stat()
        return _read(path, (state.st_ino, state.st_size, state.st_mtime_ns))
    except (FileNotFoundError, NotADirectoryError):
        return None
    except (OSError, ValueError, TypeError):
        raise JournalError(
            f"{path} is damaged: it names the sessions that a rollback has set aside. Restore it from a backup or from "
            "git. Do not delete it: the answers of two states would be mixed."
        ) from None


def sessions(journals: Path) -> frozenset[str]:
    """The names of the sessions that do not count.

    Raises:
        JournalError: nobody knows.
    """
    aside = read(journals)
    return frozenset(aside.sessions) if aside is not None else frozenset()


def write(journals: Path, aside: Rollback) -> None:
    """From now on these sessions, and no others, are set aside."""
    with written_whole(journals / NAME) as draft:
        draft.write_text(json.dumps(asdict(aside), indent=2) + "\n", encoding="utf-8")


def remove(journals: Path) -> None:
    """From now on all sessions count."""
    (journals / NAME).unlink(missing_ok=True)


@lru_cache(maxsize=8)
def _read(path: Path, _state: tuple[int, int, int]) -> Rollback:
    return Rollback(**json.loads(path.read_text(encoding="utf-8")))
