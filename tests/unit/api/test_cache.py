"""What the cache passes on as it comes, shares, and keeps: around an application of a few lines."""

from __future__ import annotations

import asyncio
import gzip
from collections.abc import Awaitable, Callable
from datetime import timedelta
from typing import Any

import pytest
from starlette.applications import Starlette
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from gitmart.api.middleware.cache import Cache
from gitmart.api.middleware.flights import LARGEST
from gitmart.api.middleware.meters import Meters
from gitmart.api.middleware.told import KEY, Told
from gitmart.api.watermark import State, Watch

Headers = list[tuple[bytes, bytes]]
KIND: Headers = [(b"content-type", b"text/plain")]


class Client:
    """Sends one request, and keeps what comes back."""

    def __init__(self, cache: Cache, path: str = "/a", headers: Headers | None = None) -> None:
        self.told = Told(path)
        self.messages: list[Message] = []
        self.gone = asyncio.Event()
        scope: Scope = {
            "type": "http", "method": "GET", "path": path, "root_path": "", "query_string": b"", "scheme": "http",
            "headers": headers or [], "state": {}, "app": Starlette(), KEY: self.told,
        }  # fmt: skip
        self._bodies: list[Message] = [{"type": "http.request", "body": b"", "more_body": False}]
        self.task = asyncio.create_task(cache(scope, self._receive, self._send))

    async def _receive(self) -> Message:
        if self._bodies:
            return self._bodies.pop()
        await self.gone.wait()
        return {"type": "http.disconnect"}

    async def _send(self, message: Message) -> None:
        self.messages.append(message)

    @property
    def status(self) -> int:
        return int(self.messages[0]["status"])

    @property
    def headers(self) -> dict[bytes, bytes]:
        return dict(self.messages[0]["headers"])

    @property
    def body(self) -> bytes:
        return b"".join(message.get("body", b"") for message in self.messages)


class Application:
    """Answers as a function says, and counts."""

    def __init__(self, answer: Callable[[Send], Awaitable[None]]) -> None:
        self._answer = answer
        self.asked = self.cancelled = 0

    async def __call__(self, _: Scope, __: Receive, send: Send) -> None:
        self.asked += 1
        try:
            await self._answer(send)
        except asyncio.CancelledError:
            self.cancelled += 1
            raise


def cache_of(app: ASGIApp, *, most: int = 10, watermark: Callable[[], str] = lambda: "w", renewed: int = 0) -> Cache:
    async def look() -> State:
        return State(watermark())

    return Cache(
        app, watch=Watch(look, timedelta()), size=1 << 24, most=most, without=("/healthz",), meters=Meters(),
        renewed=renewed,
    )  # fmt: skip


async def start(send: Send, headers: Headers = KIND, status: int = 200) -> None:
    await send({"type": "http.response.start", "status": status, "headers": headers})


async def body(send: Send, piece: bytes, *, more: bool = False) -> None:
    await send({"type": "http.response.body", "body": piece, "more_body": more})


async def until(condition: Callable[[], object]) -> None:
    """Let others run until it is so."""
    for _ in range(10_000):
        if condition():
            return
        await asyncio.sleep(0)
    raise AssertionError("it never came")


def test_a_stream_of_events_is_passed_on_as_it_comes_and_ends_with_its_client() -> None:
    async def run() -> None:
        async def events(send: Send) -> None:
            await start(send, [(b"content-type", b"text/event-stream")])
            await body(send, b"data: 1\n\n", more=True)
            await asyncio.Event().wait()

        app = Application(events)
        cache = cache_of(app, most=1)
        one = Client(cache)
        await until(lambda: one.body == b"data: 1\n\n")
        assert one.headers[b"cache-control"] == b"no-store"
        assert cache.in_progress == 0, "it takes no place of an answer"
        other = Client(cache)
        await until(lambda: other.body == b"data: 1\n\n")
        assert app.asked == 2, "each has a stream of its own"
        for client in (one, other):
            client.gone.set()
            await client.task
        await until(lambda: app.cancelled == 2)

    asyncio.run(run())


@pytest.mark.parametrize(
    ("headers", "pieces"),
    [
        pytest.param(KIND, [b"x" * LARGEST, b"y", b"z"], id="large"),
        pytest.param([*KIND, (b"cache-control", b"max-age=60")], [b"a", b"b"], id="of its own"),
        pytest.param([*KIND, (b"set-cookie", b"a=b")], [b"a"], id="for one alone"),
    ],
)
def test_what_is_not_for_all_comes_whole_and_is_not_kept(headers: Headers, pieces: list[bytes]) -> None:
    async def run() -> None:
        async def answer(send: Send) -> None:
            await start(send, headers)
            for number, piece in enumerate(pieces, 1):
                await body(send, piece, more=number < len(pieces))

        app = Application(answer)
        cache = cache_of(app)
        for _ in range(2):
            client = Client(cache)
            await client.task
            assert client.body == b"".join(pieces)
            assert not client.messages[-1].get("more_body")
            assert b"etag" not in client.headers
            assert b"cache-control" in client.headers
        assert (app.asked, len(cache.answers)) == (2, 0)

    asyncio.run(run())


def test_what_is_kept_is_compressed_once_and_takes_the_less_room() -> None:
    async def run() -> None:
        whole = b"0123456789" * 10_000

        async def answer(send: Send) -> None:
            await start(send)
            await body(send, whole)

        app = Application(answer)
        cache = cache_of(app)
        zipping: Headers = [(b"accept-encoding", b"gzip")]
        clients = [Client(cache, headers=each) for each in ([], zipping, zipping)]
        for client in clients:
            await client.task
        plain, first, second = clients
        assert (app.asked, cache.answers.size < len(whole) / 10) == (1, True)
        assert (plain.body, gzip.decompress(first.body)) == (whole, whole)
        assert first.messages[1]["body"] is second.messages[1]["body"], "not compressed for each who asks"
        assert plain.headers[b"etag"] == first.headers[b"etag"]
        for headers in ([], zipping):
            known = Client(cache, headers=[*headers, (b"if-none-match", first.headers[b"etag"])])
            await known.task
            assert (known.status, known.body) == (304, b"")
            assert (b"vary", b"Accept-Encoding") in known.messages[0]["headers"]

    asyncio.run(run())


def test_an_error_is_shared_and_not_kept() -> None:
    async def run() -> None:
        go_on = asyncio.Event()

        async def refuse(send: Send) -> None:
            await go_on.wait()
            await start(send, status=504)
            await body(send, b"too long")

        app = Application(refuse)
        cache = cache_of(app)
        clients = [Client(cache) for _ in range(3)]
        await until(lambda: cache.waiting == 3)
        go_on.set()
        await asyncio.gather(*(client.task for client in clients))
        assert [(client.status, client.body) for client in clients] == [(504, b"too long")] * 3
        assert app.asked == 1
        await Client(cache).task
        assert app.asked == 2

    asyncio.run(run())


@pytest.mark.parametrize("has_begun", [False, True])
def test_what_the_application_raises_reaches_who_asked(has_begun: bool) -> None:
    async def run() -> None:
        async def fail(send: Send) -> None:
            if has_begun:
                await start(send, [*KIND, (b"cache-control", b"no-store")])
                await body(send, b"half", more=True)
            raise LookupError("a bug")

        client = Client(cache_of(Application(fail)))
        with pytest.raises(LookupError, match="a bug"):
            await client.task

    asyncio.run(run())


def test_more_than_there_is_room_for_is_refused_at_once() -> None:
    async def run() -> None:
        go_on = asyncio.Event()

        async def wait(send: Send) -> None:
            await go_on.wait()
            await start(send)
            await body(send, b"done")

        app = Application(wait)
        cache = cache_of(app, most=2)
        first = [Client(cache, path) for path in ("/a", "/b")]
        await until(lambda: app.asked == 2)
        same, other, public = Client(cache, "/a"), Client(cache, "/c"), Client(cache, "/healthz")
        await until(lambda: other.messages)
        assert (other.status, other.headers[b"retry-after"]) == (503, b"1")
        go_on.set()
        await asyncio.gather(*(client.task for client in (*first, same, public)))
        assert {client.body for client in (*first, same, public)} == {b"done"}
        assert app.asked == 3, "/a, /b and /healthz"

    asyncio.run(run())


def test_who_stays_gets_the_answer_that_another_went_away_from() -> None:
    async def run() -> None:
        go_on = asyncio.Event()

        async def wait(send: Send) -> None:
            await go_on.wait()
            await start(send)
            await body(send, b"done")

        app = Application(wait)
        cache = cache_of(app)
        leaving, staying = Client(cache), Client(cache)
        await until(lambda: cache.waiting == 2)
        leaving.gone.set()
        await leaving.task
        assert (leaving.messages, app.cancelled) == ([], 0)
        go_on.set()
        await staying.task
        assert staying.body == b"done"

        alone: Any = Client(cache, "/other")
        go_on.clear()
        await until(lambda: app.asked == 2)
        alone.gone.set()
        await alone.task
        await until(lambda: app.cancelled == 1)

    asyncio.run(run())


def test_what_was_asked_for_lately_is_made_anew_when_the_marts_have_changed() -> None:
    async def run() -> None:
        marts = ["one"]

        async def answer(send: Send) -> None:
            await start(send)
            await body(send, marts[-1].encode())

        app = Application(answer)
        cache = cache_of(app, watermark=lambda: marts[-1], renewed=2)
        for path in ("/a", "/b", "/c"):
            await Client(cache, path).task
        marts.append("two")
        await cache.tend()
        await until(lambda: len(cache.answers) == 2)
        assert app.asked == 5
        for path in ("/b", "/c"):
            client = Client(cache, path)
            await client.task
            assert (client.body, client.told.cached) == (b"two", "hit")
        marts.append("three")
        await cache.tend()
        marts.append("four")
        await cache.tend()
        await until(lambda: cache.in_progress == 0)
        last = Client(cache, "/c")
        await last.task
        assert last.body == b"four"

    asyncio.run(run())
