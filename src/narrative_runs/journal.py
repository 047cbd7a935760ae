"""Journals: every model answer as it came. They are the authority; all else derives from them.

A journal is a file of JSON lines, `results/<slug>/journal/session-0001/03-of-16.jsonl`: first a head, which describes
the experiment, then one entry an answer. A session writes files of its own and never those of an earlier one, so that
no two processes ever write one file. A line is written by a single call as soon as the answer has come, and is synced
to disk within a second. A torn last line, which a power cut can leave, is passed over: that answer is asked again.

While a session writes, its folder is called `session-0001.open`; sealed, at its end or by the next session, it is
`session-0001` and never changes again: its checksums are beside its journals, and every reader compares each line with
them. DVC tracks the sealed ones and does not look at open ones. Where a snapshot is made of a run, its session is
sealed too, and a new session begins.

After a rollback, `set_aside.json` names the sessions that do not count: they stay where they are, and every reader
passes them over.

Only files with the names that this software gives are journals. Other files beside them, such as the conflict copies of
a program that synchronises folders, are passed over, and `strangers` names them.
"""

import fcntl
import json
import os
import re
import threading
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime, timedelta
from itertools import count
from pathlib import Path
from typing import Any, BinaryIO

from narrative_runs import journal_checksums, journal_set_aside
from narrative_runs.errors import JournalError
from narrative_runs.permissions import file_mode

SESSION_FOLDER = "session-{:04d}"
OPEN = ".open"
RETRY = "retry"
_TRACKED = ".dvc"
_JOURNAL = re.compile(rf"(?P<name>[0-9]+-of-[0-9]+|{RETRY})(?:\.(?P<part>[0-9]+))?\.jsonl")
_SESSION = re.compile(rf"(?P<name>session-(?P<number>[0-9]{{4}}))(?P<ending>{re.escape(OPEN)}|{re.escape(_TRACKED)})?")
# DVC writes the first where git would take the journals; a killed rollback may leave the last.
_BESIDE = (".gitignore", journal_set_aside.NAME, f".{journal_set_aside.NAME}.draft")


@dataclass(frozen=True, slots=True)
class EntryReference:
    """Where an entry is: file, first byte, length in bytes."""

    path: Path
    offset: int
    length: int

    def read(self) -> dict[str, Any]:
        """The entry."""
        with opened(self.path) as file:
            file.seek(self.offset)
            return _decoded(file.read(self.length))


def opened(path: Path) -> BinaryIO:
    """A journal file, open for reading, even if its session was sealed since the path was looked up.

    Raises:
        OSError: it cannot be opened.
    """
    try:
        return path.open("rb")
    except FileNotFoundError:
        if path.parent.suffix != OPEN:
            raise
        return (path.parent.with_suffix("") / path.name).open("rb")


def session_of(path: Path) -> int:
    """The number of the session that a journal file, or a session's folder, belongs to."""
    match = _SESSION.fullmatch(path.name) or _SESSION.fullmatch(path.parent.name)
    assert match is not None
    return int(match["number"])


def files(journals: Path, name: str = "") -> list[Path]:
    """The journal files called `name`, or all; oldest session first, sealed or open.

    Raises:
        JournalError: a folder cannot be read, so that nobody knows what was answered.
    """
    paths = (path for folder in _sessions(journals) for path in files_of(folder))
    return [path for path in paths if name in ("", name_of(path))]


def files_of(session: Path) -> list[Path]:
    """The journal files of one session.

    Raises:
        JournalError: its folder cannot be read.
    """
    return [session / file for file in sorted(filter(_JOURNAL.fullmatch, _names(session)), key=_order)]


def name_of(path: Path) -> str:
    """The name of a journal: its shard, or RETRY; also for the second part of a shard, which another host wrote."""
    match = _JOURNAL.fullmatch(path.name)
    return match["name"] if match else path.stem


def new_file(journals: Path, session: int, name: str) -> Path:
    """The path for a new journal called `name` in a session: a second one, if a host that is gone left the first."""
    folder = growing(journals, session)
    parts = (folder / (f"{name}.{part}.jsonl" if part > 1 else f"{name}.jsonl") for part in count(1))
    return next(path for path in parts if not path.exists())


def _order(file: str) -> tuple[str, int]:
    match = _JOURNAL.fullmatch(file)
    assert match is not None
    return match["name"], int(match["part"] or 1)


def strangers(journals: Path) -> list[Path]:
    """Files among the journals that are not journals, such as the copies that a synchronising program makes.

    Raises:
        JournalError: a folder cannot be read.
    """
    beside = [journals / name for name in _names(journals) if name not in _BESIDE and not _SESSION.fullmatch(name)]
    within = [
        folder / name
        for folder in _sessions(journals)
        for name in _names(folder)
        if not _JOURNAL.fullmatch(name) and name != journal_checksums.NAME
    ]
    return beside + within


def sealed_sessions(journals: Path, with_set_aside: bool = False) -> list[Path]:
    """The folders of the sealed sessions, oldest first; with_set_aside: also of those that a rollback has set aside."""
    return [folder for folder in _sessions(journals, with_set_aside) if folder.suffix != OPEN]


def must_be_as_sealed(journals: Path, with_content: bool) -> None:
    """See that every sealed session is as it was sealed.

    with_content: whether every byte is read; else only sizes and times are compared, which takes no time.

    Raises:
        JournalError: one is not; with its file and line, and the way back.
    """
    for session in sealed_sessions(journals):
        session_must_be_as_sealed(session, with_content)


def session_must_be_as_sealed(session: Path, with_content: bool) -> None:
    """The same for one session."""
    names = [path.name for path in files_of(session)]
    if names and _is_sealed_with_checksums(session / names[0]) and journal_checksums.read(session) is None:
        raise journal_checksums.altered(session, f"the {journal_checksums.NAME} that it was sealed with is missing")
    journal_checksums.must_be_there(session, names, with_content)


def next_session(journals: Path) -> int:
    """The number of a session that begins now, from 1."""
    return 1 + max((int(match["number"]) for match in _matches(journals)), default=0)


def not_here(journals: Path) -> list[str]:
    """The sealed sessions that a .dvc file names but that are not in the folder, as in a clone before `dvc pull`."""
    aside = journal_set_aside.sessions(journals)
    named = (match["name"] for match in _matches(journals) if match["ending"] == _TRACKED)
    return [name for name in named if name not in aside and not (journals / name).is_dir()]


def is_growing(journals: Path) -> bool:
    """Whether a session has written journals that are not sealed yet."""
    return any(folder.suffix == OPEN for folder in _sessions(journals))


def growing(journals: Path, session: int) -> Path:
    """The folder in which a session writes, until it is sealed."""
    return journals / (SESSION_FOLDER.format(session) + OPEN)


def heads(journals: Path) -> list[dict[str, Any]]:
    """The heads of all journal files that hold one, oldest session first."""
    return [head_of_file for path in files(journals) if (head_of_file := head(path))]


def head(path: Path) -> dict[str, Any]:
    """The head of a journal file; empty where a power cut left less than a whole line.

    Raises:
        JournalError: the line is damaged, or the file cannot be read.
    """
    try:
        with opened(path) as file:
            line = file.readline()
    except OSError as error:
        raise _unreadable(path, error) from None
    if not line.endswith(b"\n"):
        return {}
    try:
        return dict(_decoded(line)["head"])
    except (ValueError, KeyError, TypeError):
        raise JournalError(f"{path}: its first line is damaged. Restore the file from a backup.") from None


def entries(path: Path, offset: int = 0, holding: str = "") -> Iterator[tuple[EntryReference, dict[str, Any]]]:
    """All whole entries of a journal file from byte `offset` on, without its head.

    holding: only those whose line contains this, such as a fingerprint.

    Raises:
        JournalError: a line other than the last cannot be read, or one is not as it was sealed.
    """
    try:
        wanted = holding.encode()
        with opened(path) as file:
            file.seek(offset)
            # Who reads on where he stopped has had the lines before compared.
            for line in file if offset else journal_checksums.checked_lines(path, file):
                if not line.endswith(b"\n"):
                    return
                if wanted not in line:
                    offset += len(line)
                    continue
                try:
                    entry = _decoded(line)
                except ValueError:
                    raise JournalError(
                        f"{path}, line {_line_number(path, offset)} (byte {offset}): this line is damaged. Restore the "
                        "file from a backup, or delete the line to have its narrative asked again."
                    ) from None
                if offset > 0:
                    yield EntryReference(path, offset, len(line)), entry
                offset += len(line)
    except OSError as error:
        raise _unreadable(path, error) from None


def first_entries(journals: Path, name: str = "") -> dict[str, EntryReference]:
    """The references of the answers in the journals called `name`, or in all but those of retries, by fingerprint; of
    two the first counts.

    Raises:
        JournalError: one cannot be read.
    """
    first: dict[str, EntryReference] = {}
    for path in files(journals, name):
        if not name and name_of(path) == RETRY:
            continue
        for reference, entry in entries(path):
            first.setdefault(entry["fingerprint"], reference)
    return first


def passes(journals: Path) -> dict[str, dict[int, EntryReference]]:
    """The references of the answers of retries, by fingerprint and number of the pass.

    Raises:
        JournalError: one cannot be read.
    """
    references: dict[str, dict[int, EntryReference]] = {}
    for path in files(journals, RETRY):
        for reference, entry in entries(path):
            references.setdefault(entry["fingerprint"], {})[entry["attempt"]] = reference
    return references


def spans(journals: Path) -> list[tuple[datetime, datetime]]:
    """For each sitting with answers the times of its first request and its last answer, oldest first.

    A session that a snapshot has sealed, and the one that followed it while requests were in flight, are one sitting.
    """
    by_session: dict[int, tuple[datetime, datetime]] = {}
    for path in files(journals):
        ends = _first_and_last(path)
        if ends is not None:
            first, last = by_session.get(session_of(path), ends)
            by_session[session_of(path)] = min(first, ends[0]), max(last, ends[1])
    sittings: list[tuple[datetime, datetime]] = []
    for _, (first, last) in sorted(by_session.items()):
        if sittings and first <= sittings[-1][1]:
            first, last = sittings[-1][0], max(last, sittings.pop()[1])
        sittings.append((first, last))
    return sittings


def seal(journals: Path, before: int | None = None) -> int:
    """Seal the journals that sessions left open, however they ended; call it only when none of them can write any more.

    before: only the sessions with a lower number than this.

    A last line that a kill or a power cut left unfinished is cut off; returns how many journals had such a line.

    Raises:
        JournalError: the disk is full.
    """
    torn = 0
    for folder in _sessions(journals):
        if folder.suffix != OPEN or (before is not None and session_of(folder) >= before):
            continue
        names = [name for name in _names(folder) if _JOURNAL.fullmatch(name)]
        torn += sum(_cut_torn_line(folder / name) for name in names)
        try:
            journal_checksums.write(folder, names)
        except OSError as error:
            raise JournalError(
                f"{folder}: the session cannot be sealed ({error.strerror}). All answers are kept. Free some space, "
                "then start the same command again."
            ) from None
        sealed = folder.with_suffix("")
        # The folders of two copies of an experiment may have been put together.
        is_taken = os.path.lexists(sealed)
        folder.rename(journals / SESSION_FOLDER.format(next_session(journals)) if is_taken else sealed)
    return torn


class Journal:
    """One journal file, which only this process has open."""

    def __init__(self, path: Path, head: dict[str, Any]) -> None:
        """Nothing is written before the first entry.

        path: the file, which only this session writes; head: experiment_id, source_md5, params, began_at and more.
        """
        self._path = path
        self._head = head
        self._descriptor: int | None = None
        self._size = 0
        self._unsynced = False
        self._syncing = threading.Lock()

    def append(self, entry: dict[str, Any]) -> None:
        """Write one entry; once this returns, it survives the end of the process.

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
                "Free some space, then start the same command again."
            ) from None
        self._size += len(line)
        self._unsynced = True

    def sync(self) -> None:
        """Bring all entries to the disk, so that they survive a power cut."""
        with self._syncing:
            if self._descriptor is not None and self._unsynced:
                self._unsynced = False
                os.fsync(self._descriptor)

    def close(self) -> None:
        """Sync and close; a second call does nothing."""
        self.sync()
        with self._syncing:
            if self._descriptor is not None:
                os.close(self._descriptor)
                self._descriptor = None

    def _open(self) -> int:
        self._path.parent.mkdir(parents=True, exist_ok=True)
        descriptor = os.open(self._path, os.O_WRONLY | os.O_APPEND | os.O_CREAT | os.O_EXCL, file_mode())
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


def _sessions(journals: Path, with_set_aside: bool = False) -> list[Path]:
    """The folders of all sessions that count, oldest first."""
    aside = frozenset() if with_set_aside else journal_set_aside.sessions(journals)
    matches = (match for match in _matches(journals) if match["ending"] != _TRACKED)
    return [journals / match[0] for match in matches if match["name"] not in aside]


def _matches(journals: Path) -> list[re.Match[str]]:
    return [match for name in _names(journals) if (match := _SESSION.fullmatch(name))]


def _names(folder: Path) -> list[str]:
    """The names in a folder, in order; none where there is no such folder."""
    try:
        return sorted(path.name for path in folder.iterdir())
    except NotADirectoryError:
        return []
    except OSError as error:
        # A link that leads nowhere is a drive that is not there: the answers on it must not be taken for none.
        if isinstance(error, FileNotFoundError) and not folder.is_symlink():
            # Sealed a moment ago.
            return _names(folder.with_suffix("")) if folder.suffix == OPEN else []
        raise _unreadable(folder, error) from None


def _unreadable(path: Path, error: OSError) -> JournalError:
    return JournalError(
        f"{path} cannot be read ({error.strerror}). It belongs to the journals, and nothing is asked before they can "
        "be read. Check its permissions, and whether its drive is connected."
    )


def _is_sealed_with_checksums(path: Path) -> bool:
    """Whether this journal is from a release that seals with checksums: all do but the first, which named no reading
    rules."""
    return "reading_rules" in head(path)


def _line_number(path: Path, offset: int) -> int:
    """The number of the line that begins at byte `offset`, from 1."""
    with opened(path) as file:
        return 1 + file.read(offset).count(b"\n")


def _first_and_last(path: Path) -> tuple[datetime, datetime] | None:
    """The time of the first request in a journal, and that of its last answer: entries are in the order of the
    answers."""
    first = next(entries(path), None)
    if first is None:
        return None
    with opened(path) as file:
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
        line_end = file.read(end - begin).rfind(b"\n")
        if line_end >= 0:
            return begin + line_end + 1
        end = begin
    return 0


def _encoded(entry: dict[str, Any]) -> bytes:
    return json.dumps(entry, separators=(",", ":")).encode() + b"\n"


def _decoded(line: bytes) -> dict[str, Any]:
    value = json.loads(line)
    if not isinstance(value, dict):
        raise ValueError("no JSON object")
    return value
