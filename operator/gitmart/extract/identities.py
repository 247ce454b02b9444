"""The distinct (name, e-mail) pairs of a run, numbered as they are met."""

from __future__ import annotations

import threading
from collections.abc import Callable
from itertools import count

Identity = tuple[bytes, bytes]  # name, e-mail


class Identities:
    """
    Numbers for identities, shared by all workers.

    It remembers at most `limit` of them: a history with more gets some numbered twice, which the
    merge, joining by value, does not mind; memory stays bounded.
    """

    def __init__(
        self, stored: Callable[[Identity], Identity] = lambda identity: identity, limit: int = 200_000
    ) -> None:
        """`stored` tells what is stored in place of an identity."""
        self._numbers: dict[Identity, int] = {}
        self._next = count(1)
        self._lock = threading.Lock()
        self._stored = stored
        self._limit = limit

    def number(self, identity: Identity, met: list[tuple[int, Identity]]) -> int:
        """Return the identity's number; a new one is appended to `met`, for the caller to store."""
        if (number := self._numbers.get(identity)) is not None:
            return number
        with self._lock:
            if (number := self._numbers.get(identity)) is not None:
                return number
            if len(self._numbers) >= self._limit:
                self._numbers.clear()
            number = self._numbers[identity] = next(self._next)
        met.append((number, self._stored(identity)))
        return number
