import hashlib
import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from narrative_runs.coordination.host_share import HostShare

URL = "http://localhost:1234/v1"
CHILD = (
    "import sys, pathlib; from narrative_runs.coordination.host_share import HostShare;"
    "kept = HostShare(sys.argv[1], pathlib.Path(sys.argv[2])); print(kept.of(5), flush=True); sys.stdin.read()"
)


def neighbour(folder: Path, url: str = URL) -> subprocess.Popen[str]:
    """Another run, in a process of its own, which has joined."""
    process = subprocess.Popen(
        [sys.executable, "-c", CHILD, url, str(folder)], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    )
    assert process.stdout is not None and process.stdout.readline()
    return process


def test_alone_all_slots_are_ours(tmp_path: Path) -> None:
    """A run without neighbours has all slots."""
    assert HostShare(URL, tmp_path).of(5) == 5


@pytest.mark.slow
def test_slots_are_shared_and_come_back(tmp_path: Path) -> None:
    """Two runs share the slots between them; when one is killed, the other has all again."""
    ours = HostShare(URL, tmp_path)
    other = neighbour(tmp_path)
    assert ours.of(5) in (2, 3) and ours.of(1) == 1
    other.kill()
    other.communicate()
    assert ours.of(5) == 5


@pytest.mark.slow
def test_other_servers_do_not_count(tmp_path: Path) -> None:
    """A run that asks another server takes no slots away."""
    ours = HostShare(URL, tmp_path)
    other = neighbour(tmp_path, "http://localhost:9999/v1")
    assert ours.of(5) == 5
    other.kill()
    other.communicate()


def test_what_somebody_else_put_there_is_no_run(tmp_path: Path) -> None:
    """Files of another user, links and folders take no slots away, and are not followed."""
    if os.getuid() != 0:
        pytest.skip("only root can give a file to another user")
    folder = tmp_path / hashlib.sha256(URL.encode()).hexdigest()[:16]
    folder.mkdir()
    (folder / "1.lock").touch()
    os.chown(folder / "1.lock", 12345, 12345)
    (folder / "2.lock").symlink_to(tmp_path / "elsewhere")
    (folder / "3.lock").mkdir()
    os.chown(folder / "3.lock", 12345, 12345)
    assert HostShare(URL, tmp_path).of(5) == 5
    assert not (tmp_path / "elsewhere").exists()


def test_a_folder_that_is_gone_stops_nobody(tmp_path: Path) -> None:
    """When the cache is removed under a run, it goes on with all its slots."""
    ours = HostShare(URL, tmp_path)
    shutil.rmtree(tmp_path)
    assert ours.of(5) == 5
