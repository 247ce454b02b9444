"""Threads that work for one run, and stop with it."""

from __future__ import annotations

import threading
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path

import psutil

PATIENCE = 5.0  # seconds that threads get to leave after everything they wait for was taken away


class Crew:
    """
    Threads started together; the first error of any of them is the error of all.

    Daemon threads, because one that hangs in a dead network must not keep the process alive.
    """

    def __init__(self) -> None:
        self._threads: list[threading.Thread] = []
        self._error: BaseException | None = None
        self._lock = threading.Lock()
        self._changed = threading.Event()

    def start(self, work: Callable[[], None]) -> None:
        """Run `work` in a thread of its own."""

        def run() -> None:
            try:
                work()
            except BaseException as error:  # wait() raises it in the main thread
                with self._lock:
                    self._error = self._error or error
            finally:
                self._changed.set()

        thread = threading.Thread(target=run, daemon=True)
        self._threads.append(thread)
        thread.start()

    def wait(self) -> None:
        """Wait until all are done; raise the first error as soon as there is one."""
        while any(thread.is_alive() for thread in self._threads) and self._error is None:
            self._changed.wait(timeout=1.0)
            self._changed.clear()
        if self._error is not None:
            raise self._error

    def dismiss(self, work_dir: Path) -> None:
        """Take away what the threads wait for, and give them a moment to leave."""
        kill_git(work_dir)
        for thread in self._threads:
            thread.join(timeout=PATIENCE)


def kill_git(work_dir: Path) -> None:
    """End every process of ours that works in the folder, and what it started: git has helpers of its own."""
    for child in psutil.Process().children():
        with suppress(psutil.Error):
            if any(str(work_dir) in word for word in child.cmdline()):
                for process in (child, *child.children(recursive=True)):
                    process.kill()
