"""Who may start an extraction: the decisions of controller.admission with what is known right now."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator
from datetime import datetime

from gitmart.controller.admission import Caps, Key, Waiting, admitted, full
from gitmart.controller.conditions import Verdict


class Places:
    """
    The line of those that wait for a place.

    Nothing of it outlives the process: whoever waits asks again at its next visit. A place that was given is
    reserved until the Job made for it is seen, since two visits may ask before either Job is.
    """

    def __init__(self, caps: Caps, running: Callable[[], dict[Key, str]]) -> None:
        self._caps = caps
        self._running = running
        self._waiting: dict[Key, Waiting] = {}
        self._reserved: dict[Key, str] = {}

    def ask(self, key: Key, host: str, since: datetime) -> Verdict | None:
        """Return None, and reserve a place, if an extraction may start; else which cap is full."""
        if not (self._caps.total or self._caps.per_host):
            self._reserved[key] = host
            return None
        running = self.taken()
        self._waiting.setdefault(key, Waiting(key, host, since))
        for each in admitted(self._waiting.values(), running, self._caps):
            if each.key == key:
                del self._waiting[key]
                self._reserved[key] = host
                return None
            running[each.key] = each.host  # before us in the line: the place is as good as taken
        return full(host, running, self._caps)

    def leave(self, key: Key) -> None:
        """Give up the place in the line, and one that was reserved: its Job is seen, or will not be made."""
        self._waiting.pop(key, None)
        self._reserved.pop(key, None)

    def taken(self) -> dict[Key, str]:
        """Return the git host of each extraction that runs or is about to."""
        return {**self._running(), **self._reserved}

    def next(self) -> Iterator[Key]:
        """Yield those in the line that may start now."""
        if self._waiting:
            for each in admitted(self._waiting.values(), self.taken(), self._caps):
                yield each.key

    def queued(self) -> Counter[str]:
        """Return how many wait, by the reason that `full` gives."""
        taken = self.taken() if self._waiting else {}
        return Counter(full(each.host, taken, self._caps).reason for each in self._waiting.values())
