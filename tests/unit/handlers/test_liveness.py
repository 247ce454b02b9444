"""When the process is alive: a table."""

from __future__ import annotations

import asyncio
import dataclasses
import time
from datetime import timedelta
from typing import Any

import pytest

from gitmart.handlers.liveness import Heartbeat, Limits, Observations, reason_to_die
from gitmart.handlers.queue import QueueState

LIMITS = Limits(visit=600, stillness=500, watch=300, unseen_write=200, lateness=30)
QUIET = QueueState(
    running=True, workers=10, depth=0, planned=1000, active=0, longest_visit=0.0, unfinished=0.0, idle=0.0
)


def seen(
    *, started: bool = True, behind: float = 0.0, unseen: float = 0.0, late: float = 0.0, **queue: Any
) -> Observations:
    watches = {"jobs of all namespaces": behind} if behind else {}
    return Observations(started, dataclasses.replace(QUIET, **queue), watches, unseen, late)


@pytest.mark.parametrize(
    ("observed", "reason"),
    [
        pytest.param(seen(), None, id="quiet"),
        pytest.param(seen(idle=86_400.0), None, id="nothing to do for a day"),
        pytest.param(seen(idle=500.0, depth=3), None, id="slow"),
        pytest.param(seen(idle=501.0, depth=3), "3 keys wait, and no visit has begun or ended for 501 s", id="still"),
        pytest.param(seen(longest_visit=600.0), None, id="a long visit"),
        pytest.param(seen(longest_visit=601.0), "a visit has not ended for 601 s", id="an endless visit"),
        pytest.param(seen(running=False), "the work queue has stopped", id="no queue"),
        pytest.param(seen(behind=300.0), None, id="a late watch"),
        pytest.param(
            seen(behind=301.0), "the watch of jobs of all namespaces has not shown for 301 s", id="dead watch"
        ),
        pytest.param(seen(unseen=200.0), None, id="a late write"),
        pytest.param(seen(unseen=201.0), "no watch has shown for 201 s what the operator wrote", id="a lost write"),
        pytest.param(seen(late=30.0), None, id="a busy machine"),
        pytest.param(seen(late=31.0), "the event loop is 31 s late", id="a stuck loop"),
        pytest.param(
            seen(started=False, running=False, depth=9, idle=9e9, behind=9e9, unseen=9e9), None, id="starting"
        ),
    ],
)
def test_alive_or_why_not(observed: Observations, reason: str | None) -> None:
    told = reason_to_die(observed, LIMITS)

    assert told == reason or (reason is not None and told is not None and told.startswith(reason))


def test_a_visit_may_wait_for_a_check() -> None:
    limits = Limits.allowing(timedelta(minutes=10))

    assert reason_to_die(seen(longest_visit=1100.0), limits) is None
    assert reason_to_die(seen(longest_visit=1201.0), limits) is not None


def test_the_heartbeat_notices_a_loop_that_was_held() -> None:
    async def main() -> float:
        heart = Heartbeat()
        beating = asyncio.create_task(heart.beat())
        await asyncio.sleep(0)  # the first beat is due in a second
        time.sleep(1.5)  # which holds the loop, on purpose
        while not heart.lateness:
            await asyncio.sleep(0.01)
        beating.cancel()
        return heart.lateness

    assert asyncio.run(main()) >= 0.4
