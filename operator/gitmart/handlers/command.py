"""`gitmart operator`: settings in, a process that runs until it is asked to stop."""

from __future__ import annotations

import argparse
import asyncio
import logging
import os
import signal
import sys

from gitmart.contract.logs import configure_logging
from gitmart.contract.outcomes import Outcome
from gitmart.contract.settings import SettingsError
from gitmart.handlers import settings as table
from gitmart.handlers.cluster import Cluster
from gitmart.handlers.errors import ApiError, NoClusterError
from gitmart.handlers.metrics import Metrics
from gitmart.handlers.settings import Settings

log = logging.getLogger(__name__)

FAILED = 1  # exit code: the reason stands in the log, and the kubelet starts us again


def configure(parser: argparse.ArgumentParser) -> None:
    """Add the options."""
    parser.epilog = "In a pod it uses its service account, elsewhere KUBECONFIG."
    table.configure(parser)


def run(arguments: argparse.Namespace) -> int:
    """Run the operator and return the exit code."""
    configure_logging()
    try:
        settings = Settings.of(arguments, os.environ)
    except SettingsError as error:
        for mistake in error.mistakes:
            sys.stderr.write(f"gitmart operator: {mistake}\n")
        return Outcome.INVALID_INPUT.exit_code
    logging.getLogger("gitmart").setLevel(settings.log_level.upper())
    return asyncio.run(serve(settings))


async def serve(settings: Settings, kind: type[Cluster] = Cluster) -> int:
    """Connect, run until SIGTERM or SIGINT, and return the exit code. `kind` is the class that writes."""
    from gitmart.handlers.operator import Operator  # Kopf takes half a second, which a wrong setting need not wait for

    stop = asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, stop.set)
    metrics = Metrics()
    try:
        async with await kind.connect(observer=metrics.request_ended) as cluster:
            await Operator(settings, cluster, metrics).run(stop)
    except (NoClusterError, ApiError, OSError) as error:
        log.error("the operator cannot run: %s", error)  # noqa: TRY400 # the sentence says it
        return FAILED
    return 0
