"""One line per finished step, with the seconds since the command began; nothing else is printed."""

from __future__ import annotations

import os
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager

VARIABLE = "GITMART_CLUSTER_START"  # hands the start on to the process that goes on with the work
START = float(os.environ.get(VARIABLE) or time.monotonic())


def say(message: str) -> None:
    """Print a line with the seconds since the start."""
    print(f"{time.monotonic() - START:6.1f}s  {message}", file=sys.stderr, flush=True)


@contextmanager
def step(message: str) -> Iterator[None]:
    """Print the message, which tells what has been done, once it is; and how long it took."""
    start = time.monotonic()
    yield
    say(f"{message} ({time.monotonic() - start:.1f}s)")
