import socket
from typing import Any

import pytest

from narrative_runs.asking.address import is_near, near_socket, proxy_for, require_private_address
from narrative_runs.errors import ServerError

NEAR = [
    "127.0.0.1",
    "127.8.8.8",
    "10.0.0.5",
    "172.16.0.1",
    "172.31.255.255",
    "192.168.1.20",
    "169.254.10.1",
    "::1",
    "fd00::1",
    "fe80::1",
    "fe80::1%eth0",
    "::ffff:10.0.0.1",
]
FAR = [
    "8.8.8.8",
    "172.32.0.1",
    "2001:4860:4860::8888",
    "::ffff:8.8.8.8",
    "0.0.0.0",
    "::",
    # What "private" takes in elsewhere: shared, protocol, documentation, benchmarking and reserved addresses.
    "100.64.0.1",
    "100.100.100.200",
    "192.0.0.192",
    "192.0.2.1",
    "198.18.0.1",
    "198.51.100.1",
    "203.0.113.1",
    "240.0.0.1",
    "255.255.255.255",
    "224.0.0.1",
    "ff02::1",
    "2001:db8::1",
    "fec0::1",
    # Teredo, 6to4, NAT64 and IPv4-compatible addresses, which wrap another one.
    "2001:0:808:808::1",
    "2002:808:808::1",
    "2002:a00:1::1",
    "64:ff9b::808:808",
    "::8.8.8.8",
    "::127.0.0.1",
    # Metadata services of clouds.
    "169.254.169.254",
    "169.254.170.2",
    "::ffff:169.254.169.254",
    "fd00:ec2::254",
    "fe80::a9fe:a9fe%eth0",
]
NEAR_URLS = [
    "http://localhost:1234/v1",
    "http://127.0.0.1:1234/v1",
    "http://[::1]:1234/v1",
    "https://192.168.1.20:8000/v1",
    "http://user:word@127.0.0.1:1234/v1",
]
FAR_URLS = [
    "https://8.8.8.8/v1",
    "http://127.0.0.1@8.8.8.8/v1",
    "http://8.8.8.8/127.0.0.1/v1",
    "http://169.254.169.254/v1",
    "http://134744072/v1",
    "http://0x08080808/v1",
    "http://010.8.8.8/v1",
]


def names(monkeypatch: pytest.MonkeyPatch, **addresses: list[str]) -> None:
    """Let names stand for addresses, without asking anybody."""

    def look_up(host: str, *_: Any, **__: Any) -> list[Any]:
        if host not in addresses:
            raise socket.gaierror("no such name")
        return [(socket.AF_INET, socket.SOCK_STREAM, 6, "", (address, 0)) for address in addresses[host]]

    monkeypatch.setattr(socket, "getaddrinfo", look_up)


@pytest.mark.parametrize("address", NEAR)
def test_this_machine_and_its_network_are_near(address: str) -> None:
    """Loopback, RFC 1918, unique local and link-local addresses are near."""
    assert is_near(address)


@pytest.mark.parametrize("address", FAR)
def test_every_other_address_is_not_near(address: str) -> None:
    """Public, shared, documentation, reserved and wrapping addresses and metadata services are not near."""
    assert not is_near(address)


@pytest.mark.parametrize("url", NEAR_URLS)
def test_a_near_server_may_be_asked(url: str) -> None:
    """A server on this machine or in its private network needs no leave."""
    require_private_address(url, allow_remote=False)


@pytest.mark.parametrize("url", FAR_URLS)
def test_narratives_do_not_leave_without_leave(url: str) -> None:
    """Any other server is refused with what to set, unless the user allows it."""
    with pytest.raises(ServerError, match=r"model\.allow_remote: true"):
        require_private_address(url, allow_remote=False)
    require_private_address(url, allow_remote=True)


@pytest.mark.parametrize("url", ["http://0.0.0.0:8000/v1", "http://[::]:8000/v1"])
def test_where_a_server_listens_is_not_where_it_is_asked(url: str) -> None:
    """The address that servers show at their start is refused with the one to write."""
    with pytest.raises(ServerError, match=r"Write 127\.0\.0\.1"):
        require_private_address(url, allow_remote=False)


def test_one_address_outside_is_enough(monkeypatch: pytest.MonkeyPatch) -> None:
    """A name is near only if all its addresses are; the one that is not is told."""
    names(monkeypatch, inside=["10.0.0.1", "127.0.0.1"], both=["10.0.0.1", "8.8.8.8"])
    require_private_address("http://inside/v1", allow_remote=False)
    with pytest.raises(ServerError, match=r"both \(8\.8\.8\.8\)"):
        require_private_address("http://both/v1", allow_remote=False)


def test_a_name_that_cannot_be_found_now_is_left_to_the_connection(monkeypatch: pytest.MonkeyPatch) -> None:
    """A look-up that fails proves nothing: the server is unreachable, and looked up again when it is asked."""
    names(monkeypatch)
    require_private_address("http://nowhere/v1", allow_remote=False)


@pytest.mark.parametrize("address", ["203.0.113.5", "0.0.0.0", "169.254.169.254"])
def test_no_connection_is_made_to_an_address_that_is_not_near(address: str) -> None:
    """Where a connection is made its address is checked once more, whatever the name led to before."""
    with pytest.raises(OSError, match=f"resolves to {address}, outside"):
        near_socket((socket.AF_INET, socket.SOCK_STREAM, 6, "", (address, 80)))
    near_socket((socket.AF_INET, socket.SOCK_STREAM, 6, "", ("10.0.0.1", 80))).close()


@pytest.mark.parametrize(
    "url", ["http://my..server/v1", f"http://{'a' * 70}/v1", "http://[::1/v1", "http://[x]/v1", "http://:1234/v1"]
)
def test_an_address_that_is_none_is_named(url: str) -> None:
    """What cannot be a host at all ends with the key to mend too, and not with a traceback."""
    with pytest.raises(ServerError, match=r"model\.api_url"):
        require_private_address(url, allow_remote=False)


@pytest.fixture
def _proxies(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("no_proxy", "NO_PROXY", "HTTP_PROXY", "HTTPS_PROXY", "REQUEST_METHOD"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("http_proxy", "http://proxy:1")
    monkeypatch.setenv("https_proxy", "http://proxy:2")


@pytest.mark.usefixtures("_proxies")
def test_a_remote_server_is_reached_through_the_proxy() -> None:
    """For a server outside, the environment's proxy for its scheme is used."""
    assert proxy_for("http://8.8.8.8/v1", True) == "http://proxy:1"
    assert proxy_for("https://8.8.8.8/v1", True) == "http://proxy:2"


@pytest.mark.usefixtures("_proxies")
@pytest.mark.parametrize("url", NEAR_URLS)
def test_a_near_server_is_never_reached_through_a_proxy(url: str) -> None:
    """What may stay in the network does not make a detour."""
    assert proxy_for(url, False) is None
    assert proxy_for(url, True) is None


@pytest.mark.usefixtures("_proxies")
def test_no_proxy_is_heeded(monkeypatch: pytest.MonkeyPatch) -> None:
    """A server that the environment exempts is asked directly."""
    monkeypatch.setenv("no_proxy", "8.8.8.8")
    assert proxy_for("http://8.8.8.8/v1", True) is None


@pytest.mark.usefixtures("_proxies")
def test_a_name_that_only_the_proxy_knows_is_left_to_it_with_leave_alone(monkeypatch: pytest.MonkeyPatch) -> None:
    """Behind a proxy a machine may know no names; the proxy looks them up only if the server may be outside."""
    names(monkeypatch)
    assert proxy_for("https://api.example.org/v1", True) == "http://proxy:2"
    assert proxy_for("https://api.example.org/v1", False) is None
