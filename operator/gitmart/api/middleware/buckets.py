"""Token buckets: so many requests at once, and then at a steady rate; one bucket per client, and bounded many."""

from __future__ import annotations

import math
from collections import OrderedDict
from dataclasses import dataclass

MOST = 10_000  # clients remembered, 1-2 MiB; whoever came least recently is forgotten, and begins with a full bucket


@dataclass(frozen=True, slots=True)
class Verdict:
    """Whether a request may pass. `left` may pass at once after it; `wait` is in seconds, 0 when it may."""

    allowed: bool
    left: int
    wait: float


class Buckets:
    """`rate` is in requests a second, `burst` what a full bucket holds. Times are seconds that only rise."""

    def __init__(self, rate: float, burst: int, most: int = MOST) -> None:
        self._rate = rate
        self._burst = burst
        self._most = most
        self._levels: OrderedDict[str, tuple[float, float]] = OrderedDict()  # level, and when it was so

    def __len__(self) -> int:
        return len(self._levels)

    def take(self, client: str, now: float) -> Verdict:
        """Let a client's request pass if its bucket is not empty."""
        level = self._level(client, now)
        if level < 1:
            return Verdict(False, 0, (1 - level) / self._rate)
        self._levels[client] = (level - 1, now)
        self._levels.move_to_end(client)
        while len(self._levels) > self._most:
            self._levels.popitem(last=False)
        return Verdict(True, math.floor(level - 1), 0)

    def look(self, client: str, now: float) -> Verdict:
        """Return what `take` would, and take nothing."""
        level = self._level(client, now)
        return Verdict(level >= 1, math.floor(level), max(0.0, 1 - level) / self._rate)

    def _level(self, client: str, now: float) -> float:
        level, then = self._levels.get(client, (float(self._burst), now))
        return min(float(self._burst), level + (now - then) * self._rate)
