"""
Which addresses git may talk to.

Whoever may write a Repository must not be able to make a pod read from the cluster's own network or the
cloud's metadata service. The host is resolved here, every address is looked at, and git is told to use
these and no others: a name that resolves differently a moment later changes nothing.
"""

from __future__ import annotations

import ipaddress
import os
import socket
from collections.abc import Iterable

from gitmart.contract.outcomes import Outcome
from gitmart.contract.repository_url import DEFAULT_PORTS, RepositoryUrl
from gitmart.extract.errors import ExtractError

# Prefixes of IPv6 that carry an IPv4 address: NAT64 (RFC 6052), and its local form (RFC 8215).
_NAT64 = (ipaddress.ip_network("64:ff9b::/96"), ipaddress.ip_network("64:ff9b:1::/48"))

Address = ipaddress.IPv4Address | ipaddress.IPv6Address


def is_public(address: Address) -> bool:
    """Whether the address belongs to the public internet, also by what it carries inside."""
    if isinstance(address, ipaddress.IPv6Address):
        if any(address in network for network in _NAT64):
            return is_public(ipaddress.IPv4Address(int(address) & 0xFFFF_FFFF))
        for inner in (address.ipv4_mapped, address.sixtofour):
            if inner is not None:
                return is_public(inner)
    return address.is_global and not address.is_multicast


def allowed_addresses(url: RepositoryUrl, *, allow_private: bool) -> tuple[Address, ...]:
    """
    Resolve the host and return its addresses; () for a file, or when a proxy does the resolving.

    Raise ExtractError: HostUnreachable when the name is unknown, InvalidInput when any address is
    private, link-local or the machine's own and the administrator does not allow that.
    """
    if url.scheme == "file" or (url.scheme == "https" and _goes_through_a_proxy()):
        return ()
    try:
        found = socket.getaddrinfo(url.host, port_of(url), type=socket.SOCK_STREAM)
    except (OSError, UnicodeError) as error:
        raise ExtractError(f"the host {url.host} cannot be resolved: {error}", Outcome.HOST_UNREACHABLE) from None
    addresses = tuple(dict.fromkeys(ipaddress.ip_address(str(entry[4][0]).partition("%")[0]) for entry in found))
    if not allow_private:
        _refuse_private(url, addresses)
    return addresses


def _refuse_private(url: RepositoryUrl, addresses: Iterable[Address]) -> None:
    for address in addresses:
        if not is_public(address):
            raise ExtractError(
                f"{url.host} resolves to {address}, which is not a public address: "
                "allow it with --allow-private-addresses if this git host is meant",
                Outcome.INVALID_INPUT,
            )


def port_of(url: RepositoryUrl) -> int:
    """Return the port that git will connect to."""
    return url.port or DEFAULT_PORTS[url.scheme]


def _goes_through_a_proxy() -> bool:
    return any(name.lower() in {"https_proxy", "all_proxy"} and value for name, value in os.environ.items())


def curl_resolve(url: RepositoryUrl, addresses: Iterable[Address]) -> str:
    """Return the value of git's `http.curloptResolve`, see CURLOPT_RESOLVE(3)."""
    listed = ",".join(f"[{address}]" if address.version == 6 else str(address) for address in addresses)
    return f"{url.host}:{port_of(url)}:{listed}"
