"""How a worker is told to stop: SIGTERM or SIGINT (cancelled) and its own clock (timeout)."""

from __future__ import annotations

import signal
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import timedelta
from types import FrameType

from gitmart.contract.durations import format_duration
from gitmart.contract.outcomes import Outcome


class Stopped(KeyboardInterrupt):
    """
    The run must end now; `outcome` says as what.

    A KeyboardInterrupt, because libraries that wait in C for a server (psycopg, dbt) cancel what they
    wait for when they see one, and because no `except Exception` may swallow it.
    """

    def __init__(self, message: str, outcome: Outcome) -> None:
        super().__init__(message)
        self.outcome = outcome


@contextmanager
def stopping(timeout: timedelta | None) -> Iterator[None]:
    """
    Raise Stopped in the main thread on SIGTERM, on SIGINT, or when the time is over.

    Works as process 1 of a container too, where a signal without a handler would be ignored. After
    the first one further signals are ignored, and so are all once the work is done: the clean-up, or
    the telling of the result, must not be cut off. Whoever cannot wait sends SIGKILL, which the next
    run copes with.
    """

    def stop(number: int, frame: FrameType | None) -> None:  # noqa: ARG001
        for each in (signal.SIGTERM, signal.SIGINT, signal.SIGALRM):
            signal.signal(each, signal.SIG_IGN)
        if number == signal.SIGALRM:
            raise Stopped(
                f"not finished within the timeout of {format_duration(timeout or timedelta())}", Outcome.TIMEOUT
            )
        raise Stopped(f"asked to stop by {signal.Signals(number).name}", Outcome.CANCELLED)

    for each in (signal.SIGTERM, signal.SIGINT, signal.SIGALRM):
        signal.signal(each, stop)
    if timeout is not None:
        signal.setitimer(signal.ITIMER_REAL, timeout.total_seconds())
    try:
        yield
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
        for each in (signal.SIGTERM, signal.SIGINT, signal.SIGALRM):
            signal.signal(each, signal.SIG_IGN)
