"""
The cluster's API, for the two things that are needed of it: what Repositories there are, and to ask for a run.

A pod's own service account is used. The operator's client is not: its library alone takes as much memory as all of
this process should.
"""

from __future__ import annotations

import json
import logging
import ssl
from collections.abc import AsyncIterator, Mapping
from http import HTTPStatus
from pathlib import Path
from types import TracebackType
from typing import Any, Self
from urllib.parse import urlencode

import aiohttp

from gitmart.api.problems import ProblemError
from gitmart.contract.kinds import GROUP, REPOSITORIES, REQUESTED_AT, VERSION

PAGE = 100  # Repositories of a list per request: half a MiB, read in a few milliseconds
TIMEOUT = 8.0  # seconds of one request; git hosts wait 10 for an answer
CONNECT_TIMEOUT = 3.0  # seconds
ATTEMPTS = 2
LATER = 10  # seconds after which to come again, where nobody says so
FIELD_MANAGER = "gitmart-api"

log = logging.getLogger(__name__)


class Kubernetes:
    """
    The API server at `url`, asked as the service account in `account`, a folder as Kubernetes mounts one.

    `namespaces`: those this release works in, none meaning all. Within its `async with` it holds connections.
    """

    def __init__(self, url: str, account: Path, namespaces: tuple[str, ...] = ()) -> None:
        self._url = url
        self._account = account
        self._namespaces = namespaces
        self._session: aiohttp.ClientSession | None = None

    async def __aenter__(self) -> Self:
        context = ssl.create_default_context(cafile=str(self._account / "ca.crt"))
        self._session = aiohttp.ClientSession(
            connector=aiohttp.TCPConnector(ssl=context, limit=8),
            timeout=aiohttp.ClientTimeout(total=TIMEOUT, sock_connect=CONNECT_TIMEOUT),
        )
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        assert self._session is not None  # noqa: S101
        await self._session.close()

    async def repositories(self) -> AsyncIterator[dict[str, Any]]:
        """Yield every Repository of the namespaces. Raise ProblemError."""
        for namespace in self._namespaces or (None,):
            token = ""
            while True:
                query = {"limit": str(PAGE)} | ({"continue": token} if token else {})
                page = await self._request("GET", f"{_path(REPOSITORIES, namespace)}?{urlencode(query)}")
                for found in page.get("items") or ():
                    yield found
                token = page.get("metadata", {}).get("continue") or ""
                if not token:
                    break

    async def ask(self, plural: str, namespace: str, name: str, token: str) -> None:
        """Ask for a run by the annotation that the operator looks for. Raise ProblemError: 404 without such an object."""
        path = f"{_path(plural, namespace)}/{name}?{urlencode({'fieldManager': FIELD_MANAGER})}"
        await self._request("PATCH", path, {"metadata": {"annotations": {REQUESTED_AT: token}}})

    async def _request(self, method: str, path: str, body: dict[str, Any] | None = None) -> dict[str, Any]:
        """Send a request, once more if there was no answer or one of 5xx: both kinds may be repeated."""
        for attempt in range(1, ATTEMPTS + 1):
            try:
                return await self._attempt(method, path, body)
            except ProblemError as problem:
                if attempt == ATTEMPTS or problem.status != HTTPStatus.SERVICE_UNAVAILABLE:
                    raise
        raise AssertionError("unreachable")

    async def _attempt(self, method: str, path: str, body: dict[str, Any] | None) -> dict[str, Any]:
        assert self._session is not None, "used outside of its `async with`"  # noqa: S101
        try:
            token = (self._account / "token").read_text().strip()  # Kubernetes replaces it every hour
            headers = {"Authorization": f"Bearer {token}", "Accept": "application/json"}
            if body is not None:
                headers["Content-Type"] = "application/merge-patch+json"
            data = None if body is None else json.dumps(body)
            async with self._session.request(
                method, self._url + path, data=data, headers=headers, allow_redirects=False
            ) as answer:
                text = await answer.text(errors="replace")
        except (TimeoutError, aiohttp.ClientError, OSError) as error:
            log.warning(
                "the cluster's API server does not answer", extra={"reason": str(error) or type(error).__name__}
            )
            raise _unavailable("the cluster's API server does not answer") from error
        if answer.status >= HTTPStatus.MULTIPLE_CHOICES:
            raise _refusal(answer.status, text, answer.headers)
        return _object(text)


def _path(plural: str, namespace: str | None) -> str:
    """Return the path of a list; `namespace` and names are labels of DNS, so nothing in them needs quoting."""
    within = f"namespaces/{namespace}/" if namespace is not None else ""
    return f"/apis/{GROUP}/{VERSION}/{within}{plural}"


def _object(text: str) -> dict[str, Any]:
    try:
        document = json.loads(text)
    except ValueError:
        document = None
    if not isinstance(document, dict):  # a proxy between us and the API server
        raise _unavailable("the cluster's API server answered with no JSON object")
    return document


def _refusal(status: int, text: str, headers: Mapping[str, str]) -> ProblemError:
    """Return the problem that a refusal of the API server is to whoever asked us."""
    try:
        told = json.loads(text)["message"]
    except (ValueError, KeyError, TypeError):
        told = f"HTTP {status}"
    match status:
        case HTTPStatus.NOT_FOUND | HTTPStatus.CONFLICT:
            return ProblemError(HTTPStatus(status), f"the cluster says: {told}")
        case HTTPStatus.FORBIDDEN:
            log.warning("the cluster does not let us ask for a run", extra={"reason": told})
            return ProblemError(HTTPStatus.FORBIDDEN, f"the cluster does not let gitmart's API do this: {told}")
        case HTTPStatus.TOO_MANY_REQUESTS:
            after = {"Retry-After": headers.get("Retry-After", str(LATER))}
            return ProblemError(HTTPStatus.TOO_MANY_REQUESTS, "the cluster's API server is busy", headers=after)
    log.warning("the cluster's API server refuses", extra={"status": status, "reason": told})
    return _unavailable(f"the cluster's API server cannot do this now: HTTP {status}")


def _unavailable(detail: str) -> ProblemError:
    return ProblemError(HTTPStatus.SERVICE_UNAVAILABLE, detail, headers={"Retry-After": str(LATER)})
