"""
What to do next for a DbtSchedule.

A CronJob of the same name keeps the schedule, and one of that name with -full at its end the schedule of full
refreshes. Another DbtSchedule may have that name: a CronJob belongs to whose uid stands on it as its controller, and
whoever else wants the name says so and leaves it alone. Besides the CronJobs Jobs are made for a request (run now) and
after extractions that brought something new; and people make some with `kubectl create job --from=cronjob/NAME`. All
of them carry the same label and are seen alike. As with extractions, a visit deletes, then makes, then writes the
status.
"""

from __future__ import annotations

from collections.abc import Container, Iterable, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta

from gitmart.contract.outcomes import Outcome
from gitmart.controller import conditions
from gitmart.controller import dbtschedule as statuses
from gitmart.controller.children import Child
from gitmart.controller.conditions import Situation, Verdict
from gitmart.controller.due import CLOCK_TOLERANCE, requested, stamp
from gitmart.controller.naming import job_name
from gitmart.controller.observed import CronJobSeen, JobSeen
from gitmart.controller.retention import surplus
from gitmart.controller.runs import Run, verdict_of
from gitmart.resources.dbtschedule import HISTORY_LIMIT, DbtSchedule, DbtScheduleStatus
from gitmart.resources.labels import full_refresh_cron_job_of
from gitmart.resources.schedule import next_time

FOREIGN_CRON_JOB = "ForeignCronJob"
_ACTIVE_TOLD = 16  # names of running Jobs in the status


@dataclass(frozen=True, slots=True)
class Seen:
    """
    What is known besides the DbtSchedule.

    `cron_job` and `full_cron_job` have the names of its CronJobs, whoever they belong to. `namesakes`: others that work,
    and may want a CronJob of one of these names. `news`: when each selected Repository last brought something new.
    """

    children: Sequence[Child] = ()
    cron_job: CronJobSeen | None = None
    full_cron_job: CronJobSeen | None = None
    older: DbtSchedule | None = None
    news: Sequence[datetime] = ()
    namesakes: Sequence[DbtSchedule] = ()


@dataclass(frozen=True, slots=True)
class Start:
    """A Job to make, besides those of the CronJob."""

    slot: str
    token: str | None = None


@dataclass(frozen=True, slots=True)
class Decision:
    """
    What a visit shall do.

    `cron_job` and `full_cron_job`: None leaves the CronJob alone, else whether it shall be suspended. `drop` is one
    that is not wanted any more.
    """

    status: DbtScheduleStatus
    revisit: datetime
    cron_job: bool | None = None
    full_cron_job: bool | None = None
    drop: CronJobSeen | None = None
    delete: tuple[JobSeen, ...] = ()
    start: Start | None = None
    idle: DbtScheduleStatus | None = None
    runs: tuple[Run, ...] = ()


def job_of(schedule: DbtSchedule, slot: str) -> str:
    """Return the name of the Job of a slot."""
    return job_name(schedule.metadata.name, schedule.metadata.uid or "", slot)


def decide(schedule: DbtSchedule, seen: Seen, now: datetime, resync: timedelta) -> Decision:
    """Return what to do next."""
    far = now + resync
    claimed = [child for child in seen.children if child.job.claimed_by]
    seen = replace(seen, children=_ours(schedule, seen))
    fresh = _fresh(schedule, seen.children)
    delete = surplus(_own_and_told(schedule, seen.children, fresh), *_limits(schedule))
    schedule, runs = _told(schedule, fresh)
    active = [child for child in seen.children if child.job.active and not child.job.deleting]
    for child in [child for child in active if _is_hopeless(schedule, child, now)]:
        active.remove(child)
        if child.job.name not in {past.job for past in schedule.status.history}:
            run = child.given_up(now)
            schedule, runs = _with(schedule, statuses.ended(schedule, run)), (*runs, run)
        delete.append(child.job)
    schedule = _with(schedule, _general(schedule, seen, active, fresh, now))
    wants_full, full = schedule.spec.full_refresh_schedule is not None, seen.full_cron_job
    full_name = full_refresh_cron_job_of(schedule.metadata.name)
    holder = _holder(schedule, full_name, full, seen.namesakes)
    usable = wants_full and holder is None  # the name of the one for full refreshes
    drop = full if full is not None and _is_ours(schedule, full) and not (wants_full or full.deleting) else None
    rest = Decision(schedule.status, far, drop=drop, delete=tuple(delete), runs=runs)
    if seen.cron_job is not None and not _is_ours(schedule, seen.cron_job):
        return replace(rest, status=foreign(schedule, schedule.metadata.name, seen.cron_job.resource, now))
    if seen.older is not None:
        stop = True if seen.cron_job is not None else None
        stop_full = True if usable and full is not None else None
        status = statuses.conflicting(schedule, seen.older, now)
        return replace(rest, status=status, cron_job=stop, full_cron_job=stop_full)
    if (mine := _holder(schedule, schedule.metadata.name, seen.cron_job, seen.namesakes)) is not None:
        return replace(rest, status=foreign(schedule, schedule.metadata.name, mine, now))
    if schedule.spec.suspend:
        status = statuses.suspended(schedule, now)
        return replace(rest, status=status, cron_job=True, full_cron_job=True if usable else None)
    if wants_full and holder is not None:
        # The one schedule is kept all the same, and so is whatever starts runs besides it.
        schedule = _with(schedule, foreign(schedule, full_name, holder, now))
    else:
        schedule = _with(schedule, statuses.accepted(schedule, _kept(schedule), now))
    # One that is being deleted still runs; so does one of an object of this name that is gone.
    busy = any(child.job.active for child in [*claimed, *seen.children])
    start, revisit = (None, None) if busy else _extra(schedule, seen, now)
    idle = schedule.status
    times = (revisit, idle.next_schedule_time, idle.next_full_refresh_time, far)
    soon = min(each for each in times if each is not None)
    status = _starting(schedule, start) if start else idle
    return replace(
        rest, status=status, revisit=max(soon, now), cron_job=False, full_cron_job=False if usable else None,
        start=start, idle=idle,
    )  # fmt: skip


def _kept(schedule: DbtSchedule) -> str:
    """Return who keeps the schedules."""
    name = schedule.metadata.name
    if schedule.spec.full_refresh_schedule is None:
        return f"the CronJob {name} keeps the schedule"
    return f"the CronJobs {name} and {full_refresh_cron_job_of(name)} keep the schedules"


def _is_ours(schedule: DbtSchedule, cron_job: CronJobSeen) -> bool:
    return cron_job.owner == schedule.metadata.uid


def _holder(
    schedule: DbtSchedule, name: str, cron_job: CronJobSeen | None, namesakes: Iterable[DbtSchedule]
) -> str | None:
    """
    Return the resource that has a CronJob's name, "" if that is not known, None if it is this one's to take.

    Who has made it keeps it. Until somebody has, it is for the oldest of those that want it.
    """
    if cron_job is not None:
        return None if _is_ours(schedule, cron_job) else cron_job.resource
    want = [schedule, *(each for each in namesakes if name in _cron_jobs_of(each))]
    first = min(want, key=statuses.age).metadata.name
    return None if first == schedule.metadata.name else first


def _cron_jobs_of(schedule: DbtSchedule) -> set[str]:
    """Return the names of the CronJobs that a schedule wants."""
    name = schedule.metadata.name
    return {name} if schedule.spec.full_refresh_schedule is None else {name, full_refresh_cron_job_of(name)}


def _is_hopeless(schedule: DbtSchedule, child: Child, now: datetime) -> bool:
    """Whether a Job is given up: stuck for long, or stuck with a spec that was edited since."""
    outdated = child.job.generation not in (None, schedule.metadata.generation)
    return child.is_stuck(now) or (outdated and child.is_hopeless())


def _ours(schedule: DbtSchedule, seen: Seen) -> list[Child]:
    """Return the Jobs made for this very object, by us, its CronJob or a person. An older object may have had others."""
    uid = schedule.metadata.uid
    cron_jobs = (seen.cron_job, seen.full_cron_job)
    owners = {uid} | {each.uid for each in cron_jobs if each is not None and _is_ours(schedule, each)}
    return [child for child in seen.children if child.job.owner in owners or child.job.claimed_by == uid]


def _fresh(schedule: DbtSchedule, children: Sequence[Child]) -> list[Child]:
    """
    Return the Jobs that have ended and whose end was not told yet, oldest first.

    A Job that the history does not name any more is older than all that it names. One that was told to run has
    not ended before, whatever the clock says.
    """
    status = schedule.status
    names = {past.job for past in status.history}
    known = [(past.finished_at, past.job or "") for past in status.history]
    oldest = min(known) if len(known) == HISTORY_LIMIT else None
    ended = [
        ((child.job.finished_at, child.job.name), child)
        for child in children
        if child.job.finished_at is not None and child.job.name not in names
    ]
    ended.sort(key=lambda each: each[0])
    return [child for when, child in ended if oldest is None or when > oldest or child.job.name in status.active]


def _told(schedule: DbtSchedule, fresh: Sequence[Child]) -> tuple[DbtSchedule, tuple[Run, ...]]:
    """Return the schedule with the ends of Jobs in its status, and those ends."""
    runs = []
    for child in fresh:
        run = child.run()
        schedule = _with(schedule, statuses.ended(schedule, run))
        runs.append(run)
    return schedule, tuple(runs)


def _own_and_told(schedule: DbtSchedule, children: Sequence[Child], fresh: Sequence[Child]) -> list[JobSeen]:
    """Return the ended Jobs that are ours to delete, newest first. Those of the CronJob are deleted by Kubernetes."""
    own = [
        child.job
        for child in children
        if child.job.finished_at is not None and child.job.owner == schedule.metadata.uid and child not in fresh
    ]
    return sorted(own, key=lambda job: (job.created_at, job.name), reverse=True)


def _limits(schedule: DbtSchedule) -> tuple[int, int]:
    return schedule.spec.successful_jobs_history_limit, schedule.spec.failed_jobs_history_limit


def _general(
    schedule: DbtSchedule, seen: Seen, active: Sequence[Child], fresh: Sequence[Child], now: datetime
) -> DbtScheduleStatus:
    """Return the status with what is so whatever is decided: what runs, when a run last began, when one comes."""
    spec, status = schedule.spec, schedule.status
    begun = [child.job.created_at for child in seen.children]
    for cron_job in (seen.cron_job, seen.full_cron_job):
        if cron_job is not None and _is_ours(schedule, cron_job) and cron_job.last_schedule_time is not None:
            begun.append(cron_job.last_schedule_time)
    if status.last_schedule_time is not None:
        begun.append(status.last_schedule_time)
    stopped = spec.suspend or seen.older is not None
    known = list(status.conditions)
    for child in active:
        if (trouble := child.trouble()) is not None:
            generation = schedule.metadata.generation
            known = conditions.put(known, statuses.LAST_RUN_SUCCEEDED, "False", trouble, generation, now)
    changes = {
        "cron_job": _named(schedule, seen.cron_job, status.cron_job),
        "full_refresh_cron_job": None
        if spec.full_refresh_schedule is None
        else _named(schedule, seen.full_cron_job, status.full_refresh_cron_job),
        "active": sorted(child.job.name for child in active)[:_ACTIVE_TOLD],
        "last_schedule_time": max(_past(begun, now), default=None),
        "next_schedule_time": None if stopped else next_time(spec.schedule, spec.time_zone, now),
        "next_full_refresh_time": None if stopped else _next_full_refresh(schedule, now),
        "conditions": known,
        "pending_since": _pending_since(schedule, seen, now),
        "last_handled_request": _handled(schedule, seen, fresh),
    }
    return status.model_copy(update=changes)


def _named(schedule: DbtSchedule, cron_job: CronJobSeen | None, told: str | None) -> str | None:
    """Return the name of a CronJob for the status: what was told while it is not seen, None if it is not ours."""
    if cron_job is None:
        return told
    return cron_job.name if _is_ours(schedule, cron_job) else None


def _next_full_refresh(schedule: DbtSchedule, now: datetime) -> datetime | None:
    spec = schedule.spec
    return None if spec.full_refresh_schedule is None else next_time(spec.full_refresh_schedule, spec.time_zone, now)


def _past(times: Iterable[datetime], now: datetime) -> list[datetime]:
    """Return the times that are not to come: those are of a clock that was set back since."""
    return [time for time in times if time <= now + CLOCK_TOLERANCE]


def _handled(schedule: DbtSchedule, seen: Seen, fresh: Sequence[Child]) -> str | None:
    """Return the request that was answered last. A Job that was told of before answered it before."""
    token = requested(schedule.metadata.annotations)
    answers = [child for child in seen.children if child.job.active or child in fresh]
    answered = token is not None and any(child.job.token == token for child in answers)
    return token if answered else schedule.status.last_handled_request


def _covered(schedule: DbtSchedule, seen: Seen, now: datetime) -> datetime | None:
    """Return when a run last began, None if none has. A skipped one covers no news: another one ran."""
    begun = [
        child.job.created_at
        for child in seen.children
        if child.job.active or verdict_of(child.run()).reason != Outcome.SKIPPED
    ]
    last = schedule.status.last_run
    if last is not None and last.outcome != Outcome.SKIPPED:
        begun.append(last.started_at)
    return max(_past(begun, now), default=None)


def _uncovered(schedule: DbtSchedule, seen: Seen, now: datetime) -> list[datetime]:
    """Return the times of news that no run has begun after."""
    covered = _covered(schedule, seen, now)
    return [time for time in seen.news if covered is None or time >= covered]


def _pending_since(schedule: DbtSchedule, seen: Seen, now: datetime) -> datetime | None:
    """Return since when there are news without a run, None without any. It is kept, so that news cannot put it off."""
    news = _uncovered(schedule, seen, now) if schedule.spec.after_extraction else []
    if not news:
        return None
    first, known, covered = min(news), schedule.status.pending_since, _covered(schedule, seen, now)
    is_open = known is not None and (covered is None or known >= covered)
    return min(first, known) if known is not None and is_open else first


def _extra(schedule: DbtSchedule, seen: Seen, now: datetime) -> tuple[Start | None, datetime | None]:
    """Return the Job to make now besides those of the CronJob, or when one may be due. Never while another runs."""
    taken = {child.job.name for child in seen.children}
    token = requested(schedule.metadata.annotations)
    if token is not None and token != schedule.status.last_handled_request:
        return Start(_free(schedule, f"request-{token}", taken), token), None
    after, since = schedule.spec.after_extraction, schedule.status.pending_since
    if after is None or since is None:
        return None, None
    quiet = max(_uncovered(schedule, seen, now)) + after.debounce
    at = min(quiet, since + after.max_delay)
    return (Start(_free(schedule, f"after-{stamp(since)}", taken)), None) if now >= at else (None, at)


def _free(schedule: DbtSchedule, slot: str, taken: Container[str]) -> str:
    """Return the slot under a name that no Job has: one may be left of an equal request, or from before a clock's step."""
    while job_of(schedule, slot) in taken:
        slot += "+"
    return slot


def _starting(schedule: DbtSchedule, start: Start) -> DbtScheduleStatus:
    """Return the status with which a Job is made."""
    changes: dict[str, object] = {"pending_since": None, "active": [job_of(schedule, start.slot)]}
    if start.token is not None:
        changes["last_handled_request"] = start.token
    return schedule.status.model_copy(update=changes)


def foreign(schedule: DbtSchedule, name: str, holder: str, now: datetime) -> DbtScheduleStatus:
    """Return the status while the CronJob of a name that is wanted is that of another resource, `holder`."""
    mine = schedule.metadata.name
    wanted = "" if name == mine else ", which spec.fullRefreshSchedule needs,"
    if holder in ("", mine):  # of nobody we know, or of an object that had our name before
        message = f"a CronJob named {name}{wanted} is there already and is not ours: delete it, or choose another name"
    else:
        cure = f"choose another name for one of the two, or remove spec.fullRefreshSchedule of {min(mine, holder)}"
        message = f"the CronJob {name}{wanted} is that of DbtSchedule {holder}: {cure}"
    return statuses.troubled(schedule, Verdict(Situation.RETRYING, FOREIGN_CRON_JOB, message), now)


def _with(schedule: DbtSchedule, status: DbtScheduleStatus) -> DbtSchedule:
    return schedule.model_copy(update={"status": status})
