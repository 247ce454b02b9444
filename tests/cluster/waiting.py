"""Waiting for something to come about, never longer than said, and telling what there was instead."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import TypeVar

Found = TypeVar("Found")

PAUSE = 0.2  # seconds between two looks
SOON = 240  # seconds for one thing to happen, such as a run, on two cores that many keep busy


def wait_for(
    condition: Callable[[], Found],
    timeout: float,
    describe: Callable[[], object] | None = None,
    pause: float = PAUSE,
) -> Found:
    """
    Return what the condition gives, as soon as that is true; ask again every `pause` seconds until then.

    After `timeout` seconds fail with the last answer, and with what `describe` returns. A condition may
    raise AssertionError to say what it misses.
    """
    end = time.monotonic() + timeout
    while True:
        try:
            answer: object = condition()
            if answer:
                return answer  # type: ignore[return-value]
        except AssertionError as error:
            answer = error
        if time.monotonic() > end:
            told = f"\n{describe()}" if describe else ""
            raise AssertionError(f"not within {timeout:g} s; the last answer was {answer!r}{told}")
        time.sleep(pause)
