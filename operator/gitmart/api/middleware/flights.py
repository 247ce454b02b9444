"""
Making an answer, once for all who ask for the same at a time.

A flight runs the application in a task of its own. It collects a small answer, so that whoever waits gets it; a large
one, one that streams, and one that says itself how it may be kept goes to the first who asked alone, piece by piece.
A flight that nobody waits for any more is cancelled, and with it its query in PostgreSQL.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, replace

from starlette.datastructures import Headers
from starlette.types import ASGIApp, Message, Scope

from gitmart.api.middleware.answers import Answer
from gitmart.api.middleware.compression import compressed
from gitmart.api.middleware.told import template_of

LARGEST = 4 << 20  # bytes of a body that is collected
AHEAD = 4  # messages that a stream is ahead of whoever reads it


@dataclass(frozen=True, slots=True)
class Made:
    """A collected answer. `keepable`: it is one of status 200, and true as of one watermark."""

    status: int
    answer: Answer
    keepable: bool


Check = Callable[[], Awaitable[bool]]  # whether the watermark is still that of the begin


class Flight:
    """`made` ends with what was collected, or with None when the answer goes piece by piece, by `stream`."""

    def __init__(self, app: ASGIApp, scope: Scope, is_still_true: Check) -> None:
        self._app = app
        self._scope = dict(scope)
        self._is_still_true = is_still_true
        self.made: asyncio.Future[Made | None] = asyncio.get_running_loop().create_future()
        self.made.add_done_callback(lambda made: made.cancelled() or made.exception())  # nobody may wait any more
        self.is_event_stream = False
        self.waiting = 0  # how many do
        self._start: Message | None = None
        self._body = bytearray()
        self._pieces: asyncio.Queue[Message | None] = asyncio.Queue(AHEAD)
        self.task = asyncio.create_task(self._run())

    @property
    def route(self) -> str:
        """The template of the path, once a router has found it."""
        return template_of(self._scope)

    def join(self) -> None:
        """Wait for it, too."""
        self.waiting += 1

    def leave(self) -> None:
        """Wait no longer; who waits as the last ends it."""
        self.waiting -= 1
        if not self.waiting:
            self.task.cancel()

    async def stream(self, send: Callable[[Message], Awaitable[None]]) -> None:
        """Pass on the pieces of an answer that was not collected; raise what the application raised."""
        while (message := await self._pieces.get()) is not None:
            await send(message)
        await self.task

    async def _run(self) -> None:
        try:
            await self._app(self._scope, _nothing_more(), self._take)
            if not self.made.done():
                raise RuntimeError("the application ended without an answer")
        except asyncio.CancelledError:
            self.made.cancel()
            raise
        except Exception as error:
            if self.made.done():
                await self._pieces.put(None)
                raise
            self.made.set_exception(error)
        else:
            if self.made.result() is None:
                await self._pieces.put(None)

    async def _take(self, message: Message) -> None:
        if self.made.done():
            await self._pieces.put(message)
        elif message["type"] == "http.response.start":
            self._start = message
            if _is_of_its_own(message) or self._scope.get("state", {}).get("uncached"):
                await self._open()
        else:
            self._body += message.get("body", b"")
            if len(self._body) > LARGEST:
                await self._open(more=bool(message.get("more_body")))
            elif not message.get("more_body"):
                await self._finish()

    async def _finish(self) -> None:
        assert self._start is not None  # noqa: S101
        status = self._start["status"]
        answer = Answer(tuple(self._start.get("headers", ())), bytes(self._body), self.route)
        keepable = status == 200 and await self._is_still_true()
        if keepable:
            answer = await compressed(answer)
        if not self.made.done():
            self.made.set_result(Made(status, answer, keepable))

    async def _open(self, *, more: bool = True) -> None:
        """From now on pass on what comes, beginning with what was collected."""
        assert self._start is not None  # noqa: S101
        start, headers = self._start, Headers(raw=list(self._start.get("headers", ())))
        self.is_event_stream = headers.get("content-type", "").startswith("text/event-stream")
        if "cache-control" not in headers:
            start = {**start, "headers": [*start.get("headers", ()), (b"cache-control", b"no-store")]}
        self.made.set_result(None)
        await self._pieces.put(start)
        if self._body:
            await self._pieces.put({"type": "http.response.body", "body": bytes(self._body), "more_body": more})
            self._body.clear()


def _is_of_its_own(start: Message) -> bool:
    """Whether an answer says itself how it may be kept, is for one alone, or has no end."""
    names = {name.lower() for name, _ in start.get("headers", ())}
    types = [value for name, value in start.get("headers", ()) if name.lower() == b"content-type"]
    return bool(names & {b"cache-control", b"set-cookie"}) or any(b"event-stream" in kind for kind in types)


def _nothing_more() -> Callable[[], Awaitable[Message]]:
    """Return what the application receives: a request without a body, of a client that stays."""
    told = False

    async def receive() -> Message:
        nonlocal told
        if told:
            await asyncio.Event().wait()  # until the flight ends
        told = True
        return {"type": "http.request", "body": b"", "more_body": False}

    return receive


def with_headers(answer: Answer, *headers: tuple[bytes, bytes]) -> Answer:
    """Return the answer with more headers; one that it has is not said twice."""
    return replace(answer, headers=tuple(dict.fromkeys((*answer.headers, *headers))))
