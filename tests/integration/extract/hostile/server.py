"""
A git host of our own that can be as evil as it likes.

It speaks real HTTPS, and real git answers behind it. A test replaces one of the three answers of protocol version 2
(what the host can do, which refs it has, the objects) or any other one by a mischief of its own.
"""

from __future__ import annotations

import base64
import http.server
import os
import socket
import ssl
import subprocess
import threading
from collections.abc import Callable, Iterable
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from urllib.parse import quote

import trustme
from tests.integration.extract.hostile.wire import line, lines

CAN, LIST, FETCH, OTHER = "can", "list", "fetch", "other"  # the stages of a conversation
READ_ENVIRONMENT = {
    "PATH": os.environ["PATH"], "GIT_CONFIG_NOSYSTEM": "1", "GIT_CONFIG_GLOBAL": "/dev/null", "GIT_PROTOCOL": "version=2",
}  # fmt: skip

Mischief = Callable[["Exchange"], None]


@dataclass
class Exchange:
    """One request, and the ways to answer it."""

    handler: http.server.BaseHTTPRequestHandler
    server: Server
    stage: str
    body: bytes  # of the request
    number: int  # of this stage, from 1

    @property
    def shown(self) -> str:
        """The credentials in the request, as they stand there."""
        return self.handler.headers.get("Authorization", "")

    @property
    def secret(self) -> bytes:
        """The password or token in it."""
        value = self.shown.partition(" ")[2]
        return base64.b64decode(value).partition(b":")[2] if value else b""

    @property
    def echo(self) -> bytes:
        """What a host can say of credentials it was sent."""
        secret = self.secret
        spelled = [self.shown.encode(), b"user:" + secret, quote(secret, safe="").encode(), base64.b64encode(secret)]
        return b" ".join([*spelled, b"\x1b[2Jgone\x1b]0;x\x07"])

    def wants(self) -> list[bytes]:
        """Return the objects that are asked for."""
        return [part.split()[1] for part in lines(self.body) if part.startswith(b"want ")]

    def kind(self, oid: bytes) -> str:
        """Return what an object of the repository is."""
        words = ["git", f"--git-dir={self.server.git_dir}", "cat-file", "-t", oid.decode()]
        return subprocess.run(words, capture_output=True, env=READ_ENVIRONMENT, check=True).stdout.decode().strip()

    def honest(self, body: bytes | None = None) -> bytes:
        """Return git's answer, to another request if one is given."""
        words = ["git", "upload-pack", "--stateless-rpc"]
        if self.stage == CAN:
            words.append("--advertise-refs")
        done = subprocess.run(
            [*words, str(self.server.git_dir)], input=self.body if body is None else body,
            stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, env=READ_ENVIRONMENT, check=False,
        )  # fmt: skip
        return (line(b"# service=git-upload-pack\n") + b"0000" if self.stage == CAN else b"") + done.stdout

    def reply(self, body: bytes = b"", code: int = 200, **headers: str) -> None:
        """Answer."""
        self.start(code, **{"Content-Length": str(len(body)), **headers})
        self.handler.wfile.write(body)

    def start(self, code: int = 200, **headers: str) -> None:
        """Begin an answer; without a length it ends when the connection does."""
        kind = "advertisement" if self.stage == CAN else "result"
        smart = (
            {"Content-Type": f"application/x-git-upload-pack-{kind}"} if code == 200 else {"Content-Type": "text/plain"}
        )
        self.handler.send_response(code)
        for name, value in {
            **smart,
            "Connection": "close",
            **{n.replace("_", "-"): v for n, v in headers.items()},
        }.items():
            self.handler.send_header(name, value)
        self.handler.end_headers()

    def stream(self, parts: Iterable[bytes]) -> None:
        """Answer with parts, without end if they have none, until the other side hangs up."""
        self.start()
        for part in parts:
            self.handler.wfile.write(part)
            self.handler.wfile.flush()
            if self.server.closing.is_set():
                return

    def cut(self) -> None:
        """Reset the connection."""
        raw = self.handler.connection
        raw.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, b"\1\0\0\0\0\0\0\0")
        os.close(raw.detach())


@dataclass
class Server:
    """The host. `mischief` names the stages that are not answered honestly."""

    git_dir: Path
    authority: trustme.CA
    mischief: dict[str, Mischief] = field(default_factory=dict)
    connections: int = 0
    elsewhere_port: int = 0  # of another host that this one may speak of
    asked: list[str] = field(default_factory=list)
    counts: dict[str, int] = field(default_factory=dict)
    closing: threading.Event = field(default_factory=threading.Event)

    def __post_init__(self) -> None:
        self.context = context(self.authority)
        self._server = _Tls(("127.0.0.1", 0), _handler(self), self)
        self._thread = threading.Thread(target=self._server.serve_forever, kwargs={"poll_interval": 0.05})
        self._thread.start()

    def tip(self) -> bytes:
        """Return the newest commit."""
        return subprocess.run(
            ["git", f"--git-dir={self.git_dir}", "rev-parse", "main"],
            capture_output=True,
            env=READ_ENVIRONMENT,
            check=True,
        ).stdout.strip()

    @property
    def port(self) -> int:
        """Where it listens."""
        return self._server.server_port

    @property
    def url(self) -> str:
        """Its address."""
        return f"https://localhost:{self.port}"

    def behave(self, **mischief: Mischief) -> None:
        """Be honest from now on but for this."""
        self.closing.clear()
        self.mischief, self.asked, self.counts, self.connections = mischief, [], {}, 0
        self.context = context(self.authority)

    def close(self) -> None:
        """End."""
        self.closing.set()
        self._server.shutdown()
        self._thread.join()
        self._server.server_close()

    def answer(self, handler: http.server.BaseHTTPRequestHandler) -> None:
        """Answer a request."""
        self.asked.append(handler.path)
        body = handler.rfile.read(int(handler.headers.get("Content-Length") or 0))
        if handler.headers.get("Content-Encoding") == "gzip":
            import gzip

            body = gzip.decompress(body)
        stage = OTHER
        if handler.path.endswith("/info/refs?service=git-upload-pack"):
            stage = CAN
        elif handler.path.endswith("/git-upload-pack"):
            stage = LIST if b"command=ls-refs" in body else FETCH
        self.counts[stage] = self.counts.get(stage, 0) + 1
        exchange = Exchange(handler, self, stage, body, self.counts[stage])
        if stage in self.mischief:
            self.mischief[stage](exchange)
        elif stage == OTHER:
            exchange.reply(code=404)
        else:
            exchange.reply(exchange.honest())


def context(authority: trustme.CA, name: str = "localhost", **options: Any) -> ssl.SSLContext:
    """Return what a host proves itself by."""
    found = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    authority.issue_cert(name, **options).configure_cert(found)
    return found


class _Tls(http.server.ThreadingHTTPServer):
    """Shakes hands in the connection's own thread."""

    daemon_threads = True

    def __init__(self, address: tuple[str, int], handler: Any, server: Server) -> None:
        super().__init__(address, handler)
        self._hostile = server

    def finish_request(self, request: Any, client_address: Any) -> None:
        self._hostile.connections += 1
        with suppress(OSError), self._hostile.context.wrap_socket(request, server_side=True) as connection:
            super().finish_request(connection, client_address)

    def handle_error(self, request: Any, client_address: Any) -> None:
        """Say nothing: whoever asked has hung up."""


def _handler(server: Server) -> type[http.server.BaseHTTPRequestHandler]:
    class Handler(http.server.BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_GET(self) -> None:
            self.close_connection = True
            with suppress(OSError):
                server.answer(self)

        do_POST = do_GET  # noqa: N815 # the library's names

        def log_message(self, *words: Any) -> None:
            """Say nothing."""

    return Handler
