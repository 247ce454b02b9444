"""
Whether git goes through a proxy, decided here and told to git, so that both mean the same.

A proxy resolves the host itself, and its rules decide what may be reached. If git were left to read
NO_PROXY its own way, a host could be reached directly although nobody has looked at its address.
"""

from __future__ import annotations

import ipaddress
import os
from collections.abc import Mapping
from urllib.parse import unquote, urlsplit

from gitmart.contract.repository_url import RepositoryUrl

# In the order in which git looks at them.
_PROXIES = ("https_proxy", "HTTPS_PROXY", "all_proxy", "ALL_PROXY")
_EXCEPTIONS = ("no_proxy", "NO_PROXY")


def proxy_for(url: RepositoryUrl, environment: Mapping[str, str] = os.environ) -> str:
    """Return the proxy that leads to the host; "" when it is reached directly."""
    if url.scheme != "https":
        return ""
    proxy = next((environment[name] for name in _PROXIES if environment.get(name)), "")
    exceptions = next((environment[name] for name in _EXCEPTIONS if environment.get(name)), "")
    return "" if any(_covers(entry, url.host) for entry in exceptions.replace(",", " ").split()) else proxy


def proxy_secrets(environment: Mapping[str, str] = os.environ) -> tuple[str, ...]:
    """Return the passwords that stand in the addresses of proxies, as they stand there and as they are meant."""
    found = [urlsplit(proxy).password for name in _PROXIES if (proxy := environment.get(name)) and "://" in proxy]
    return tuple(spelled for password in found if password for spelled in (password, unquote(password)))


def _covers(entry: str, host: str) -> bool:
    """Whether an entry of NO_PROXY means the host: `*`, a domain with all below it, an address or a network."""
    if entry == "*":
        return True
    try:
        return ipaddress.ip_address(host) in ipaddress.ip_network(entry.strip("[]"), strict=False)
    except ValueError:
        domain = entry.lower().strip(".")
        return bool(domain) and f".{host.rstrip('.')}".endswith(f".{domain}")
