"""What dbt is doing, told while it happens: a line for each node, or a bar on a terminal."""

from __future__ import annotations

import logging
import sys
import threading
from collections.abc import Callable
from typing import TYPE_CHECKING, Any, Protocol

if TYPE_CHECKING:
    from rich.progress import Progress as RichProgress

log = logging.getLogger(__name__)

# Said again by a node's own line or by the end of the run.
_REPETITIONS = ("Log", "RunResult", "EndOfRunSummary", "FinishedRunningStats", "MainEncounteredError", "MainStackTrace")
_BAD = frozenset({"error", "fail", "runtime error", "partial success"})


class Display(Protocol):
    """Where the nodes are shown."""

    def start(self, total: int) -> None:
        """Show that `total` nodes are going to be built."""

    def begin(self, node: str) -> None:
        """Show that a node has begun."""

    def finish(self, node: str, status: str, seconds: float, number: int) -> None:
        """Show that a node, the `number`th, has ended."""

    def close(self) -> None:
        """Leave the screen as a log line wants it."""


class Progress:
    """Counts dbt's nodes from its events. dbt calls `event` from several threads at once."""

    def __init__(self, gate: Callable[[], None], display: Display) -> None:
        self.total = 0  # nodes that the selection asks for; 0 until dbt has said so
        self.finished: dict[str, str] = {}  # unique id -> status
        self._gate = gate
        self._display = display
        self._building = False
        self._counting = threading.Lock()

    def begin_build(self) -> None:
        """Count from now on: what ran before was about sources."""
        self._building = True

    def event(self, message: Any) -> None:
        """Take an event of dbt (`EventMsg`)."""
        self._gate()
        match message.info.name:
            case "ConcurrencyLine" if self._building:
                self.total = message.data.node_count
                self._display.start(self.total)
            case "NodeStart" if self._building:
                self._display.begin(message.data.node_info.node_name)
            case "NodeFinished" if self._building:
                self._node_finished(message.data)
            case name if message.info.level in ("warn", "error") and not name.startswith(_REPETITIONS):
                log.warning("dbt says", extra={"event": name, "text": " ".join(message.info.msg.split())[:1000]})

    def _node_finished(self, data: Any) -> None:
        node, status = data.node_info, data.run_result.status
        with self._counting:
            self.finished[node.unique_id] = status
            self._display.finish(node.node_name, status, data.run_result.execution_time, len(self.finished))


class Lines:
    """A log line for each node that has ended."""

    def __init__(self) -> None:
        self._total = 0

    def start(self, total: int) -> None:
        """Remember the total."""
        self._total = total

    def begin(self, node: str) -> None:
        """Say nothing: its end will be told."""

    def finish(self, node: str, status: str, seconds: float, number: int) -> None:
        """Write the line; of a failure a warning."""
        level = logging.WARNING if status in _BAD else logging.INFO
        facts = {"node": node, "status": status, "seconds": round(seconds, 3), "number": number, "of": self._total}
        log.log(level, "node finished", extra=facts)

    def close(self) -> None:
        """Nothing is left to write."""


class Bar:
    """A progress bar for people."""

    def __init__(self) -> None:
        from rich.console import Console  # imported here: a pod never needs it
        from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn

        columns = (BarColumn(), MofNCompleteColumn(), TimeElapsedColumn(), TextColumn("{task.description}"))
        self._bar: RichProgress = Progress(*columns, console=Console(stderr=True), transient=True)
        self._task = self._bar.add_task("", total=None)

    def start(self, total: int) -> None:
        """Show the bar."""
        self._bar.update(self._task, total=total)
        self._bar.start()

    def begin(self, node: str) -> None:
        """Show the node's name behind the bar."""
        self._bar.update(self._task, description=node)

    def finish(self, node: str, status: str, seconds: float, number: int) -> None:
        """Move the bar; a failure stays on the screen."""
        self._bar.update(self._task, completed=number)
        if status in _BAD:
            self._bar.console.print(f"{status} after {seconds:.1f} s: {node}", markup=False)

    def close(self) -> None:
        """Take the bar off the screen."""
        self._bar.stop()


def display() -> Display:
    """Return what suits stderr."""
    return Bar() if sys.stderr.isatty() else Lines()
