"""Finished answers that are kept: bounded in bytes, those asked for least recently go first."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Hashable
from dataclasses import dataclass

OVERHEAD = 500  # bytes of an entry besides its key, headers and body, about


@dataclass(frozen=True, slots=True)
class Answer:
    """An answer with status 200. `route` is the template of its path, for figures."""

    headers: tuple[tuple[bytes, bytes], ...]
    body: bytes
    route: str

    @property
    def size(self) -> int:
        """Bytes it takes, about."""
        return OVERHEAD + len(self.body) + sum(len(name) + len(value) for name, value in self.headers)


class Answers:
    """The answers of one watermark: with another one all go."""

    def __init__(self, most_bytes: int) -> None:
        self._most = most_bytes
        self._watermark: str | None = None
        self._kept: OrderedDict[Hashable, Answer] = OrderedDict()
        self.size = 0  # bytes

    def __len__(self) -> int:
        return len(self._kept)

    def move_to(self, watermark: str) -> None:
        """Forget what was kept under another watermark."""
        if watermark != self._watermark:
            self._watermark = watermark
            self._kept.clear()
            self.size = 0

    def get(self, key: Hashable) -> Answer | None:
        """Return what is kept, None if nothing is."""
        answer = self._kept.get(key)
        if answer is not None:
            self._kept.move_to_end(key)
        return answer

    def keep(self, watermark: str, key: Hashable, answer: Answer) -> None:
        """Keep an answer, unless the watermark has moved on or it alone is too large."""
        if watermark != self._watermark or answer.size > self._most:
            return
        self._drop(key)
        self._kept[key] = answer
        self.size += answer.size
        while self.size > self._most:
            self._drop(next(iter(self._kept)))

    def _drop(self, key: Hashable) -> None:
        answer = self._kept.pop(key, None)
        if answer is not None:
            self.size -= answer.size
