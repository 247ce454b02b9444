"""What people see while a run goes on: a bar on a terminal, a line now and then elsewhere."""

from __future__ import annotations

import logging
import sys
import threading
import time
from types import TracebackType
from typing import TYPE_CHECKING, Protocol, Self

if TYPE_CHECKING:
    from rich.progress import Progress, TaskID

log = logging.getLogger(__name__)

LINE_EVERY = 10.0  # seconds
PHASES = {
    "fetch": "Fetching what is new",
    "check": "Checking the cache",
    "clone": "Cloning",
    "list": "Listing commits",
    "contents": "Fetching contents",
    "diff": "Counting and loading lines",
    "patches": "Computing patch ids",
    "merge": "Merging",
    "commit": "Committing",
    "store": "Filling the cache",
}


class Reporter(Protocol):
    """Hears how far a run is. Methods may be called from any thread."""

    def phase(self, name: str, total: float | None = None) -> None:
        """Say that a phase begins; `total` is its size if known."""

    def at(self, done: float, total: float | None = None) -> None:
        """Say how much of the phase is done."""

    def add(self, done: float, total: float | None = None) -> None:
        """Say that so much more is done."""


class Lines:
    """Structured lines: one per phase, and one every ten seconds within a long one."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._name, self._done, self._total = "", 0.0, 0.0
        self._started = self._told = time.monotonic()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        pass

    def phase(self, name: str, total: float | None = None) -> None:
        """Begin a phase."""
        with self._lock:
            self._name, self._done, self._total = name, 0.0, total or 0.0
            self._started = self._told = time.monotonic()
        log.info("phase", extra={"phase": name})

    def at(self, done: float, total: float | None = None) -> None:
        """Take note, and tell if it is time."""
        with self._lock:
            self._done, self._total = done, total or self._total
            now = time.monotonic()
            if now - self._told < LINE_EVERY:
                return
            self._told = now
            rate = self._done / (now - self._started)
        left = round((self._total - self._done) / rate) if self._total and rate else None
        log.info(
            "progress",
            extra={"phase": self._name, "done": round(done), "total": round(self._total) or None,
                   "per_second": round(rate), "seconds_left": left},
        )  # fmt: skip

    def add(self, done: float, total: float | None = None) -> None:
        """Take note of more."""
        self.at(self._done + done, total)


class Bar:
    """A live bar with rate and time left."""

    def __init__(self) -> None:
        from rich.console import Console
        from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

        self._progress: Progress = Progress(
            TextColumn("{task.description:<27}"),
            BarColumn(),
            MofNCompleteColumn(),
            TextColumn("{task.fields[rate]}"),
            TimeRemainingColumn(elapsed_when_finished=True),
            console=Console(stderr=True),
        )
        self._task: TaskID | None = None

    def __enter__(self) -> Self:
        self._progress.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._progress.stop()

    def phase(self, name: str, total: float | None = None) -> None:
        """Finish the bar of the phase before and begin a new one."""
        self._finish()
        self._task = self._progress.add_task(PHASES[name], total=total, rate="")

    def at(self, done: float, total: float | None = None) -> None:
        """Move the bar."""
        if self._task is None:
            return
        speed = self._progress.tasks[-1].speed
        rate = f"{speed:,.0f}/s" if speed else ""
        self._progress.update(self._task, completed=done, rate=rate, total=total or self._progress.tasks[-1].total)

    def add(self, done: float, total: float | None = None) -> None:
        """Move the bar by so much."""
        if self._task is not None:
            self.at(self._progress.tasks[-1].completed + done, total)

    def _finish(self) -> None:
        if self._task is not None:
            task = self._progress.tasks[-1]
            total = task.total if task.total is not None else max(task.completed, 1)
            self._progress.update(self._task, total=total, completed=total)


def reporter_for_stderr() -> Lines | Bar:
    """Return a bar if a person is watching, else lines."""
    return Bar() if sys.stderr.isatty() else Lines()
