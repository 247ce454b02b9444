"""
What is kept of a repository at its host, and how values that a host sent are believed. Pure.

A host may send anything under any name. What is not of its kind (a text for a number, a number below zero, a text
with control characters, an address elsewhere) is None, and nothing of it stops anything.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from decimal import Decimal
from urllib.parse import urlsplit

MOST_NUMBER = 2**63 - 1  # what the warehouse's bigint holds
MOST_TEXT = 255
MOST_LANGUAGES = 200
MOST_TOPICS = 100
_SIX_PLACES = Decimal("0.000001")
_LOGIN = re.compile(r"[A-Za-z0-9][A-Za-z0-9_.-]{0,98}(?:\[bot\])?")


@dataclass(frozen=True, slots=True)
class Language:
    """A language and its part of the code, 0 to 1; `size_bytes` is None where the host tells parts alone."""

    name: str
    size_bytes: int | None
    share: Decimal | None


@dataclass(frozen=True, slots=True)
class Facts:
    """A repository as its host describes it. None: the host does not say, or not in a way that can be believed."""

    host_id: int
    full_name: str | None = None
    stars: int | None = None
    forks: int | None = None
    watchers: int | None = None
    open_issues: int | None = None  # without pull requests
    open_pull_requests: int | None = None
    size_bytes: int | None = None
    license_spdx: str | None = None
    default_branch: str | None = None
    visibility: str | None = None
    is_archived: bool | None = None
    is_fork: bool | None = None
    parent_full_name: str | None = None
    topics: tuple[str, ...] = ()
    languages: tuple[Language, ...] = ()


@dataclass(frozen=True, slots=True)
class Account:
    """Somebody the host knows."""

    login: str
    account_id: int | None
    profile_url: str | None


@dataclass(frozen=True, slots=True)
class CommitAccounts:
    """Whom the host takes a commit's author and committer for; None: nobody it knows."""

    commit_hash: str
    author: Account | None
    committer: Account | None


def number(value: object) -> int | None:
    """Return a count or an id."""
    known = isinstance(value, int) and not isinstance(value, bool) and 0 <= value <= MOST_NUMBER
    return value if known and isinstance(value, int) else None


def text(value: object) -> str | None:
    """Return a short text that can be printed."""
    return value if isinstance(value, str) and 0 < len(value) <= MOST_TEXT and value.isprintable() else None


def truth(value: object) -> bool | None:
    """Return a boolean."""
    return value if isinstance(value, bool) else None


def mapping(value: object) -> Mapping[str, object]:
    """Return a JSON object; an empty one for anything else."""
    return value if isinstance(value, dict) else {}


def topics(value: object) -> tuple[str, ...]:
    """Return topics in their order, each once."""
    found = [text(each) for each in value[:MOST_TOPICS]] if isinstance(value, list) else []
    return tuple(dict.fromkeys(each for each in found if each is not None))


def languages_by_size(value: object) -> tuple[Language, ...]:
    """Return the languages of `{"Python": 1234, …}`, bytes of code, in the order of their names."""
    found = {text(name): number(size) for name, size in _entries(value)}
    sizes = {name: size for name, size in found.items() if name is not None and size is not None}
    total = sum(sizes.values())
    return tuple(
        Language(name, size, _rounded(Decimal(size) / total) if total else None) for name, size in sorted(sizes.items())
    )


def languages_by_percent(value: object) -> tuple[Language, ...]:
    """Return the languages of `{"Ruby": 66.69, …}`, percent of the code, in the order of their names."""
    found = []
    for name, percent in _entries(value):
        known = text(name)
        real = isinstance(percent, int | float) and not isinstance(percent, bool) and 0 <= percent <= 100
        if known is not None and real:
            found.append(Language(known, None, _rounded(Decimal(str(percent)) / 100)))
    return tuple(sorted(found, key=lambda each: each.name))


def account(value: object, hosts: Iterable[str]) -> Account | None:
    """Return the account of `{"login": …, "id": …, "html_url": …}`; its page must be on one of the hosts."""
    found = mapping(value)
    login = found.get("login")
    if not isinstance(login, str) or _LOGIN.fullmatch(login) is None:
        return None
    return Account(login, number(found.get("id")), _page(found.get("html_url"), hosts))


def commit_hash(value: object) -> str | None:
    """Return a commit's hash."""
    return value if isinstance(value, str) and re.fullmatch(r"[0-9a-f]{40}|[0-9a-f]{64}", value) else None


def _entries(value: object) -> list[tuple[str, object]]:
    return list(mapping(value).items())[:MOST_LANGUAGES]


def _rounded(share: Decimal) -> Decimal:
    return share.quantize(_SIX_PLACES)


def _page(value: object, hosts: Iterable[str]) -> str | None:
    address = text(value)
    if address is None or re.fullmatch(r"https://[!-~]+", address) is None:
        return None
    try:
        found = urlsplit(address)
        fine = found.username is None and found.hostname in set(hosts)
    except ValueError:
        return None
    return address if fine else None
