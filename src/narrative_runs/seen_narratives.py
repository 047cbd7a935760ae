"""Which narratives somebody has seen while choosing a prompt: `preflight --show` showed them, or `try` asked them.

A prompt that was chosen on some narratives does better on them than on new ones. So `results/development/seen.jsonl`
keeps, a line each, which they were; it grows and is never shortened, it holds ids and no text, and an experiment that
begins later is measured without them as well. A narrative is known by its text: an edited workbook, or a copy under
another name, still has those that were seen.
"""

import fcntl
import hashlib
import json
import os
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from datetime import datetime
from typing import Any, Literal, Protocol

from narrative_runs.errors import DevelopmentError
from narrative_runs.paths import DEVELOPMENT, RESULTS, SEEN
from narrative_runs.permissions import file_mode, folder_mode

How = Literal["shown", "tried"]

_DIGITS = 16
_KEY = ("incident_id", "narrative_type", "text_sha256", "how")


class NarrativeSeen(Protocol):
    """What is kept of a narrative: `narrative_runs.source.shards.Narrative` has all of it."""

    @property
    def incident_id(self) -> str:
        """Whose death it is about."""

    @property
    def narrative_type(self) -> str:
        """Who wrote it, such as cme."""

    @property
    def narrative_text(self) -> str:
        """What was seen; of it only a digest is kept."""


def text_digest(text: str) -> str:
    """The first 16 hexadecimal digits of the SHA-256 of a text's words: the same wherever its lines end, as they do
    otherwise in a workbook and in a .csv of it."""
    words = " ".join(text.split())
    return hashlib.sha256(words.encode("utf-8", "surrogatepass")).hexdigest()[:_DIGITS]


def record_seen(narratives: Iterable[NarrativeSeen], how: How) -> None:
    """Keep that these narratives were shown, or tried; on the disk when this returns. Each is kept once a way.

    Several processes may do so at once.

    Raises:
        DevelopmentError: that cannot be written, or what is there cannot be read; nothing is half written.
    """
    now = datetime.now().astimezone().isoformat(timespec="seconds")
    lines = [
        {
            "incident_id": narrative.incident_id,
            "narrative_type": narrative.narrative_type,
            "text_sha256": text_digest(narrative.narrative_text),
            "how": how,
            "at": now,
        }
        for narrative in narratives
    ]
    if not lines:
        return
    try:
        with _locked() as descriptor:
            _append(descriptor, lines)
    except OSError as error:
        raise DevelopmentError(
            f"{SEEN}: which narratives were seen cannot be kept ({error.strerror}), so that no experiment could be "
            "measured without them. Make room, or look at its permissions, then start the same command again."
        ) from None


def seen_digests() -> frozenset[str]:
    """The digests of the texts of all narratives that were seen; none where nothing was.

    Raises:
        DevelopmentError: the file is damaged, or cannot be read.
    """
    try:
        content = SEEN.read_bytes()
    except FileNotFoundError:
        return frozenset()
    except OSError as error:
        raise DevelopmentError(
            f"{SEEN} cannot be read ({error.strerror}), so it is not known which narratives were seen. Check its "
            "permissions, and whether its drive is connected."
        ) from None
    return frozenset(str(line["text_sha256"]) for line in _lines(content))


@contextmanager
def _locked() -> Iterator[int]:
    """The file, open for reading and for what is added to it, which nobody else does meanwhile."""
    for folder in (RESULTS, DEVELOPMENT):
        folder.mkdir(mode=folder_mode(), exist_ok=True)
    is_new = not SEEN.exists()
    descriptor = os.open(SEEN, os.O_RDWR | os.O_APPEND | os.O_CREAT, file_mode())
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX)
        yield descriptor
        if is_new:
            _sync_folder()
    finally:
        os.close(descriptor)


def _sync_folder() -> None:
    """Bring it to the disk that there is such a file."""
    folder = os.open(DEVELOPMENT, os.O_RDONLY)
    try:
        os.fsync(folder)
    finally:
        os.close(folder)


def _append(descriptor: int, lines: Iterable[dict[str, Any]]) -> None:
    """Add those of the lines that are not there yet, all or none of them."""
    content = os.pread(descriptor, os.fstat(descriptor).st_size, 0)
    whole = content.rfind(b"\n") + 1
    known = {_key(line) for line in _lines(content)}
    fresh = {_key(line): line for line in lines if _key(line) not in known}
    # What a kill or a power cut left of a last line was never promised to be kept.
    os.ftruncate(descriptor, whole)
    left = b"".join(json.dumps(line, separators=(",", ":")).encode() + b"\n" for line in fresh.values())
    try:
        while left:
            left = left[os.write(descriptor, left) :]
        os.fsync(descriptor)
    except OSError:
        os.ftruncate(descriptor, whole)
        raise


def _key(line: dict[str, Any]) -> tuple[str, ...]:
    return tuple(str(line[name]) for name in _KEY)


def _lines(content: bytes) -> Iterator[dict[str, Any]]:
    """All whole lines; one that is being written, or was torn, is passed over."""
    for number, line in enumerate(content.split(b"\n")[:-1], start=1):
        try:
            values = json.loads(line)
            yield {name: values[name] for name in _KEY}
        except (ValueError, TypeError, KeyError):
            raise DevelopmentError(
                f"{SEEN}, line {number} is damaged, so it is not known which narratives were seen. Restore the file "
                "from a backup, or delete the line: its narrative then counts as unseen."
            ) from None
