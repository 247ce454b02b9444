"""
Which host has which API, and how a look at it can end: what a Repository, the extractor and a status agree on.

The rules are regular expressions in the subset that Python and RE2 read alike, as those in `repository_url.py`.
"""

from __future__ import annotations

import re
from enum import StrEnum
from typing import Final

from gitmart.contract.repository_url import DEFAULT_PORTS, RepositoryUrl

API_URL_LIMIT = 2048  # characters
API_URL_PATTERN = (
    r"^https://([A-Za-z0-9]([A-Za-z0-9._-]*[A-Za-z0-9])?|\[[0-9A-Fa-f:.]+\])"
    r"(:[1-9][0-9]{0,3}|:[1-5][0-9]{4}|:6[0-4][0-9]{3}|:65[0-4][0-9]{2}|:655[0-2][0-9]|:6553[0-5])?"
    r"(/[A-Za-z0-9_~-][A-Za-z0-9._~-]*)*/?$"
)
API_URL_MESSAGE = (
    "must be the https:// address of an API, such as https://github.example.org/api/v3: without user name, password, "
    "query and fragment"
)
# Addresses of repositories whose host says by its name which API it has. ssh.github.com and altssh.gitlab.com serve
# ssh on port 443; *.ghe.com is GitHub Enterprise Cloud with data residency.
KNOWN_HOST_PATTERN = (
    r"(?i)^(https|ssh)://([^@/]*@)?((ssh\.)?github\.com|(altssh\.)?gitlab\.com|[a-z0-9-]+\.ghe\.com)(:[0-9]+)?/"
)
UNKNOWN_HOST_MESSAGE = (
    "metadata.provider must be github or gitlab for this host: auto knows github.com, gitlab.com and *.ghe.com"
)


class Provider(StrEnum):
    """Whose REST API a host speaks."""

    GITHUB = "github"
    GITLAB = "gitlab"


AUTO: Final = "auto"
PROVIDERS = (AUTO, *(provider.value for provider in Provider))


class MetadataOutcome(StrEnum):
    """How a look at a host's API ended. None of them makes an extraction fail."""

    SUCCEEDED = "Succeeded"
    INCOMPLETE = "Incomplete"
    RATE_LIMITED = "RateLimited"
    AUTHENTICATION_FAILED = "AuthenticationFailed"
    NOT_FOUND = "NotFound"
    MOVED = "Moved"
    HOST_UNREACHABLE = "HostUnreachable"
    ADDRESS_NOT_ALLOWED = "AddressNotAllowed"
    BAD_ANSWER = "BadAnswer"
    SECRET_MISSING = "SecretMissing"  # noqa: S105 # a word, no secret
    SECRET_INVALID = "SecretInvalid"  # noqa: S105 # likewise
    STOPPED = "Stopped"
    FAILED = "Failed"


# One sentence each, for the documentation.
METADATA_MEANINGS = {
    MetadataOutcome.SUCCEEDED: "All that was due was read.",
    MetadataOutcome.INCOMPLETE: "The requests or the minutes of one run were used up; the next run goes on.",
    MetadataOutcome.RATE_LIMITED: "The host's rate limit is nearly used up, or it said so; a run after its reset goes on.",
    MetadataOutcome.AUTHENTICATION_FAILED: "The host refused the token (401), or it may not read this (403).",
    MetadataOutcome.NOT_FOUND: "The API knows no such repository, or does not show it to this token.",
    MetadataOutcome.MOVED: "The API redirects to another host, which is not followed.",
    MetadataOutcome.HOST_UNREACHABLE: "The API's host could not be reached, took too long, or answered 5xx.",
    MetadataOutcome.ADDRESS_NOT_ALLOWED: "The API's host has a private address that no administrator allowed.",
    MetadataOutcome.BAD_ANSWER: "The answer is none of the API's: no JSON, too large, of another shape or status.",
    MetadataOutcome.SECRET_MISSING: "The Secret of `metadata.secretRef` is not there or empty.",
    MetadataOutcome.SECRET_INVALID: "What that Secret holds cannot be used.",
    MetadataOutcome.STOPPED: "The run was asked to stop, or its timeout came; the history was stored before.",
    MetadataOutcome.FAILED: "gitmart or the warehouse failed; the log says how.",
}


def provider_of(url: RepositoryUrl) -> Provider | None:
    """Return the provider of a host that is known by its name, None for any other."""
    if re.search(KNOWN_HOST_PATTERN, str(url)) is None:
        return None
    return Provider.GITLAB if url.host.endswith("gitlab.com") else Provider.GITHUB


def web_host(host: str) -> str:
    """Return the host of a provider's pages; `host` itself unless it only serves ssh."""
    return {"ssh.github.com": "github.com", "altssh.gitlab.com": "gitlab.com"}.get(host, host)


def api_of(url: RepositoryUrl, provider: Provider) -> RepositoryUrl:
    """Return the address of the API that a repository's host has, as its provider's documentation gives it."""
    host = web_host(url.host)
    if host == "github.com":
        return RepositoryUrl("https", None, "api.github.com", None, "")
    if host.endswith(".ghe.com"):
        return RepositoryUrl("https", None, f"api.{host}", None, "")
    port = url.port if url.scheme == "https" else None
    return RepositoryUrl("https", None, host, port, "/api/v3" if provider is Provider.GITHUB else "/api/v4")


def parse_api_url(text: str) -> RepositoryUrl:
    """Take the address of an API apart; its path has no slash at the end. Raises ValueError with what is allowed."""
    if len(text) > API_URL_LIMIT or re.fullmatch(API_URL_PATTERN, text) is None:
        raise ValueError(API_URL_MESSAGE)
    authority, _, path = text.removeprefix("https://").partition("/")
    bracketed, bracket, rest = authority.rpartition("]")
    host, _, port = (bracketed, "", rest.removeprefix(":")) if bracket else authority.partition(":")
    number = int(port or DEFAULT_PORTS["https"])
    return RepositoryUrl(
        scheme="https",
        user=None,
        host=host.strip("[]").lower(),
        port=None if number == DEFAULT_PORTS["https"] else number,
        path=f"/{path.rstrip('/')}" if path.strip("/") else "",
    )
