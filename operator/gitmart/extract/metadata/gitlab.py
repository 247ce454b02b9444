"""
GitLab's REST API: https://docs.gitlab.com/api/.

Three requests for a project: itself, its languages, its open merge requests. Contributors cannot be had: commits
name no accounts, and only administrators may look for one by its e-mail address.
"""

from __future__ import annotations

from dataclasses import replace
from urllib.parse import quote, unquote

from gitmart.contract.host_api import MetadataOutcome
from gitmart.contract.repository_url import RepositoryUrl
from gitmart.extract.metadata import facts
from gitmart.extract.metadata.asking import Asking
from gitmart.extract.metadata.errors import MetadataError, RefusedError
from gitmart.extract.metadata.facts import CommitAccounts, Facts, Language

ACCEPT = "application/json"
_API = "/api/v4"
# GitLab tells the keys of choosealicense.com, which are SPDX identifiers in lower case.
_LICENSES = {
    identifier.lower(): identifier
    for identifier in (
        "0BSD", "AFL-3.0", "AGPL-3.0", "Apache-2.0", "Artistic-2.0", "BlueOak-1.0.0", "BSD-2-Clause",
        "BSD-2-Clause-Patent", "BSD-3-Clause", "BSD-3-Clause-Clear", "BSD-4-Clause", "BSL-1.0", "CC-BY-4.0",
        "CC-BY-SA-4.0", "CC0-1.0", "CECILL-2.1", "CERN-OHL-P-2.0", "CERN-OHL-S-2.0", "CERN-OHL-W-2.0", "ECL-2.0",
        "EPL-1.0", "EPL-2.0", "EUPL-1.1", "EUPL-1.2", "GFDL-1.3", "GPL-2.0", "GPL-3.0", "ISC", "LGPL-2.1",
        "LGPL-3.0", "LPPL-1.3c", "MIT", "MIT-0", "MPL-2.0", "MS-PL", "MS-RL", "MulanPSL-2.0", "NCSA", "ODbL-1.0",
        "OFL-1.1", "OSL-3.0", "PostgreSQL", "Unlicense", "UPL-1.0", "Vim", "WTFPL", "Zlib",
    )
} | {"other": "NOASSERTION"}  # fmt: skip


class GitLab:
    """One project at GitLab."""

    knows_contributors = False

    def __init__(self, url: RepositoryUrl, api: RepositoryUrl, before: Facts | None) -> None:
        del before
        path = unquote(url.path.rstrip("/").removesuffix(".git")).strip("/")
        base = api.path.removesuffix(_API).strip("/")  # of a GitLab that lives below a path
        if base and path.startswith(f"{base}/"):
            path = path.removeprefix(f"{base}/")
        self._path = f"/projects/{quote(path, safe='')}"

    def facts(self, asking: Asking, before: Facts | None) -> Facts:
        """Return what GitLab says now; what it says is unchanged comes from `before`."""
        answer = asking.get_if_changed(
            "repository", f"{self._path}?license=true&statistics=true", has_value=before is not None
        )
        found = before if answer.is_unchanged and before is not None else _project(answer.json())
        self._path = f"/projects/{found.host_id}"
        return replace(
            found, languages=self._languages(asking, before), open_pull_requests=self._merge_requests(asking)
        )

    def accounts(self, asking: Asking, commit_hash: str) -> list[CommitAccounts]:
        """Return nobody: see above."""
        del asking, commit_hash
        return []

    def _languages(self, asking: Asking, before: Facts | None) -> tuple[Language, ...]:
        try:
            answer = asking.get_if_changed("languages", f"{self._path}/languages", has_value=before is not None)
        except RefusedError:
            return ()
        if answer.is_unchanged and before is not None:
            return before.languages
        return facts.languages_by_percent(answer.json())

    def _merge_requests(self, asking: Asking) -> int | None:
        """Return how many are open; None when GitLab does not count them, as beyond 10,000."""
        try:
            answer = asking.get(f"{self._path}/merge_requests?state=opened&per_page=1")
        except RefusedError:
            return None
        total = answer.headers.get("x-total", "")
        return int(total) if total.isascii() and total.isdigit() and len(total) < 16 else None


def _project(told: object) -> Facts:
    found = facts.mapping(told)
    host_id = facts.number(found.get("id"))
    if host_id is None:
        raise MetadataError(MetadataOutcome.BAD_ANSWER, "the API's answer is not that of a project: it has no id")
    parent = facts.mapping(found.get("forked_from_project"))
    return Facts(
        host_id=host_id,
        full_name=facts.text(found.get("path_with_namespace")),
        stars=facts.number(found.get("star_count")),
        forks=facts.number(found.get("forks_count")),
        open_issues=facts.number(found.get("open_issues_count")),
        size_bytes=facts.number(facts.mapping(found.get("statistics")).get("repository_size")),
        license_spdx=_LICENSES.get(facts.text(facts.mapping(found.get("license")).get("key")) or ""),
        default_branch=facts.text(found.get("default_branch")),
        visibility=facts.text(found.get("visibility")),
        is_archived=facts.truth(found.get("archived")),
        is_fork=bool(parent),
        parent_full_name=facts.text(parent.get("path_with_namespace")),
        topics=facts.topics(found.get("topics")),
    )
