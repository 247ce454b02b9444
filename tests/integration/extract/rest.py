"""
A git host that has a REST API too, in the shapes of GitHub's and GitLab's answers; the values are made up.

What GitHub says of commits is made of the repository itself, as GitHub does it: by the address of mail.
"""

from __future__ import annotations

import http.server
import json
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, unquote, urlsplit

from tests.integration.extract.conftest import Host

GITHUB = {
    "id": 4711, "node_id": "MDEwOlJlcG9zaXRvcnk0NzEx", "name": "live", "full_name": "smart/live", "private": False,
    "owner": {"login": "smart", "id": 1, "type": "Organization"}, "html_url": "https://localhost/smart/live",
    "description": "made up", "fork": True, "url": "https://localhost/api/v3/repos/smart/live",
    "created_at": "2020-01-26T19:01:12Z", "updated_at": "2026-01-26T19:14:43Z", "pushed_at": "2026-01-26T19:06:43Z",
    "size": 108, "stargazers_count": 80, "watchers_count": 80, "language": "Python", "forks_count": 9,
    "archived": False, "disabled": False, "open_issues_count": 12,
    "license": {"key": "mit", "name": "MIT License", "spdx_id": "MIT", "node_id": "MDc6TGljZW5zZW1pdA=="},
    "topics": ["git", "analytics"], "visibility": "public", "default_branch": "main", "network_count": 9,
    "subscribers_count": 42, "parent": {"id": 4710, "full_name": "origin/live"},
}  # fmt: skip
GITHUB_LANGUAGES = {"Python": 750, "Shell": 250}
GITLAB = {
    "id": 815, "description": "made up", "name": "live", "path": "live", "path_with_namespace": "smart/live",
    "created_at": "2020-01-26T19:01:12.000Z", "default_branch": "main", "tag_list": ["git"], "topics": ["git"],
    "forks_count": 3, "star_count": 7, "last_activity_at": "2026-01-26T19:01:12.000Z", "visibility": "internal",
    "archived": True, "open_issues_count": 5, "license_url": "https://localhost/LICENSE",
    "license": {"key": "bsd-3-clause", "name": "BSD 3-Clause License", "nickname": None},
    "statistics": {"commit_count": 6, "storage_size": 2000, "repository_size": 1000},
}  # fmt: skip
GITLAB_LANGUAGES = {"Ruby": 66.69, "C": 33.31}

Reply = tuple[int, Any, dict[str, str]]  # status, JSON (or bytes as they are), headers


@dataclass
class Asked:
    """A request that came."""

    path: str
    headers: dict[str, str]


@dataclass
class Rest:
    """The API's state, which tests change; `odd` takes the place of the answers to some paths."""

    repository: Any  # whose commits it tells
    github: dict[str, Any] = field(default_factory=lambda: dict(GITHUB))
    languages: dict[str, Any] = field(default_factory=lambda: dict(GITHUB_LANGUAGES))
    pulls: int = 3
    accounts: dict[str, dict[str, Any]] = field(default_factory=dict)  # by address of mail
    limit: int | None = None
    remaining: int = 0
    accepted: str | None = None  # the token that is let in; None: no one is asked for any
    odd: dict[str, Callable[[Any], None]] = field(default_factory=dict)  # by end of path: writes the answer itself
    asked: list[Asked] = field(default_factory=list)

    @property
    def paths(self) -> list[str]:
        """What was asked, in order."""
        return [each.path for each in self.asked]

    def forget(self) -> None:
        """Forget what was asked."""
        self.asked.clear()

    def serve(self, handler: Any) -> None:
        """Answer a request."""
        self.asked.append(Asked(handler.path, {name.lower(): value for name, value in handler.headers.items()}))
        path = urlsplit(handler.path).path
        for end, answer in self.odd.items():
            if path.endswith(end):
                answer(handler)
                return
        status, body, headers = self._reply(path, parse_qs(urlsplit(handler.path).query), handler)
        send(handler, status, body, headers | self._limits())

    def _limits(self) -> dict[str, str]:
        if self.limit is None:
            return {}
        self.remaining -= 1
        return {
            "X-RateLimit-Limit": str(self.limit),
            "X-RateLimit-Remaining": str(self.remaining),
            "X-RateLimit-Reset": str(int(time.time()) + 1800),
        }

    def _reply(self, path: str, query: dict[str, list[str]], handler: Any) -> Reply:
        if self.accepted is not None and handler.headers.get("Authorization") != f"Bearer {self.accepted}":
            return 401, {"message": f"Bad credentials {handler.headers.get('Authorization')}"}, {}
        if path.startswith("/api/v4"):
            return self._gitlab(path.removeprefix("/api/v4"), handler)
        return self._github(path.removeprefix("/api/v3"), query, handler)

    def _github(self, path: str, query: dict[str, list[str]], handler: Any) -> Reply:
        base = f"/repos/{self.github['full_name']}"
        if path in (base, f"/repositories/{self.github['id']}"):
            return self._conditional(self.github, handler)
        if path == f"{base}/languages":
            return self._conditional(self.languages, handler)
        if path == f"{base}/pulls":
            last = f"https://localhost{path}?state=open&per_page=1&page={self.pulls}"
            link = {"Link": f'<{last}&x>; rel="next", <{last}>; rel="last"'} if self.pulls > 1 else {}
            return 200, [{"number": 1}][: self.pulls], link
        if path == f"{base}/commits":
            return self._commits(query["sha"][0], int(query["per_page"][0]))
        if path == "/repos/smart/live":  # it was renamed
            return 301, {"message": "Moved Permanently"}, {"Location": f"/api/v3/repositories/{self.github['id']}"}
        return 404, {"message": "Not Found", "documentation_url": "https://docs.github.com/rest"}, {}

    def _commits(self, sha: str, count: int) -> Reply:
        git = self.repository.git
        if not git("rev-parse", "--quiet", "--verify", f"{sha}^{{commit}}").strip():
            return 422, {"message": f"No commit found for SHA: {sha}"}, {}
        told = []
        for line in git("log", f"-{count}", "--format=%H%x00%ae%x00%ce", sha).splitlines():
            name, author, committer = line.split("\0")
            told.append({
                "sha": name, "commit": {"author": {"email": author}}, "author": self.accounts.get(author),
                "committer": self.accounts.get(committer), "parents": [],
            })  # fmt: skip
        return 200, told, {}

    def _gitlab(self, path: str, handler: Any) -> Reply:
        project = path.split("/")[2] if path.startswith("/projects/") else ""
        if unquote(project) not in ("smart/live", "815"):
            return 404, {"message": "404 Project Not Found"}, {}
        if path.endswith("/languages"):
            return self._conditional(GITLAB_LANGUAGES, handler)
        if path.endswith("/merge_requests"):
            return 200, [], {"X-Total": "0", "RateLimit-Limit": "2000", "RateLimit-Remaining": "1990"}
        return self._conditional(GITLAB, handler)

    def _conditional(self, body: dict[str, Any], handler: Any) -> Reply:
        etag = f'W/"{abs(hash(json.dumps(body, sort_keys=True)))}-{handler.headers.get("Authorization")!r}"'.replace(
            "Bearer ", ""
        )
        etag = f'W/"{abs(hash(etag))}"'
        if handler.headers.get("If-None-Match") == etag:
            return 304, b"", {"ETag": etag}
        return 200, body, {"ETag": etag, "Last-Modified": "Mon, 26 Jan 2026 19:14:43 GMT"}

    def account(self, email: str, login: str, number: int) -> None:
        """Let the host know somebody."""
        self.accounts[email] = {
            "login": login, "id": number, "html_url": f"https://localhost/{login}", "type": "User", "site_admin": False,
        }  # fmt: skip


def send(handler: Any, status: int, body: Any = b"", headers: dict[str, str] | None = None) -> None:
    """Send an answer; anything but bytes as JSON."""
    raw = body if isinstance(body, bytes) else json.dumps(body).encode()
    handler.send_response(status)
    for name, value in {"Content-Type": "application/json; charset=utf-8", **(headers or {})}.items():
        handler.send_header(name, value)
    handler.send_header("Content-Length", str(len(raw)))
    handler.end_headers()
    handler.wfile.write(raw)


class RestHost(Host):
    """The host of the other tests, with an API below /api/."""

    def __init__(self, folder: Path, rest: Rest) -> None:
        self.rest = rest
        super().__init__(folder)

    def _handler(host) -> type[http.server.BaseHTTPRequestHandler]:  # noqa: N805 # `self` is the handler's below
        parent: Any = super()._handler()

        class Handler(parent):  # type: ignore[misc]
            protocol_version = "HTTP/1.1"  # an API keeps its connections open

            def do_GET(self) -> None:  # noqa: N802 # the base class names it
                if self.path.startswith("/api/"):
                    host.rest.serve(self)
                else:
                    super().do_GET()

        return Handler
