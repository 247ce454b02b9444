"""Log lines without secrets: what dbt and PostgreSQL say goes into ours, and may hold anything."""

from __future__ import annotations

from gitmart.contract.logs import configure_logging
from gitmart.contract.redaction import Scrubber, scrub_logging


def start_logging() -> Scrubber:
    """Begin to write log lines, and return the scrubber that they pass through."""
    configure_logging()
    scrubber = Scrubber()
    scrub_logging(scrubber)
    return scrubber
