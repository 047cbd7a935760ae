"""Whether a folder lies on a disk of this host, or where other hosts may write too."""

from collections.abc import Iterable
from pathlib import Path

_MOUNTS = Path("/proc/self/mountinfo")
# Of one host alone, as long as it exports none of them; all others may have further hosts.
_OF_ONE_HOST = ("bcachefs", "btrfs", "ext2", "ext3", "ext4", "f2fs", "jfs", "overlay", "tmpfs", "xfs", "zfs")


def may_be_shared(folder: Path) -> bool:
    """Whether other hosts may write to the folder too; where the system cannot tell, they may."""
    try:
        kind = kind_of(folder.resolve(), _MOUNTS.read_text(encoding="utf-8", errors="replace").splitlines())
    except OSError:
        kind = ""
    return kind not in _OF_ONE_HOST


def kind_of(path: Path, mounts: Iterable[str]) -> str:
    """The kind of file system on which an absolute path lies; empty where no mount holds it.

    mounts: the lines of Linux's `mountinfo`; of two at one folder the later hides the earlier.
    """
    kinds = {}
    for line in mounts:
        about, _, system = line.partition(" - ")
        kinds[about.split(" ")[4].replace("\\040", " ")] = system.split(" ")[0]
    return next((kinds[str(folder)] for folder in (path, *path.parents) if str(folder) in kinds), "")
