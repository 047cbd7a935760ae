from pathlib import Path

import pytest

from narrative_runs import file_systems
from narrative_runs.file_systems import kind_of, may_be_shared

MOUNTS = [
    "21 1 8:1 / / rw,relatime shared:1 - ext4 /dev/sda1 rw",
    "30 21 0:40 / /home rw shared:2 master:1 - nfs4 server:/home rw,vers=4.2",
    "31 30 0:41 / /home/ada/My\\040disk rw - fuse.sshfs ada@far: rw",
    "32 21 0:42 / /scratch rw - lustre far:/s rw",
    "33 21 8:2 / /scratch rw - xfs /dev/sdb rw",
]


@pytest.mark.parametrize(
    ("path", "kind"),
    [
        ("/", "ext4"),
        ("/homes/ada", "ext4"),
        ("/home/ada/project", "nfs4"),
        ("/home/ada/My disk/project", "fuse.sshfs"),
        ("/scratch/project", "xfs"),
    ],
)
def test_the_innermost_and_latest_mount_counts(path: str, kind: str) -> None:
    """A folder lies on what was mounted last on the nearest folder above it."""
    assert kind_of(Path(path), MOUNTS) == kind
    assert kind_of(Path(path), []) == ""


def test_only_what_is_known_is_of_one_host(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A disk of this host is not shared; that of a network, an unknown one, and any of a system that tells nothing, may
    be."""
    mounts = tmp_path / "mountinfo"
    monkeypatch.setattr(file_systems, "_MOUNTS", mounts)
    assert may_be_shared(tmp_path)
    for kind, is_shared in (("ext4", False), ("nfs", True), ("new", True)):
        mounts.write_text(f"21 1 8:1 / / rw - {kind} /dev/sda1 rw\n")
        assert may_be_shared(tmp_path) is is_shared
