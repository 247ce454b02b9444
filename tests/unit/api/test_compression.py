"""Which answers are compressed, for whom, and that none is held up: around an application of a few lines."""

from __future__ import annotations

import asyncio
import gzip
import zlib

import pytest
from starlette.types import Message, Receive, Scope, Send

from gitmart.api.middleware.answers import Answer
from gitmart.api.middleware.compression import LARGE, SMALLEST, Compression, compressed, given, takes_gzip
from gitmart.api.middleware.told import KEY, Told

Headers = list[tuple[bytes, bytes]]
ZIPPED: Headers = [(b"accept-encoding", b"gzip, deflate, br, zstd")]
BODY = b"name,commits\r\n" * 500


class Asked:
    """An answer to a request for a path, as it comes."""

    def __init__(
        self, pieces: list[bytes], *, said: Headers = ZIPPED, told: Headers | None = None, path: str = "/a"
    ) -> None:
        self.messages: list[Message] = []
        self.go_on = asyncio.Event()
        self._pieces = pieces
        self._told = told or [(b"content-type", b"text/csv; charset=utf-8")]
        self._scope: Scope = {"type": "http", "method": "GET", "path": path, "headers": said, KEY: Told(path)}

    async def run(self) -> Asked:
        await Compression(self._app)(self._scope, self._receive, self._send)
        return self

    async def _app(self, _: Scope, __: Receive, send: Send) -> None:
        await send({"type": "http.response.start", "status": 200, "headers": list(self._told)})
        for number, piece in enumerate(self._pieces, 1):
            if number > 1:
                await self.go_on.wait()
            await send({"type": "http.response.body", "body": piece, "more_body": number < len(self._pieces)})

    async def _receive(self) -> Message:
        return {"type": "http.disconnect"}

    async def _send(self, message: Message) -> None:
        self.messages.append(message)

    @property
    def headers(self) -> dict[bytes, bytes]:
        return dict(self.messages[0]["headers"])

    @property
    def raw(self) -> bytes:
        return b"".join(message.get("body", b"") for message in self.messages)


def asked(body: bytes = BODY, *, said: Headers = ZIPPED, told: Headers | None = None, path: str = "/a") -> Asked:
    return asyncio.run(Asked([body], said=said, told=told, path=path).run())


@pytest.mark.parametrize(
    ("accepted", "expected"),
    [
        ("gzip", True),
        ("br, GZIP;q=0.5", True),
        ("x-gzip", True),
        ("*", True),
        ("gzip;q=0.001, *;q=0", True),
        ("identity;q=0.5, gzip", True),
        ("", False),
        ("br, zstd", False),
        ("gzip;q=0", False),
        ("gzip;q=0.000, *", False),
        ("*;q=0", False),
        ("identity, gzip;q=0.5", False),
        ("gzip;q=much", False),
        ("gzippy", False),
    ],
)
def test_who_takes_gzip_is_told_by_weights(accepted: str, expected: bool) -> None:
    assert takes_gzip(accepted) is expected
    got = asked(said=[(b"accept-encoding", accepted.encode())])
    assert (got.headers.get(b"content-encoding") == b"gzip") is expected
    assert (gzip.decompress(got.raw) if expected else got.raw) == BODY
    assert got.headers[b"vary"] == b"Accept-Encoding"


def test_a_header_in_two_lines_is_one() -> None:
    assert asked(said=[(b"accept-encoding", b"br"), (b"accept-encoding", b"gzip")]).headers[b"content-encoding"]
    refused = asked(said=[(b"accept-encoding", b"br, gzip;q=0"), (b"accept-encoding", b"gzip")])
    assert b"content-encoding" not in refused.headers


@pytest.mark.parametrize(
    ("kind", "expected"),
    [
        ("application/json", True),
        ("application/problem+json", True),
        ("text/csv; charset=utf-8", True),
        ("text/html", True),
        ("text/css", True),
        ("text/javascript", True),
        ("image/svg+xml", True),
        ("application/vnd.apache.parquet", False),
        ("application/vnd.apache.arrow.stream", False),
        ("Text/Event-Stream", False),
        ("image/png", False),
    ],
)
def test_what_is_compressed_in_itself_is_left_alone(kind: str, expected: bool) -> None:
    async def kept() -> bool:
        return (await compressed(Answer(((b"content-type", kind.encode()),), BODY, ""))).is_zipped

    assert (asked(told=[(b"content-type", kind.encode())]).headers.get(b"content-encoding") == b"gzip") is expected
    assert asyncio.run(kept()) is expected, "what is kept goes by the same rule"


def test_a_small_answer_is_left_alone() -> None:
    small, enough = asked(b"x" * (SMALLEST - 1)), asked(b"x" * SMALLEST)
    assert (small.headers.get(b"content-encoding"), small.headers.get(b"vary")) == (None, None)
    assert enough.headers[b"content-encoding"] == b"gzip"
    assert enough.headers[b"content-length"] == str(len(enough.raw)).encode()


def test_an_answer_that_has_a_coding_keeps_it() -> None:
    kinds = [(b"content-type", b"text/html"), (b"content-encoding", b"gzip"), (b"etag", b'"one"')]
    assert asked(gzip.compress(BODY), told=kinds).raw == gzip.compress(BODY)


@pytest.mark.parametrize(
    ("site", "expected"), [(b"same-origin", True), (b"none", True), (b"same-site", False), (b"cross-site", False)]
)
def test_what_another_origin_has_a_browser_ask_for_is_not_compressed(site: bytes, expected: bool) -> None:
    got = asked(said=[*ZIPPED, (b"sec-fetch-site", site)])
    assert (b"content-encoding" in got.headers) is expected


@pytest.mark.parametrize(("path", "expected"), [("/sign-in", False), ("/sign-in/more", False), ("/sign-ins", True)])
def test_signing_in_is_not_compressed(path: str, expected: bool) -> None:
    assert (b"content-encoding" in asked(path=path).headers) is expected


def test_what_several_layers_say_of_vary_is_said_once() -> None:
    told = [(b"content-type", b"text/csv"), (b"vary", b"Accept, accept-encoding"), (b"vary", b"Origin")]
    assert asked(told=told).headers[b"vary"] == b"Accept, Accept-Encoding, Origin"


@pytest.mark.parametrize("first", [b"name\r\n", b"x" * LARGE], ids=["small piece", "large piece"])
def test_a_stream_reaches_its_reader_piece_by_piece(first: bytes) -> None:
    async def run() -> None:
        stream = Asked([first, b"ada\r\n", b""])
        running = asyncio.create_task(stream.run())
        reading = zlib.decompressobj(16 + zlib.MAX_WBITS)
        for _ in range(1000):
            if stream.raw:
                break
            await asyncio.sleep(0.01)
        assert reading.decompress(stream.raw) == first, "all of it, before there is more"
        assert b"content-length" not in stream.headers
        stream.go_on.set()
        await running
        assert gzip.decompress(stream.raw) == first + b"ada\r\n"
        assert not stream.messages[-1].get("more_body")

    asyncio.run(run())


@pytest.mark.parametrize("length", [SMALLEST, 3 * LARGE])
def test_what_is_kept_is_given_in_either_coding(length: int) -> None:
    async def run() -> None:
        headers = ((b"content-type", b"application/json"), (b"content-length", str(length).encode()))
        body = b"0123456789" * (length // 10) + b"x" * (length % 10)
        kept = await compressed(Answer(headers, body, "/a"))
        assert len(kept.body) < length / 4
        as_it_is = await given(kept, {"headers": []})
        zipped = await given(kept, {"headers": [(b"accept-encoding", b"gzip")]})
        assert (as_it_is.body, dict(as_it_is.headers)[b"content-length"]) == (body, str(length).encode())
        assert b"content-encoding" not in dict(as_it_is.headers)
        assert zipped.body is kept.body, "compressed once"
        assert dict(zipped.headers)[b"content-length"] == str(len(kept.body)).encode()
        assert dict(zipped.headers)[b"content-encoding"] == b"gzip"
        for answer in (as_it_is, zipped):
            assert dict(answer.headers)[b"vary"] == b"Accept-Encoding"

    asyncio.run(run())
