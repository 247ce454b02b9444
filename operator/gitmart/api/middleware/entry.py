"""The outermost layer: root path, security headers, what is told of each request, and errors nobody expected."""

from __future__ import annotations

import logging
import time
from datetime import timedelta
from http import HTTPStatus
from typing import Any

from starlette.datastructures import MutableHeaders
from starlette.requests import Request
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from gitmart.api.middleware.meters import Meters
from gitmart.api.middleware.told import KEY, Told
from gitmart.api.problems import ProblemError, answer_of

PATH_SHOWN = 200  # characters in a log line

log = logging.getLogger(__name__)

# What a response says besides, unless it says that itself. A page has a policy of its own; this one is that of data.
HEADERS = {
    "X-Content-Type-Options": "nosniff",
    "X-Frame-Options": "DENY",
    "Referrer-Policy": "same-origin",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Content-Security-Policy": "default-src 'none'; frame-ancestors 'none'",
}


class Entry:
    """Stands around everything."""

    def __init__(self, app: ASGIApp, *, root_path: str, hsts: timedelta, meters: Meters, access_log: bool) -> None:
        self._app = app
        self._root_path = root_path
        self._headers = dict(HEADERS)
        if hsts:
            self._headers["Strict-Transport-Security"] = f"max-age={hsts.total_seconds():.0f}"
        self._meters = meters
        self._access_log = access_log

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer a request."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        began, method = time.perf_counter(), scope["method"]
        told = self._told(scope)
        is_head = method == "HEAD"
        if is_head:
            # What a HEAD is answered with is that of a GET, without its body. The server goes by the scope that it gave.
            scope = {**scope, "method": "GET"}

        async def tell(message: Message) -> None:
            if message["type"] == "http.response.start":
                told.status = message["status"]
                self._add_headers(message)
            elif message["type"] == "http.response.body":
                told.sent += len(message.get("body", b""))
                if is_head:
                    message = {**message, "body": b""}
            await send(message)

        try:
            await self._app(scope, receive, tell)
        except Exception:
            log.exception("a request failed", extra={"method": method, "route": told.route})
            if not told.status:  # nothing was sent yet
                failed = ProblemError(
                    HTTPStatus.INTERNAL_SERVER_ERROR, "gitmart itself failed; the traceback is in its log"
                )
                await answer_of(Request(scope), failed)(scope, receive, tell)
        finally:
            self._end(told, method, scope, time.perf_counter() - began)

    def _add_headers(self, message: Message) -> None:
        # What 304 says takes the place of what the browser has kept (RFC 9111, 3.2), a page's own policy too.
        if message["status"] == HTTPStatus.NOT_MODIFIED:
            return
        headers = MutableHeaders(scope=message)
        for name, value in self._headers.items():
            headers.setdefault(name, value)

    def _told(self, scope: Scope) -> Told:
        """Put the path below the root path, whether or not a proxy has taken that off, and begin to tell."""
        root, path = self._root_path, scope["path"]
        if root:
            if path == root or path.startswith(f"{root}/"):
                path = path[len(root) :] or "/"
            scope["root_path"], scope["path"] = root, root + path
        scope[KEY] = told = Told(path)
        return told

    def _end(self, told: Told, method: str, scope: Scope, seconds: float) -> None:
        if not told.status:
            told.status = 499  # the client went away before there was an answer
        self._meters.ended(told, method, seconds)
        if self._access_log:
            client = scope.get("client")
            facts: dict[str, Any] = {
                "method": method, "path": told.path[:PATH_SHOWN], "route": told.route, "status": told.status,
                "milliseconds": round(seconds * 1000, 2), "bytes": told.sent, "client": client[0] if client else "",
                "principal": f"{told.principal.kind}:{told.principal.name}".rstrip(":"), "cache": told.cached.value,
            }  # fmt: skip
            log.info("request", extra=facts)
