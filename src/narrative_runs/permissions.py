"""Who may read and write what is written: its owner alone, or with `data.share: group` the group of the project too.

Texts can be in all that lies under results/, so nothing there is ever open to others. The umask carries this to every
process of a run; what is there already is put right when a run begins.
"""

import os
import stat
from collections.abc import Iterable, Iterator
from contextlib import suppress
from pathlib import Path

from narrative_runs.paths import BACKUPS, DEVELOPMENT, RECORD, RESULTS, SEARCH_INDEX, ExperimentFolder

_OWNER = 0o077
_GROUP = 0o007
# Snakemake's and DVC's own: both can quote params, and the latter holds copies of workbook and answers.
_SNAKEMAKE = Path(".snakemake")
_DVC_CACHE = Path(".dvc/cache")
_DVC_LOCKS = Path(".dvc/tmp")


def as_results_are() -> None:
    """Let this process write as results/ is: for the group where that is open to it, else for the owner alone."""
    try:
        mode = RESULTS.stat().st_mode
    except OSError:
        mode = 0
    os.umask(_GROUP if mode & 0o070 == 0o070 and not mode & 0o007 else _OWNER)


def are_shared() -> bool:
    """Whether this process writes for its group too; a umask that leaves anything to others says nothing."""
    umask = os.umask(_OWNER)
    os.umask(umask)
    return umask & 0o077 == _GROUP


def file_mode() -> int:
    """The mode of a new file that may hold texts."""
    return 0o660 if are_shared() else 0o600


def folder_mode() -> int:
    """The mode of a new folder that may hold texts."""
    return 0o770 if are_shared() else 0o700


def put_right(folder: ExperimentFolder, with_group: bool) -> str:
    """Have this process and all that it starts write so, and open or close what is there; a warning, if one is due.

    The results folder, the record and its backups, and what was tried before, are those of all experiments.
    """
    os.umask(_GROUP if with_group else _OWNER)
    tops = [RESULTS, _SNAKEMAKE, *([] if with_group or _is_shared_by_dvc() else [_DVC_CACHE])]
    whole = [folder.path, BACKUPS, DEVELOPMENT, *([_SNAKEMAKE, _DVC_LOCKS] if with_group else [])]
    for path in [*tops, RECORD, SEARCH_INDEX, *_within(whole)]:
        restrict(path, with_group)
    # Only what is there tells whether the file system keeps modes at all.
    lacking = [path for path in (RESULTS, RECORD, folder.path) if path.exists() and not _is_right(path, with_group)]
    if not lacking:
        return ""
    who = "your group cannot use it" if with_group else "other users of this machine may read it"
    return (
        f"WARNING: the permissions of {lacking[0]} cannot be set: {who}. It belongs to another user, or is on a "
        "drive without permissions. Keep restricted data on a drive that does."
    )


def restrict(path: Path, with_group: bool | None = None) -> None:
    """Let nobody but the owner read or write this file or folder; with_group: nor anybody outside the group, which may
    do what the owner may; as this process writes, when left out."""
    shared = are_shared() if with_group is None else with_group
    with suppress(OSError):
        status = path.lstat()
        if stat.S_ISLNK(status.st_mode):
            return
        wanted = status.st_mode & 0o700
        if shared:
            wanted |= wanted >> 3
            if stat.S_ISDIR(status.st_mode):
                # What is made in it later belongs to the same group.
                wanted |= stat.S_ISGID
        if stat.S_IMODE(status.st_mode) != wanted:
            path.chmod(wanted)


def _is_right(path: Path, with_group: bool) -> bool:
    mode = path.stat().st_mode
    return not mode & 0o007 and bool(mode & 0o070) == with_group


def _within(folders: Iterable[Path]) -> Iterator[Path]:
    """The folders, and all that lies in them."""
    for folder in folders:
        if folder.is_dir() and not folder.is_symlink():
            yield folder
            yield from folder.rglob("*")


def _is_shared_by_dvc() -> bool:
    """Whether DVC was told that a group shares its cache."""
    for name in ("config", "config.local"):
        with suppress(OSError, UnicodeDecodeError):
            if "shared" in (Path(".dvc") / name).read_text(encoding="utf-8"):
                return True
    return False
