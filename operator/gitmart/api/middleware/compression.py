"""
Compression of answers: gzip (RFC 1952), for whoever takes it.

What is kept is compressed once, and kept so (`compressed`); all else as it is sent, piece by piece where it streams.

A secret leaks through lengths when it is compressed along with what an attacker chose (BREACH): where a page of the
attacker's makes a browser that is signed in ask us again and again, and its network lets the lengths be read. So
nothing is compressed that another origin's page had a browser ask for, which every browser tells by Sec-Fetch-Site
where there is TLS; that goes by a proxy's cookies as well as by ours. The pages of signing in are compressed for
nobody. No token and no cookie stands in any body.
"""

from __future__ import annotations

import asyncio
import gzip
from collections.abc import Callable
from dataclasses import replace
from functools import lru_cache

from starlette.middleware.gzip import DEFAULT_EXCLUDED_CONTENT_TYPES, GZipMiddleware
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from gitmart.api.middleware.answers import Answer
from gitmart.api.middleware.gate import SIGN_IN
from gitmart.api.middleware.told import header, matches, told_of
from gitmart.api.weights import weights

SMALLEST = 1024  # bytes of a body: less travels in one packet either way
LEVEL = 6  # of 9: above, a body becomes hardly smaller and takes several times as long
LARGE = 32 * 1024  # bytes of a body: more takes so long (a millisecond) that others do not wait for it
# Beside pictures and the like: these are compressed in themselves.
LEFT_ALONE = (*DEFAULT_EXCLUDED_CONTENT_TYPES, "application/vnd.apache.parquet", "application/vnd.apache.arrow.stream")
WITHOUT = (SIGN_IN, f"{SIGN_IN}/")

VARY = (b"vary", b"Accept-Encoding")
_NAME = b"accept-encoding"


class Compression:
    """Whatever is inside reads in the request's Accept-Encoding `gzip`, where that is what to answer with, or nothing."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = GZipMiddleware(app, SMALLEST, LEVEL, LARGE, exclude_content_types=LEFT_ALONE)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer a request."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        headers = [pair for pair in scope["headers"] if pair[0] != _NAME]
        if may_zip(scope):
            headers.append((_NAME, b"gzip"))

        async def tell(message: Message) -> None:
            if message["type"] == "http.response.start":
                _say_once(message)
            await send(message)

        await self._app({**scope, "headers": headers}, receive, tell)


def may_zip(scope: Scope) -> bool:
    """
    Whether to answer a request with gzip.

    Vary does not name Sec-Fetch-Site: what is not compressed is right for everybody.
    """
    is_own = header(scope, b"sec-fetch-site") in {"", "none", "same-origin"}
    if not is_own or matches(told_of(scope).path, WITHOUT):
        return False
    return takes_gzip(b",".join(value for name, value in scope["headers"] if name == _NAME).decode("latin-1"))


@lru_cache(64)  # browsers and libraries say one of a few things
def takes_gzip(accepted: str) -> bool:
    """Whether the header Accept-Encoding likes gzip, and no less than what is not compressed (RFC 9110, 12.5.3)."""
    liked = weights(accepted)
    weight = liked.get("gzip", liked.get("x-gzip", liked.get("*", 0.0)))
    return weight > 0 and weight >= liked.get("identity", 0.0)


def is_worth(media_type: str, length: int) -> bool:
    """Whether a body of a type and so many bytes is compressed."""
    kind = media_type.partition(";")[0].strip().lower()
    return length >= SMALLEST and not {kind, f"{kind.partition('/')[0]}/*"} & set(LEFT_ALONE)


async def compressed(answer: Answer) -> Answer:
    """Return an answer as it is to be kept."""
    kinds = [value.decode("latin-1") for name, value in answer.headers if name.lower() == b"content-type"]
    coded = any(name.lower() == b"content-encoding" for name, _ in answer.headers)
    if coded or not is_worth(kinds[0] if kinds else "", len(answer.body)):
        return answer
    zipped = await _off_loop(_zip, answer.body)
    headers = tuple(pair for pair in answer.headers if pair[0].lower() != b"content-length")
    return replace(answer, headers=headers, body=zipped, is_zipped=True)


async def given(answer: Answer, scope: Scope) -> Answer:
    """Return an answer as who asks takes it."""
    if not answer.is_zipped:
        return answer
    headers, body = answer.headers, answer.body
    if header(scope, _NAME) == "gzip":
        headers = (*headers, (b"content-encoding", b"gzip"))
    else:
        body = await _off_loop(gzip.decompress, body)
    return replace(answer, headers=(*headers, (b"content-length", b"%d" % len(body)), VARY), body=body, is_zipped=False)


def _zip(body: bytes) -> bytes:
    return gzip.compress(body, LEVEL, mtime=0)


async def _off_loop(work: Callable[[bytes], bytes], body: bytes) -> bytes:
    """Return what becomes of a body; others are answered meanwhile if it is large."""
    return work(body) if len(body) < LARGE else await asyncio.to_thread(work, body)


def _say_once(message: Message) -> None:
    """Let one header Vary say what several layers have said."""
    lines = [value for name, value in message["headers"] if name.lower() == b"vary"]
    if len(lines) > 1 or b"," in b"".join(lines):
        said = [name.strip() for name in b",".join(lines).split(b",")]
        others = [pair for pair in message["headers"] if pair[0].lower() != b"vary"]
        message["headers"] = [*others, (b"vary", b", ".join({name.lower(): name for name in said}.values()))]
