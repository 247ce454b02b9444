"""Log lines without secrets: what dbt and PostgreSQL say goes into ours, and may hold anything."""

from __future__ import annotations

import json
import logging
from urllib.parse import quote

from gitmart.contract.logs import configure_logging


class Scrubber:
    """Replaces secrets in what leaves the process."""

    def __init__(self) -> None:
        self._secrets: set[str] = set()

    def learn(self, secret: str) -> None:
        """Replace this text from now on, also as it stands in JSON and in a URL. An empty one is no secret."""
        if secret:
            escaped = {json.dumps(secret)[1:-1], json.dumps(secret, ensure_ascii=False)[1:-1]}
            self._secrets |= {secret, quote(secret, safe=""), *escaped}

    def clean(self, text: str) -> str:
        """Return the text with each secret replaced by stars."""
        for secret in sorted(self._secrets, key=len, reverse=True):
            text = text.replace(secret, "*****")
        return text


class _Cleaning(logging.Formatter):
    """Cleans the lines of another formatter."""

    def __init__(self, inner: logging.Formatter, scrubber: Scrubber) -> None:
        super().__init__()
        self._inner = inner
        self._scrubber = scrubber

    def format(self, record: logging.LogRecord) -> str:
        return self._scrubber.clean(self._inner.format(record))


def start_logging() -> Scrubber:
    """Begin to write log lines, and return the scrubber that they pass through."""
    configure_logging()
    scrubber = Scrubber()
    for handler in logging.getLogger().handlers:
        handler.setFormatter(_Cleaning(handler.formatter or logging.Formatter(), scrubber))
    return scrubber
