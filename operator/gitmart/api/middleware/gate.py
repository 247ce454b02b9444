"""The gate: who asks, and whether they ask too often. It stands before the cache, so nothing kept leaves without it."""

from __future__ import annotations

import math
import time
from http import HTTPStatus
from urllib.parse import quote

from starlette.datastructures import MutableHeaders
from starlette.requests import Request
from starlette.responses import RedirectResponse
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from gitmart.api.middleware.authentication import Authenticator
from gitmart.api.middleware.buckets import Buckets, Verdict
from gitmart.api.middleware.meters import Meters
from gitmart.api.middleware.told import matches, told_of
from gitmart.api.principal import NOBODY, Kind, Principal
from gitmart.api.problems import ProblemError, answer_of, wants_page

SIGN_IN = "/sign-in"
PUBLIC = ("/healthz", "/readyz", SIGN_IN, f"{SIGN_IN}/", "/sign-out", "/assets/", "/hooks/")
# Asked by machines, at their own pace, or by one page many at a time; hooks answer for their own senders.
UNLIMITED = ("/healthz", "/readyz", "/assets/", "/hooks/")


class Gate:
    """`rate` is in requests a minute, 0 for no limit; `burst` is how many may come at once."""

    def __init__(self, app: ASGIApp, *, authenticator: Authenticator, rate: int, burst: int, meters: Meters) -> None:
        self._app = app
        self._authenticator = authenticator
        self._buckets = Buckets(rate / 60, burst) if rate else None
        self._policy = f'"client";q={rate};w=60'
        self._meters = meters

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer a request."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        told, failure = told_of(scope), None
        if not matches(told.path, PUBLIC):
            try:
                told.principal = await self._authenticator.principal(scope)
            except ProblemError as error:
                failure = error
        # Nobody learns whether a token is right by trying many: what is refused counts, too.
        verdict = self._verdict(told.path, client_of(scope, told.principal))
        if verdict is not None and not verdict.allowed:
            failure = self._too_many(verdict)
        if failure is not None:
            self._meters.refused(str(failure.members.get("reason", "authentication")))
            await self._refuse(failure, scope, receive, send)
            return
        scope.setdefault("state", {})["principal"] = told.principal
        await self._app(scope, receive, self._telling(verdict, send) if verdict else send)

    def _verdict(self, path: str, client: str) -> Verdict | None:
        if self._buckets is None or matches(path, UNLIMITED):
            return None
        return self._buckets.take(client, time.monotonic())

    def _too_many(self, verdict: Verdict) -> ProblemError:
        wait = max(1, math.ceil(verdict.wait))
        return ProblemError(
            HTTPStatus.TOO_MANY_REQUESTS,
            f"too many requests: come back in {wait} s",
            headers={"Retry-After": str(wait), "RateLimit-Policy": self._policy, "RateLimit": f'"client";r=0;t={wait}'},
            reason="rate",
        )

    def _telling(self, verdict: Verdict, send: Send) -> Send:
        """Say in the answer's headers what is left (draft-ietf-httpapi-ratelimit-headers)."""

        async def tell(message: Message) -> None:
            if message["type"] == "http.response.start":
                headers = MutableHeaders(scope=message)
                headers["RateLimit-Policy"] = self._policy
                headers["RateLimit"] = f'"client";r={verdict.left}'
            await send(message)

        return tell

    async def _refuse(self, failure: ProblemError, scope: Scope, receive: Receive, send: Send) -> None:
        request = Request(scope)
        may_sign_in = self._authenticator.signs_in and failure.status == HTTPStatus.UNAUTHORIZED
        if may_sign_in and scope["method"] == "GET" and wants_page(request):
            told, query = told_of(scope), scope["query_string"].decode("latin-1")
            there = quote(told.path + (f"?{query}" if query else ""), safe="")
            response = RedirectResponse(f"{scope['root_path']}{SIGN_IN}?next={there}", HTTPStatus.SEE_OTHER)
            response.headers["Cache-Control"] = "no-store"
            await response(scope, receive, send)
            return
        await answer_of(request, failure)(scope, receive, send)


def client_of(scope: Scope, principal: Principal) -> str:
    """Return whose requests count together: those of a token, of a browser with its address, else of an address."""
    client = scope.get("client")
    address = client[0] if client else ""
    if principal is NOBODY:
        return f"address {address}"
    return f"{principal.kind} {principal.name} {address if principal.kind is Kind.SESSION else ''}"
