"""Workers as processes, and what stops them."""

from __future__ import annotations

import signal
import subprocess
import sys

import pytest

# Registered as modules do, and called by the fork itself: what a handler raises there is lost.
SIGNALLED = """
import os, signal
from gitmart.local.up import interruptible
from gitmart.local.wakeups import Wakeups
from gitmart.local.workers import Worker

def a_signal():
    os.kill(os.getpid(), signal.{number})
    for _ in range(1000):  # where Python looks for it
        pass

def start():
    return Worker(["--help"], None, None, None, None).start()

os.register_at_fork({when}=a_signal)
"""


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
@pytest.mark.parametrize("when", ["before", "after_in_parent"])
def test_a_signal_that_comes_while_a_worker_starts_is_heard(number: signal.Signals, when: str) -> None:
    waited = """
with interruptible():
    try:
        start()
    except KeyboardInterrupt:
        try:
            os.waitpid(-1, 0)
        except ChildProcessError:
            print("stopped, and nothing runs")
"""
    assert _said(number, when, waited) == "stopped, and nothing runs\n"


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_who_waits_for_signals_counts_it(number: signal.Signals) -> None:
    counted = """
with Wakeups() as wakeups:
    process = start()
    print(wakeups.stops, "and the worker ends with", process.wait())
"""
    assert _said(number, "after_in_parent", counted) == "1 and the worker ends with 0\n"


def _said(number: signal.Signals, when: str, script: str) -> str:
    done = subprocess.run(
        [sys.executable, "-c", SIGNALLED.format(number=number.name, when=when) + script],
        capture_output=True,
        text=True,
        check=True,
        # Whoever runs the tests in the background may have SIGINT ignored.
        preexec_fn=lambda: signal.signal(signal.SIGINT, signal.default_int_handler),
    )
    assert done.stderr == ""
    return done.stdout
