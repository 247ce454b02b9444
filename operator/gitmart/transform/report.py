"""
How a run ends, told once: the last log line, the result file, the exit code.

Two may want to end a run: the main thread when it is done, and the stopper's thread when it must not
go on. The first one wins, and the other must not return into a process that is ending.
"""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import NoReturn

from gitmart.contract.outcomes import Outcome
from gitmart.contract.redaction import Scrubber
from gitmart.contract.result import Result, write_result

log = logging.getLogger(__name__)


class Report:
    """What is known about the run so far. `facts` go into the result as they are when it ends."""

    def __init__(self, result_file: Path | None, scrubber: Scrubber) -> None:
        self.started_at = datetime.now(UTC)
        self.facts: dict[str, object] = {}
        self.scrubber = scrubber
        self.recorders: list[Callable[[Result], None]] = []  # are told the result once it is written
        self._result_file = result_file
        self._ending = threading.Lock()

    def claim(self) -> bool:
        """Claim the right to end the run; return whether nobody had it."""
        return self._ending.acquire(blocking=False)

    def end(self, outcome: Outcome, message: str) -> int:
        """Claim and close, or wait for the end of the process if somebody else ends the run. Return the exit code."""
        if not self.claim():
            wait_for_the_end()
        return self.close(outcome, message)

    def close(self, outcome: Outcome, message: str) -> int:
        """Write the result and the last line, having claimed; return the exit code."""
        message = self.scrubber.clean(message)
        now = datetime.now(UTC)
        level = logging.INFO if outcome.good else logging.ERROR
        seconds = round((now - self.started_at).total_seconds(), 3)
        log.log(level, "transform ended", extra={"outcome": outcome.value, "reason": message, "seconds": seconds})
        result = Result("transform", outcome, message, self.started_at, now, self._clean_facts())
        if self._result_file is not None:
            try:
                write_result(result, self._result_file)
            except OSError as error:
                log.error("the result cannot be written", extra={"file": str(self._result_file), "why": error.strerror})  # noqa: TRY400
        for record in self.recorders:  # last: a slow warehouse must not keep the kubelet from hearing the end
            record(result)
        return outcome.exit_code

    def _clean_facts(self) -> dict[str, object]:
        return {name: self.scrubber.clean_fact(value) for name, value in list(self.facts.items())}


def wait_for_the_end() -> NoReturn:
    """Do nothing more in this thread: another one is about to end the process."""
    while True:
        threading.Event().wait()
