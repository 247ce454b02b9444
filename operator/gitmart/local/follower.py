"""
Following schedules: what the operator does, with processes in the place of Jobs.

A step looks at everything that is followed, calls the operator's decisions (gitmart.controller) and carries them
out. Nothing is known but by the files of the state folder and the processes of the moment, so a follower may be
killed at any time, and the next one goes on.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any, cast

from gitmart.contract.kinds import REQUESTED_AT
from gitmart.contract.outcomes import Outcome
from gitmart.contract.result import read_result
from gitmart.controller import cron, dbtschedule, extraction, repository, transformation
from gitmart.controller.address import previous_url
from gitmart.controller.admission import Caps, Waiting, admitted, full
from gitmart.controller.observed import JobSeen
from gitmart.controller.runs import Run
from gitmart.local.events import Events
from gitmart.local.looks import Looks
from gitmart.local.objects import Objects, ResourceT
from gitmart.local.processes import Launcher, Process
from gitmart.local.requests import waiting
from gitmart.local.runs import End, Key, Record, Runs, ended, key_of, left_behind
from gitmart.resources.dbtschedule import DbtSchedule, DbtScheduleStatus
from gitmart.resources.manifests import AnyResource
from gitmart.resources.repository import Repository, RepositoryStatus

RESYNC = timedelta(minutes=10)
KEPT_MESSAGE = "`gitmart local up` keeps the schedule"

_SECOND = timedelta(seconds=1)  # what clocks of resources tell apart
# A Job's own: https://kubernetes.io/docs/concepts/workloads/controllers/job/#pod-backoff-failure-policy
_FIRST_AGAIN, _LAST_AGAIN = timedelta(seconds=10), timedelta(minutes=6)
# What a Job of the operator's repeats by itself, `spec.retries` times.
_REPEATED = {outcome.exit_code for outcome in Outcome if outcome.retryable and outcome is not Outcome.TIMEOUT}


def clock() -> datetime:
    """Return the time in whole seconds, as Kubernetes tells it."""
    return datetime.now(UTC).replace(microsecond=0)


class Follower:
    """
    Follows resources. Whoever has one holds the state's lock.

    `now` tells the time in whole seconds; steps must be made whenever a child ends, and else every second or so.
    """

    def __init__(
        self,
        objects: Objects,
        launcher: Launcher,
        followed: Iterable[AnyResource],
        caps: Caps,
        now: Callable[[], datetime] = clock,
    ) -> None:
        self._objects = objects
        self._launcher = launcher
        self._runs: Runs = launcher.runs
        self._caps = caps
        self._now = now
        repositories, schedules = objects.all(Repository), objects.all(DbtSchedule)
        everything: list[AnyResource] = [*repositories, *schedules]
        self._known: dict[Key, AnyResource] = {key_of(each): each for each in everything}
        # Who works stays so: what that depends on does not change while we follow.
        self._addresses = repository.working_of(repositories)
        self._targets = dbtschedule.working_of(schedules)
        self._followed = [key_of(each) for each in followed]
        self._processes: dict[str, Process] = {}  # of runs, by name of the Job
        self._leaving: list[Process] = []  # asked to end, and of no interest any more
        self._looks = Looks(launcher.check)
        self._events = Events()
        self._next = datetime.min.replace(tzinfo=UTC)
        self._policy = extraction.Policy(resync=RESYNC)

    @property
    def processes(self) -> list[Process]:
        """All that run now."""
        return [*self._processes.values(), *self._looks.processes, *self._leaving]

    def resume(self) -> None:
        """
        Go on where an earlier follower ended, however it did.

        Runs that were cut off begin anew under the same name, as the pods of a Job do. Those that had ended
        meanwhile are told by the next step.
        """
        now = self._now()
        self._runs.tidy()
        for record in left_behind(self._runs, self._runs.active(), now):
            self._runs.save(record)
        for record in self._runs.all():
            resource = self._known.get(record.key)
            if resource is None or resource.metadata.uid != record.owner:
                self._runs.delete(record)
            elif record.active and record.key in self._followed:
                if resource.spec.suspend or self._older(resource) is not None:
                    self._runs.delete(record)
                else:
                    self._launch(replace(record, **_present(resource), created_at=now, again_at=None), resource)

    def step(self) -> datetime:
        """Do what is to be done now. Return when something is due should nothing happen before."""
        now = self._now()
        happened = self._collect(now)
        happened |= self._take_requests()
        if happened or now >= self._next:
            self._next = self._visit(now)
        return self._next

    def stop(self, wait: Callable[[], bool]) -> int:
        """
        End all processes; return how many runs were cut off, and go on when somebody follows again.

        `wait` waits for a moment, and returns whether there is no more time to wait.
        """
        everything = self.processes
        for process in everything:
            process.stop()
        while everything := [process for process in everything if not process.has_ended()]:
            if wait():
                for process in everything:
                    process.kill()
        for record in left_behind(self._runs, self._runs.active(), self._now()):
            self._runs.save(record)
        for resource in self._of(Repository):
            if resource.status.state == "in_progress":
                self._save(resource, resource.status.model_copy(update={"state": "pending"}))
        for schedule in self._of(DbtSchedule):
            self._save(schedule, schedule.status.model_copy(update={"active": []}))
        self._processes.clear()
        self._looks.clear()
        self._leaving.clear()
        return sum(record.key in self._followed for record in self._runs.active())

    def _collect(self, now: datetime) -> bool:
        """Take note of the processes that have ended; return whether any has."""
        happened = False
        for job, process in list(self._processes.items()):
            if process.has_ended():
                del self._processes[job]
                self._end_of_run(job, process, now)
                happened = True
        happened |= self._looks.collect(now)
        self._leaving = [process for process in self._leaving if not process.has_ended()]
        return happened

    def _end_of_run(self, job: str, process: Process, now: datetime) -> None:
        record = self._runs.get(job)
        if record is None:
            return
        code, told = process.exit_code, self._runs.result(record)
        repeatable = code in _REPEATED and not process.overdue
        if repeatable and record.failures < (resource := self._known[record.key]).spec.retries:
            wait = min(_FIRST_AGAIN * (1 << min(record.failures, 10)), _LAST_AGAIN)
            record = replace(record, failures=record.failures + 1, again_at=now + wait)
            self._events.again(resource, read_result(told), now + wait)
        else:
            record = ended(record, End(now, code, told, process.overdue, process.out_of_memory))
        self._runs.save(record)

    def _take_requests(self) -> bool:
        """Put what people ask for into the objects; return whether anybody did."""
        happened = False
        for request in waiting(self._launcher.jobs.state.folder("requests")):
            resource = self._known.get(request.key)
            if resource is not None and request.key not in self._followed:
                continue  # for whoever follows it
            if resource is not None:
                annotations = {**resource.metadata.annotations, REQUESTED_AT: request.token}
                metadata = resource.metadata.model_copy(update={"annotations": annotations})
                self._store(resource.model_copy(update={"metadata": metadata}))
                happened = True
            request.path.unlink(missing_ok=True)
        return happened

    def _visit(self, now: datetime) -> datetime:
        """Visit everything. Repositories come first: dbt may have to run after what they have brought."""
        for record in self._runs.active():
            if record.again_at is not None and record.again_at <= now:
                self._launch(replace(record, again_at=None), self._known[record.key])
        times = [now + RESYNC, *self._visit_repositories(now)]
        times += [self._visit_schedule(schedule, now) for schedule in self._of(DbtSchedule)]
        return min([*times, *(record.again_at for record in self._runs.active() if record.again_at is not None)])

    def _visit_repositories(self, now: datetime) -> list[datetime]:
        """Decide for each Repository, then let those start for whom there is a place."""
        starting: list[tuple[Repository, extraction.Decision]] = []
        decisions = []
        for known in self._of(Repository):
            decision = self._decided(known, now)
            decisions.append(decision)
            if decision.start is None:
                self._written(known, decision.status, decision.runs)
            else:
                starting.append((known, decision))
        self._admit(starting, now)
        return [_again(decision, now) for decision in decisions]

    def _decided(self, known: Repository, now: datetime) -> extraction.Decision:
        key = key_of(known)
        check = self._looks.seen(key)
        children = [record.child() for record in self._runs.of(key)]
        seen = extraction.Seen(children, self._older(known), check)
        decision = extraction.decide(known, seen, now, self._policy)
        self._delete(decision.delete)
        if check is not None and decision.start is None:
            self._looks.forget(key)  # it was used: the status tells of it
        if decision.check is not None:
            self._looks.begin(known, decision.check.slot, now)
        return decision

    def _admit(self, starting: Sequence[tuple[Repository, extraction.Decision]], now: datetime) -> None:
        running = {
            extraction.key_of(each): each.spec.url.host
            for each in self._of(Repository)
            if any(record.active for record in self._runs.of(key_of(each)))
        }
        line = [
            Waiting(extraction.key_of(known), known.spec.url.host, (decision.start and decision.start.at) or now)
            for known, decision in starting
        ]
        chosen = {each.key: each.host for each in admitted(line, running, self._caps)}
        for known, decision in starting:
            if (start := decision.start) is None:
                continue
            if extraction.key_of(known) in chosen:
                job = extraction.job_of(known, start.slot)
                # The end that this step has heard of may be what gave the rows their address.
                told = known.model_copy(update={"status": decision.status})
                self._launch(_record(known, job, start.slot, start.token, now), told)
                self._looks.forget(key_of(known))
                status = decision.status
            else:
                verdict = full(known.spec.url.host, running | chosen, self._caps)
                idle = decision.idle or decision.status
                status = repository.queued(idle, verdict, known.metadata.generation, now)
            self._written(known, status, decision.runs)

    def _visit_schedule(self, known: DbtSchedule, now: datetime) -> datetime:
        older = cast("DbtSchedule | None", self._older(known))
        if known.spec.full_refresh_schedule is None:
            self._runs.forget_full_refreshes(key_of(known))
        if older is None and not known.spec.suspend:
            for full_refresh in (False, True):
                self._keep_schedule(known, now, full_refresh=full_refresh)
        children = [record.child() for record in self._runs.of(key_of(known))]
        news = self._news(known)
        # A run that begins in the very second of the news would not count as one after it.
        seen = transformation.Seen(children, older=older, news=[time for time in news if time < now])
        decision = transformation.decide(known, seen, now, RESYNC)
        self._delete(decision.delete)
        if (start := decision.start) is not None:
            job = transformation.job_of(known, start.slot)
            self._launch(_record(known, job, start.slot, start.token, now), known)
        status = decision.status
        if decision.cron_job is False:
            status = dbtschedule.accepted(known.model_copy(update={"status": status}), KEPT_MESSAGE, now)
        self._written(known, status, decision.runs)
        again = _again(decision, now)
        return min(again, now + _SECOND) if now in news else again

    def _keep_schedule(self, known: DbtSchedule, now: datetime, *, full_refresh: bool) -> None:
        """Start the run that a schedule asks for, as the controller of its CronJob does."""
        key, uid = key_of(known), known.metadata.uid or ""
        active = (record for record in self._runs.of(key) if record.active and record.by_cron)
        running = [record for record in active if record.full_refresh == full_refresh]
        last = self._runs.last_schedule_time(key, uid, full_refresh=full_refresh)
        if full_refresh and last is None and known.spec.full_refresh_schedule is not None:
            last = now  # a CronJob would be made now, and no time before that is its
            self._runs.save_schedule_time(key, uid, now, full_refresh=True)
        fire = cron.fire(known, last, running=bool(running), now=now, full_refresh=full_refresh)
        if fire is None:
            return
        if fire.replaces:
            self._delete(record.child().job for record in running)
        job = transformation.job_of(known, fire.slot)
        if self._runs.get(job) is None:  # else we were killed before its time was written
            self._launch(_record(known, job, fire.slot, None, now), known)
        self._runs.save_schedule_time(key, uid, fire.at, full_refresh=full_refresh)

    def _news(self, known: DbtSchedule) -> list[datetime]:
        """Return when each Repository that the schedule waits for last brought something new."""
        if (after := known.spec.after_extraction) is None:
            return []
        return [
            each.status.last_change_time
            for each in self._known.values()
            if isinstance(each, Repository)
            and each.status.last_change_time is not None
            and each.metadata.namespace == known.metadata.namespace
            and after.selector.match_labels.items() <= each.metadata.labels.items()
        ]

    def _launch(self, record: Record, resource: AnyResource) -> None:
        self._runs.save(record)
        process = (
            self._launcher.extraction(record, resource, previous_url(resource, self._addresses.__contains__))
            if isinstance(resource, Repository)
            else self._launcher.transformation(record, resource)
        )
        self._processes[record.job] = process
        self._events.started(resource, self._runs.path(record, "log"))

    def _delete(self, jobs: Iterable[JobSeen]) -> None:
        for job in jobs:
            if (process := self._processes.pop(job.name, None)) is not None:
                process.stop()
                self._leaving.append(process)
            if (record := self._runs.get(job.name)) is not None:
                self._runs.delete(record)

    def _older(self, resource: ResourceT) -> ResourceT | None:
        """Return the resource that has the address or the target, None when it is this one."""
        working: AnyResource
        if isinstance(resource, Repository):
            working = self._addresses[repository.identity_of(resource)]
        else:
            working = self._targets[dbtschedule.target_of(resource)]
        if working.metadata.uid == resource.metadata.uid:
            return None
        return cast(ResourceT, self._known[key_of(working)])

    def _of(self, kind: type[ResourceT]) -> list[ResourceT]:
        """Return what is followed of a kind."""
        found = (self._known[key] for key in self._followed)
        return [each for each in found if isinstance(each, kind)]

    def _written(
        self, known: AnyResource, status: RepositoryStatus | DbtScheduleStatus, runs: Sequence[Run] = ()
    ) -> None:
        updated = self._save(known, status)
        self._events.visited(updated, runs)

    def _save(self, known: AnyResource, status: RepositoryStatus | DbtScheduleStatus) -> AnyResource:
        """Write the status if it differs."""
        if status == known.status:
            return known
        updated = known.model_copy(update={"status": status})
        self._store(updated)
        return updated

    def _store(self, resource: AnyResource) -> None:
        self._objects.save(resource)
        self._known[key_of(resource)] = resource


def _again(decision: extraction.Decision | transformation.Decision, now: datetime) -> datetime:
    """Return when to come again: at once after an end was told, since the run may be deleted only then."""
    return now if decision.runs else decision.revisit


def _present(resource: AnyResource) -> dict[str, Any]:
    """Return what a record says of the resource as it is now."""
    url = resource.spec.url if isinstance(resource, Repository) else None
    return {
        "generation": resource.metadata.generation, "host": url.host if url else "", "url": str(url) if url else None
    }  # fmt: skip


def _record(resource: AnyResource, job: str, slot: str, token: str | None, now: datetime) -> Record:
    return Record(
        job=job, kind=resource.kind, namespace=resource.metadata.namespace, resource=resource.metadata.name,
        owner=resource.metadata.uid or "", slot=slot, token=token, created_at=now, **_present(resource),
    )  # fmt: skip
