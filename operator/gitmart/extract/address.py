"""
Which addresses git may talk to.

Whoever may write a Repository must not be able to make a pod read from the cluster's own network or the
cloud's metadata service. The host is resolved here, every address is looked at, and git is told to use
these and no others: a name that resolves differently a moment later changes nothing.
"""

from __future__ import annotations

import ipaddress
import socket
import threading
from collections.abc import Iterable, Sequence

from gitmart.contract.addresses import Address, innermost, is_public
from gitmart.contract.outcomes import Outcome
from gitmart.contract.repository_url import DEFAULT_PORTS, RepositoryUrl
from gitmart.extract.errors import ExtractError

Network = ipaddress.IPv4Network | ipaddress.IPv6Network


def parse_network(text: str) -> Network:
    """Return the network that a CIDR stands for; raise ValueError with what is allowed."""
    try:
        return ipaddress.ip_network(text)
    except ValueError:
        raise ValueError(
            f"{text[:50]!r} is no network: write it like 10.0.0.0/8 or fd00::/8, with no bit set after the prefix"
        ) from None


def resolve(url: RepositoryUrl) -> tuple[Address, ...]:
    """
    Return the addresses of the host; raise ExtractError (HostUnreachable) when the name is unknown.

    The look-up is left to a thread, because the resolver in C would keep a timeout or a signal waiting.
    """
    found: list[tuple[Address, ...]] = []
    errors: list[Exception] = []

    def look_up() -> None:
        try:
            found.append(_look_up(url, 0))
        except Exception as error:  # raised below, in the thread that asked
            errors.append(error)

    thread = threading.Thread(target=look_up, name="resolver", daemon=True)
    thread.start()
    thread.join()
    for error in errors:
        if not isinstance(error, OSError | UnicodeError):
            raise error
        raise ExtractError(f"the host {url.host} cannot be resolved: {error}", Outcome.HOST_UNREACHABLE)
    return found[0]


def literal(url: RepositoryUrl) -> tuple[Address, ...]:
    """Return the address if the host is written as one, in any notation such as 127.1 or 0x7f000001; else ()."""
    try:
        return _look_up(url, socket.AI_NUMERICHOST)
    except (OSError, UnicodeError):
        return ()


def refuse_private(url: RepositoryUrl, addresses: Iterable[Address], networks: Sequence[Network]) -> None:
    """Raise ExtractError (AddressNotAllowed) if an address is neither public nor in one of the networks."""
    for address in addresses:
        if is_public(address) or any(each in network for each in (address, innermost(address)) for network in networks):
            continue
        allowed = ", ".join(str(network) for network in networks) or "none"
        raise ExtractError(
            f"{url.host} has the address {address}, which is not a public address and is in no allowed network "
            f"(allowed: {allowed}): if this git host is meant, an administrator can allow its network "
            "(--allow-network, the operator's GITMART_ALLOWED_NETWORKS, the chart's git.allowedNetworks) or all "
            "(--allow-private-addresses)",
            Outcome.ADDRESS_NOT_ALLOWED,
        )


def port_of(url: RepositoryUrl) -> int:
    """Return the port that git will connect to."""
    return url.port or DEFAULT_PORTS[url.scheme]


def curl_resolve(url: RepositoryUrl, addresses: Iterable[Address]) -> str:
    """Return the value of git's `http.curloptResolve`, see CURLOPT_RESOLVE(3)."""
    listed = ",".join(f"[{address}]" if address.version == 6 else str(address) for address in addresses)
    return f"{url.host}:{port_of(url)}:{listed}"


def _look_up(url: RepositoryUrl, flags: int) -> tuple[Address, ...]:
    found = socket.getaddrinfo(url.host, port_of(url), type=socket.SOCK_STREAM, flags=flags)
    return tuple(dict.fromkeys(ipaddress.ip_address(str(entry[4][0]).partition("%")[0]) for entry in found))
