"""
The operator's own port: /metrics for Prometheus, /readyz for the kubelet. Liveness is Kopf's (/healthz, another port).

Ready means: the first lists are in, so that decisions rest on the whole truth, and the queue is being worked on.
"""

from __future__ import annotations

import socket
from collections.abc import Callable
from typing import Self

from aiohttp import web

from gitmart.handlers.metrics import CONTENT_TYPE
from gitmart.handlers.queue import QueueState


class Readiness:
    """What has to be true for the operator to be ready; whoever runs it sets the two flags."""

    def __init__(self, queue: Callable[[], QueueState]) -> None:
        self._queue = queue
        self.listed = False  # the first list of every kind is in
        self.stopping = False

    @property
    def lacking(self) -> str | None:
        """Why the operator is not ready, None when it is."""
        if self.stopping:
            return "the operator is shutting down"
        if not self.listed:
            return "the first lists of all objects are not in yet"
        if not self._queue().running:
            return "the work queue is not running"
        return None


class Server:
    """Serves on all addresses while in its `async with`. Port 0: a free one, told by `port` afterwards."""

    def __init__(self, port: int, *, lacking: Callable[[], str | None], metrics: Callable[[], bytes]) -> None:
        self.port = port
        self._lacking = lacking
        self._metrics = metrics
        app = web.Application()
        app.router.add_get("/readyz", self._ready)
        app.router.add_get("/metrics", self._scrape)
        self._runner = web.AppRunner(app, handle_signals=False, access_log=None, shutdown_timeout=1.0)

    async def __aenter__(self) -> Self:
        """Begin; OSError tells that the port cannot be had."""
        await self._runner.setup()
        try:
            await web.SockSite(self._runner, _listening(self.port)).start()
        except OSError:
            await self._runner.cleanup()
            raise
        self.port = self._runner.addresses[0][1]
        return self

    async def __aexit__(self, *_: object) -> None:
        await self._runner.cleanup()

    async def _ready(self, _: web.Request) -> web.Response:
        lacking = self._lacking()
        return web.Response(text=f"{lacking or 'ok'}\n", status=503 if lacking else 200)

    async def _scrape(self, _: web.Request) -> web.Response:
        return web.Response(body=self._metrics(), headers={"Content-Type": CONTENT_TYPE})


def _listening(port: int) -> socket.socket:
    """Return a socket for IPv4 and IPv6, as far as the machine has them."""
    if socket.has_dualstack_ipv6():
        return socket.create_server(("", port), family=socket.AF_INET6, dualstack_ipv6=True)
    return socket.create_server(("", port))
