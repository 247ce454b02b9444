"""Log lines of the worker: JSON objects on stderr, plain text when a person watches."""

from __future__ import annotations

import json
import logging
import sys
from datetime import UTC, datetime

_OWN = frozenset(vars(logging.makeLogRecord({}))) | {"message", "asctime", "taskName"}


class Scrubber:
    """Replaces secrets in what leaves the process."""

    def __init__(self) -> None:
        self.secrets: set[str] = set()

    def clean(self, text: str) -> str:
        """Return the text with each secret replaced by stars."""
        for secret in sorted(self.secrets, key=len, reverse=True):
            text = text.replace(secret, "*****")
        return text


class _Lines(logging.Formatter):
    """A line a record: JSON for machines, words for a terminal."""

    def __init__(self, scrubber: Scrubber, *, terminal: bool) -> None:
        super().__init__()
        self._scrubber = scrubber
        self._terminal = terminal

    def format(self, record: logging.LogRecord) -> str:
        facts = {name: value for name, value in vars(record).items() if name not in _OWN}
        if record.exc_info:
            facts["traceback"] = self.formatException(record.exc_info)
        return self._scrubber.clean(self._words(record, facts) if self._terminal else self._json(record, facts))

    def _json(self, record: logging.LogRecord, facts: dict[str, object]) -> str:
        at = datetime.fromtimestamp(record.created, UTC).isoformat(timespec="milliseconds")
        line = {"at": at, "level": record.levelname.lower(), "message": record.getMessage(), **facts}
        return json.dumps(line, ensure_ascii=False, default=str)

    def _words(self, record: logging.LogRecord, facts: dict[str, object]) -> str:
        head = "" if record.levelno < logging.WARNING else f"{record.levelname.lower()}: "
        return head + record.getMessage() + "".join(f"  {name}={value}" for name, value in facts.items())


def start_logging() -> Scrubber:
    """Send the lines of gitmart to stderr and return the scrubber they pass through."""
    scrubber = Scrubber()
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(_Lines(scrubber, terminal=sys.stderr.isatty()))
    logger = logging.getLogger("gitmart")
    logger.handlers[:] = [handler]
    logger.setLevel(logging.INFO)
    logger.propagate = False
    return scrubber
