"""
Whether the process is alive: a pure answer from what can be observed.

A restart costs a listing of everything, so it must be able to help. It helps when something inside stands still: a
watch that brings nothing, a visit that does not end, a queue that nobody works on. It does not help when the API server
or the machine is in trouble, so neither of these makes the process dead.
"""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import timedelta

from gitmart.handlers.queue import QueueState

_BEAT = 1.0  # seconds


@dataclass(frozen=True, slots=True)
class Limits:
    """What is too long, in seconds."""

    visit: float = 600.0
    stillness: float = 600.0  # of the queue while keys wait
    watch: float = 300.0  # that a watch is behind; Kopf heals a silent cut within about 75 s by itself
    unseen_write: float = 300.0  # that an own write has not come back
    lateness: float = 30.0  # of the event loop

    @classmethod
    def allowing(cls, check_timeout: timedelta) -> Limits:
        """Return limits that leave a visit time for a check, besides its requests to the API."""
        return cls(visit=600.0 + check_timeout.total_seconds(), stillness=600.0 + check_timeout.total_seconds())


@dataclass(frozen=True, slots=True)
class Observations:
    """What is known at one moment, in seconds."""

    started: bool  # the first lists are in, and the queue was started
    queue: QueueState
    watches_behind: Mapping[str, float] = field(default_factory=dict)  # see Watches.behind()
    unseen_write: float = 0.0  # age of the oldest own write that no watch has shown
    lateness: float = 0.0  # see Heartbeat


def reason_to_die(seen: Observations, limits: Limits) -> str | None:
    """Return why a restart is needed, None while the process is alive. Before the first lists are in it always is."""
    if not seen.started:
        return None
    if not seen.queue.running:
        return "the work queue has stopped"
    for watch, seconds in seen.watches_behind.items():
        if seconds > limits.watch:
            return f"the watch of {watch} has not shown for {seconds:.0f} s what the API server lists"
    if seen.unseen_write > limits.unseen_write:
        return f"no watch has shown for {seen.unseen_write:.0f} s what the operator wrote"
    if seen.queue.longest_visit > limits.visit:
        return f"a visit has not ended for {seen.queue.longest_visit:.0f} s"
    if seen.queue.depth and seen.queue.idle > limits.stillness:
        return f"{seen.queue.depth} keys wait, and no visit has begun or ended for {seen.queue.idle:.0f} s"
    if seen.lateness > limits.lateness:
        return f"the event loop is {seen.lateness:.0f} s late"
    return None


class Heartbeat:
    """Measures how late the event loop is: a task that should wake every second."""

    def __init__(self) -> None:
        self.lateness = 0.0  # seconds, of the last beat

    async def beat(self) -> None:
        """Measure until cancelled."""
        loop = asyncio.get_running_loop()
        while True:
            due = loop.time() + _BEAT
            await asyncio.sleep(_BEAT)
            self.lateness = max(0.0, loop.time() - due)
