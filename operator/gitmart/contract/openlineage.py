"""
Where OpenLineage events go, and under which names: what a DbtSchedule and `gitmart transform` agree on.

The rules are regular expressions in the subset that Python and RE2 read alike, as those in `repository_url.py`.
"""

from __future__ import annotations

import re
from dataclasses import dataclass

from gitmart.contract.host_api import API_URL_LIMIT, API_URL_PATTERN

URL_LIMIT = API_URL_LIMIT
URL_PATTERN = API_URL_PATTERN.replace("https", "https?", 1)
URL_MESSAGE = (
    "must be the https:// address of an OpenLineage collector, or the http:// address of one inside, such as "
    "http://marquez.lineage.svc:5000: without user name, password, query and fragment"
)
DEFAULT_PATH = "/api/v1/lineage"  # that of the specification: https://openlineage.io/apidocs/openapi/
DEFAULT_PORTS = {"https": 443, "http": 80}
NAME_LIMIT = 256  # characters of a namespace
NAMESPACE_PATTERN = r"^[A-Za-z0-9][A-Za-z0-9._:/-]*$"
NAMESPACE_MESSAGE = "must be a namespace of jobs such as team-a: letters, digits and . _ : / -, the first one no sign"


@dataclass(frozen=True, slots=True)
class CollectorUrl:
    """The address that events are posted to. Its text is what a person may write for it."""

    scheme: str
    host: str
    port: int
    path: str

    @property
    def authority(self) -> str:
        """Host and port as the header Host has them."""
        host = f"[{self.host}]" if ":" in self.host else self.host
        return host if self.port == DEFAULT_PORTS[self.scheme] else f"{host}:{self.port}"

    def __str__(self) -> str:
        return f"{self.scheme}://{self.authority}{self.path}"


def parse_collector_url(text: str) -> CollectorUrl:
    """Take the address of a collector apart; without a path it has the default. Raises ValueError, see URL_MESSAGE."""
    if len(text) > URL_LIMIT or re.fullmatch(URL_PATTERN, text) is None:
        raise ValueError(URL_MESSAGE)
    scheme, _, rest = text.partition("://")
    authority, _, path = rest.partition("/")
    bracketed, bracket, after = authority.rpartition("]")
    host, _, port = (bracketed, "", after.removeprefix(":")) if bracket else authority.partition(":")
    return CollectorUrl(
        scheme=scheme,
        host=host.strip("[]").lower(),
        port=int(port or DEFAULT_PORTS[scheme]),
        path=f"/{path.rstrip('/')}" if path.strip("/") else DEFAULT_PATH,
    )


def parse_namespace(text: str) -> str:
    """Return the namespace; raise ValueError, see NAMESPACE_MESSAGE."""
    if len(text) > NAME_LIMIT or re.fullmatch(NAMESPACE_PATTERN, text) is None:
        raise ValueError(f"{NAMESPACE_MESSAGE}; at most {NAME_LIMIT} characters")
    return text
