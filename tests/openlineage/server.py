"""A collector of OpenLineage: a real HTTP server on this machine."""

from __future__ import annotations

import http.server
import json
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

Answer = Callable[[Any], None]


def say(status: int, **headers: str) -> Answer:
    """Return an answer without a body."""

    def answer(handler: Any) -> None:
        handler.send_response(status)
        for name, value in {"Content-Length": "0", **headers}.items():
            handler.send_header(name, value)
        handler.end_headers()

    return answer


class Server(http.server.ThreadingHTTPServer):
    """A collector that keeps what it is sent; tests change how it answers."""

    daemon_threads = True

    def __init__(self) -> None:
        self.answer: Answer = say(201)
        self.heard: list[dict[str, Any]] = []
        self.raw: list[bytes] = []
        self.asked: list[tuple[str, dict[str, str]]] = []
        self.connections = 0
        self.over = threading.Event()  # ends answers that take their time
        super().__init__(("127.0.0.1", 0), Handler)

    @property
    def port(self) -> int:
        return int(self.server_address[1])

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    def handle_error(self, request: object, client_address: object) -> None:
        """A client that leaves is no news."""

    def get_request(self) -> Any:
        self.connections += 1
        return super().get_request()

    def of(self, name: str) -> list[dict[str, Any]]:
        """Return the events of a job in their order."""
        return [event for event in self.heard if event["job"]["name"] == name]

    def kinds(self, name: str) -> list[str]:
        return [event["eventType"] for event in self.of(name)]


class Handler(http.server.BaseHTTPRequestHandler):
    """Keeps what is posted and lets the server answer."""

    protocol_version = "HTTP/1.1"
    server: Server

    def do_POST(self) -> None:
        body = self.rfile.read(int(self.headers["Content-Length"]))
        self.server.raw.append(body)
        self.server.heard.append(json.loads(body))
        self.server.asked.append((self.path, {name.lower(): value for name, value in self.headers.items()}))
        self.server.answer(self)

    def log_message(self, *_: object) -> None:
        """Say nothing."""


@contextmanager
def listening() -> Iterator[Server]:
    """Serve while the block lasts."""
    server = Server()
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05})
    thread.start()
    yield server
    server.over.set()
    server.shutdown()
    thread.join()
    server.server_close()
