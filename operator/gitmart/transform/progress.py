"""What dbt is doing, told while it happens: a line for each node, or a bar on a terminal."""

from __future__ import annotations

import logging
import sys
import threading
from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Protocol

from gitmart.transform.digest import NAME_LIMIT, NodeRun, rows_affected, sentence, trouble

if TYPE_CHECKING:
    from rich.progress import Progress as RichProgress


log = logging.getLogger(__name__)

# Said again by a node's own line or by the end of the run.
_REPETITIONS = ("Log", "RunResult", "EndOfRunSummary", "FinishedRunningStats", "MainEncounteredError", "MainStackTrace")
_BAD = frozenset({"error", "fail", "runtime error", "partial success"})


@dataclass(frozen=True, slots=True)
class Finished:
    """A node that has ended; `message` is what a failure says."""

    name: str
    status: str
    seconds: float
    message: str

    @property
    def bad(self) -> bool:
        """Whether it failed."""
        return self.status in _BAD


class Display(Protocol):
    """Where the nodes are shown."""

    def start(self, total: int) -> None:
        """Show that `total` nodes are going to be built."""

    def begin(self, node: str) -> None:
        """Show that a node has begun."""

    def finish(self, node: Finished, number: int) -> None:
        """Show that a node, the `number`th, has ended."""

    def close(self) -> None:
        """Leave the screen as a log line wants it."""


class Progress:
    """Counts dbt's nodes from its events. dbt calls `event` from several threads at once."""

    def __init__(self, display: Display) -> None:
        self.total = 0  # nodes that the selection asks for; 0 until dbt has said so
        self.finished: dict[str, NodeRun] = {}  # by unique id
        self._display = display
        self._building = False
        self._counting = threading.Lock()

    def begin_build(self) -> None:
        """Count from now on: what ran before was about sources, or is built once more."""
        self.finished.clear()
        self._building = True

    def event(self, message: Any) -> None:
        """Take an event of dbt (`EventMsg`)."""
        match message.info.name:
            case "ConcurrencyLine" if self._building:
                self.total = message.data.node_count
                self._display.start(self.total)
            case "NodeStart" if self._building:
                self._display.begin(message.data.node_info.node_name)
            case "NodeFinished" if self._building:
                self._node_finished(message.data.node_info, message.data.run_result)
            case name if message.info.level in ("warn", "error") and not name.startswith(_REPETITIONS):
                log.warning("dbt says", extra={"event": name, "text": sentence(message.info.msg, 1000)})

    def _node_finished(self, node: Any, result: Any) -> None:
        message = sentence(result.message, 1000)
        finished = Finished(node.node_name, result.status, result.execution_time, message)
        with self._counting:
            self.finished[node.unique_id] = NodeRun(
                node.unique_id, node.node_name[:NAME_LIMIT], node.resource_type, result.status, result.execution_time,
                rows_affected(dict(result.adapter_response)), None, trouble(result.status, result.message),
            )  # fmt: skip
            self._display.finish(finished, len(self.finished))


class Lines:
    """A log line for each node that has ended."""

    def __init__(self) -> None:
        self._total = 0

    def start(self, total: int) -> None:
        """Remember the total."""
        self._total = total

    def begin(self, node: str) -> None:
        """Say nothing: its end will be told."""

    def finish(self, node: Finished, number: int) -> None:
        """Write the line; of a failure a warning."""
        facts: dict[str, object] = {"node": node.name, "status": node.status, "seconds": round(node.seconds, 3)}
        facts |= {"number": number, "of": self._total}
        if node.bad:
            facts["text"] = node.message
        log.log(logging.WARNING if node.bad else logging.INFO, "node finished", extra=facts)

    def close(self) -> None:
        """Nothing is left to write."""


class Bar:
    """A progress bar for people. It goes around the log, so it cleans what it prints."""

    def __init__(self, clean: Callable[[str], str]) -> None:
        from rich.console import Console  # imported here: a pod never needs it
        from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn

        columns = (BarColumn(), MofNCompleteColumn(), TimeElapsedColumn(), TextColumn("{task.description}"))
        self._bar: RichProgress = Progress(*columns, console=Console(stderr=True), transient=True)
        self._task = self._bar.add_task("loading dbt and the project", total=None)
        self._clean = clean
        self._bar.start()
        _follow_stderr()

    def start(self, total: int) -> None:
        """Show how many there are."""
        self._bar.update(self._task, total=total, completed=0)

    def begin(self, node: str) -> None:
        """Show the node's name behind the bar."""
        self._bar.update(self._task, description=node)

    def finish(self, node: Finished, number: int) -> None:
        """Move the bar; a failure stays on the screen."""
        self._bar.update(self._task, completed=number)
        if node.bad:
            said = self._clean(f"{node.status} after {node.seconds:.1f} s: {node.name}: {node.message}")
            self._bar.console.print(said, markup=False)

    def close(self) -> None:
        """Take the bar off the screen, and show the cursor again."""
        self._bar.stop()
        _follow_stderr()


def _follow_stderr() -> None:
    """Let log lines go where stderr goes now: while a bar is shown, above it."""
    for handler in logging.getLogger().handlers:
        if isinstance(handler, logging.StreamHandler):
            handler.setStream(sys.stderr)


def display(clean: Callable[[str], str]) -> Display:
    """Return what suits stderr. `clean` takes secrets out of a text."""
    return Bar(clean) if sys.stderr.isatty() else Lines()
