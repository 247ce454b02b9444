"""
The cache: answers made from the marts are kept until the marts change.

Each carries an ETag of the watermark. A client that shows it gets 304 without a query, until the watermark moves.
While a build runs, what was made before it goes on being answered, and what is made meanwhile is not kept: it may rest
on some tables of before and some of after. Afterwards what was asked for lately is made anew, before somebody waits.
"""

from __future__ import annotations

import asyncio
import hashlib
import logging
from collections.abc import Awaitable, Mapping
from datetime import UTC, datetime
from email.utils import format_datetime
from typing import Any
from urllib.parse import parse_qsl, quote, urlencode

from starlette.requests import Request
from starlette.types import ASGIApp, Receive, Scope, Send

from gitmart import __version__
from gitmart.api.middleware.answers import Answer, Answers
from gitmart.api.middleware.compression import VARY, given
from gitmart.api.middleware.flights import Check, Flight, Made, with_headers
from gitmart.api.middleware.meters import Meters
from gitmart.api.middleware.told import KEY, Cached, Told, header, matches, template_of, told_of
from gitmart.api.principal import NOBODY
from gitmart.api.problems import ProblemError, answer_of, unavailable
from gitmart.api.watermark import Reason, State, Watch

log = logging.getLogger(__name__)

LONGEST_KEY = 4096  # characters; who asks for more gets an answer that is not kept
STREAMS = 200  # event streams at a time

Key = tuple[str, ...]


class Cache:
    """
    `size` is in bytes, `most` answers are made at a time; `without` are paths that need no warehouse.

    When the marts have changed, the `renewed` answers that were asked for last are made anew, one after the other.
    """

    def __init__(
        self,
        app: ASGIApp,
        *,
        watch: Watch,
        size: int,
        most: int,
        without: tuple[str, ...],
        meters: Meters,
        renewed: int = 0,
    ) -> None:
        self._app = app
        self._watch = watch
        self._most = most
        self._without = without
        self._meters = meters
        self._settled: State | None = None  # the last one with a watermark
        self._flights: dict[tuple[Key, str | None], Flight] = {}
        self._flying: set[Flight] = set()
        self._renewing: asyncio.Task[None] | None = None
        self._scope: Scope = {}  # of the last request: what is made anew is asked for like it
        self.answers: Answers[Key] = Answers(size, renewed)

    @property
    def in_progress(self) -> int:
        """How many answers are being made, event streams aside."""
        return sum(not flight.is_event_stream for flight in self._flying)

    @property
    def waiting(self) -> int:
        """How many requests wait for those."""
        return sum(flight.waiting for flight in self._flying)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer a request."""
        if scope["type"] != "http" or scope["method"] != "GET" or matches(told_of(scope).path, self._without):
            try:
                await self._app(scope, receive, send)
            finally:
                if scope["type"] == "http":
                    told_of(scope).route = template_of(scope)
            return
        try:
            await self._answer(scope, receive, send)
        except ProblemError as error:
            self._meters.refused(str(error.members.get("reason")))
            await answer_of(Request(scope), error)(scope, receive, send)

    async def _answer(self, scope: Scope, receive: Receive, send: Send) -> None:
        told = told_of(scope)
        state = await self._watch.now()
        if state.lacking and state.lacking.reason is not Reason.NO_MARTS:
            raise unavailable(state.lacking.reason, state.lacking.sentence, 5)
        self._scope = scope
        self._move_to(state)
        key, settled = key_of(scope), self._settled if state.watermark or state.building else None
        if settled is not None:
            shown = header(scope, b"if-none-match")
            tag = etag(settled.watermark, key)
            kept = self.answers.get(key)
            if shown and is_match(shown, tag):
                told.cached = Cached.NOT_MODIFIED
                told.route = kept.route if kept else told.route
                headers = (*validators(tag, settled.changed_at), VARY)
                await _send(scope, send, 304, Answer(headers, b"", ""))
                return
            if kept is not None:
                told.cached, told.route = Cached.HIT, kept.route
                await _send(scope, send, 200, kept)
                return
        await self._make(key, settled, state, scope, receive, send)

    async def tend(self) -> None:
        """Look whether the marts have changed though nobody asks."""
        self._move_to(await self._watch.now())

    def _move_to(self, state: State) -> None:
        if state.watermark is None:
            return
        self._settled = state
        asked = self.answers.move_to(state.watermark)
        if asked:
            if self._renewing is not None:
                self._renewing.cancel()
            self._renewing = asyncio.create_task(self._renew(asked, state))

    async def _renew(self, keys: list[Key], state: State) -> None:
        """Make answers anew, while there is room and nothing changes again."""
        for key in keys:
            if (key in self.answers) or (key, state.watermark) in self._flights:
                continue
            if self.in_progress > self._most // 2:  # who asks goes first
                return
            flight = self._take_off(key, state.watermark, _asking_for(key, self._scope), self._check(state))
            flight.join()
            try:
                made = await asyncio.shield(flight.made)
                if made is not None:
                    self._finished(made, key, state)
            except Exception as error:
                log.warning("an answer is not made anew", extra={"why": f"{type(error).__name__}: {error}"})
                return
            finally:
                flight.leave()

    async def _make(
        self, key: Key, settled: State | None, state: State, scope: Scope, receive: Receive, send: Send
    ) -> None:
        """Make an answer, or wait for one that is being made."""
        told, watermark = told_of(scope), settled.watermark if settled else None
        flight = self._flights.get((key, watermark))
        told.cached = Cached.MISS if flight is None else Cached.SHARED
        is_first = flight is None
        if flight is None:
            flight = self._take_off(key, watermark, scope, self._check(state))
        flight.join()
        gone = asyncio.create_task(_gone(receive))
        try:
            made = await _unless(gone, asyncio.shield(flight.made))
            told.route = flight.route
            if isinstance(made, Made):
                await _send(scope, send, made.status, self._finished(made, key, settled))
            elif is_first:
                told.cached = Cached.BYPASS
                await _unless(gone, flight.stream(send))
            else:  # what is not for several
                told.cached = Cached.BYPASS
                await self._alone(scope, send, gone)
        except _GoneError:
            pass
        finally:
            gone.cancel()
            flight.leave()

    async def _alone(self, scope: Scope, send: Send, gone: asyncio.Task[None]) -> None:
        flight = self._take_off(None, None, scope, _never)
        flight.join()
        try:
            made = await _unless(gone, asyncio.shield(flight.made))
            if isinstance(made, Made):
                await _send(scope, send, made.status, with_headers(made.answer, (b"cache-control", b"no-store")))
            else:
                await _unless(gone, flight.stream(send))
        finally:
            flight.leave()

    def _take_off(self, key: Key | None, watermark: str | None, scope: Scope, check: Check) -> Flight:
        if self.in_progress >= self._most or len(self._flying) - self.in_progress >= STREAMS:
            raise unavailable("busy", "too many answers are being made: try again soon", 1)
        flight = Flight(self._app, scope, check)
        self._flying.add(flight)
        if key is not None:
            self._flights[key, watermark] = flight

        def land(task: asyncio.Task[None]) -> None:
            _ = task.cancelled() or task.exception()  # told to whoever waits for it; nobody may
            self._flying.discard(flight)
            if key is not None and self._flights.get((key, watermark)) is flight:
                del self._flights[key, watermark]

        flight.task.add_done_callback(land)
        return flight

    def _check(self, state: State) -> Check:
        """Return what asks whether an answer rests on the state that was known when it was begun, and on no other."""
        if state.watermark is None:
            return _never

        async def check() -> bool:
            return (await self._watch.anew()).watermark == state.watermark

        return check

    def _finished(self, made: Made, key: Key, settled: State | None) -> Answer:
        """Return a collected answer with what is said of how it may be kept; keep it, if it may."""
        if not made.keepable or settled is None or settled.watermark is None:
            return with_headers(made.answer, (b"cache-control", b"no-store"))
        answer = with_headers(made.answer, *validators(etag(settled.watermark, key), settled.changed_at))
        if sum(map(len, key)) <= LONGEST_KEY:
            self.answers.keep(settled.watermark, key, answer)
        return answer


def key_of(scope: Mapping[str, Any]) -> Key:
    """
    Return what an answer depends on: the path, the parameters in whatever order, the format, and how we are called.

    The order of values of one parameter stays: it may mean something.
    """
    pairs = parse_qsl(scope["query_string"].decode("latin-1"), keep_blank_values=True)
    query = urlencode(sorted(pairs, key=lambda pair: pair[0]))
    return (scope["path"], query, header(scope, b"accept"), scope["scheme"], header(scope, b"host"))  # type: ignore[arg-type]


def _asking_for(key: Key, scope: Scope) -> Scope:
    """Return what asks for the answer of a key, of the kind of another request."""
    path, query, accept, scheme, host = key
    told = Told(path.removeprefix(scope["root_path"]))
    return {
        **scope, "path": path, "raw_path": quote(path).encode(), "query_string": query.encode(), "scheme": scheme,
        "headers": [(b"accept", accept.encode("latin-1")), (b"host", host.encode("latin-1"))],
        "state": {"principal": NOBODY}, KEY: told,
    }  # fmt: skip


def etag(watermark: str | None, key: Key) -> str:
    """
    Return the entity tag of an answer, the same for each coding.

    It is weak, since another replica may write the same in other bytes; a strong one would tell codings apart, too
    (RFC 9110, 8.8.3.3).
    """
    return f'W/"{hashlib.sha256(repr((__version__, watermark, key)).encode()).hexdigest()[:32]}"'


def is_match(shown: str, tag: str) -> bool:
    """Whether a header If-None-Match names the tag; `*` is for writers, and no answer of ours is meant by it."""
    bare = tag.removeprefix("W/")
    return any(each.strip().removeprefix("W/") == bare for each in shown.split(","))


def validators(tag: str, changed_at: datetime | None) -> tuple[tuple[bytes, bytes], ...]:
    """Return the headers by which a client asks again: always, and gets 304 as long as nothing has changed."""
    headers = [(b"cache-control", b"private, no-cache"), (b"etag", tag.encode()), (b"vary", b"Accept")]
    if changed_at is not None:
        headers.append((b"last-modified", format_datetime(changed_at.astimezone(UTC), usegmt=True).encode()))
    return tuple(headers)


class _GoneError(Exception):
    """Who asked has gone away."""


async def _gone(receive: Receive) -> None:
    while (await receive())["type"] != "http.disconnect":
        pass  # the body of a GET, which means nothing


async def _unless(gone: asyncio.Task[None], awaited: Awaitable[Made | None]) -> Made | None:
    """Return what is awaited; raise _GoneError if who asked goes away first."""
    work = asyncio.ensure_future(awaited)
    try:
        await asyncio.wait({work, gone}, return_when=asyncio.FIRST_COMPLETED)
    except asyncio.CancelledError:
        work.cancel()
        raise
    if not work.done():
        work.cancel()
        raise _GoneError
    return work.result()


async def _never() -> bool:
    return False


async def _send(scope: Scope, send: Send, status: int, answer: Answer) -> None:
    answer = await given(answer, scope)
    await send({"type": "http.response.start", "status": status, "headers": list(answer.headers)})
    await send({"type": "http.response.body", "body": answer.body})
