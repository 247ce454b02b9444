"""
The address of a git repository: what is accepted, what it is made of, and what makes two the same.

A leaf of the standard library alone, because the extractor parses its argument with it at every start.
The rules are regular expressions in the subset that Python and RE2 read alike: the CustomResourceDefinition
carries the same ones in CEL, so a person gets the same sentence from `kubectl apply` and from local mode.
No message repeats the address: it may hold a password.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from urllib.parse import unquote

URL_LIMIT = 2048  # characters
DEFAULT_PORTS = {"https": 443, "ssh": 22}

_PORT = r"([1-9][0-9]{0,3}|[1-5][0-9]{4}|6[0-4][0-9]{3}|65[0-4][0-9]{2}|655[0-2][0-9]|6553[0-5])"
_HOST = r"([A-Za-z0-9]([A-Za-z0-9._-]*[A-Za-z0-9])?|\[[0-9A-Fa-f:.]+\])"
_NETWORK_URL = re.compile(
    rf"(?P<scheme>https|ssh)://((?P<user>[^@/]+)@)?(?P<host>{_HOST})(:(?P<port>{_PORT}))?(?P<path>/.*)"
)


@dataclass(frozen=True, slots=True)
class UrlRule:
    """One demand on the text of an address. `pattern` must be found in it, or must not if `forbidden`."""

    pattern: str
    message: str
    forbidden: bool = False

    def accepts(self, text: str) -> bool:
        """Whether `text` meets the demand."""
        return (re.search(self.pattern, text) is None) == self.forbidden


_SHAPE_RULES = (
    UrlRule(
        r"[^!-~]",
        "must hold no space, control or non-ASCII character: percent-encode them (a space is %20)",
        forbidden=True,
    ),
    UrlRule(r"[?#]", "must hold no query (?) and no fragment (#): percent-encode them as %3F and %23", forbidden=True),
)
_PATH_RULES = (
    UrlRule(
        r"^[a-z]+://[^/]*/(\.git/?)?$|^[a-z]+://[^/]*$",
        "must name a repository after the host, such as https://host/group/name.git",
        forbidden=True,
    ),
    UrlRule(r"://.*(//|/\.\.?(/|$))", "must hold no empty, . or .. part in its path", forbidden=True),
)

NETWORK_RULES = (
    UrlRule(
        r"^(https|ssh)://",
        "must start with https:// or ssh:// "
        "(write git@host:path as ssh://git@host/path; file:///path works in local mode only)",
    ),
    *_SHAPE_RULES,
    UrlRule(r"^https://[^/]*@", "must hold no user name, token or password before the host", forbidden=True),
    UrlRule(
        r"^(https://|ssh://([A-Za-z0-9_][A-Za-z0-9._-]*@)?[^@/]*(/|$))",
        "may hold a user name before the host, such as ssh://git@host/path, but no password",
    ),
    UrlRule(
        rf"^[a-z]+://([^@/]*@)?{_HOST}(:{_PORT})?(/|$)",
        "must name a host, such as git.example.org or [2001:db8::1], and a port only from 1 to 65535",
    ),
    *_PATH_RULES,
)
LOCAL_RULES = (
    UrlRule(r"^file:///", "must name an absolute path after file://, such as file:///srv/git/name.git"),
    *_SHAPE_RULES,
    *_PATH_RULES,
)
_NO_SCHEME = "must start with https://, ssh:// or file:/// (write git@host:path as ssh://git@host/path)"


@dataclass(frozen=True, slots=True)
class RepositoryUrl:
    """
    An accepted address, taken apart.

    `host` is lower-case and without brackets, `port` is None for the scheme's own, `path` starts with `/` and is
    percent-encoded as written. `str()` gives the address for git; parsing that gives an equal value.
    """

    scheme: str
    user: str | None
    host: str
    port: int | None
    path: str

    def __str__(self) -> str:
        user = f"{self.user}@" if self.user else ""
        return f"{self.scheme}://{user}{self._authority}{self.path}"

    @property
    def key(self) -> str:
        """The identity of the repository: addresses with one key are one repository (`repositories.url_key`)."""
        return f"{self.scheme}://{self._authority}{self._bare_path}"

    @property
    def name(self) -> str:
        """The last part of the path, without `.git`, for people: decoded if that leaves something printable."""
        raw = self._bare_path.rpartition("/")[2]
        decoded = unquote(raw)
        return decoded if decoded.isprintable() else raw

    @property
    def _authority(self) -> str:
        host = f"[{self.host}]" if ":" in self.host else self.host
        return f"{host}:{self.port}" if self.port else host

    @property
    def _bare_path(self) -> str:
        return self.path.rstrip("/").removesuffix(".git").rstrip("/")


def parse_repository_url(text: str, *, allow_file: bool) -> RepositoryUrl:
    """
    Take an address apart. `allow_file` accepts `file:///abs/path` too, as local mode does.

    Raises ValueError with a sentence on what is allowed; it never repeats the address.
    """
    if len(text) > URL_LIMIT:
        raise ValueError(f"must hold at most {URL_LIMIT} characters")
    if allow_file and not text.startswith(("https://", "ssh://", "file:")):
        raise ValueError(_NO_SCHEME)
    is_file = allow_file and text.startswith("file:")
    for rule in LOCAL_RULES if is_file else NETWORK_RULES:
        if not rule.accepts(text):
            raise ValueError(rule.message)
    if is_file:
        return RepositoryUrl("file", None, "", None, text.removeprefix("file://"))
    return _network_url(text)


def url_key(text: str) -> str:
    """Return the key of an address of any accepted scheme. Raises ValueError like `parse_repository_url`."""
    return parse_repository_url(text, allow_file=True).key


def _network_url(text: str) -> RepositoryUrl:
    found = _NETWORK_URL.fullmatch(text)
    if found is None:  # the rules above say in words what this expression says at once
        raise ValueError("must be an https:// or ssh:// address such as https://host/group/name.git")
    scheme, port = found["scheme"], int(found["port"] or 0)
    return RepositoryUrl(
        scheme=scheme,
        user=found["user"],
        host=found["host"].strip("[]").lower(),
        port=None if port in (0, DEFAULT_PORTS[scheme]) else port,
        path=found["path"],
    )
