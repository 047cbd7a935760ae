"""Whether the workbook is the one that DVC tracks.

Every command asks this first, so nothing heavier than hashlib and yaml is imported here.
"""

import hashlib
import os
import subprocess
import sys
from pathlib import Path

from narrative_runs.errors import SourceChanged, SourceError
from narrative_runs.shell import quoted
from narrative_runs.source.tracking import (
    command_to_restore,
    dvc_name,
    free,
    tracked_checksum,
    tracking_file,
    way_to_track,
)


def md5_of(path: Path) -> str:
    """The MD5 of a file's bytes, 32 hex digits, read as a stream. Raises SourceError if it cannot be read."""
    try:
        with path.open("rb") as stream:
            return hashlib.file_digest(stream, lambda: hashlib.md5(usedforsecurity=False)).hexdigest()
    except FileNotFoundError:
        raise SourceError(_missing(path)) from None
    except OSError as error:
        raise SourceError(
            f"Data file cannot be read: {path}\n  {error.strerror or error}\nCheck the path and its permissions."
        ) from error


def tracked_md5(workbook: Path) -> str:
    """The MD5 that ``<workbook>.dvc`` records for the workbook.

    Raises SourceError if the .dvc file is missing, is not one, or was written by DVC 2 or older: those lack
    ``hash: md5`` and hold, for text files, an MD5 taken with the line ends changed.
    """
    tracking = tracking_file(workbook)
    try:
        digest, kind = tracked_checksum(tracking)
    except FileNotFoundError:
        if not workbook.exists():
            raise SourceError(_missing(workbook)) from None
        raise SourceError(
            f"Data file is not tracked: there is no {tracking}\n"
            f"{_sentence(way_to_track(workbook))}: its checksum is what later proves that the data did not change."
        ) from None
    except ValueError:
        raise SourceError(f"No checksum can be read from {tracking}\n{_again(workbook)}") from None
    if kind != "md5":
        raise SourceError(
            f"{tracking} has no `hash: md5`: an older DVC wrote it, with another kind of checksum.\n{_again(workbook)}"
        )
    return digest


def _again(workbook: Path) -> str:
    """What to do about a .dvc file that gives no checksum; DVC itself would leave an old one as it is."""
    if not workbook.exists():
        return "Put the data file there, or restore that .dvc file as it was."
    return f"{_sentence(way_to_track(workbook, replaces=True))}."


def _sentence(way: str) -> str:
    return way[0].upper() + way[1:]


def verify(workbook: Path) -> str:
    """The workbook's MD5, after a check that it is the tracked one.

    Raises SourceError if the workbook or its .dvc file is missing, SourceChanged if the two checksums differ.
    """
    if not workbook.is_file():
        raise SourceError(_missing(workbook))
    original = tracked_md5(workbook)
    current = md5_of(workbook)
    if current != original:
        raise changed(workbook, original, current)
    return current


def must_be(workbook: Path, original: str, current: str = "") -> None:
    """Check that a workbook has the MD5 ``original``; current: its MD5, computed now if left out.

    Raises SourceChanged if it has another one.
    """
    current = current or md5_of(workbook)
    if current != original:
        raise changed(workbook, original, current)


def changed(workbook: Path, original: str, current: str) -> SourceChanged:
    """The error for a workbook whose MD5 is ``current`` where ``original`` was expected."""
    tracking = tracking_file(workbook)
    try:
        is_tracked_anew = tracked_md5(workbook) == current
    except SourceError:
        is_tracked_anew = False
    # The .dvc file then names the new data, and DVC can no longer tell where the old one is.
    way_back = f"with {tracking}, from git or a copy" if is_tracked_anew else _way_back(workbook)
    way_on = "" if is_tracked_anew else f"{way_to_track(workbook)}, and "
    return SourceChanged(
        "Data file has changed since original load!\n"
        f"  File: {workbook}\n"
        f"  Original checksum: {original}\n"
        f"  Current checksum:  {current}\n"
        "Cannot safely resume. Please start a new experiment.\n"
        f"Either restore the old file ({way_back}) and run again,\n"
        f"or keep the new data: {way_on}set a new experiment.name and slug."
    )


def _way_back(workbook: Path) -> str:
    """How to bring the old file back; the changed one is kept, since it may be nowhere else."""
    restore = command_to_restore(tracking_file(workbook))
    aside = free(workbook.with_stem(f"{workbook.stem}-changed"))
    return f"`mv {quoted(workbook)} {quoted(aside)} && {restore}`" if restore else "from a copy"


def fetch(workbook: Path) -> None:
    """Bring a missing workbook from the DVC cache or remote; never touch one that is there.

    Does nothing without a .dvc file. Raises SourceError with what DVC said if it cannot deliver.
    """
    tracking = tracking_file(workbook)
    if workbook.exists() or not tracking.is_file():
        return
    pull = subprocess.run(
        [sys.executable, "-m", "dvc", "pull", str(dvc_name(tracking.absolute()))],
        cwd=tracking.parent,
        env=os.environ | {"DVC_NO_ANALYTICS": "true"},
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        errors="replace",
    )
    if pull.returncode or not workbook.is_file():
        # What DVC advises is not tried here: its commands are quoted as words.
        said = [line.strip().replace("`", "'") for line in pull.stdout.splitlines() if line.strip()][-5:]
        raise SourceError(
            f"Data file is missing, and DVC could not fetch it: {workbook}\n"
            + "".join(f"  dvc: {line}\n" for line in said)
            + _after_failed_pull(tracking)
        )


def _after_failed_pull(tracking: Path) -> str:
    command = command_to_restore(tracking)
    if command and not command.startswith("dvc pull"):
        return f"Run `{command}`, then start the same command again."
    return (
        "Put the file there, or give DVC a remote that has it (docs/restricted-data.md), then start the same "
        "command again."
    )


def _missing(workbook: Path) -> str:
    tracking = tracking_file(workbook)
    command = command_to_restore(tracking) if tracking.is_file() else ""
    way_out = f"restore it with `{command}`" if command else "put the file there"
    return f"Data file not found: {workbook}\nCheck data.file in the params, or {way_out}."
