"""
The one work queue: keys of objects to visit, each waiting once, visited by one worker at a time.

It follows client-go's rate-limiting work queue. A key is in at most one of the lanes, and may have a
planned wake-up besides:

    add_after ─▶ planned ──due──▶ ┐
    add ────────────────────────▶ ready ─▶ visited ─▶ (its answer is the next planned wake-up)
                                  └◀──again──┘  added meanwhile, or the visit failed

A visit reads the truth, so an event only says that there is something to look at: events merge, and
a wake-up that comes too early costs one visit. Wake-ups are therefore never dropped or postponed, only
brought forward. Nothing is stored: after a restart the first listing adds every key again.
"""

from __future__ import annotations

import asyncio
import heapq
import logging
from collections.abc import Awaitable, Callable, Hashable
from dataclasses import dataclass
from typing import Generic, Literal, Protocol, TypeVar

log = logging.getLogger(__name__)

Key = TypeVar("Key", bound=Hashable)
KeyIn = TypeVar("KeyIn", bound=Hashable, contravariant=True)
Ending = Literal["success", "requeue_after", "error"]  # controller-runtime's words


class Observer(Protocol[KeyIn]):
    """Who is told what happens, such as the metrics. Durations are in seconds."""

    def added(self, key: KeyIn) -> None:
        """Take note that a key began to wait for a worker."""

    def started(self, key: KeyIn, waited: float) -> None:
        """Take note that a visit began, after its key was ready for `waited`."""

    def ended(self, key: KeyIn, took: float, ending: Ending) -> None:
        """Take note of how a visit ended; `error` means that it will be retried after the backoff."""


@dataclass(frozen=True, slots=True)
class Backoff:
    """The wait before a failed visit is repeated: doubled with each failure in a row. Seconds."""

    first: float = 1.0
    longest: float = 900.0

    def delay(self, failures: int) -> float:
        """Return the wait after so many failures in a row, 1 or more."""
        return min(self.longest, self.first * 2.0 ** min(failures - 1, 30))


@dataclass(frozen=True, slots=True)
class QueueState:
    """What can be seen of a queue at one moment. Times are seconds."""

    running: bool  # run() is under way
    workers: int
    depth: int  # keys that wait for a worker
    planned: int  # keys with a wake-up in the future
    active: int  # visits under way
    longest_visit: float  # age of the oldest visit under way, 0 without one
    unfinished: float  # sum of their ages
    idle: float  # since a visit last began or ended, or the queue started


class WorkQueue(Generic[Key]):
    """
    Keys to visit. Everything happens on one event loop; no method but `run` waits.

    `expected` names the errors of visits that are told without a traceback. `clock` gives seconds that
    never go back; None: the event loop's.
    """

    def __init__(
        self,
        *,
        backoff: Backoff | None = None,
        observer: Observer[Key] | None = None,
        expected: tuple[type[Exception], ...] = (),
        clock: Callable[[], float] | None = None,
    ) -> None:
        self._backoff = backoff or Backoff()
        self._observer = observer
        self._expected = expected
        self._clock = clock
        self._ready: asyncio.Queue[Key] = asyncio.Queue()
        self._waiting: dict[Key, float] = {}  # since when; the keys in _ready
        self._visited: dict[Key, float] = {}  # since when
        self._again: set[Key] = set()  # added while visited
        self._failures: dict[Key, int] = {}  # in a row
        self._due: dict[Key, float] = {}  # the one planned wake-up of a key
        self._heap: list[tuple[float, int, Key]] = []  # of _due, with entries that were overtaken since
        self._sequence = 0  # keys need not be comparable
        self._timer: asyncio.TimerHandle | None = None  # for the head of the heap, while run() is under way
        self._armed: float | None = None  # what it is set to
        self._workers = 0
        self._progress = 0.0

    def add(self, key: Key) -> None:
        """Have the key visited as soon as a worker is free; once more afterwards if it is being visited now."""
        if key in self._visited:
            self._again.add(key)
        elif key not in self._waiting:
            self._waiting[key] = self._now() if self._workers else 0.0
            self._ready.put_nowait(key)
            if self._observer:
                self._observer.added(key)

    def add_after(self, key: Key, delay: float) -> None:
        """Have the key visited in `delay` seconds at the latest: an earlier wake-up stays, a later one is replaced."""
        if not delay >= 0:  # NaN too
            raise ValueError(f"a delay of {delay} seconds is not possible: 0 or more are needed")
        due = self._now() + delay
        if due >= self._due.get(key, float("inf")):
            return
        self._due[key] = due
        self._sequence += 1
        heapq.heappush(self._heap, (due, self._sequence, key))
        self._arm()

    def forget(self, key: Key) -> None:
        """Forget the key's failures: the next one waits the first backoff again."""
        self._failures.pop(key, None)

    async def run(self, visit: Callable[[Key], Awaitable[float | None]], workers: int) -> None:
        """
        Let `workers` of them call `visit(key)` until cancelled.

        A visit answers after how many seconds to come again, None: when something happens. One that raises
        is logged and repeated after the key's backoff.
        """
        self._workers, self._progress = workers, self._now()
        self._waiting = dict.fromkeys(self._waiting, self._progress)  # nobody could have come before
        self._wake()
        try:
            async with asyncio.TaskGroup() as group:
                for number in range(workers):
                    group.create_task(self._work(visit), name=f"worker {number}")
        finally:
            self._workers = 0
            self._arm()

    @property
    def state(self) -> QueueState:
        """What can be seen now."""
        now = self._now() if self._workers else self._progress
        ages = [now - since for since in self._visited.values()]
        return QueueState(
            running=self._workers > 0,
            workers=self._workers,
            depth=self._ready.qsize(),
            planned=len(self._due),
            active=len(ages),
            longest_visit=max(ages, default=0.0),
            unfinished=sum(ages),
            idle=now - self._progress,
        )

    def failures(self, key: Key) -> int:
        """Return how often in a row visits of the key have failed."""
        return self._failures.get(key, 0)

    async def _work(self, visit: Callable[[Key], Awaitable[float | None]]) -> None:
        while True:
            key = await self._ready.get()
            waited = self._begin(key)
            if self._observer:
                self._observer.started(key, waited)
            ending: Ending = "error"
            try:
                ending = self._settle(key, await visit(key))
            except asyncio.CancelledError as error:
                if (task := asyncio.current_task()) is None or task.cancelling():
                    self._again.add(key)  # not done: a later run() begins with it
                    raise
                self._retry(key, error)  # something inside the visit was cancelled, not we
            except Exception as error:  # a worker outlives whatever a visit does
                self._retry(key, error)
            finally:
                self._end(key, ending)

    def _begin(self, key: Key) -> float:
        now = self._progress = self._now()
        self._visited[key] = now
        return now - self._waiting.pop(key)

    def _settle(self, key: Key, seconds: float | None) -> Ending:
        if seconds is not None:
            self.add_after(key, seconds)
        self.forget(key)
        return "success" if seconds is None else "requeue_after"

    def _retry(self, key: Key, error: BaseException) -> None:
        self._failures[key] = self.failures(key) + 1
        delay = self._backoff.delay(self._failures[key])
        self.add_after(key, delay)
        facts = {"key": str(key), "error": f"{type(error).__name__}: {error}", "retry_in_seconds": delay}
        log.warning("visit failed", extra=facts, exc_info=None if isinstance(error, self._expected) else error)

    def _end(self, key: Key, ending: Ending) -> None:
        now = self._progress = self._now()
        took = now - self._visited.pop(key)
        if self._observer:
            self._observer.ended(key, took, ending)
        if key in self._again:
            self._again.remove(key)
            self.add(key)

    def _wake(self) -> None:
        """Make ready what is due."""
        now, self._armed = self._now(), None
        while self._heap and self._heap[0][0] <= now:
            due, _, key = heapq.heappop(self._heap)
            if self._due.get(key) == due:  # else an earlier wake-up was planned later, and has come
                del self._due[key]
                self.add(key)
        self._arm()

    def _arm(self) -> None:
        """Set the one timer to the earliest wake-up."""
        while self._heap and self._due.get(self._heap[0][2]) != self._heap[0][0]:
            heapq.heappop(self._heap)
        if len(self._heap) > 2 * len(self._due) + 64:  # overtaken entries must not pile up
            self._heap = [entry for entry in self._heap if self._due.get(entry[2]) == entry[0]]
            heapq.heapify(self._heap)
        wanted = self._heap[0][0] if self._heap and self._workers else None
        if wanted == self._armed:
            return
        if self._timer is not None:
            self._timer.cancel()
        self._timer, self._armed = None, wanted
        if wanted is not None:
            self._timer = asyncio.get_running_loop().call_later(max(0.0, wanted - self._now()), self._wake)

    def _now(self) -> float:
        return self._clock() if self._clock else asyncio.get_running_loop().time()
