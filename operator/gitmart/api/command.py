"""The command line of `gitmart api`."""

from __future__ import annotations

import argparse
import logging
import os
import socket
import sys

import uvicorn

from gitmart.api.app import create_app
from gitmart.api.settings import Settings
from gitmart.contract.logs import configure_logging
from gitmart.contract.outcomes import Outcome
from gitmart.warehouse.errors import WarehouseError

log = logging.getLogger(__name__)


def configure(parser: argparse.ArgumentParser) -> None:
    """Add the options of `gitmart api`."""
    add = parser.add_argument
    add("--schema", metavar="SCHEMA", help="schema of the marts (default: GITMART_DBT_SCHEMA, else analytics)")
    add("--host", default="127.0.0.1", metavar="ADDRESS", help="address to listen on (default 127.0.0.1)")
    add("--port", type=int, default=8080, metavar="PORT", help="port to listen on; 0: a free one (default 8080)")


def run(arguments: argparse.Namespace) -> int:
    """Serve until a signal asks to stop, and return the outcome's exit code."""
    configure_logging()
    try:
        settings = Settings.of(arguments, os.environ)
    except WarehouseError as error:
        print(f"gitmart api: {error}", file=sys.stderr)
        return error.outcome.exit_code
    try:
        listening = socket.create_server(
            (settings.host, settings.port), family=socket.AF_INET6 if ":" in settings.host else socket.AF_INET
        )
    except OSError as error:
        print(f"gitmart api: cannot listen on {settings.host} port {settings.port}: {error.strerror}", file=sys.stderr)
        return Outcome.INVALID_INPUT.exit_code
    host, port = listening.getsockname()[:2]
    log.info("listening", extra={"address": f"http://{f'[{host}]' if ':' in host else host}:{port}/"})
    config = uvicorn.Config(
        create_app(settings), log_config=None, access_log=False, server_header=False, timeout_graceful_shutdown=10
    )
    uvicorn.Server(config).run(sockets=[listening])
    return 0
