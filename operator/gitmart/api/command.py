"""The command line of `gitmart api`."""

from __future__ import annotations

import argparse
import asyncio
import logging
import os
import signal
import socket
import sys
from collections.abc import Iterator
from contextlib import contextmanager

import uvicorn
from fastapi import FastAPI
from psycopg.conninfo import conninfo_to_dict
from starlette.types import ASGIApp

from gitmart.api import settings as table
from gitmart.api.app import create_app
from gitmart.api.probes import metrics_app
from gitmart.api.settings import NO_PORT, Settings
from gitmart.contract.logs import configure_logging
from gitmart.contract.outcomes import Outcome
from gitmart.contract.redaction import Scrubber, scrub_logging
from gitmart.contract.settings import SettingsError
from gitmart.warehouse.errors import WarehouseError

log = logging.getLogger(__name__)


def configure(parser: argparse.ArgumentParser) -> None:
    """Add the options of `gitmart api`."""
    table.configure(parser)


def run(arguments: argparse.Namespace) -> int:
    """Serve until a signal asks to stop, and return the outcome's exit code."""
    configure_logging()
    try:
        settings = Settings.of(arguments, os.environ)
        logging.getLogger("gitmart").setLevel(settings.log_level.upper())
        scrub_logging(Scrubber([settings.url, str(conninfo_to_dict(settings.url).get("password") or "")]))
        app = create_app(settings)
        listening = _listen(settings.host, settings.port, "--port")
        metrics = None
        if settings.metrics_port != NO_PORT:
            metrics = _listen(settings.host, settings.metrics_port, "--metrics-port")
    except SettingsError as error:
        for mistake in error.mistakes:
            print(f"gitmart api: {mistake}", file=sys.stderr)
        return error.outcome.exit_code
    except WarehouseError as error:
        print(f"gitmart api: {error}", file=sys.stderr)
        return error.outcome.exit_code
    with asyncio.Runner(loop_factory=_loop) as runner:
        return runner.run(_serve(app, settings, listening, metrics))


def _loop() -> asyncio.AbstractEventLoop:
    if sys.platform == "win32":
        return asyncio.new_event_loop()
    import uvloop

    return uvloop.new_event_loop()


def _listen(host: str, port: int, option: str) -> socket.socket:
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    try:
        return socket.create_server(
            (host, port), family=family, backlog=1024, dualstack_ipv6=host == "::" and socket.has_dualstack_ipv6()
        )
    except OSError as error:
        raise SettingsError([f"{option}: cannot listen on {host} port {port}: {error.strerror}"]) from None


async def _serve(app: FastAPI, settings: Settings, listening: socket.socket, metrics: socket.socket | None) -> int:
    """Serve until SIGTERM or SIGINT; then nothing new is taken, and what was begun is answered."""
    stop = asyncio.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        asyncio.get_running_loop().add_signal_handler(number, stop.set)
    state = app.state
    server = _Server(_config(app, settings))
    serving = [asyncio.create_task(server.serve(sockets=[listening]))]
    beside = None
    if metrics is not None:
        beside = _Server(_config(metrics_app(state.watch, state.stopping, state.meters), settings, lifespan="off"))
        serving.append(asyncio.create_task(beside.serve(sockets=[metrics])))
    told = {"address": _address(listening)} | ({"metrics": f"{_address(metrics)}metrics"} if metrics else {})
    log.info("listening", extra=told)
    stopped = asyncio.create_task(stop.wait())
    await asyncio.wait({stopped, *serving}, return_when=asyncio.FIRST_COMPLETED)
    was_asked = stopped.done()
    stopped.cancel()
    state.stopping.set()
    server.should_exit = True
    await serving[0]
    if beside is not None:  # it tells to the end that the process is not ready
        beside.should_exit = True
    await asyncio.gather(*serving)
    log.info("stopped")
    return 0 if was_asked else Outcome.BUG.exit_code


def _config(app: ASGIApp, settings: Settings, *, lifespan: str = "on") -> uvicorn.Config:
    return uvicorn.Config(
        app,
        http="httptools",
        ws="none",
        lifespan=lifespan,  # type: ignore[arg-type]
        log_config=None,
        access_log=False,
        server_header=False,
        proxy_headers=bool(settings.trusted_proxies),
        forwarded_allow_ips=list(settings.trusted_proxies),
        timeout_graceful_shutdown=int(settings.grace.total_seconds()),
    )


def _address(listening: socket.socket) -> str:
    host, port = listening.getsockname()[:2]
    return f"http://{f'[{host}]' if ':' in host else host}:{port}/"


class _Server(uvicorn.Server):
    @contextmanager
    def capture_signals(self) -> Iterator[None]:
        """Leave signals to whoever serves: uvicorn would end the process by the signal, not with exit code 0."""
        yield
