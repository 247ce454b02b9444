"""Finished answers that are kept: bounded in bytes, those asked for least recently go first."""

from __future__ import annotations

from collections import OrderedDict
from dataclasses import dataclass
from typing import Generic, TypeVar

Key = TypeVar("Key")

OVERHEAD = 500  # bytes of an entry besides its key, headers and body, about


@dataclass(frozen=True, slots=True)
class Answer:
    """
    An answer with status 200. `route` is the template of its path, for figures.

    `is_zipped`: the body is kept in gzip's format, and the headers say neither that nor how long it is.
    """

    headers: tuple[tuple[bytes, bytes], ...]
    body: bytes
    route: str
    is_zipped: bool = False

    @property
    def size(self) -> int:
        """Bytes it takes, about."""
        return OVERHEAD + len(self.body) + sum(len(name) + len(value) for name, value in self.headers)


class Answers(Generic[Key]):
    """The answers of one watermark: with another one all go. It remembers for which `remembered` keys somebody asked."""

    def __init__(self, most_bytes: int, remembered: int = 0) -> None:
        self._most = most_bytes
        self._remembered = remembered
        self._asked: OrderedDict[Key, None] = OrderedDict()
        self._watermark: str | None = None
        self._kept: OrderedDict[Key, Answer] = OrderedDict()
        self.size = 0  # bytes

    def __len__(self) -> int:
        return len(self._kept)

    def __contains__(self, key: Key) -> bool:
        return key in self._kept

    def move_to(self, watermark: str) -> list[Key]:
        """Forget what was kept under another watermark; return what was asked for under that, the latest first."""
        if watermark == self._watermark:
            return []
        asked = list(reversed(self._asked))
        self._watermark = watermark
        self._kept.clear()
        self._asked.clear()
        self.size = 0
        return asked

    def get(self, key: Key) -> Answer | None:
        """Return what is kept for somebody who asks, None if nothing is."""
        self._asked[key] = None
        self._asked.move_to_end(key)
        while len(self._asked) > self._remembered:
            self._asked.popitem(last=False)
        answer = self._kept.get(key)
        if answer is not None:
            self._kept.move_to_end(key)
        return answer

    def keep(self, watermark: str, key: Key, answer: Answer) -> None:
        """Keep an answer, unless the watermark has moved on or it alone is too large."""
        if watermark != self._watermark or answer.size > self._most:
            return
        self._drop(key)
        self._kept[key] = answer
        self.size += answer.size
        while self.size > self._most:
            self._drop(next(iter(self._kept)))

    def _drop(self, key: Key) -> None:
        answer = self._kept.pop(key, None)
        if answer is not None:
            self.size -= answer.size
