"""Which Repositories have an address: a list of the cluster's, read when a webhook needs it and it has become old."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator, Callable, Iterable
from typing import Any, NamedTuple

from gitmart.api.hooks.deliveries import match_key

FRESH = 5.0  # seconds that a list is believed when it says that nobody has an address
KNOWN = 60.0  # seconds that it is believed when it names somebody


class Name(NamedTuple):
    """Which object is meant."""

    namespace: str
    name: str


class Directory:
    """
    The Repositories by their addresses. `listing` yields all of them as the API server has them.

    A list and not a watch: pushes are rare beside the changes of every status, which a watch would have to read. A
    Repository that is newer than the list is read by its first extraction anyway.
    """

    def __init__(
        self,
        listing: Callable[[], AsyncIterator[dict[str, Any]]],
        clock: Callable[[], float] = time.monotonic,  # seconds
    ) -> None:
        self._listing = listing
        self._clock = clock
        self._names: dict[str, list[Name]] = {}
        self._read_at = -KNOWN
        self._reading = asyncio.Lock()

    async def find(self, keys: Iterable[str]) -> list[Name]:
        """Return the Repositories with one of these addresses, each as `match_key` has it. Raise ProblemError."""
        keys = tuple(keys)
        if not keys:
            return []
        if self._age() < KNOWN and (found := self._named(keys)):
            return found
        async with self._reading:
            if self._age() >= FRESH:  # else somebody before us has read it meanwhile
                await self._read()
            return self._named(keys)

    def forget(self) -> None:
        """Read the list before it is used again: it has named an object that is gone."""
        self._read_at = -KNOWN + self._clock()

    def _age(self) -> float:
        return self._clock() - self._read_at

    def _named(self, keys: Iterable[str]) -> list[Name]:
        return sorted({name for key in keys for name in self._names.get(key, ())})

    async def _read(self) -> None:
        began = self._clock()
        names: dict[str, list[Name]] = {}
        async for found in self._listing():
            key = match_key(found.get("spec", {}).get("url", ""))
            if key is not None:
                metadata = found["metadata"]
                names.setdefault(key, []).append(Name(metadata["namespace"], metadata["name"]))
        self._names, self._read_at = names, began
