"""
`gitmart local up`: schedules followed, or with `--once` every Repository extracted and every DbtSchedule run once.

Both begin alike: the manifests are read, the server is started, its tables are made.
"""

from __future__ import annotations

import signal
from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import cast

from gitmart.controller import dbtschedule, repository
from gitmart.controller.address import Identity, previous_url
from gitmart.controller.admission import Caps
from gitmart.controller.conditions import READY
from gitmart.local.dashboard import dashboard
from gitmart.local.exits import Exit, LocalError, ServerError
from gitmart.local.follower import Follower, clock
from gitmart.local.jobs import Jobs
from gitmart.local.objects import Objects, ResourceT
from gitmart.local.postgres import PostgresError
from gitmart.local.processes import Launcher
from gitmart.local.report import Ending, extraction_ending, say, tell, transformation_ending
from gitmart.local.runs import Runs
from gitmart.local.state import State
from gitmart.local.wakeups import Wakeups
from gitmart.local.workers import Cancelled
from gitmart.resources.dbtschedule import DbtSchedule, DbtScheduleStatus
from gitmart.resources.manifests import AnyResource, ManifestError, Manifests, read_manifests
from gitmart.resources.repository import Repository, RepositoryStatus

LOOK_SECONDS = 1.0  # between two looks at requests and deadlines; the end of a child wakes us at once
SCHEDULE_MESSAGE = "run once by each `gitmart local up --once`"


def up_once(state: State, files: Sequence[str]) -> Exit:
    """
    Load the manifests, start the server, run everything, and return how the command ends.

    Without files, what the state folder knows is run again. Raise LocalError when nothing could be run.
    """
    with interruptible(), _begun(state, files) as beginning:
        return Visit(beginning.objects, beginning.jobs).all(beginning.resources)


def follow(state: State, files: Sequence[str], caps: Caps, *, serves: bool = False) -> Exit:
    """
    Load the manifests, start the server, and run what is due whenever it is, until somebody stops us.

    Without files, what the state folder knows is followed. Raise LocalError when nothing can be.
    `serves`: the dashboard is served meanwhile.
    """
    with interruptible(), _begun(state, files) as beginning, ExitStack() as beside, Wakeups() as wakeups:
        if serves:
            served = beside.enter_context(dashboard(state, beginning.objects.all(DbtSchedule)))
            say(f"the dashboard: {served.address}")
        launcher = Launcher(beginning.jobs, Runs(state.folder("runs")))
        follower = Follower(beginning.objects, launcher, beginning.resources, caps)
        say(f"following {len(beginning.resources)} resources; Ctrl-C stops")
        try:
            follower.resume()
            while not wakeups.stops:
                until = follower.step()
                wakeups.wait(min((until - clock()).total_seconds(), LOOK_SECONDS))
            say("stopping")
        except PostgresError as error:
            raise ServerError(str(error)) from None
        finally:
            cut_off = follower.stop(lambda: _must_hurry(wakeups))
    going_on = f"; {cut_off} cut off, to go on with the next `gitmart local up`" if cut_off else ""
    say(f"stopped{going_on}; the server still runs")
    return Exit.ALL_WELL


def _must_hurry(wakeups: Wakeups) -> bool:
    """Wait for a moment; return whether we were asked to stop a second time."""
    wakeups.wait(1)
    return wakeups.stops > 1


@dataclass(frozen=True, slots=True)
class Beginning:
    """What both ways of `up` begin with; `resources` are those that it is about."""

    objects: Objects
    jobs: Jobs
    resources: list[AnyResource]


@contextmanager
def _begun(state: State, files: Sequence[str]) -> Iterator[Beginning]:
    """Hold the state's lock with everything ready. Raise LocalError."""
    wanted = _wanted(files)
    if not files:
        state.require()
    state.prepare()
    with state.locked("gitmart local up") as lock:
        objects = Objects(state.folder("objects"))
        _correct(objects)
        now = datetime.now(UTC)
        for config_map in wanted.config_maps:
            objects.keep(config_map)
        resources: list[AnyResource] = (
            objects.apply(wanted.resources, now) if files else [*objects.all(Repository), *objects.all(DbtSchedule)]
        )
        if not resources:
            raise LocalError("there is nothing to run: name manifests with -f FILE")
        _tell_what_is_ignored(resources)
        _start_server(state)
        jobs = Jobs(state, lock)
        jobs.clear()
        jobs.migrate(sorted({each.spec.target.schema_name for each in objects.all(DbtSchedule)}))
        yield Beginning(objects, jobs, resources)


@contextmanager
def interruptible() -> Iterator[None]:
    """Let SIGTERM do what Ctrl-C does: stop the worker and leave everything usable."""
    before = signal.signal(signal.SIGTERM, signal.default_int_handler)
    try:
        yield
    finally:
        signal.signal(signal.SIGTERM, before)


def _wanted(files: Sequence[str]) -> Manifests:
    try:
        return read_manifests([file if file == "-" else Path(file) for file in files], allow_file_urls=True)
    except ManifestError as error:
        raise LocalError(str(error)) from None


def _tell_what_is_ignored(resources: Sequence[AnyResource]) -> None:
    for resource in resources:
        if isinstance(resource, Repository) and resource.spec.cache is not None:
            say(
                f"repository/{resource.metadata.name}: spec.cache has no effect here: local mode has no volume claims, "
                "and fetches what is new without one where the host can send it"
            )


def _correct(objects: Objects) -> None:
    """Tell of extractions that were killed with their `up`. We hold the lock, so none of them runs."""
    for known in objects.all(Repository):
        if (status := repository.interrupted(known)) != known.status:
            objects.save(known.model_copy(update={"status": status}))


def _start_server(state: State) -> None:
    try:
        if not state.server.running():
            say("starting PostgreSQL")
        state.server.start()
    except PostgresError as error:
        raise ServerError(str(error)) from None


@dataclass(frozen=True, slots=True)
class Visit:
    """One pass over all resources. Status is stored after each step, so a crash loses none of it."""

    objects: Objects
    jobs: Jobs

    def all(self, resources: Sequence[AnyResource]) -> Exit:
        """Extract every Repository, then run every DbtSchedule; return whether all is well."""
        # The oldest works, also when it is not among what was named this time.
        addresses = repository.working_of(self.objects.all(Repository))
        targets = dbtschedule.working_of(self.objects.all(DbtSchedule))
        well = True
        try:
            for resource in resources:
                if isinstance(resource, Repository):
                    well &= tell(resource, self._repository(resource, addresses))
            for resource in resources:
                if isinstance(resource, DbtSchedule):
                    well &= tell(resource, self._schedule(resource, targets[dbtschedule.target_of(resource)]))
        except (Cancelled, KeyboardInterrupt):
            say("stopped: what was finished is kept; run the command again to go on")
            return Exit.CANCELLED
        if not well:
            say(f"what the workers said is in {self.jobs.state.folder('logs')}")
        return Exit.ALL_WELL if well else Exit.RESOURCES_FAILED

    def _repository(self, resource: Repository, addresses: Mapping[Identity, Repository]) -> Ending:
        working = addresses[repository.identity_of(resource)]
        now = datetime.now(UTC)
        if resource.spec.suspend:
            self._save(resource, repository.suspended(resource, now))
            return Ending(True, "Suspended", "spec.suspend is true: skipped")
        if working.metadata.uid != resource.metadata.uid:
            resource = self._save(resource, repository.duplicate(resource, working, now))
            return _stalled(resource)
        resource = self._save(resource, repository.seen(resource, now))
        self._save(resource, repository.running(resource))
        try:
            run = self.jobs.extract(resource, previous_url(resource, addresses.__contains__))
        except Cancelled as cancelled:
            self._save(resource, repository.ended(resource, cancelled.run))
            raise
        except KeyboardInterrupt:  # before it began or after it ended
            self._save(resource, resource.status)
            raise
        resource = self._save(resource, repository.ended(resource, run))
        return extraction_ending(run, resource)

    def _schedule(self, resource: DbtSchedule, working: DbtSchedule) -> Ending:
        now = datetime.now(UTC)
        if resource.spec.suspend:
            self._save(resource, dbtschedule.suspended(resource, now))
            return Ending(True, "Suspended", "spec.suspend is true: skipped")
        if working.metadata.uid != resource.metadata.uid:
            resource = self._save(resource, dbtschedule.conflicting(resource, working, now))
            return _stalled(resource)
        resource = self._save(resource, dbtschedule.accepted(resource, SCHEDULE_MESSAGE, now))
        try:
            run = self.jobs.transform(resource)
        except Cancelled as cancelled:
            self._save(resource, dbtschedule.ended(resource, cancelled.run))
            raise
        resource = self._save(resource, dbtschedule.ended(resource, run))
        return transformation_ending(run, resource)

    def _save(self, resource: ResourceT, status: RepositoryStatus | DbtScheduleStatus) -> ResourceT:
        updated = cast(ResourceT, resource.model_copy(update={"status": status}))
        self.objects.save(updated)
        return updated


def _stalled(resource: AnyResource) -> Ending:
    ready = next(condition for condition in resource.status.conditions if condition.type == READY)
    return Ending(False, ready.reason, ready.message)
