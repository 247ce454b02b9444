"""The operator's port, by real requests."""

from __future__ import annotations

import asyncio
import dataclasses
from collections.abc import Awaitable, Callable

import aiohttp
import pytest
from prometheus_client.parser import text_string_to_metric_families

from gitmart.handlers.metrics import Metrics
from gitmart.handlers.queue import QueueState
from gitmart.handlers.server import Readiness, Server

RUNNING = QueueState(
    running=True, workers=10, depth=0, planned=0, active=0, longest_visit=0.0, unfinished=0.0, idle=0.0
)
Get = Callable[[str], Awaitable[tuple[int, str, str]]]


def ask(readiness: Readiness, script: Callable[[Get], Awaitable[None]]) -> None:
    async def main() -> None:
        metrics = Metrics()
        server = Server(0, lacking=lambda: readiness.lacking, metrics=metrics.text)
        async with server, aiohttp.ClientSession() as session:

            async def get(path: str) -> tuple[int, str, str]:
                async with session.get(f"http://127.0.0.1:{server.port}{path}") as answer:
                    return answer.status, await answer.text(), answer.headers["Content-Type"]

            await script(get)

    asyncio.run(main())


def test_ready_only_between_the_first_lists_and_the_end() -> None:
    state = [dataclasses.replace(RUNNING, running=False)]
    readiness = Readiness(lambda: state[0])

    async def script(get: Get) -> None:
        assert (await get("/readyz"))[:2] == (503, "the first lists of all objects are not in yet\n")
        readiness.listed = True
        assert (await get("/readyz"))[:2] == (503, "the work queue is not running\n")
        state[0] = RUNNING
        assert (await get("/readyz"))[:2] == (200, "ok\n")
        readiness.stopping = True
        assert (await get("/readyz"))[:2] == (503, "the operator is shutting down\n")

    ask(readiness, script)


def test_prometheus_can_read_the_metrics() -> None:
    async def script(get: Get) -> None:
        status, text, content_type = await get("/metrics")
        assert status == 200
        assert content_type.startswith("text/plain; version=")
        assert "gitmart_extractions_running" in {family.name for family in text_string_to_metric_families(text)}

    ask(Readiness(lambda: RUNNING), script)


def test_nothing_else_is_served() -> None:
    async def script(get: Get) -> None:
        assert (await get("/"))[0] == 404
        assert (await get("/healthz"))[0] == 404

    ask(Readiness(lambda: RUNNING), script)


def test_a_port_in_use_is_told() -> None:
    async def main() -> None:
        first = Server(0, lacking=lambda: None, metrics=bytes)
        async with first:
            with pytest.raises(OSError, match="in use"):
                await Server(first.port, lacking=lambda: None, metrics=bytes).__aenter__()

    asyncio.run(main())
