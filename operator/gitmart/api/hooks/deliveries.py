"""
What a proved webhook says: which repository got something new, by the addresses that its sender knows it by.

Whatever is pushed counts, branches, tags and their removal: which of them matter to a Repository, its extraction
knows best. Other events are none of our business.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Mapping
from typing import Any
from urllib.parse import parse_qs

from gitmart.contract.repository_url import URL_LIMIT, parse_repository_url

GITHUB_EVENTS = frozenset({"push", "create", "delete"})
GITLAB_EVENTS = frozenset({"push", "tag_push", "repository_update"})

JSON = "application/json"
FORM = "application/x-www-form-urlencoded"  # what GitHub's page proposes: the JSON is the field `payload`

_SCP = re.compile(r"([A-Za-z0-9_][A-Za-z0-9._-]*@)?([A-Za-z0-9.-]+|\[[0-9A-Fa-f:.]+\]):(?!//)/?(.+)")


class DeliveryError(ValueError):
    """A delivery cannot be understood. The message says which part, and what it must be."""


def document_of(body: bytes, media_type: str) -> Mapping[str, Any]:
    """Return the JSON object that a body holds. Raise DeliveryError."""
    try:
        text = body.decode()
        if media_type == FORM:
            fields = parse_qs(text, strict_parsing=True, max_num_fields=10).get("payload", [])
            if len(fields) != 1:
                raise DeliveryError("the form must hold one field payload with JSON")
            text = fields[0]
        document = json.loads(text)
    except DeliveryError:
        raise
    except (ValueError, RecursionError):  # their words may repeat the body
        raise DeliveryError("the body is no JSON in UTF-8") from None
    if not isinstance(document, dict):
        raise DeliveryError("the body must be a JSON object")
    return document


def github(headers: Mapping[str, str], document: Mapping[str, Any]) -> list[str] | None:
    """Return the addresses of the repository that was pushed to, None for another event. Raise DeliveryError."""
    if headers.get("x-github-event") not in GITHUB_EVENTS:
        return None
    return _addresses(document, "repository", "clone_url", "ssh_url")


def gitlab(headers: Mapping[str, str], document: Mapping[str, Any]) -> list[str] | None:  # noqa: ARG001
    """Return the addresses of the project that was pushed to, None for another event. Raise DeliveryError."""
    if not {document.get("object_kind"), document.get("event_name")} & GITLAB_EVENTS:
        return None
    return _addresses(document, "project", "git_http_url", "git_ssh_url")


def generic(headers: Mapping[str, str], document: Mapping[str, Any]) -> list[str] | None:  # noqa: ARG001
    """Return the address that a message of one's own names. Raise DeliveryError."""
    url = document.get("url")
    if not isinstance(url, str):
        raise DeliveryError("url must be the address of a repository, such as https://git.example.org/group/name.git")
    return [url]


def keys_of(addresses: Iterable[str]) -> frozenset[str]:
    """Return what Repositories with one of these addresses are known by; what is no address of ours is left out."""
    return frozenset(key for each in addresses if (key := match_key(each)) is not None)


def match_key(address: str) -> str | None:
    """
    Return what two spellings of an address share, None for what no Repository can have.

    `git@host:path` is read as git does. Case is of no matter here although it is to the key of a repository: most
    hosts ignore it, and on another one a run too many is the worst that follows.
    """
    found = _SCP.fullmatch(address) if len(address) <= URL_LIMIT else None
    if found is not None:
        address = f"ssh://{found[1] or ''}{found[2]}/{found[3]}"
    try:
        return parse_repository_url(address, allow_file=False).key.casefold()
    except ValueError:
        return None


def _addresses(document: Mapping[str, Any], member: str, *fields: str) -> list[str]:
    within = document.get(member)
    found = [within.get(field) for field in fields] if isinstance(within, dict) else []
    addresses = [each for each in found if isinstance(each, str)]
    if not addresses:
        raise DeliveryError(f"{member}.{fields[0]} must be the address of the repository")
    return addresses
