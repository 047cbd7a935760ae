"""Snapshots: the named states of an experiment, `results/<slug>/snapshots/<name>.json`.

A snapshot is a list of sealed sessions with their checksums, the params and the counts of that state: no texts and no
findings, which follow from the answers. So it takes some kilobytes, and nothing is copied.
"""

import hashlib
import json
import re
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from datetime import datetime
from pathlib import Path
from typing import Any

from narrative_runs import __version__, journal, journal_checksums, journal_set_aside
from narrative_runs.atomic_files import written_whole
from narrative_runs.errors import ExperimentError, JournalError
from narrative_runs.paths import ExperimentFolder

KEPT = 8
USER, INTERVAL, RETRY, MORE_NARRATIVES, ROLLBACK = "user", "interval", "retry_errors", "max_narratives", "rollback"
# What an automatic snapshot's name begins with; the time follows.
_BEGINNINGS = {
    INTERVAL: "auto",
    RETRY: "before-retry-errors",
    MORE_NARRATIVES: "before-max-narratives",
    ROLLBACK: "before-rollback",
}
_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,79}")
_MARK = "@"


@dataclass(frozen=True)
class Counts:
    """How far a state is: total: narratives to classify, None where the workbook was not read; processed: those with a
    result, errors included; errors: these by category."""

    total: int | None
    processed: int
    errors: dict[str, int] = field(default_factory=dict)

    @property
    def is_complete(self) -> bool:
        """Whether every narrative has its result."""
        return self.total is not None and self.processed >= self.total

    @property
    def words(self) -> str:
        """The same in words."""
        total = "" if self.total is None else f" of {self.total:,}"
        return f"{self.processed:,}{total} narratives, {sum(self.errors.values()):,} errors"


@dataclass(frozen=True)
class Snapshot:
    """One state of an experiment.

    made_for: `user`, or what an automatic one was made for; made_at: local time with its offset; release: of the
    software that made it; params: those of the state, as a file would hold them; sessions: the checksum of each sealed
    session by its name, oldest first.
    """

    name: str
    note: str
    made_for: str
    made_at: str
    release: str
    experiment_id: str
    params: Mapping[str, Any]
    counts: Counts
    sessions: dict[str, str]

    @property
    def is_complete(self) -> bool:
        """Whether every narrative that its params ask for has a result."""
        return self.counts.is_complete


def all_of(folder: ExperimentFolder) -> list[Snapshot]:
    """The snapshots of an experiment, oldest first.

    Raises:
        ExperimentError: one is damaged.
    """
    snapshots = [_read(path) for path in folder.snapshots.glob("*.json") if _NAME.fullmatch(path.stem)]
    return sorted(snapshots, key=lambda snapshot: (datetime.fromisoformat(snapshot.made_at), snapshot.name))


def named(folder: ExperimentFolder, name: str) -> Snapshot:
    """The snapshot of this name.

    Raises:
        ExperimentError: there is none, or it is damaged.
    """
    path = _path(folder, name)
    if not _NAME.fullmatch(name) or not path.exists():
        there = ", ".join(snapshot.name for snapshot in all_of(folder))
        raise ExperimentError(
            f"{folder.slug} has no snapshot {name!r}. " + (f"It has: {there}." if there else "It has none yet.")
        )
    return _read(path)


def must_be_free(folder: ExperimentFolder, name: str) -> None:
    """See that a snapshot can get this name.

    Raises:
        ExperimentError: it cannot.
    """
    if not _NAME.fullmatch(name):
        raise ExperimentError(
            f"A snapshot cannot be named {name!r}. Use letters without accents, digits, `.`, `_` and `-`, at most 80, "
            "with a letter or digit first."
        )
    if _path(folder, name).exists():
        raise ExperimentError(
            f"{folder.slug} already has a snapshot {name!r}, and snapshots are not replaced. Choose another name, or "
            f"first type `narrative-runs snapshot {folder.slug} --delete {name}`"
        )


def keep(
    folder: ExperimentFolder,
    experiment_id: str,
    params: Mapping[str, Any],
    counts: Counts,
    name: str = "",
    note: str = "",
    made_for: str = USER,
) -> Snapshot:
    """Keep a snapshot of all sealed sessions, to be called while none is sealed; returns it.

    name: empty for an automatic one, of which the last KEPT of each kind are kept; made_for: its kind.

    Raises:
        ExperimentError: the name cannot be used, or nothing was answered yet.
        JournalError: a sealed session cannot be read.
    """
    now = datetime.now().astimezone()
    name = name or _free(folder, f"{_BEGINNINGS[made_for]}-{now:%Y%m%d-%H%M%S}")
    must_be_free(folder, name)
    sessions = {session.name: checksum_of(session) for session in journal.sealed_sessions(folder.journals)}
    if not sessions:
        raise ExperimentError(f"{folder.slug} has no answers yet, so there is nothing to make a snapshot of.")
    made_at = now.isoformat(timespec="milliseconds")
    snapshot = Snapshot(name, note, made_for, made_at, __version__, experiment_id, dict(params), counts, sessions)
    with written_whole(_path(folder, name)) as draft:
        draft.write_text(json.dumps(asdict(snapshot), indent=2, ensure_ascii=False) + "\n", encoding="utf-8")
    if made_for != USER:
        _drop_old(folder, made_for)
    return snapshot


def delete(folder: ExperimentFolder, name: str) -> None:
    """Delete a snapshot; its sessions stay as they are.

    Raises:
        ExperimentError: there is none of this name, or a rollback leads back to it.
    """
    named(folder, name)
    if name in _needed(folder):
        raise ExperimentError(
            f"Without {name} the answers that were set aside could not be restored: first type "
            f"`narrative-runs rollback {folder.slug} --undo`, or keep the snapshot."
        )
    _path(folder, name).unlink()


def checksum_of(session: Path) -> str:
    """The SHA-256 of a sealed session: of the names and SHA-256s of its journals, which were compared when it was
    sealed or are read now.

    Raises:
        JournalError: it cannot be read.
    """
    sealed = journal_checksums.read(session)
    try:
        files = (
            {name: file.sha256 for name, file in sealed.items()}
            if sealed is not None
            else {path.name: journal_checksums.sha256_of(path) for path in journal.files_of(session)}
        )
    except OSError as error:
        raise JournalError(f"{session} cannot be read ({error.strerror}).") from None
    return hashlib.sha256(json.dumps(sorted(files.items())).encode()).hexdigest()


def words_of(folder: ExperimentFolder, snapshot: Snapshot) -> str:
    """A snapshot that was just made, in words."""
    count = len(snapshot.sessions)
    sessions = f"{count} sealed session{'s' if count > 1 else ''}"
    return f"{folder.slug}@{snapshot.name}: {snapshot.counts.words}, {sessions}."


def divided(which: str) -> tuple[str, str]:
    """`SLUG@NAME` as slug or id, and the snapshot's name, which is empty where there is none."""
    experiment, mark, name = which.rpartition(_MARK)
    return (experiment, name) if mark else (which, "")


def _path(folder: ExperimentFolder, name: str) -> Path:
    return folder.snapshots / f"{name}.json"


def _free(folder: ExperimentFolder, name: str) -> str:
    names, number = {snapshot.name for snapshot in all_of(folder)}, 1
    while (numbered := name if number == 1 else f"{name}-{number}") in names:
        number += 1
    return numbered


def _read(path: Path) -> Snapshot:
    try:
        values = json.loads(path.read_text(encoding="utf-8"))
        return Snapshot(**{**values, "counts": Counts(**values["counts"])})
    except (OSError, ValueError, TypeError, KeyError):
        raise ExperimentError(
            f"{path} is damaged. It holds no answers: restore it from a backup, or delete it."
        ) from None


def _needed(folder: ExperimentFolder) -> set[str]:
    aside = journal_set_aside.read(folder.journals)
    return set() if aside is None else aside.needed


def _drop_old(folder: ExperimentFolder, made_for: str) -> None:
    """Keep the last ones of this kind, and those that a rollback needs."""
    spared = _needed(folder)
    of_kind = [snapshot.name for snapshot in all_of(folder) if snapshot.made_for == made_for]
    for name in of_kind[:-KEPT]:
        if name not in spared:
            _path(folder, name).unlink(missing_ok=True)
