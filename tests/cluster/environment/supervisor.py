"""
The process that a node belongs to: it starts the node, waits, and removes every trace in the end.

The end comes by SIGTERM (`make cluster-down`), with the owner (a test run, however it ends), or with the node.
"""

from __future__ import annotations

import os
import select
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Iterable
from types import FrameType

from gitmart.local.locks import held

from . import native, progress
from .claim import Claim, Holder, holder
from .images import Built
from .places import PROJECT, ClusterError, Site, UnavailableError, cache_folder, environment
from .progress import say

READY = "ready"
PATIENCE = 240.0  # seconds for a start, a cold image store included
MODULE = __spec__.name.rpartition(".")[0]


def start(site: Site, images: Iterable[Built], owner: int | None) -> None:
    """
    Have the site's node running with these images, and return once it takes pods.

    `owner` is the process it shall end with, None if it shall stay. A node that runs already is
    shared when it stays or has the same owner. Raise ClusterError otherwise.
    """
    images = list(images)
    cache_folder().mkdir(parents=True, exist_ok=True)
    with held(
        cache_folder() / f"start{site.number}.lock", f"process {os.getpid()}", lambda other: say(f"waiting for {other}")
    ):
        if other := _settled(site, owner):
            if not other.ready:
                raise ClusterError(other.describe())
            native.load(site, images)
            say(f"already up: process {other.process}")
            return
        if (answer := _spawn(site, images, owner)) != READY:
            raise ClusterError(answer or "the cluster ended while it started")


def stop(site: Site) -> bool:
    """End the site's node, and remove what a killed one left. Return whether one was running."""
    found = holder(site)
    if not sys.platform.startswith("linux") or os.geteuid() != 0:
        if found is None:
            return False
        raise ClusterError(f"{found.describe()}, which root alone can end")
    end = time.monotonic() + PATIENCE
    while other := holder(site):
        if other.process:
            os.kill(other.process, signal.SIGTERM)
        if time.monotonic() > end:
            raise ClusterError(f"{other.describe()}, and it does not end")
        time.sleep(0.05)
    claim = Claim(site)
    native.Node(site, ()).remove()
    claim.close()
    return found is not None


def supervise(site: Site, images: Iterable[Built], owner: int | None) -> None:
    """Run a node until it is to end. Prints READY, or what went wrong, and closes standard output."""
    signal.signal(signal.SIGTERM, _leave)
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C is for whoever started us
    try:
        claim = Claim(site, owner)
    except ClusterError as error:
        sys.exit(str(error))
    if owner is not None:
        threading.Thread(target=_end_with, args=(owner,), daemon=True).start()
    node = native.Node(site, images)
    try:
        node.start()
        claim.ready = True
        print(READY)
        _let_go_of_the_terminal(site)
        node.wait()
    except ClusterError as error:
        print(error)
    finally:
        signal.signal(signal.SIGTERM, signal.SIG_IGN)
        node.remove()


def _spawn(site: Site, images: Iterable[Built], owner: int | None) -> str:
    """Start the supervisor and return its answer: READY, or what went wrong."""
    command = [sys.executable, "-m", MODULE, "supervise", *map(str, images)]
    variables = {
        "GITMART_CLUSTER_SITE": str(site.number),
        "GITMART_CLUSTER_OWNER": str(owner or ""),
        progress.VARIABLE: str(progress.START),
    }
    # Nobody's child and of no terminal. Its standard output, which it closes once it is ready, is what we wait for.
    try:
        done = subprocess.run(
            ["setsid", "--fork", *command], cwd=PROJECT, env=environment(**variables), stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE, text=True, check=True,
        )  # fmt: skip
    except KeyboardInterrupt:
        stop(site)
        raise
    return done.stdout.strip()


def _settled(site: Site, owner: int | None) -> Holder | None:
    """Return who runs the node, once it is clear: after waiting for one of ours that starts, or for one that ends."""
    end = time.monotonic() + PATIENCE
    told = False
    while other := holder(site):
        ours = other.state == str(site.state) and other.owner in (None, owner)
        ending = not other.process or (other.owner is not None and not _is_alive(other.owner))
        if other.ready and ours:
            return other
        if not (ours or ending):
            raise UnavailableError(f"{other.describe()}: end that one first")
        if time.monotonic() > end:
            return other
        if not told:
            say(f"waiting for process {other.process}, which {'ends' if ending else 'starts'} it")
            told = True
        time.sleep(0.1)
    return None


def _leave(number: int, frame: FrameType | None) -> None:
    sys.exit(0)


def _end_with(owner: int) -> None:
    try:
        descriptor = os.pidfd_open(owner)
    except ProcessLookupError:
        descriptor = -1
    if descriptor >= 0:
        select.select([descriptor], [], [])  # readable once the process has ended
    os.kill(os.getpid(), signal.SIGTERM)


def _is_alive(process: int) -> bool:
    try:
        os.kill(process, 0)
    except ProcessLookupError:
        return False
    return True


def _let_go_of_the_terminal(site: Site) -> None:
    sys.stdout.flush()
    log = os.open(site.state / "logs" / "supervisor.log", os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)
    os.dup2(log, 1)
    os.dup2(log, 2)
    os.close(log)
