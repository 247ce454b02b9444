"""
GitHub's REST API: https://docs.github.com/rest.

Three requests for a repository: itself, its languages, its open pull requests. Contributors come with commits:
GitHub links an e-mail address to an account in the list of commits, 30 at a time from a given one.
"""

from __future__ import annotations

import re
from dataclasses import replace
from urllib.parse import parse_qs, quote, unquote, urlsplit

from gitmart.contract.host_api import MetadataOutcome, web_host
from gitmart.contract.repository_url import RepositoryUrl
from gitmart.extract.metadata import facts
from gitmart.extract.metadata.asking import Asking
from gitmart.extract.metadata.client import Answer
from gitmart.extract.metadata.errors import MetadataError, RefusedError, TooLargeError
from gitmart.extract.metadata.facts import CommitAccounts, Facts, Language

ACCEPT = "application/vnd.github+json"
COMMITS_AT_ONCE = 30
_FULL_NAME = re.compile(r"[A-Za-z0-9_.-]{1,100}/[A-Za-z0-9_.-]{1,100}")
_LAST = re.compile(r'<([^<>]*)>; *rel="last"')
_NO_SUCH_COMMIT = (409, 422)  # of an empty repository; of a hash that it does not have


class GitHub:
    """One repository at GitHub or GitHub Enterprise."""

    knows_contributors = True

    def __init__(self, url: RepositoryUrl, api: RepositoryUrl, before: Facts | None) -> None:
        parts = [unquote(part) for part in url.path.removesuffix("/").removesuffix(".git").split("/")[1:]]
        if len(parts) != 2 or not all(parts):
            raise MetadataError(
                MetadataOutcome.NOT_FOUND, "the path of the address is not owner/name, as GitHub's repositories have"
            )
        self._path = _path("/".join(parts))
        self._present_path = _present_path(before) or self._path  # of one that was renamed, which spares a redirect
        self._hosts = (web_host(url.host), api.host)

    def facts(self, asking: Asking, before: Facts | None) -> Facts:
        """Return what GitHub says now; what it says is unchanged comes from `before`."""
        answer = asking.get_if_changed("repository", self._path, has_value=before is not None)
        if answer.is_unchanged and before is not None:
            found, open_both = before, _sum(before.open_issues, before.open_pull_requests)
        else:
            found, open_both = _repository(answer.json())
        self._present_path = _present_path(found) or self._path
        pulls = self._pull_requests(asking)
        known = open_both is not None and pulls is not None
        return replace(
            found,
            languages=self._languages(asking, before),
            open_pull_requests=pulls,
            open_issues=max(0, (open_both or 0) - (pulls or 0)) if known else None,
        )

    def accounts(self, asking: Asking, commit_hash: str) -> list[CommitAccounts]:
        """Return whom GitHub takes the people of this commit and of some before it for; [] when it lacks the commit."""
        for count in (COMMITS_AT_ONCE, 1):
            try:
                answer = asking.get(f"{self._present_path}/commits?sha={commit_hash}&per_page={count}")
            except TooLargeError:
                continue
            except RefusedError as error:
                if error.status in _NO_SUCH_COMMIT:
                    return []
                raise
            return self._commits(answer.json())
        return []

    def _commits(self, told: object) -> list[CommitAccounts]:
        if not isinstance(told, list):
            raise MetadataError(MetadataOutcome.BAD_ANSWER, "the API's list of commits is no list")
        found = []
        for entry in map(facts.mapping, told[:COMMITS_AT_ONCE]):
            name = facts.commit_hash(entry.get("sha"))
            if name is not None:
                author, committer = (facts.account(entry.get(side), self._hosts) for side in ("author", "committer"))
                found.append(CommitAccounts(name, author, committer))
        return found

    def _languages(self, asking: Asking, before: Facts | None) -> tuple[Language, ...]:
        try:
            answer = asking.get_if_changed("languages", f"{self._present_path}/languages", has_value=before is not None)
        except RefusedError:
            return ()
        if answer.is_unchanged and before is not None:
            return before.languages
        return facts.languages_by_size(answer.json())

    def _pull_requests(self, asking: Asking) -> int | None:
        """Return how many are open. Never asked conditionally: the ETag is of the one in the body, not of the count."""
        try:
            answer = asking.get(f"{self._present_path}/pulls?state=open&per_page=1")
        except RefusedError:
            return None
        return _count(answer)


def _path(full_name: str) -> str:
    return "/repos/" + "/".join(quote(part, safe="") for part in full_name.split("/"))


def _present_path(found: Facts | None) -> str | None:
    name = found.full_name if found is not None else None
    return _path(name) if name is not None and _FULL_NAME.fullmatch(name) else None


def _sum(one: int | None, other: int | None) -> int | None:
    return None if one is None or other is None else one + other


def _count(answer: Answer) -> int | None:
    """Return the number of entries behind pages of one: that of the last page."""
    if (last := _LAST.search(answer.headers.get("link", ""))) is None:
        told = answer.json()
        return len(told) if isinstance(told, list) else None
    pages = parse_qs(urlsplit(last[1]).query).get("page", [""])[0]
    return int(pages) if pages.isascii() and pages.isdigit() and len(pages) < 16 else None


def _repository(told: object) -> tuple[Facts, int | None]:
    """Return the facts, and the number of open issues and pull requests together, which GitHub calls issues."""
    found = facts.mapping(told)
    host_id = facts.number(found.get("id"))
    if host_id is None:
        raise MetadataError(MetadataOutcome.BAD_ANSWER, "the API's answer is not that of a repository: it has no id")
    size = facts.number(found.get("size"))  # in KiB
    read = Facts(
        host_id=host_id,
        full_name=facts.text(found.get("full_name")),
        stars=facts.number(found.get("stargazers_count")),
        forks=facts.number(found.get("forks_count")),
        watchers=facts.number(found.get("subscribers_count")),  # watchers_count is that of stars
        size_bytes=size * 1024 if size is not None and size < 2**50 else None,
        license_spdx=facts.text(facts.mapping(found.get("license")).get("spdx_id")),
        default_branch=facts.text(found.get("default_branch")),
        visibility=facts.text(found.get("visibility")),
        is_archived=facts.truth(found.get("archived")),
        is_fork=facts.truth(found.get("fork")),
        parent_full_name=facts.text(facts.mapping(found.get("parent")).get("full_name")),
        topics=facts.topics(found.get("topics")),
    )
    return read, facts.number(found.get("open_issues_count"))
