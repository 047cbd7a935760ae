import os
import socket
import subprocess
import sys
from pathlib import Path

import pytest

from narrative_runs.errors import ServerError
from narrative_runs.started_server import ports
from narrative_runs.started_server.ports import free_port, is_taken, strangers_at


def test_a_free_port_can_be_listened_at() -> None:
    """A port that is free is none that a program listens at, until one does."""
    port = free_port()
    assert not is_taken(port)
    with socket.create_server(("127.0.0.1", port)):
        assert is_taken(port)


def test_a_taken_port_is_not_given(monkeypatch: pytest.MonkeyPatch) -> None:
    """Where all ports are taken, that is an error which names them."""
    with socket.create_server(("127.0.0.1", 0)) as listening:
        port = listening.getsockname()[1]
        monkeypatch.setattr(ports, "_LOWEST", port)
        monkeypatch.setattr(ports, "_COUNT", 1)
        with pytest.raises(ServerError, match=f"from {port} to {port}"):
            free_port()


@pytest.fixture
def table(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The system's table of connections: the user 4711 listens at port 4660, and is connected at 4661."""
    path = tmp_path / "tcp"
    path.write_text(
        "  sl  local_address rem_address   st tx_queue rx_queue tr tm->when retrnsmt   uid  timeout inode\n"
        "   0: 0100007F:1234 00000000:0000 0A 00000000:00000000 00:00000000 00000000  4711        0 1 1 0 100 0\n"
        "   1: 0100007F:1235 0100007F:1234 01 00000000:00000000 00:00000000 00000000  4711        0 1 1 0 100 0\n"
    )
    monkeypatch.setattr(ports, "_TABLES", (path, tmp_path / "tcp6"))
    return path


def test_a_strangers_port_is_seen(table: Path) -> None:
    """Another user whose program listens at a port is seen there, and nowhere where it does not listen."""
    assert strangers_at(0x1234) == {4711}
    assert strangers_at(0x1235) == strangers_at(0x1236) == set()


@pytest.mark.parametrize("user", [0, os.getuid()])
def test_ones_own_port_is_no_strangers(table: Path, user: int) -> None:
    """This user and the system are no strangers."""
    table.write_text(table.read_text().replace("4711", str(user)))
    assert strangers_at(0x1234) == set()


def test_where_the_system_tells_nothing_there_are_no_strangers(table: Path) -> None:
    """Without such a table nobody is seen."""
    table.unlink()
    assert strangers_at(0x1234) == set()


@pytest.mark.skipif(sys.platform != "linux" or os.getuid() != 0, reason="only root can listen as somebody else")
def test_a_real_listener_is_seen() -> None:
    """A socket of another user's program is seen in the system's own table."""
    code = "import os, socket, sys; os.setuid(65534); s = socket.create_server(('127.0.0.1', 0)); "
    code += "print(s.getsockname()[1], flush=True); sys.stdin.read()"
    with subprocess.Popen([sys.executable, "-c", code], stdin=subprocess.PIPE, stdout=subprocess.PIPE) as listening:
        assert listening.stdout is not None
        assert strangers_at(int(listening.stdout.readline())) == {65534}
