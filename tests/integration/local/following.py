"""A follower inside a test, with real processes, a real server and a clock that the test sets."""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path

from gitmart.controller.admission import Caps
from gitmart.local.follower import Follower
from gitmart.local.jobs import Jobs
from gitmart.local.objects import Objects
from gitmart.local.processes import Launcher
from gitmart.local.runs import Record, Runs
from gitmart.resources.dbtschedule import DbtSchedule
from gitmart.resources.manifests import AnyResource, load_manifests
from gitmart.resources.repository import Repository

from .conftest import Local

T0 = datetime(2026, 1, 1, 0, 30, tzinfo=UTC)
SECOND, MINUTE, HOUR = timedelta(seconds=1), timedelta(minutes=1), timedelta(hours=1)
LIMIT = 120  # seconds
CAPS = Caps(2, 2)


@dataclass
class Following:
    """What is followed, by which follower, and what time it is for it."""

    local: Local
    objects: Objects
    runs: Runs
    follower: Follower
    clock: list[datetime]

    @property
    def now(self) -> datetime:
        return self.clock[0]

    def after(self, wait: timedelta = timedelta(0)) -> None:
        """Let time pass, and do what is due then."""
        self.clock[0] += wait
        self.follower.step()

    def settle(self) -> None:
        """Do what is due, and wait until nothing runs and nothing is due."""
        deadline = time.monotonic() + LIMIT
        due = self.follower.step()
        while self.follower.processes or due <= self.now:
            assert time.monotonic() < deadline, f"still running: {self.jobs()}"
            time.sleep(0.02)
            due = self.follower.step()

    def jobs(self, name: str | None = None) -> list[Record]:
        """Return the runs of a resource, or all, oldest first."""
        found = [record for record in self.runs.all() if name in (None, record.resource)]
        return sorted(found, key=lambda record: record.created_at)


@contextmanager
def following(local: Local, *files: Path, at: datetime = T0, caps: Caps = CAPS) -> Iterator[Following]:
    """Follow what the files name, else all that is known. It ends as if it were killed, but for its processes."""
    local.state.prepare()
    clock = [at]
    with local.state.locked("a test") as lock:
        objects = Objects(local.state.folder("objects"))
        wanted: list[AnyResource] = load_manifests(files, allow_file_urls=True) if files else []
        known: list[AnyResource] = [*objects.all(Repository), *objects.all(DbtSchedule)]
        resources = objects.apply(wanted, at) if files else known
        local.state.server.start()
        jobs = Jobs(local.state, lock)
        jobs.clear()
        runs = Runs(local.state.folder("runs"))
        follower = Follower(objects, Launcher(jobs, runs), resources, caps, lambda: clock[0])
        follower.resume()
        made = Following(local, objects, runs, follower, clock)
        try:
            yield made
        finally:
            for process in follower.processes:
                process.kill()
