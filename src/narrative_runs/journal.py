"""Journals: every model answer as it came. They are the authority; all else derives from them.

A journal is a file of JSON lines, `results/<slug>/journal/session-0001/03-of-16.jsonl`: first a head, which tells the
experiment, then one entry an answer. A session writes files of its own and never those of an earlier one, so that no
two processes ever write one file. A line is written by a single call as soon as the answer has come, and is synced to
disk within a second. A torn last line, which a power cut can leave, is passed over: that answer is asked again.

While a session writes, its folder is called `session-0001.open`; sealed, at its end or by the next session, it is
`session-0001` and never changes again. DVC tracks the sealed ones and does not look at open ones.
"""

import fcntl
import json
import os
import threading
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any, BinaryIO

from narrative_runs.errors import JournalError

SESSION_FOLDER = "session-{:04d}"
OPEN = ".open"
RETRY = "retry"
_ANY_SESSION = "session-" + "[0-9]" * 4


@dataclass(frozen=True, slots=True)
class Place:
    """Where an entry lies: file, first byte, length in bytes."""

    path: Path
    offset: int
    length: int

    def read(self) -> dict[str, Any]:
        """The entry."""
        with self.path.open("rb") as file:
            file.seek(self.offset)
            return _decoded(file.read(self.length))


def files(journals: Path, name: str = "*") -> list[Path]:
    """The journal files called `name`, oldest session first, sealed or open."""
    return sorted(path for ending in ("", OPEN) for path in journals.glob(f"{_ANY_SESSION}{ending}/{name}.jsonl"))


def next_session(journals: Path) -> int:
    """The number of a session that begins now, from 1."""
    folders = [*journals.glob(_ANY_SESSION), *journals.glob(_ANY_SESSION + OPEN)]
    return 1 + max((int(path.name.removeprefix("session-")[:4]) for path in folders), default=0)


def not_here(journals: Path) -> list[str]:
    """The sealed sessions that a .dvc file names, and that are not in the folder, as in a clone before `dvc pull`."""
    named = (path.with_suffix("") for path in sorted(journals.glob(f"{_ANY_SESSION}.dvc")))
    return [folder.name for folder in named if not folder.is_dir()]


def growing(journals: Path, session: int) -> Path:
    """The folder in which a session writes, until it is sealed."""
    return journals / (SESSION_FOLDER.format(session) + OPEN)


def heads(journals: Path) -> list[dict[str, Any]]:
    """The heads of all journal files that hold one, oldest session first."""
    return [found for path in files(journals) if (found := head(path))]


def head(path: Path) -> dict[str, Any]:
    """The head of a journal file; empty where a power cut left less than a whole line.

    Raises:
        JournalError: the line is damaged.
    """
    with path.open("rb") as file:
        line = file.readline()
    if not line.endswith(b"\n"):
        return {}
    try:
        return dict(_decoded(line)["head"])
    except (ValueError, KeyError):
        raise JournalError(f"{path}: its first line is damaged. Restore the file from a backup.") from None


def entries(path: Path, offset: int = 0) -> Iterator[tuple[Place, dict[str, Any]]]:
    """All whole entries of a journal file from byte `offset` on, without its head.

    Raises:
        JournalError: a line other than the last cannot be read.
    """
    with path.open("rb") as file:
        file.seek(offset)
        for line in file:
            if not line.endswith(b"\n"):
                return
            try:
                entry = _decoded(line)
            except ValueError:
                raise JournalError(
                    f"{path}, byte {offset}: this line is damaged. Restore the file from a backup, or delete the "
                    "line to have its narrative asked again."
                ) from None
            if offset > 0:
                yield Place(path, offset, len(line)), entry
            offset += len(line)


def spans(journals: Path) -> list[tuple[datetime, datetime]]:
    """For each session with answers when it first asked and when its last answer came, oldest session first."""
    found: dict[str, tuple[datetime, datetime]] = {}
    for path in files(journals):
        ends = _first_and_last(path)
        if ends is not None:
            first, last = found.get(path.parent.name, ends)
            found[path.parent.name] = min(first, ends[0]), max(last, ends[1])
    return [found[session] for session in sorted(found)]


def seal(journals: Path) -> int:
    """Seal what sessions left open, however they ended; to be called while none of them can write any more.

    What a kill or a power cut left of a last line is cut off; returns how many journals had such a line.
    """
    torn = 0
    for folder in sorted(journals.glob(_ANY_SESSION + OPEN)):
        torn += sum(_cut_torn_line(path) for path in folder.glob("*.jsonl"))
        sealed = folder.with_suffix("")
        # The folders of two copies of an experiment may have been put together.
        folder.rename(sealed if not sealed.exists() else journals / SESSION_FOLDER.format(next_session(journals)))
    return torn


class Journal:
    """One journal file, open for this process alone."""

    def __init__(self, path: Path, head: dict[str, Any]) -> None:
        """Nothing is written before the first entry.

        path: the file, which this session alone writes; head: experiment_id, source_md5, params, began_at and more.
        """
        self._path = path
        self._head = head
        self._descriptor: int | None = None
        self._size = 0
        self._unsynced = False
        self._syncing = threading.Lock()

    def append(self, entry: dict[str, Any]) -> None:
        """Write one entry; it outlives the process when this returns.

        Raises:
            JournalError: the disk is full or the file cannot be written; no torn line is left.
        """
        try:
            if self._descriptor is None:
                self._descriptor = self._open()
            # The head goes with the first entry, so that no file holds the one without the other.
            line = (_encoded({"head": self._head}) if self._size == 0 else b"") + _encoded(entry)
            self._write(self._descriptor, line)
        except OSError as error:
            raise JournalError(
                f"{self._path}: the answer cannot be written ({error.strerror}). All earlier answers are kept. "
                "Make room, then start the same command again."
            ) from None
        self._size += len(line)
        self._unsynced = True

    def sync(self) -> None:
        """Bring all entries to the disk, so that they outlive a power cut."""
        with self._syncing:
            if self._descriptor is not None and self._unsynced:
                self._unsynced = False
                os.fsync(self._descriptor)

    def close(self) -> None:
        """Sync and close."""
        if self._descriptor is not None:
            self.sync()
            os.close(self._descriptor)
            self._descriptor = None

    def _open(self) -> int:
        self._path.parent.mkdir(parents=True, exist_ok=True)
        descriptor = os.open(self._path, os.O_WRONLY | os.O_APPEND | os.O_CREAT | os.O_EXCL, 0o600)
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        return descriptor

    def _write(self, descriptor: int, line: bytes) -> None:
        """Write a line whole, or none of it."""
        written = 0
        try:
            # A full disk takes a part of a line; the next byte tells the reason.
            while written < len(line):
                written += os.write(descriptor, line[written:])
        except OSError:
            os.ftruncate(descriptor, self._size)
            raise


def _first_and_last(path: Path) -> tuple[datetime, datetime] | None:
    """When the first entry of a journal was asked, and when the last one was answered: they are in the order of the
    answers."""
    first = next(entries(path), None)
    if first is None:
        return None
    with path.open("rb") as file:
        end = _end_of_last_line(file, file.seek(0, os.SEEK_END))
        file.seek(_end_of_last_line(file, end - 1))
        last = _decoded(file.readline())
    answered_at = datetime.fromisoformat(last["asked_at"]) + timedelta(seconds=last.get("response_sec") or 0.0)
    return datetime.fromisoformat(first[1]["asked_at"]), answered_at


def _cut_torn_line(path: Path) -> bool:
    with path.open("rb+") as file:
        content_end = file.seek(0, os.SEEK_END)
        keep = _end_of_last_line(file, content_end)
        if keep < content_end:
            file.truncate(keep)
    return keep < content_end


def _end_of_last_line(file: BinaryIO, end: int) -> int:
    while end > 0:
        begin = max(0, end - 65536)
        file.seek(begin)
        found = file.read(end - begin).rfind(b"\n")
        if found >= 0:
            return begin + found + 1
        end = begin
    return 0


def _encoded(entry: dict[str, Any]) -> bytes:
    return json.dumps(entry, separators=(",", ":")).encode() + b"\n"


def _decoded(line: bytes) -> dict[str, Any]:
    value = json.loads(line)
    if not isinstance(value, dict):
        raise ValueError("no JSON object")
    return value
