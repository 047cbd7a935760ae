"""The link that opens the page: its token, and the addresses at which people reach it."""

import getpass
import hashlib
import ipaddress
import os
import secrets
import socket
import stat
import time
from pathlib import Path

from platformdirs import user_cache_path

from narrative_runs.page.safety import LOOPBACK_NAMES

KEPT_FOR_S = 24 * 3600.0
_ANY = ("0.0.0.0", "::", "")


def token_of(project: Path) -> str:
    """The token of this project's page: 256 random bits.

    It is kept for a day, readable by this user alone, so that an open page works again after its server restarts.
    Where it cannot be kept, each start makes a new one.
    """
    name = hashlib.sha256(str(project.resolve()).encode("utf-8", "surrogateescape")).hexdigest()
    path = user_cache_path("narrative-runs") / "page" / name
    try:
        return _kept(path) or _made(path)
    except OSError:
        return secrets.token_urlsafe(32)


def _kept(path: Path) -> str:
    """The token in this file; empty if it is older than a day, or if others could have read or written it."""
    try:
        file = os.open(path, os.O_RDONLY | os.O_NOFOLLOW)
    except OSError:
        return ""
    with os.fdopen(file, encoding="ascii", errors="replace") as opened:
        status = os.fstat(file)
        is_own = status.st_uid == os.getuid() and not stat.S_IMODE(status.st_mode) & 0o077
        token = opened.read(100).strip()
    is_whole = len(token) == 43 and token.isascii()
    return token if is_own and is_whole and time.time() - status.st_mtime < KEPT_FOR_S else ""


def _made(path: Path) -> str:
    path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    token = secrets.token_urlsafe(32)
    draft = path.with_name(f".{path.name}.{os.getpid()}")
    draft.unlink(missing_ok=True)
    with os.fdopen(os.open(draft, os.O_CREAT | os.O_EXCL | os.O_WRONLY, 0o600), "w") as opened:
        opened.write(token)
    draft.replace(path)
    return token


def is_loopback(host: str) -> bool:
    """Whether only programs on this machine can reach a server at this host."""
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"


def names_of(host: str) -> frozenset[str]:
    """The names by which a server at this host may be called, beside addresses in digits."""
    if is_loopback(host):
        return LOOPBACK_NAMES
    return frozenset({*LOOPBACK_NAMES, host.lower(), socket.gethostname().lower(), socket.getfqdn().lower()} - {*_ANY})


def link(host: str, port: int, token: str) -> str:
    """What a person opens in a browser."""
    name = socket.gethostname() if host in _ANY else host
    return f"http://{f'[{name}]' if ':' in name else name}:{port}/?token={token}"


def by_ssh(port: int, connection: str) -> str:
    """The command that brings the page of a remote machine to the one where the browser is.

    connection: the variable SSH_CONNECTION, of which the third word is this machine's address as the other one sees it
    and the fourth its port; empty where this machine is not a remote one.
    """
    words = connection.split()
    if len(words) != 4:
        return ""
    through = "" if words[3] == "22" else f" -p {words[3]}"
    return f"ssh -N -L {port}:127.0.0.1:{port}{through} {getpass.getuser()}@{words[2]}"
