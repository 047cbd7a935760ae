"""The checksums that a session is sealed with: `results/<slug>/journal/session-0001/checksums.json`.

Answers cannot be computed again, so that nothing else could tell when one was altered, by hand or by a failing disk.
The file lies in the session's folder, and goes where DVC and copies take it. The first release kept none: its sessions
are taken as they are, or compared with their .dvc file.
"""

import base64
import hashlib
import json
import os
import struct
import zlib
from collections.abc import Iterable, Iterator
from dataclasses import asdict, dataclass
from datetime import datetime
from functools import lru_cache
from pathlib import Path

from narrative_runs import __version__
from narrative_runs.atomic_files import written_whole
from narrative_runs.errors import JournalError
from narrative_runs.shell import quoted
from narrative_runs.source.tracking import command_to_restore, free, tracking_file

NAME = "checksums.json"
_SHOWN_LINES = 5
# For whoever reads a line: four bytes a line tell an accident or an edit. All of a file is known by its SHA-256.
_CRC = struct.Struct("<I")


@dataclass(frozen=True, slots=True)
class Sealed:
    """A journal file as it was sealed: its size in bytes, when it was last written, its SHA-256, and the CRC-32 of each
    line, four bytes each, little-endian, as base64."""

    bytes: int
    modified_ns: int
    sha256: str
    lines: str

    def line_checksums(self) -> list[int]:
        """The CRC-32 of each line, in their order."""
        return [crc for (crc,) in _CRC.iter_unpack(base64.b64decode(self.lines))]


def write(session: Path, names: Iterable[str]) -> None:
    """Write the checksums of these journal files, which nobody writes any more; first they come to the disk.

    session: the folder. Where it was sealed before and changed since, what it was then is kept beside.
    """
    before = read(session)
    files = {name: _measured(session / name) for name in sorted(names)}
    replaced = {
        name: old.sha256
        for name, old in (before or {}).items()
        if name not in files or files[name].sha256 != old.sha256
    }
    content = {
        "sealed_at": datetime.now().astimezone().isoformat(timespec="seconds"),
        "software_version": __version__,
        "files": {name: asdict(file) for name, file in files.items()},
        **({"replaces": replaced} if replaced else {}),
    }
    with written_whole(session / NAME) as draft:
        draft.write_text(json.dumps(content) + "\n", encoding="utf-8")


def read(session: Path) -> dict[str, Sealed] | None:
    """What a session was sealed with, by the names of its journal files; None where there are no checksums.

    Raises:
        JournalError: the file is damaged.
    """
    try:
        modified_ns = (session / NAME).stat().st_mtime_ns
    except OSError:
        return None
    return _read(session / NAME, modified_ns)


def was_changed_and_sealed_anew(session: Path) -> list[str]:
    """The names of the journal files that were others when the session was first sealed."""
    if read(session) is None:
        return []
    return list(json.loads((session / NAME).read_text(encoding="utf-8")).get("replaces", {}))


def must_be_there(session: Path, names: Iterable[str], with_content: bool) -> None:
    """See that the sealed journal files of a session are these, and as they were.

    names: what lies in the folder; with_content: whether every byte is to be read; else only a file of which the time
    differs is, as after a copy.

    Raises:
        JournalError: a file is missing, was added, or differs; with the line, and the way back.
    """
    sealed = read(session)
    if sealed is None:
        return
    present = set(names)
    if missing := sorted(set(sealed) - present):
        raise altered(session / missing[0], "this journal is missing")
    for name in sorted(present):
        path, file = session / name, sealed.get(name)
        if file is None:
            raise altered(path, "this journal was added after its session was sealed")
        now = path.stat()
        is_read = with_content or now.st_mtime_ns != file.modified_ns
        if now.st_size != file.bytes or (is_read and sha256_of(path) != file.sha256):
            raise altered(path, _what_differs(path, file))


def checked_lines(path: Path, lines: Iterable[bytes]) -> Iterator[bytes]:
    """The lines of a journal file as they are read, each compared with its sealing.

    Raises:
        JournalError: a line is not as it came, or some are missing.
    """
    sealed = read(path.parent)
    if sealed is None:
        yield from lines
        return
    if path.name not in sealed:
        raise altered(path, "this journal was added after its session was sealed")
    expected = sealed[path.name].line_checksums()
    number = 0
    for number, line in enumerate(lines, 1):
        if number > len(expected) or zlib.crc32(line) != expected[number - 1]:
            raise altered(path, _words([number]))
        yield line
    if number < len(expected):
        raise altered(path, f"{len(expected) - number} lines are missing at its end")


def altered(path: Path, what: str) -> JournalError:
    """The error for a sealed journal, or session, that is not as it was; what: words for what differs."""
    session = path if path.is_dir() else path.parent
    return JournalError(
        f"{path}: {what}. Answers cannot be recomputed, so the command stops here. {_way_back(session)}"
    )


def _way_back(session: Path) -> str:
    tracking = tracking_file(session)
    restore = command_to_restore(tracking) if tracking.is_file() else ""
    if restore:
        # Not beside the journals: it would be taken for one of them.
        aside = free(session.parent.parent / f"{session.name}-altered")
        return f"Restore the sealed session: `mv {quoted(session)} {quoted(aside)} && {restore}`"
    opened = session.with_name(f"{session.name}.open")
    return (
        "Restore the sealed session from a backup. If there is none, remove the altered lines from its journals and "
        f"run `mv {quoted(session)} {quoted(opened)}`: the missing narratives are asked about again and the session is "
        "sealed again, and `narrative-runs prove` will report that."
    )


@lru_cache(maxsize=8)
def _read(path: Path, _modified_ns: int) -> dict[str, Sealed]:
    try:
        return {name: Sealed(**file) for name, file in json.loads(path.read_text(encoding="utf-8"))["files"].items()}
    except (OSError, ValueError, KeyError, TypeError, AttributeError):
        raise altered(path, "the checksums of this session are damaged") from None


def _measured(path: Path) -> Sealed:
    digest, crcs = hashlib.sha256(), bytearray()
    with path.open("rb") as file:
        os.fsync(file.fileno())
        for line in file:
            digest.update(line)
            crcs += _CRC.pack(zlib.crc32(line))
        status = os.fstat(file.fileno())
    return Sealed(status.st_size, status.st_mtime_ns, digest.hexdigest(), base64.b64encode(crcs).decode())


def sha256_of(path: Path) -> str:
    """The SHA-256 of a journal file as it is now, in hex."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def _what_differs(path: Path, sealed: Sealed) -> str:
    """Which lines of a file are not as they were, in words."""
    expected, now = sealed.line_checksums(), _measured(path).line_checksums()
    if len(now) == len(expected):
        return _words([number for number, (a, b) in enumerate(zip(expected, now, strict=True), 1) if a != b])
    same = next((index for index, (a, b) in enumerate(zip(expected, now, strict=False)) if a != b), None)
    where = f", and from line {same + 1} on it differs" if same is not None else ""
    return f"it has {len(now)} lines, and was sealed with {len(expected)}{where}"


def _words(numbers: list[int]) -> str:
    shown = ", ".join(map(str, numbers[:_SHOWN_LINES]))
    more = f" and {len(numbers) - _SHOWN_LINES} more" if len(numbers) > _SHOWN_LINES else ""
    return f"line{'s' if len(numbers) > 1 else ''} {shown}{more} changed since the session was sealed"
