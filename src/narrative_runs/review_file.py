"""Reviews: what people decided who read narratives again, as it came. They are the authority, as journals are.

`results/<slug>/reviews.jsonl` is a file of JSON lines, to which lines are only ever added: one for each sample that was
dealt to coders, with the key to its rows, and one for each verdict that came back. Each line ends with a checksum of
its own text and of the line before, so that a line that was altered, taken away or moved is known.
`reviews.sealed.json` beside it says how many lines there are, and with which checksum they end: of a clone that DVC
brought back it may be missing, and is then made anew.

A line is on the disk before anybody is told of it. What a killed process left of a half line is cut off by the next one
that writes.
"""

import fcntl
import hashlib
import json
import os
from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any, NamedTuple

from narrative_runs.atomic_files import written_whole
from narrative_runs.errors import ReviewsError
from narrative_runs.paths import ExperimentFolder
from narrative_runs.permissions import file_mode
from narrative_runs.shell import quoted
from narrative_runs.source.tracking import command_to_restore, tracking_file

DEALT, VERDICT = "dealt", "verdict"
# Who chooses what is reviewed makes no sample: such verdicts are kept, and count in no estimate.
SAMPLE, ADJUDICATION, CHOSEN = "sample", "adjudication", "chosen"
Line = dict[str, Any]

_CHECK = b',"check":"'
_DIGITS = 16
_BEHIND_TEXT = len(_CHECK) + _DIGITS + len(b'"}\n')


class Reviews:
    """The reviews of an experiment, which no other process can change meanwhile: `lines`, and room for more."""

    def __init__(self, folder: ExperimentFolder, descriptor: int, lines: list[Line], last: str) -> None:
        self.lines = lines
        self._folder, self._descriptor, self._last = folder, descriptor, last

    def append(self, lines: Sequence[Line]) -> None:
        """Write lines behind the others; they are on the disk when this returns.

        Raises:
            ReviewsError: the disk is full or the file cannot be written; what was there is kept.
        """
        encoded = []
        last = self._last
        for line in lines:
            text, last = _encoded(line, last)
            encoded.append(text)
        size = os.fstat(self._descriptor).st_size
        try:
            _write(self._descriptor, b"".join(encoded))
            os.fsync(self._descriptor)
        except OSError as error:
            os.ftruncate(self._descriptor, size)
            raise ReviewsError(
                f"{self._folder.reviews} cannot be written ({error.strerror}). Its contents are kept. Free some "
                "space, then start the same command again."
            ) from None
        self.lines += lines
        self._last = last
        _seal(self._folder, len(self.lines), last)


@contextmanager
def opened(folder: ExperimentFolder) -> Iterator[Reviews]:
    """The reviews of an experiment, which other processes wait for; the file is made if it is missing.

    Raises:
        ReviewsError: a line is not as it was written, or the file cannot be used.
    """
    path = folder.reviews
    try:
        _make_own(path)
        descriptor = os.open(path, os.O_RDWR | os.O_APPEND | os.O_CREAT, file_mode())
    except OSError as error:
        raise ReviewsError(f"{path} cannot be written: {error.strerror}. Check its permissions.") from None
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX)
        content = path.read_bytes()
        whole = content[: content.rfind(b"\n") + 1]
        lines, last = _decoded(folder, whole)
        if len(whole) < len(content):
            os.ftruncate(descriptor, len(whole))
        yield Reviews(folder, descriptor, lines, last)
    finally:
        os.close(descriptor)


def read(folder: ExperimentFolder) -> list[Line]:
    """All lines, oldest first; none where nothing was dealt. Each is compared with its checksum.

    Raises:
        ReviewsError: a line is not as it was written, lines are missing, or the file cannot be read.
    """
    try:
        content = folder.reviews.read_bytes()
    except FileNotFoundError:
        content = b""
    except OSError as error:
        raise ReviewsError(f"{folder.reviews} cannot be read: {error.strerror}. Check its permissions.") from None
    return _decoded(folder, content[: content.rfind(b"\n") + 1])[0]


def earlier_contents(path: Path) -> Iterator[bytes]:
    """What the file held after each of its lines, oldest first: the contents that a copy of it may have."""
    content = path.read_bytes() if path.is_file() else b""
    end = content.find(b"\n") + 1
    while end:
        yield content[:end]
        end = content.find(b"\n", end) + 1


class Verdict(NamedTuple):
    """A coder's verdict on a variable in a narrative. purpose: SAMPLE, ADJUDICATION or CHOSEN; verdict: the value as
    text, or `unclear`; deal, stratum: of the sample in which the narrative was dealt."""

    variable: str
    incident_id: str
    narrative_type: str
    coder: str
    purpose: str
    verdict: str
    notes: str
    deal: str
    stratum: str
    reviewed_at: str

    @property
    def key(self) -> tuple[str, ...]:
        """What it is the verdict of: of two with the same key the later one counts."""
        return (self.variable, self.incident_id, self.narrative_type, self.coder, self.purpose)


def deals(lines: Iterable[Line], variable: str = "", purpose: str = "") -> dict[str, Line]:
    """The lines of what was dealt, by `deal`; only of this variable and purpose, where they are named."""
    return {
        line["deal"]: line
        for line in lines
        if line["line"] == DEALT and variable in ("", line["variable"]) and purpose in ("", line["purpose"])
    }


def dealt_rows(lines: Iterable[Line]) -> dict[str, tuple[Line, Line]]:
    """By `row` what was dealt under this id: the line of the deal, and the row in it."""
    return {row["row"]: (deal, row) for deal in deals(lines).values() for row in deal["rows"]}


def latest_verdicts(lines: Sequence[Line], variable: str = "") -> list[Verdict]:
    """The last verdict of each coder on each narrative, in the order in which they first came."""
    dealt = dealt_rows(lines)
    latest: dict[tuple[str, ...], Verdict] = {}
    for line in lines:
        if line["line"] == VERDICT and variable in ("", line["variable"]):
            deal, row = dealt[line["row"]]
            given = {name: str(line[name]) for name in Verdict._fields if name in line}
            verdict = Verdict(**given, purpose=deal["purpose"], stratum=row["stratum"])
            latest[verdict.key] = verdict
    return list(latest.values())


def weights(lines: Sequence[Line]) -> dict[tuple[str, str], float]:
    """By deal and stratum how many incidents each reviewed one stands for: those of the stratum, over those of which
    each narrative has a verdict (Horvitz and Thompson, JASA 47, 1952). A stratum without one has no weight."""
    reviewed = {(line["row"]) for line in lines if line["line"] == VERDICT}
    weight: dict[tuple[str, str], float] = {}
    for deal in deals(lines, purpose=SAMPLE).values():
        narratives: dict[tuple[str, str], dict[str, bool]] = defaultdict(dict)
        for row in deal["rows"]:
            of_incident = narratives[row["stratum"], row["incident_id"]]
            kind = row["narrative_type"]
            of_incident[kind] = of_incident.get(kind, False) or row["row"] in reviewed
        n_reviewed: dict[str, int] = defaultdict(int)
        for (stratum, _), of_incident in narratives.items():
            n_reviewed[stratum] += all(of_incident.values())
        weight |= {(deal["deal"], name): deal["strata"][name] / n for name, n in n_reviewed.items() if n}
    return weight


def must_be_as_sealed(folder: ExperimentFolder) -> int:
    """See that every line is as it was written; returns how many verdicts there are.

    Raises:
        ReviewsError: one is not, or lines are missing at the end.
    """
    return sum(line["line"] == VERDICT for line in read(folder))


def _encoded(line: Mapping[str, Any], before: str) -> tuple[bytes, str]:
    text = json.dumps(line, separators=(",", ":")).encode()[:-1]
    check = _check_of(text, before)
    return text + _CHECK + check.encode() + b'"}\n', check


def _decoded(folder: ExperimentFolder, content: bytes) -> tuple[list[Line], str]:
    """The lines of a file that ends with a whole one, and the last checksum."""
    lines: list[Line] = []
    last = ""
    for number, raw in enumerate(content.splitlines(keepends=True), start=1):
        check = _check_of(raw[:-_BEHIND_TEXT], last)
        if raw[-_BEHIND_TEXT:] != _CHECK + check.encode() + b'"}\n':
            raise _altered(folder, f", line {number}: it is not as it was written, or one before it is missing")
        line = json.loads(raw)
        del line["check"]
        lines.append(line)
        last = check
    n_sealed, sealed = _sealed(folder)
    if n_sealed > len(lines):
        raise _altered(folder, f": {n_sealed - len(lines)} lines are missing at its end")
    if n_sealed == len(lines) and n_sealed and sealed != last:
        raise _altered(folder, ": it is another file than the one that was written here")
    return lines, last


def _check_of(text: bytes, before: str) -> str:
    return hashlib.sha256(before.encode() + text).hexdigest()[:_DIGITS]


def _seal(folder: ExperimentFolder, n_lines: int, last: str) -> None:
    with written_whole(folder.reviews_seal) as draft:
        draft.touch(mode=file_mode())
        draft.write_text(json.dumps({"lines": n_lines, "check": last}) + "\n", encoding="utf-8")


def _sealed(folder: ExperimentFolder) -> tuple[int, str]:
    try:
        sealed = json.loads(folder.reviews_seal.read_text(encoding="utf-8"))
        return int(sealed["lines"]), str(sealed["check"])
    except FileNotFoundError:
        return 0, ""
    except (OSError, ValueError, KeyError, TypeError):
        raise ReviewsError(
            f"{folder.reviews_seal} is damaged. If {folder.reviews} is whole, delete the damaged file and start the "
            "same command again."
        ) from None


def _altered(folder: ExperimentFolder, what: str) -> ReviewsError:
    path = folder.reviews
    tracking = tracking_file(path)
    restore = command_to_restore(tracking) if tracking.is_file() else ""
    aside = quoted(path.with_name("reviews-altered.jsonl"))
    way_back = f"Restore it: `mv {quoted(path)} {aside} && {restore}`" if restore else "Restore it from a backup."
    return ReviewsError(f"{path}{what}. Verdicts cannot be recomputed, so the command stops here. {way_back}")


def _make_own(path: Path) -> None:
    """Have the file be one of its own, where DVC linked it to its cache: what is added must not change that copy."""
    if path.is_symlink() or (path.is_file() and path.stat().st_nlink > 1):
        content = path.read_bytes()
        with written_whole(path) as draft:
            draft.touch(mode=file_mode())
            draft.write_bytes(content)


def _write(descriptor: int, content: bytes) -> None:
    written = 0
    while written < len(content):
        written += os.write(descriptor, content[written:])
