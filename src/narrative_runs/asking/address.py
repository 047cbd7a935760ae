"""Which servers may be asked: those of this machine and its private network, unless the user allows more."""

import errno
import ipaddress
import socket
from urllib.parse import urlsplit
from urllib.request import getproxies, proxy_bypass

from narrative_runs.errors import ServerError

Address = ipaddress.IPv4Address | ipaddress.IPv6Address

# Loopback, RFC 1918, unique local (RFC 4193) and link-local (RFC 3927, RFC 4291). Named one by one, because "private"
# in the registries means "not global": it takes in shared, documentation and reserved addresses too.
_NEAR = tuple(
    ipaddress.ip_network(network)
    for network in (
        "127.0.0.0/8",
        "10.0.0.0/8",
        "172.16.0.0/12",
        "192.168.0.0/16",
        "169.254.0.0/16",
        "::1/128",
        "fc00::/7",
        "fe80::/10",
    )
)
# Within these networks, but a cloud's own services, which hand out its credentials.
_METADATA_SERVICES = frozenset(
    ipaddress.ip_address(address)
    for address in (
        "169.254.169.254",
        "169.254.170.2",
        "169.254.170.23",
        "fd00:ec2::254",
        "fd00:ec2::23",
        "fd20:ce::254",
        "fe80::a9fe:a9fe",
    )
)
# What a server shows that listens on every address of its machine.
_UNSPECIFIED = ("0.0.0.0", "::")


def is_near(address: str) -> bool:
    """Whether an IP address, as the system writes it, is of this machine or its private network."""
    parsed = _parsed(address)
    return parsed not in _METADATA_SERVICES and any(parsed in network for network in _NEAR)


def require_private_address(base_url: str, allow_remote: bool) -> None:
    """Refuse a server with an address outside this machine and its private network, unless `allow_remote`.

    A name that cannot be resolved now is left to the connection, which looks again: the server may not be there yet.

    Raises:
        ServerError: the server is outside, and that is not allowed; or the address is not valid.
    """
    if allow_remote:
        return
    try:
        host = urlsplit(base_url).hostname or ""
        addresses = _addresses(host) if host else []
    except ValueError as error:
        raise ServerError(f"model.api_url: {base_url} is not a valid address ({error}). Correct it.") from None
    except OSError:
        return
    if not addresses:
        raise ServerError(f"model.api_url: {base_url} has no host name. Correct it.")
    outside = [address for address in addresses if not is_near(address)]
    if not outside:
        return
    if outside[0] in _UNSPECIFIED:
        raise ServerError(
            f"model.api_url: {outside[0]} is an address to listen on, not one to connect to. Write 127.0.0.1 for a "
            "server on this machine, or the address of the server's machine."
        )
    shown = host if host == outside[0] else f"{host} ({outside[0]})"
    raise ServerError(
        f"model.api_url: {shown} is outside this machine and its private network. Narratives are "
        "restricted data and would leave your network. If you may send them there, set model.allow_remote: true."
    )


def near_socket(
    address_info: tuple[int | socket.AddressFamily, int | socket.SocketKind, int, str, tuple[object, ...]],
) -> socket.socket:
    """A socket for a connection to a near address: each connection is checked here.

    address_info: one entry of `socket.getaddrinfo`.

    Raises:
        OSError: the address is outside. A name that is near at first can belong to another network an hour later.
    """
    family, kind, protocol, _, where = address_info
    address = str(where[0])
    if not is_near(address):
        raise OSError(errno.EACCES, f"its name resolves to {address}, outside this machine and its private network")
    return socket.socket(family, kind, protocol)


def proxy_for(base_url: str, allow_remote: bool) -> str | None:
    """The proxy that the environment names for a server that may be outside; never one for a server that must be near.

    Raises:
        ServerError: it is a SOCKS proxy.
    """
    if not allow_remote:
        return None
    named, parts = getproxies(), urlsplit(base_url)
    proxy, host = named.get(parts.scheme) or named.get("all"), parts.hostname or ""
    if proxy is None or proxy_bypass(host) or _is_known_and_near(host):
        return None
    if urlsplit(proxy).scheme.startswith("socks"):
        variable = f"{parts.scheme}_proxy" if parts.scheme in named else "all_proxy"
        raise ServerError(
            f"The environment variable {variable} names a SOCKS proxy, which cannot be used here. Set it to an HTTP "
            f"proxy, or add {host} to no_proxy to reach the server without one."
        )
    return proxy


def _is_known_and_near(host: str) -> bool:
    """Whether this machine knows the name, and all its addresses are near; a name may be known to the proxy alone."""
    try:
        return all(is_near(address) for address in _addresses(host))
    except (OSError, ValueError):
        return False


def _addresses(host: str) -> list[str]:
    """All addresses of a name, looked up now."""
    return [str(entry[4][0]) for entry in socket.getaddrinfo(host, None, proto=socket.IPPROTO_TCP)]


def _parsed(address: str) -> Address:
    """The address without its zone; for an IPv4 address in the form of IPv6, the IPv4 address."""
    parsed = ipaddress.ip_address(address.split("%")[0])
    return getattr(parsed, "ipv4_mapped", None) or parsed
