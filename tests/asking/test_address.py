import socket
from typing import Any

import pytest

from narrative_runs.asking.address import is_near, must_stay_home, proxy_for
from narrative_runs.errors import ServerError

NEAR = [
    "http://localhost:1234/v1",
    "http://127.0.0.1:1234/v1",
    "http://127.8.8.8/v1",
    "http://[::1]:1234/v1",
    "http://10.0.0.5/v1",
    "http://172.16.0.1/v1",
    "https://192.168.1.20:8000/v1",
    "http://169.254.10.1/v1",
    "http://[fd00::1]/v1",
    "http://[fe80::1]/v1",
    "http://user:word@127.0.0.1:1234/v1",
]
FAR = [
    "https://8.8.8.8/v1",
    "http://172.32.0.1/v1",
    "http://[2001:4860:4860::8888]/v1",
    "http://[::ffff:8.8.8.8]/v1",
    "http://127.0.0.1@8.8.8.8/v1",
    "http://8.8.8.8/127.0.0.1/v1",
]


def names(monkeypatch: pytest.MonkeyPatch, **addresses: list[str]) -> None:
    """Let names stand for addresses, without asking anybody."""

    def look_up(host: str, *_: Any, **__: Any) -> list[Any]:
        if host not in addresses:
            raise socket.gaierror("no such name")
        return [(socket.AF_INET, socket.SOCK_STREAM, 6, "", (address, 0)) for address in addresses[host]]

    monkeypatch.setattr(socket, "getaddrinfo", look_up)


@pytest.mark.parametrize("url", NEAR)
def test_this_machine_and_its_network_may_be_asked(url: str) -> None:
    """Loopback, private and link-local addresses are near, and need no leave."""
    assert is_near(url)
    must_stay_home(url, allow_remote=False)


@pytest.mark.parametrize("url", FAR)
def test_narratives_do_not_leave_without_leave(url: str) -> None:
    """Any other address is refused with what to set, unless the user allows it."""
    assert not is_near(url)
    with pytest.raises(ServerError, match=r"model\.allow_remote: true"):
        must_stay_home(url, allow_remote=False)
    must_stay_home(url, allow_remote=True)


def test_one_address_outside_is_enough(monkeypatch: pytest.MonkeyPatch) -> None:
    """A name is near only if all its addresses are."""
    names(monkeypatch, inside=["10.0.0.1", "127.0.0.1"], both=["10.0.0.1", "8.8.8.8"])
    assert is_near("http://inside/v1")
    assert not is_near("http://both/v1")


@pytest.mark.parametrize("url", ["http://nowhere/v1", "http://:1234/v1", "http://my server/v1"])
def test_a_name_that_nobody_knows_is_named(monkeypatch: pytest.MonkeyPatch, url: str) -> None:
    """A typo in the address ends with the key to mend."""
    names(monkeypatch)
    with pytest.raises(ServerError, match=r"model\.api_url"):
        must_stay_home(url, allow_remote=False)


@pytest.mark.parametrize("url", ["http://my..server/v1", f"http://{'a' * 70}/v1", "http://[::1/v1", "http://[x]/v1"])
def test_an_address_that_is_none_is_named(url: str) -> None:
    """What cannot be a host at all ends with the key to mend too, and not with a traceback."""
    with pytest.raises(ServerError, match=r"model\.api_url"):
        must_stay_home(url, allow_remote=False)


@pytest.fixture
def _proxies(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("no_proxy", "NO_PROXY", "HTTP_PROXY", "HTTPS_PROXY", "REQUEST_METHOD"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("http_proxy", "http://proxy:1")
    monkeypatch.setenv("https_proxy", "http://proxy:2")


@pytest.mark.usefixtures("_proxies")
def test_a_remote_server_is_reached_through_the_proxy() -> None:
    """For a server outside, the environment's proxy for its scheme is used."""
    assert proxy_for("http://8.8.8.8/v1") == "http://proxy:1"
    assert proxy_for("https://8.8.8.8/v1") == "http://proxy:2"


@pytest.mark.usefixtures("_proxies")
@pytest.mark.parametrize("url", NEAR)
def test_a_near_server_is_never_reached_through_a_proxy(url: str) -> None:
    """What may stay in the house does not make a detour."""
    assert proxy_for(url) is None


@pytest.mark.usefixtures("_proxies")
def test_no_proxy_is_heeded(monkeypatch: pytest.MonkeyPatch) -> None:
    """A server that the environment exempts is asked directly."""
    monkeypatch.setenv("no_proxy", "8.8.8.8")
    assert proxy_for("http://8.8.8.8/v1") is None


@pytest.mark.usefixtures("_proxies")
def test_a_name_that_only_the_proxy_knows_is_left_to_it(monkeypatch: pytest.MonkeyPatch) -> None:
    """Behind a proxy a machine may know no names; the proxy looks them up."""
    names(monkeypatch)
    assert proxy_for("https://api.example.org/v1") == "http://proxy:2"
