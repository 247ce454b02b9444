"""Looks at git hosts: `gitmart check` beside everything else, a few at a time."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime

from gitmart.contract.result import read_result
from gitmart.controller.extraction import Check
from gitmart.controller.runs import Run
from gitmart.local.processes import Process
from gitmart.local.runs import Key, key_of
from gitmart.resources.repository import Repository

AT_A_TIME = 4


@dataclass(slots=True)
class Look:
    """A look for a slot; `run` once it has ended."""

    slot: str
    process: Process
    started: datetime
    run: Run | None = None


class Looks:
    """The latest look for each Repository. `start` starts the process of one."""

    def __init__(self, start: Callable[[Repository], Process]) -> None:
        self._start = start
        self._known: dict[Key, Look] = {}
        self._leaving: list[Process] = []  # asked to end, and of no interest any more

    @property
    def processes(self) -> list[Process]:
        """All that run now."""
        return [*(look.process for look in self._known.values() if look.run is None), *self._leaving]

    def begin(self, repository: Repository, slot: str, now: datetime) -> None:
        """Look at the git host, unless that goes on, or too many do: then the end of one of them is time enough."""
        key = key_of(repository)
        before = self._known.get(key)
        if before is not None and before.slot == slot and before.run is None:
            return
        self.forget(key)
        if sum(look.run is None for look in self._known.values()) < AT_A_TIME:
            self._known[key] = Look(slot, self._start(repository), now)

    def seen(self, key: Key) -> Check | None:
        """Return what the latest look has shown, None while it has not."""
        look = self._known.get(key)
        return Check(look.slot, look.run) if look is not None and look.run is not None else None

    def forget(self, key: Key) -> None:
        """Keep nothing of the latest look; one that goes on is stopped."""
        look = self._known.pop(key, None)
        if look is not None and look.run is None:
            look.process.stop()
            self._leaving.append(look.process)

    def collect(self, now: datetime) -> bool:
        """Take note of the looks that have ended; return whether any has."""
        self._leaving = [process for process in self._leaving if not process.has_ended()]
        going = [look for look in self._known.values() if look.run is None]
        ended = [look for look in going if look.process.has_ended()]
        for look in ended:
            look.run = _run(look, now)
        return bool(ended)

    def clear(self) -> None:
        """Forget all of them. Their processes have ended."""
        self._known.clear()
        self._leaving.clear()


def _run(look: Look, now: datetime) -> Run:
    """Return how a look went. One without a result says nothing of the host: an extraction follows."""
    path = look.process.worker.output
    told = path.read_text(encoding="utf-8", errors="replace") if path is not None and path.exists() else ""
    return Run(min(look.started, now), now, look.process.exit_code, read_result(told))
