"""
What to do next for a Repository.

`decide` is called at every visit with what is known at that moment, and asks for nothing but this: a status to
write, at most one Job to make, Jobs to delete, a look at the git host, the time of the next visit. It may be called
twice with the same, or after a crash between any two writes that came of it, and leads to the same end.

The order in which a visit carries a decision out is part of it: delete, make the Job, write the status. Ends of Jobs
are known by their names in `status.history`; an entry leaves the history only after its Job is gone.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta

from gitmart.contract.outcomes import Outcome
from gitmart.controller import repository as statuses
from gitmart.controller.admission import Key
from gitmart.controller.children import STUCK_AFTER, Child
from gitmart.controller.conditions import NEW_GENERATION, READY, Situation, find
from gitmart.controller.due import Due, due, requested
from gitmart.controller.naming import job_name
from gitmart.controller.observed import JobSeen
from gitmart.controller.retention import surplus
from gitmart.controller.runs import Run
from gitmart.resources.repository import Repository, RepositoryStatus

GOOD_JOBS_KEPT = 1
FAILED_JOBS_KEPT = 3


@dataclass(frozen=True, slots=True)
class Policy:
    """What the administrator has decided for all Repositories."""

    checks: bool = True  # look at the git host before a Job is made
    resync: timedelta = timedelta(minutes=10)
    image: str | None = None  # of worker pods; None: there are none


@dataclass(frozen=True, slots=True)
class Check:
    """What a look at the git host for a slot has shown: how it went, and the digest of all refs if it went well."""

    slot: str
    run: Run


@dataclass(frozen=True, slots=True)
class Seen:
    """What is known besides the Repository: its Jobs, an older one with its address, a look at the git host."""

    children: Sequence[Child] = ()
    older: Repository | None = None
    check: Check | None = None


@dataclass(frozen=True, slots=True)
class Decision:
    """What a visit shall do, in this order: delete, start, write the status; or look at the git host first."""

    status: RepositoryStatus
    revisit: datetime
    delete: tuple[JobSeen, ...] = ()
    check: Due | None = None
    start: Due | None = None
    idle: RepositoryStatus | None = None  # instead, if it may not start after all
    runs: tuple[Run, ...] = ()  # ends that were told in this visit


def key_of(repository: Repository) -> Key:
    """Return namespace and name."""
    return repository.metadata.namespace, repository.metadata.name


def job_of(repository: Repository, slot: str) -> str:
    """Return the name of the Job of a slot."""
    return job_name(repository.metadata.name, repository.metadata.uid or "", slot)


def decide(repository: Repository, seen: Seen, now: datetime, policy: Policy) -> Decision:
    """Return what to do next."""
    ours = [child for child in seen.children if repository.metadata.uid in (child.job.claimed_by, child.job.owner)]
    recorded = [past.job for past in repository.status.history if past.job]
    ended = {child.job.name: child.job for child in ours if not child.job.active}
    told = [ended[name] for name in dict.fromkeys(recorded) if name in ended]
    delete = surplus(told, GOOD_JOBS_KEPT, FAILED_JOBS_KEPT)
    repository, runs = _told(repository, ours, recorded, {job.name for job in delete}, now)
    active = [child for child in ours if child.job.active]
    hopeless = [child for child in active if not child.job.deleting and _is_hopeless(repository, child, now, policy)]
    for child in hopeless:
        delete.append(child.job)
        if child.is_stuck(now):
            run = child.given_up(now)
            repository, runs = _with(repository, statuses.ended(repository, run)), (*runs, run)
        else:
            repository = _with(repository, repository.status.model_copy(update={"state": "pending"}))
    if not active and not runs and repository.status.state == "in_progress":
        repository = _with(repository, statuses.lost(repository, now))
    step = _next(repository, seen, [child for child in active if child not in hopeless], now, policy)
    if hopeless and step.start is not None:  # the next one is made once these are gone; their end wakes us
        step = Decision(step.idle or step.status, step.revisit)
    soon = min(step.revisit, now + policy.resync)
    return replace(step, revisit=soon, delete=tuple(delete), runs=(*runs, *step.runs))


def _is_hopeless(repository: Repository, child: Child, now: datetime, policy: Policy) -> bool:
    """Whether a Job is given up: stuck for long, or stuck with a spec or an image that was changed since."""
    job = child.job
    edited = job.generation not in (None, repository.metadata.generation)
    outdated = edited or (policy.image is not None and job.image not in (None, policy.image))
    return child.is_stuck(now) or (outdated and child.is_hopeless())


def _told(
    repository: Repository, children: Sequence[Child], recorded: Sequence[str], deleted: set[str], now: datetime
) -> tuple[Repository, tuple[Run, ...]]:
    """Return the Repository with the ends of Jobs in its status that were not told yet, and those ends."""
    kept = frozenset(child.job.name for child in children if child.job.name not in deleted)
    fresh = [child for child in children if not child.job.active and child.job.name not in recorded]
    runs = []
    for child in sorted(fresh, key=lambda each: (each.job.finished_at or each.job.created_at, each.job.name)):
        run = child.run()
        # The cluster's clock may be ahead of ours. A time to come in the status would count as a clock set back.
        run = replace(run, started_at=min(run.started_at, now), finished_at=min(run.finished_at, now))
        repository = _with(repository, statuses.ended(repository, run, kept=kept))
        repository = _answered(repository, child.job)
        runs.append(run)
    return repository, tuple(runs)


def _next(repository: Repository, seen: Seen, active: Sequence[Child], now: datetime, policy: Policy) -> Decision:
    far = now + policy.resync
    if active:
        return Decision(_working(repository, active[0], now), _watch(active[0], now, far))
    if seen.older is not None:
        return Decision(statuses.unqueued(statuses.duplicate(repository, seen.older, now)), far)
    if repository.spec.suspend:
        return Decision(statuses.unqueued(statuses.suspended(repository, now)), far)
    repository = _with(repository, statuses.seen(repository, now))
    if any(child.job.active and child.job.claimed_by for child in seen.children):
        # Of an object of this name that is gone. The garbage collector ends it, and that wakes us.
        return Decision(statuses.unqueued(repository.status), far)
    coming = _with_a_free_name(repository, due(repository, now), seen.children)
    # What is due this very moment has no time worth telling, and one that moves would be written at every visit.
    at = coming.at if coming.at != now else None
    status = repository.status.model_copy(update={"next_extraction_time": at})
    if not coming.has_come(now):
        return Decision(statuses.unqueued(status), coming.at or far)
    return _at_last(_with(repository, status), seen, coming, now, policy)


def _with_a_free_name(repository: Repository, coming: Due, children: Sequence[Child]) -> Due:
    """
    Return what is due under a name that no Job has yet.

    One may have it that ended long ago: the clock was set back, or a request is made in the same words again.
    """
    taken, slot = {child.job.name for child in children}, coming.slot
    while job_of(repository, slot) in taken:
        slot += "+"
    return replace(coming, slot=slot)


def _at_last(repository: Repository, seen: Seen, coming: Due, now: datetime, policy: Policy) -> Decision:
    """Return what to do now that the time has come: look at the git host, or make the Job."""
    far = now + policy.resync
    if not (policy.checks and _may_skip(repository, coming, now)):
        return _start(repository, coming, far)
    check = seen.check if seen.check is not None and seen.check.slot == coming.slot else None
    if check is None:
        return Decision(repository.status, far, check=coming)
    verdict = statuses.verdict_of_check(check.run)
    if verdict is None or (verdict.situation is Situation.GOOD and _is_news(repository, check)):
        return _start(repository, coming, far)
    if verdict.situation is Situation.GOOD:
        status = statuses.unchanged(repository, check.run)
        runs: tuple[Run, ...] = ()
    else:
        status, runs = statuses.ended(repository, check.run, verdict=verdict), (check.run,)
    rested = _with(repository, statuses.unqueued(status))
    again = due(rested, now)
    return Decision(rested.status.model_copy(update={"next_extraction_time": again.at}), again.at or far, runs=runs)


def _may_skip(repository: Repository, coming: Due, now: datetime) -> bool:
    """Whether a look at the git host may show that no extraction is needed, and may be had from here."""
    status, spec = repository.status, repository.spec
    last = status.last_extraction
    ready = find(status.conditions, READY)
    fine = ready is not None and (ready.status == "True" or ready.reason == NEW_GENERATION)
    return (
        coming.token is None
        and spec.secret_ref is None  # the operator reads no Secret: the pod looks
        and spec.mailmap is None  # nor a ConfigMap, which may be another one now
        and spec.url.scheme == "https"
        and status.refs_digest is not None
        and status.url == str(spec.url)  # else the rows have another address yet, whatever the host lists
        and status.consecutive_failures == 0
        and fine
        and last is not None
        and last.outcome == Outcome.SUCCEEDED
        and last.finished_at <= now < last.finished_at + spec.max_skip
        and not statuses.metadata_is_due(repository, now)
    )


def _is_news(repository: Repository, check: Check) -> bool:
    return check.run.text("refsDigest") != repository.status.refs_digest


def _start(repository: Repository, coming: Due, far: datetime) -> Decision:
    """Return the decision to make a Job. Its status is written after the Job, the idle one if none can be made."""
    changes: dict[str, object] = {"next_extraction_time": None}
    if coming.token is not None:
        changes["last_handled_request"] = coming.token
    status = statuses.unqueued(statuses.running(repository)).model_copy(update=changes)
    return Decision(status, far, start=coming, idle=repository.status)


def _working(repository: Repository, child: Child, now: datetime) -> RepositoryStatus:
    """Return the status while a Job runs, or fails to."""
    repository = _answered(_with(repository, statuses.seen(repository, now)), child.job)
    status = statuses.unqueued(statuses.running(repository))
    trouble = child.trouble()
    if trouble is not None:
        status = statuses.troubled(_with(repository, status), trouble, now).model_copy(update={"state": "pending"})
    return status.model_copy(update={"next_extraction_time": None})


def _watch(child: Child, now: datetime, far: datetime) -> datetime:
    """Return when to look at a Job again should no event come: a stuck one is given up in time."""
    given_up = child.job.created_at + STUCK_AFTER
    return min(far, given_up) if given_up > now and child.trouble() is not None else far


def _answered(repository: Repository, job: JobSeen) -> Repository:
    """Return the Repository with the request that a Job answers marked as handled."""
    if job.token is None or job.token != requested(repository.metadata.annotations):
        return repository
    return _with(repository, repository.status.model_copy(update={"last_handled_request": job.token}))


def _with(repository: Repository, status: RepositoryStatus) -> Repository:
    return repository.model_copy(update={"status": status})
