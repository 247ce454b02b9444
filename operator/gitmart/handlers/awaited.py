"""
Reading one's own writes: a visit waits until the watch has shown what the visit before has written.

Otherwise it would decide on what was true before, and make a second Job of what it sees as unmade. Kubernetes' own
controllers do the same (KEP-5647, stale controller mitigation). It is also how a dead watch is noticed: what was
written long ago and is not seen yet.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Generic, TypeVar

KeyT = TypeVar("KeyT")


@dataclass(frozen=True, slots=True)
class Write:
    """One object that was written: how to tell that the watch has shown it, and when it was written (seconds)."""

    seen: Callable[[], bool]
    at: float


class Awaited(Generic[KeyT]):
    """What is awaited, by the key of the visit that wrote it."""

    def __init__(self, clock: Callable[[], float]) -> None:
        self._clock = clock
        self._writes: dict[KeyT, list[Write]] = {}

    def add(self, key: KeyT, seen: Callable[[], bool]) -> None:
        """Await a write that was just made."""
        self._writes.setdefault(key, []).append(Write(seen, self._clock()))

    def age(self, key: KeyT) -> float | None:
        """Return for how many seconds the key's oldest unseen write is awaited, None if all are seen."""
        left = [write for write in self._writes.get(key, ()) if not write.seen()]
        if left:
            self._writes[key] = left
            return self._clock() - min(write.at for write in left)
        self._writes.pop(key, None)
        return None

    def forget(self, key: KeyT) -> None:
        """Await nothing any more: the object is gone, or was read anew."""
        self._writes.pop(key, None)

    def oldest(self) -> float:
        """Return for how many seconds the oldest unseen write of all is awaited; 0 without one."""
        return max((age for key in list(self._writes) if (age := self.age(key)) is not None), default=0.0)


def at_least(version: str, wanted: str) -> bool:
    """
    Whether a resourceVersion is not older than another of the same kind.

    They are numbers that grow (KEP-5504: comparable resource versions). One that is none is taken as new enough.
    """
    return int(version) >= int(wanted) if version.isdigit() and wanted.isdigit() else True
