"""The file by which jobs on other hosts, and other terminals there, find a run: `results/<slug>/.connection.json`.

It names hosts, port, a token and the certificate that the coordinator made for itself at its start: who can read the
experiment can connect to its run, and nobody else. Its owner alone can read it. It is removed when the run ends: one
that was left tells that the run was killed.
"""

import datetime
import json
import secrets
import socket
import ssl
from contextlib import suppress
from dataclasses import asdict, dataclass
from pathlib import Path

from narrative_runs.atomic_files import written_whole

NAME = ".connection.json"
VALID_DAYS = 400
_TOKEN_BYTES = 32


@dataclass(frozen=True)
class ConnectionFile:
    """Where a coordinator listens for other hosts.

    hosts: its names and addresses, each of which may lead to it; token: carried by each request; certificate: as PEM.
    """

    hosts: tuple[str, ...]
    port: int
    token: str
    certificate: str

    def write(self, folder: Path) -> Path:
        """Write it into the folder of an experiment; returns its path."""
        path = folder / NAME
        with written_whole(path) as draft:
            draft.touch(mode=0o600)
            draft.chmod(0o600)
            draft.write_text(json.dumps(asdict(self)) + "\n", encoding="utf-8")
        return path

    @classmethod
    def read(cls, path: Path) -> "ConnectionFile":
        """The file at this path.

        Raises:
            OSError: there is none, or none that can be read.
        """
        try:
            given = json.loads(path.read_text(encoding="utf-8"))
            return cls(tuple(given["hosts"]), int(given["port"]), str(given["token"]), str(given["certificate"]))
        except (ValueError, KeyError, TypeError) as error:
            raise ConnectionError(f"{path} is damaged") from error

    def trust(self) -> ssl.SSLContext:
        """A context that trusts this very certificate, and no other."""
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
        context.check_hostname = False
        context.load_verify_locations(cadata=self.certificate)
        return context

    @property
    def headers(self) -> dict[str, str]:
        """What each request carries."""
        return {"authorization": f"Bearer {self.token}"}


def new_token() -> str:
    """A token that nobody can guess."""
    return secrets.token_urlsafe(_TOKEN_BYTES)


def own_certificate(folder: Path) -> tuple[str, ssl.SSLContext]:
    """A certificate for this session alone, as PEM, and the context with which to serve by it.

    folder: for its owner alone; the key lies there for a moment.
    """
    # Imported here: runs on one host need none of it.
    from cryptography import x509
    from cryptography.hazmat.primitives import hashes, serialization
    from cryptography.hazmat.primitives.asymmetric import ec

    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, "narrative-runs")])
    now, days = datetime.datetime.now(datetime.UTC), datetime.timedelta(days=1)
    certificate = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        # The clocks of two hosts may differ.
        .not_valid_before(now - days)
        .not_valid_after(now + VALID_DAYS * days)
        .add_extension(x509.BasicConstraints(ca=True, path_length=0), critical=True)
        .sign(key, hashes.SHA256())
    )
    pem = certificate.public_bytes(serialization.Encoding.PEM)
    secret = key.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    path = folder / "certificate"
    path.touch(mode=0o600)
    try:
        path.write_bytes(secret + pem)
        context.load_cert_chain(path)
    finally:
        path.unlink()
    return pem.decode(), context


def own_hosts() -> tuple[str, ...]:
    """The names and addresses by which other hosts may reach this one, the likeliest first."""
    name = socket.gethostname()
    likely = [socket.getfqdn(), name, *_own_addresses(name)]
    return tuple(dict.fromkeys(each for each in likely if not each.startswith("127.") and each != "localhost"))


def _own_addresses(name: str) -> list[str]:
    addresses: list[str] = []
    with suppress(OSError):
        addresses += [str(each[4][0]) for each in socket.getaddrinfo(name, None, socket.AF_INET, socket.SOCK_STREAM)]
    with suppress(OSError), socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as probe:
        # Sends nothing: it tells by which of its addresses this host would.
        probe.connect(("10.255.255.255", 9))
        addresses.append(str(probe.getsockname()[0]))
    return addresses
