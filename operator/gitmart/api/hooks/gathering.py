"""
One request for a burst: whoever asks for the same thing within a moment shares one write.

The first of a burst waits until it is written, and is told if that fails. The others are answered at once, so that a
sender of a thousand does not wait a thousand times; for them a write that fails is tried again.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable, Hashable
from dataclasses import dataclass
from typing import Generic, TypeVar

QUIET = 1.0  # seconds without another request, after which is written
LONGEST = 4.0  # seconds that the first one waits at most: some git hosts wait 5 for an answer
PAUSES = (5.0, 15.0, 45.0)  # seconds before a write is tried again that others rely on

Key = TypeVar("Key", bound=Hashable)

log = logging.getLogger(__name__)


@dataclass
class _Burst:
    last: float  # when the last one came, by the loop's clock
    others: bool = False  # besides the first


class Gathering(Generic[Key]):
    """
    Gathers requests for a key and lets `write` do them together. `passing` says which failures may pass by themselves.

    What comes while a write is under way may be newer than what it brings about, and begins the next burst.
    """

    def __init__(self, write: Callable[[Key], Awaitable[object]], passing: Callable[[Exception], bool]) -> None:
        self._write = write
        self._passing = passing
        self._open: dict[Key, _Burst] = {}
        self._running: set[asyncio.Task[None]] = set()
        self._closing: asyncio.Future[None] = asyncio.get_running_loop().create_future()

    async def ask(self, key: Key) -> None:
        """Return once the request is written, or at once if one is coming; raise what `write` raises."""
        now = asyncio.get_running_loop().time()
        if (burst := self._open.get(key)) is not None:
            burst.last, burst.others = now, True
            return
        self._open[key] = _Burst(now)
        task = asyncio.create_task(self._gathered(key, now + LONGEST))
        self._running.add(task)
        task.add_done_callback(self._done)
        await asyncio.shield(task)  # the first one may go away, the others stay

    async def close(self) -> None:
        """Write what is gathered, without waiting for more."""
        self._closing.set_result(None)
        await asyncio.gather(*self._running, return_exceptions=True)

    async def _gathered(self, key: Key, ends: float) -> None:
        loop, burst = asyncio.get_running_loop(), self._open[key]
        while (left := min(burst.last + QUIET, ends) - loop.time()) > 0 and not self._closing.done():
            await self._pause(left)
        del self._open[key]
        for pause in PAUSES if burst.others else ():
            try:
                await self._write(key)
            except Exception as error:
                if not self._passing(error) or self._closing.done():
                    raise
                log.warning("a request could not be written, and is tried again", extra={"seconds": pause})
                await self._pause(pause)
            else:
                return
        await self._write(key)

    async def _pause(self, seconds: float) -> None:
        await asyncio.wait([self._closing], timeout=seconds)

    def _done(self, task: asyncio.Task[None]) -> None:
        self._running.discard(task)
        if not task.cancelled():
            task.exception()  # the first one may have gone: nobody needs to be told then
