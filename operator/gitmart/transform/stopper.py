"""
Ending a run at any moment: SIGTERM, SIGINT, the timeout, a lock that is lost.

dbt leaves its query running when SIGTERM kills it, ignores SIGTERM as process 1, and on SIGINT cancels
only the connections that happen to be open, after the statement that the main thread is in. So the
stopper does not ask dbt at all:

- The signals are blocked in every thread and taken by one of ours with sigwait(3). That works while
  another thread is inside of C, and as process 1.
- A thread of dbt that reports anything from then on stays in the report (`gate`); dbt reports each
  statement before it sends it, so nothing new is sent.
- The sessions of this run are terminated on the server and waited for; then the process exits.

What was open is rolled back by PostgreSQL. A second signal changes nothing: the end takes seconds.
"""

from __future__ import annotations

import logging
import os
import select
import signal
import threading
from collections.abc import Callable, Iterable
from datetime import timedelta
from typing import NoReturn

import psycopg

from gitmart.contract.durations import format_duration
from gitmart.contract.outcomes import Outcome
from gitmart.transform.report import Report, wait_for_the_end
from gitmart.warehouse.locks import Connection

log = logging.getLogger(__name__)

SIGNALS = frozenset({signal.SIGTERM, signal.SIGINT, signal.SIGALRM})


def hold_signals() -> None:
    """Block the signals in this thread and all that it starts, before it starts any."""
    signal.pthread_sigmask(signal.SIG_BLOCK, SIGNALS)


class Stopper:
    """
    Watches for reasons to stop, and stops.

    What `at_end` holds is done first, last added first; what `afterwards` holds once the end is told.
    """

    def __init__(self, report: Report, timeout: timedelta) -> None:
        self.at_end: list[Callable[[], None]] = []
        self.afterwards: list[Callable[[], None]] = []
        self._report = report
        self._timeout = timeout
        self._stopping = False

    def start(self) -> None:
        """Take the signals from now on, and set the clock of the timeout."""
        signal.setitimer(signal.ITIMER_REAL, self._timeout.total_seconds())
        threading.Thread(target=self._await_signal, name="stopper", daemon=True).start()

    def guard(self, connection: Connection) -> None:
        """From now on stop too when the server ends `connection`, which holds the lock and is used by nobody else."""
        threading.Thread(target=self._await_loss, args=(connection,), name="lock", daemon=True).start()

    def gate(self) -> None:
        """Let the calling thread pass, or keep it until the process ends."""
        if self._stopping:
            wait_for_the_end()

    def stop(self, outcome: Outcome, message: str) -> NoReturn:
        """End the run and the process, unless it is ending already."""
        self._stopping = True
        if not self._report.claim():
            wait_for_the_end()
        _do(reversed(self.at_end))
        code = self._report.close(outcome, message)
        _do(self.afterwards)
        os._exit(code)

    def _await_signal(self) -> None:
        number = signal.sigwait(SIGNALS)
        if number == signal.SIGALRM:
            limit = format_duration(self._timeout)
            self.stop(Outcome.TIMEOUT, f"stopped after {limit}, the run's timeout: what was finished stays")
        self.stop(Outcome.CANCELLED, f"stopped by {signal.Signals(number).name}: what was finished stays")

    def _await_loss(self, connection: Connection) -> None:
        while True:
            # A session at rest hears of changed settings, and of its end.
            select.select([connection.fileno()], [], [])
            try:
                connection.execute("select 1")
            except psycopg.Error:
                break
        self.stop(
            Outcome.WAREHOUSE_UNREACHABLE,
            "PostgreSQL ended the session that held the lock: it stopped, failed over, or somebody ended the session",
        )


def _do(steps: Iterable[Callable[[], None]]) -> None:
    for step in steps:
        try:
            step()
        except Exception as error:  # the server ends the statements of a vanished client by itself, 2 s later
            log.warning("the end is not tidy", extra={"why": str(error)})
