"""Where narratives may go: this machine and its private network, unless the user allows more."""

import ipaddress
import socket
from urllib.parse import urlsplit
from urllib.request import getproxies, proxy_bypass

from narrative_runs.errors import ServerError


def must_stay_home(base_url: str, allow_remote: bool) -> None:
    """Refuse a server outside this machine and its private network, unless `allow_remote`.

    Raises:
        ServerError: the server is remote, and that is not allowed; or its name cannot be found.
    """
    if allow_remote:
        return
    try:
        near = is_near(base_url)
    except (OSError, ValueError) as error:
        raise ServerError(f"model.api_url: the host of {base_url} cannot be found ({error}). Mend it.") from None
    if not near:
        raise ServerError(
            f"model.api_url: {_host(base_url)} lies outside this machine and its private network. Narratives are "
            "restricted data and would leave the house. If you may send them there, set model.allow_remote: true."
        )


def is_near(base_url: str) -> bool:
    """Whether every address of the host is loopback, private or link-local.

    Raises:
        OSError, ValueError: the host's name cannot be found, or is none.
    """
    found = socket.getaddrinfo(_host(base_url), None, proto=socket.IPPROTO_TCP)
    addresses = [ipaddress.ip_address(str(entry[4][0]).split("%")[0]) for entry in found]
    return all(address.is_loopback or address.is_private or address.is_link_local for address in addresses)


def proxy_for(base_url: str) -> str | None:
    """The proxy that the environment names for a remote server; never one for a near server.

    Raises:
        ServerError: it is a SOCKS proxy.
    """
    named = getproxies()
    scheme = urlsplit(base_url).scheme
    proxy = named.get(scheme) or named.get("all")
    if proxy is None or proxy_bypass(_host(base_url)):
        return None
    try:
        if is_near(base_url):
            return None
    except (OSError, ValueError):
        # A name that this machine cannot find may be known to the proxy.
        pass
    if urlsplit(proxy).scheme.startswith("socks"):
        variable = f"{scheme}_proxy" if scheme in named else "all_proxy"
        raise ServerError(
            f"The environment variable {variable} names a SOCKS proxy, which cannot be used here. Set it to an HTTP "
            f"proxy, or add {_host(base_url)} to no_proxy to reach the server without one."
        )
    return proxy


def _host(base_url: str) -> str:
    return urlsplit(base_url).hostname or ""
