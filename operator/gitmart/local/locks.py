"""
Locks on files, by flock(2): they vanish with the last process that holds the open file, however it ends.

A process that inherits the descriptor holds the lock too. So a lock tells more truly than a pid file
whether something still runs: no number can be reused.
"""

from __future__ import annotations

import errno
import fcntl
import os
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

PAUSE = 0.05  # seconds between two looks; flock(2) can wait only without a limit


class LockError(RuntimeError):
    """The lock cannot be had; the message says why."""


def try_lock(path: Path, kind: int = fcntl.LOCK_EX) -> int | None:
    """Return the descriptor that holds the lock of `path`, None while another process holds it. Raise OSError."""
    descriptor = os.open(path, os.O_RDWR | os.O_CREAT, 0o600)
    try:
        fcntl.flock(descriptor, kind | fcntl.LOCK_NB)
    except BlockingIOError:
        os.close(descriptor)
        return None
    except OSError as error:
        os.close(descriptor)
        if error.errno in (errno.ENOLCK, errno.ENOTSUP):
            raise LockError(
                f"{path.parent} is on a file system without locks: choose a folder on a local disk"
            ) from None
        raise
    return descriptor


def is_locked(path: Path) -> bool:
    """Whether some process holds the lock. False when there is no such file."""
    if not path.exists():
        return False
    if (descriptor := try_lock(path, fcntl.LOCK_SH)) is None:  # shared: two who ask at once do not see each other
        return True
    os.close(descriptor)
    return False


@contextmanager
def held(path: Path, label: str, waiting: Callable[[str], None]) -> Iterator[int]:
    """
    Hold the lock, after waiting for it as long as it takes; yields the descriptor, for children to inherit.

    `label` says who we are to those who wait; `waiting` is called once, with the holder's label, if we wait.
    """
    told = False
    while (descriptor := try_lock(path)) is None:
        if not told:
            waiting(path.read_text(encoding="utf-8", errors="replace").strip() or "another process")
            told = True
        time.sleep(PAUSE)
    try:
        os.ftruncate(descriptor, 0)
        os.pwrite(descriptor, label.encode(), 0)
        yield descriptor
    finally:
        os.close(descriptor)
