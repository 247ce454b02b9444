"""
The one place that takes secrets out of what leaves a process: messages, results, log lines.

What others say goes into ours, and may hold anything: a host repeats the header it was sent, a library prints a
connection URL. Known spellings of a secret are found, not every way in which somebody could hide one.
"""

from __future__ import annotations

import base64
import json
import logging
from collections.abc import Iterable, Iterator
from urllib.parse import quote, quote_plus

STARS = "*****"
SHORTEST_CORE = 8  # characters of base64; fewer could be a part of any word


class Scrubber:
    """Replaces secrets in what leaves the process."""

    def __init__(self, secrets: Iterable[str] = ()) -> None:
        self._spellings: set[str] = set()
        for secret in secrets:
            self.learn(secret)

    def learn(self, secret: str) -> None:
        """Replace this text from now on, also as it stands in JSON, in a URL and in base64. An empty one is none."""
        if secret:
            self._spellings.update(spelling for spelling in _spellings(secret) if spelling)

    def clean(self, text: str) -> str:
        """Return the text with each secret replaced by stars."""
        for spelling in sorted(self._spellings, key=len, reverse=True):
            text = text.replace(spelling, STARS)
        return text

    def clean_bytes(self, text: bytes) -> bytes:
        """Return a text in UTF-8 with each secret replaced by stars."""
        for spelling in sorted(self._spellings, key=len, reverse=True):
            text = text.replace(spelling.encode("utf-8", "surrogateescape"), STARS.encode())
        return text

    def clean_fact(self, value: object) -> object:
        """Return a JSON value with every text in it cleaned, names of members too."""
        match value:
            case str():
                return self.clean(value)
            case list() | tuple():
                return [self.clean_fact(item) for item in value]
            case dict():
                return {self.clean(name): self.clean_fact(item) for name, item in value.items()}
            case _:
                return value


def _spellings(secret: str) -> Iterator[str]:
    raw = secret.encode("utf-8", "surrogateescape")
    yield secret
    yield json.dumps(secret)[1:-1]
    yield json.dumps(secret, ensure_ascii=False)[1:-1]
    for quoted in (quote(raw, safe=""), quote(raw), quote_plus(raw)):
        yield from (quoted, _lower_case(quoted))
    for shift in range(3):
        yield from _in_base64(raw, shift)


def _lower_case(quoted: str) -> str:
    """Return percent-encoded text with small hexadecimal digits."""
    first, *rest = quoted.split("%")
    return "%".join([first, *(part[:2].lower() + part[2:] for part in rest)])


def _in_base64(raw: bytes, shift: int) -> Iterator[str]:
    """Yield what stands for the text alone where base64 encodes it `shift` bytes behind a multiple of three."""
    whole = base64.b64encode(b"\0" * shift + raw)
    foreign = (0, 2, 3)[shift]  # characters that hold bits of what stands before
    ending = {0: 0, 1: 3, 2: 2}[(shift + len(raw)) % 3]  # characters that hold bits of what comes after, or are padding
    core = whole[foreign : len(whole) - ending].decode("ascii")
    if len(core) >= SHORTEST_CORE:
        yield core
        yield core.replace("+", "-").replace("/", "_")


class _Cleaning(logging.Formatter):
    """Cleans the lines of another formatter."""

    def __init__(self, inner: logging.Formatter, scrubber: Scrubber) -> None:
        super().__init__()
        self._inner = inner
        self._scrubber = scrubber

    def format(self, record: logging.LogRecord) -> str:
        return self._scrubber.clean(self._inner.format(record))


def scrub_logging(scrubber: Scrubber) -> None:
    """Let every log line of the process pass through the scrubber, tracebacks too."""
    for handler in logging.getLogger().handlers:
        handler.setFormatter(_Cleaning(handler.formatter or logging.Formatter(), scrubber))
