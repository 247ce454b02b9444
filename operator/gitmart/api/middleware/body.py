"""The limit of a request's body: one that says it is larger is not read, one that is larger is cut off."""

from __future__ import annotations

from http import HTTPStatus

from starlette.requests import Request
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from gitmart.api.middleware.meters import Meters
from gitmart.api.middleware.told import header
from gitmart.api.problems import ProblemError, answer_of
from gitmart.contract.sizes import format_size


class BodyLimit:
    """Lets at most `limit` bytes through."""

    def __init__(self, app: ASGIApp, *, limit: int, meters: Meters) -> None:
        self._app = app
        self._limit = limit
        self._meters = meters

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer a request."""
        said = header(scope, b"content-length") if scope["type"] == "http" else ""
        if said.isdecimal() and int(said) > self._limit:
            await self._refuse(scope, receive, send)
            return
        received, started = 0, False

        async def limited() -> Message:
            nonlocal received
            message = await receive()
            received += len(message.get("body", b""))
            if received > self._limit:
                raise _TooLargeError
            return message

        async def noted(message: Message) -> None:
            nonlocal started
            if received > self._limit and not started:
                raise _TooLargeError  # what is said of a body that broke off is not what is wrong
            started = True
            await send(message)

        try:
            await self._app(scope, limited, noted)
        except _TooLargeError:
            if started:
                raise
            await self._refuse(scope, receive, send)

    async def _refuse(self, scope: Scope, receive: Receive, send: Send) -> None:
        self._meters.refused("body")
        error = ProblemError(
            HTTPStatus.REQUEST_ENTITY_TOO_LARGE,
            f"the body of the request is too large: at most {format_size(self._limit)} are allowed",
            headers={"Connection": "close"},
        )
        await answer_of(Request(scope), error)(scope, receive, send)


class _TooLargeError(Exception):
    """More came than is allowed."""
