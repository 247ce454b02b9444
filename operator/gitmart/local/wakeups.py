"""Sleeping until something happens: a child ends, a person wants us to stop, or the time is over."""

from __future__ import annotations

import os
import select
import signal
from contextlib import suppress
from types import FrameType
from typing import Self

_STOPPING = (signal.SIGINT, signal.SIGTERM)


class Wakeups:
    """
    A wait that signals end, in the main thread.

    `stops` counts how often we were asked to stop: signals interrupt nothing but the wait.
    """

    def __init__(self) -> None:
        self.stops = 0

    def __enter__(self) -> Self:
        """Take the signals over."""
        self._ear, self._bell = os.pipe()
        for end in (self._ear, self._bell):
            os.set_blocking(end, False)
        self._before = {number: signal.getsignal(number) for number in (*_STOPPING, signal.SIGCHLD)}
        for number in self._before:
            signal.signal(number, self._heard)
        self._bell_before = signal.set_wakeup_fd(self._bell, warn_on_full_buffer=False)
        return self

    def __exit__(self, *_: object) -> None:
        """Give them back."""
        signal.set_wakeup_fd(self._bell_before)
        for number, handler in self._before.items():
            signal.signal(number, handler)
        os.close(self._ear)
        os.close(self._bell)

    def wait(self, seconds: float) -> None:
        """Return after so many seconds, or as soon as a signal comes or has come since the last wait."""
        select.select([self._ear], [], [], max(seconds, 0))
        with suppress(BlockingIOError):
            while os.read(self._ear, 1024):
                pass

    def _heard(self, number: int, frame: FrameType | None) -> None:  # noqa: ARG002
        self.stops += number in _STOPPING
