"""Errors as pages: whoever asked for a page is told in one, in the same words and with the same status as a program."""

from __future__ import annotations

import json
from http import HTTPStatus

from starlette.datastructures import Headers, MutableHeaders
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from gitmart.api.pages.answer import HEADERS, html
from gitmart.api.problems import MEDIA_TYPE

ADVICE = {
    HTTPStatus.NOT_FOUND: "It may have been removed, or the marts have not been built since it was added.",
    HTTPStatus.UNPROCESSABLE_ENTITY: "Correct the address, or go back and choose again.",
    HTTPStatus.TOO_MANY_REQUESTS: "Wait a moment, then reload the page.",
    HTTPStatus.SERVICE_UNAVAILABLE: "The page works again as soon as the cause is gone: reload it then.",
    HTTPStatus.GATEWAY_TIMEOUT: "Choose a shorter time or a single repository, and try again.",
}


class ErrorPages:
    """Puts a page in the place of problem details where the request prefers HTML."""

    def __init__(self, app: ASGIApp) -> None:
        self.app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve a request."""
        if scope["type"] != "http" or "text/html" not in Headers(scope=scope).get("accept", ""):
            await self.app(scope, receive, send)
            return
        start: Message | None = None
        body = b""

        async def judge(message: Message) -> None:
            nonlocal start, body
            if message["type"] == "http.response.start" and _is_problem(message):
                start = message
            elif start is None:
                await send(message)
            elif message["type"] == "http.response.body":
                body += message.get("body", b"")
                if not message.get("more_body", False):
                    await _send_page(start, body, send)

        await self.app(scope, receive, judge)


def _is_problem(message: Message) -> bool:
    return Headers(raw=message["headers"]).get("content-type", "").startswith(MEDIA_TYPE)


async def _send_page(start: Message, body: bytes, send: Send) -> None:
    told = json.loads(body)
    status = start["status"]
    page = html(
        "error.html", status=status, title=told["title"], detail=told["detail"], advice=ADVICE.get(status, "")
    )
    headers = MutableHeaders(raw=list(start["headers"]))
    for name in ("content-type", "content-length"):
        del headers[name]
    for name, value in {**HEADERS, **page.headers, "vary": "Accept"}.items():
        headers[name] = value
    await send({"type": "http.response.start", "status": status, "headers": headers.raw})
    await send({"type": "http.response.body", "body": page.body})
