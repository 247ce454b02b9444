"""Health, readiness and figures: for the kubelet, load balancers and Prometheus, who show no token."""

from __future__ import annotations

import asyncio

from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import PlainTextResponse, Response
from starlette.routing import Route

from gitmart.api.middleware.meters import CONTENT_TYPE, Meters
from gitmart.api.watermark import Reason, Watch

_FRESH = {"Cache-Control": "no-store"}


def probe_routes(watch: Watch, stopping: asyncio.Event) -> list[Route]:
    """
    Return the routes of /healthz (the process lives) and /readyz (it can answer).

    Ready is who reaches a warehouse of a revision that fits. One whose marts are not built yet is ready, too: that is
    what its pages then say, and nothing else could.
    """

    async def healthy(_: Request) -> Response:
        return PlainTextResponse("ok\n", headers=_FRESH)

    async def ready(_: Request) -> Response:
        if stopping.is_set():
            return PlainTextResponse("the process is stopping\n", 503, _FRESH)
        lacking = (await watch.now()).lacking
        if lacking is None:
            return PlainTextResponse("ok\n", headers=_FRESH)
        return PlainTextResponse(f"{lacking.sentence}\n", 200 if lacking.reason is Reason.NO_MARTS else 503, _FRESH)

    return [Route("/healthz", healthy), Route("/readyz", ready)]


def metrics_app(watch: Watch, stopping: asyncio.Event, meters: Meters) -> Starlette:
    """Return what the second port serves: the probes, and /metrics."""

    async def metrics(_: Request) -> Response:
        await watch.now()
        return Response(meters.text(), media_type=CONTENT_TYPE)

    return Starlette(routes=[*probe_routes(watch, stopping), Route("/metrics", metrics)])
