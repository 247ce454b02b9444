"""
Log lines of every process: JSON, one object a line, for machines; plain text on a terminal, for people.

Facts travel apart from the message: `log.info("extraction finished", extra={"new_commits": 42})`.
"""

from __future__ import annotations

import json
import logging
import sys
from datetime import UTC, datetime
from typing import TextIO

_STANDARD = frozenset(vars(logging.makeLogRecord({}))) | {"message", "asctime"}


def facts_of(record: logging.LogRecord) -> dict[str, object]:
    """Return what `extra` added to the record."""
    return {name: value for name, value in vars(record).items() if name not in _STANDARD}


class JsonFormatter(logging.Formatter):
    """One JSON object a line: time (UTC), level, logger, message, then the facts."""

    def format(self, record: logging.LogRecord) -> str:
        """Return the line."""
        line: dict[str, object] = {
            "time": datetime.fromtimestamp(record.created, UTC).isoformat(timespec="milliseconds"),
            "level": record.levelname.lower(),
            "logger": record.name,
            "message": record.getMessage(),
            **facts_of(record),
        }
        if record.exc_info:
            line["traceback"] = self.formatException(record.exc_info)
        return json.dumps(line, default=str)


class PlainFormatter(logging.Formatter):
    """`message  fact=value …`, the level in front when it is worth a look."""

    def format(self, record: logging.LogRecord) -> str:
        """Return the line."""
        prefix = f"{record.levelname.lower()}: " if record.levelno >= logging.WARNING else ""
        facts = "".join(f"  {name}={value}" for name, value in facts_of(record).items())
        trace = f"\n{self.formatException(record.exc_info)}" if record.exc_info else ""
        return f"{prefix}{record.getMessage()}{facts}{trace}"


def configure_logging(stream: TextIO | None = None) -> None:
    """Send gitmart's lines to the stream (default: standard error); other libraries' only from warnings on."""
    stream = stream or sys.stderr
    handler = logging.StreamHandler(stream)
    handler.setFormatter(PlainFormatter() if stream.isatty() else JsonFormatter())
    root = logging.getLogger()
    root.handlers[:] = [handler]
    root.setLevel(logging.WARNING)
    logging.getLogger("gitmart").setLevel(logging.INFO)
