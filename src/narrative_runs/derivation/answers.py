"""Are the answers as they came? Compared byte for byte with the checksums of their sealing, and with DVC's."""

import hashlib
import json
from pathlib import Path

from narrative_runs import journal, journal_checksums
from narrative_runs.journal import OPEN
from narrative_runs.source import checksum
from narrative_runs.source.tracking import tracked_checksum, tracking_file

# As `.dvcignore` has it.
_IGNORED_BY_DVC = ("._*", ".DS_Store", "*conflicted copy*", "*.sync-conflict-*")


def must_be_as_they_came(journals: Path) -> None:
    """See that every sealed session is as it was sealed, and as its .dvc file has it if there is one.

    Raises:
        JournalError: one is not; with what differs, and the way back.
    """
    journal.must_be_as_sealed(journals, with_content=True)
    for session in journal.sealed_sessions(journals):
        tracked = _tracked_md5(session)
        if tracked is not None and dvc_md5(session) != tracked:
            raise journal_checksums.altered(session, f"it is not what {tracking_file(session)} names ({tracked})")


def without_proof(journals: Path) -> list[Path]:
    """The sealed sessions that nothing can verify: the first release sealed them without checksums, and DVC does not
    track them."""
    return [
        session
        for session in journal.sealed_sessions(journals)
        if journal_checksums.read(session) is None and _tracked_md5(session) is None
    ]


def sealed_anew(journals: Path) -> list[str]:
    """Sentences about the sessions that were changed by hand and sealed again."""
    return [
        f"{session}: sealed again after {', '.join(names)} was changed by hand"
        for session in journal.sealed_sessions(journals)
        if (names := journal_checksums.was_changed_and_sealed_anew(session))
    ]


def dvc_md5(folder: Path) -> str:
    """The checksum that DVC 3 gives a folder: the MD5 of the JSON list of its files' MD5s and relative paths, those
    left out that `.dvcignore` names."""
    files = [
        path
        for path in folder.rglob("*")
        if path.is_file()
        and not path.parent.name.endswith(OPEN)
        and not any(path.match(pattern) for pattern in _IGNORED_BY_DVC)
    ]
    listed = [{"md5": checksum.md5_of(path), "relpath": path.relative_to(folder).as_posix()} for path in files]
    listed.sort(key=lambda entry: entry["relpath"])
    return hashlib.md5(json.dumps(listed, sort_keys=True).encode(), usedforsecurity=False).hexdigest() + ".dir"


def _tracked_md5(session: Path) -> str | None:
    """The checksum in a session's .dvc file; None where there is none of DVC 3."""
    try:
        digest, kind = tracked_checksum(tracking_file(session))
    except (FileNotFoundError, ValueError):
        return None
    return digest if kind == "md5" else None
