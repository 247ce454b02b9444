"""What a command says of whatever ended it: the one place where an exception becomes an outcome and a sentence."""

from __future__ import annotations

import errno
import logging

import psycopg

from gitmart.contract.outcomes import Outcome
from gitmart.contract.signals import Stopped
from gitmart.extract.errors import ExtractError
from gitmart.warehouse.errors import WarehouseError, classify

log = logging.getLogger(__name__)

FULL = frozenset({errno.ENOSPC, errno.EDQUOT})


def told(error: Stopped | Exception) -> tuple[Outcome, str]:
    """Return the outcome and a sentence. What nobody foresaw is a bug, and stands in the log with its traceback."""
    if isinstance(error, Stopped | ExtractError | WarehouseError):
        return error.outcome, str(error)
    if isinstance(error, psycopg.Error) and (known := classify(error)) is not None:
        return known.outcome, str(known)
    if isinstance(error, OSError) and error.errno in FULL:
        return Outcome.DISK_FULL, f"no space left for the clone: {error.strerror}: {error.filename or ''}"
    log.error("gitmart failed", exc_info=error)
    return Outcome.BUG, f"{type(error).__name__}: {error}"
