"""
One request for a burst: whoever asks for the same thing within a moment shares one write.

Each waits until it is written, so nobody is told of a request that a crash could still lose.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Hashable
from typing import Generic, TypeVar

QUIET = 1.0  # seconds without another request, after which is written
LONGEST = 3.0  # seconds that the first one waits at most: some git hosts wait 5 for an answer

Key = TypeVar("Key", bound=Hashable)


class Gathering(Generic[Key]):
    """
    Gathers requests for a key and lets `write` do them together.

    What comes while a write is under way may be newer than what it brings about, and opens the next gathering.
    """

    def __init__(
        self, write: Callable[[Key], Awaitable[None]], *, quiet: float = QUIET, longest: float = LONGEST
    ) -> None:
        self._write = write
        self._quiet = quiet
        self._longest = longest
        self._last: dict[Key, float] = {}  # when the last one came, of each gathering that is open
        self._open: dict[Key, asyncio.Task[None]] = {}
        self._running: set[asyncio.Task[None]] = set()

    async def ask(self, key: Key) -> None:
        """Return once the request is written; raise what `write` raises."""
        self._last[key] = asyncio.get_running_loop().time()
        if key not in self._open:
            task = asyncio.create_task(self._gathered(key))
            self._open[key] = task
            self._running.add(task)
            task.add_done_callback(self._done)
        # One who goes away takes nothing from the others.
        await asyncio.shield(self._open[key])

    async def close(self) -> None:
        """Wait for the writes under way."""
        await asyncio.gather(*self._running, return_exceptions=True)

    async def _gathered(self, key: Key) -> None:
        loop = asyncio.get_running_loop()
        ends = loop.time() + self._longest
        try:
            while (left := min(self._last[key] + self._quiet, ends) - loop.time()) > 0:
                await asyncio.sleep(left)
        finally:
            del self._open[key], self._last[key]
        await self._write(key)

    def _done(self, task: asyncio.Task[None]) -> None:
        self._running.discard(task)
        if not task.cancelled():
            task.exception()  # all who waited may have gone; nobody needs to be told then
