"""
What visits of both kinds share: reading what is known, writing what was decided.

A visit writes in one order, delete, make, status, and each write may be the last one of this process: whatever is
left undone is decided again from what is there. A status is written only if it differs from what is there, and only
onto the version that was read.
"""

from __future__ import annotations

import asyncio
import json
from collections.abc import Awaitable, Callable, Iterable, Sequence
from contextlib import suppress
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from typing import Any, Protocol, TypeVar

from pydantic import ValidationError

from gitmart.controller.children import Child
from gitmart.controller.conditions import (
    INVALID_POD_TEMPLATE,
    READY,
    RECONCILING,
    Situation,
    Verdict,
    find,
)
from gitmart.controller.observed import JobSeen, PodSeen, WarningSeen, job_seen, pod_seen
from gitmart.controller.runs import Run
from gitmart.controller.transformation import FOREIGN_CRON_JOB
from gitmart.handlers.awaited import Awaited, at_least
from gitmart.handlers.cluster import EVENT, JOB, POD, Cluster, Kind
from gitmart.handlers.errors import AlreadyExistsError, ForbiddenError, InvalidError, NotFoundError
from gitmart.handlers.events import Latest
from gitmart.handlers.index import REPOSITORY, Indexes, Key, Stored
from gitmart.handlers.patches import merge_patch
from gitmart.resources.base import Condition, ObjectMeta, Resource, Status
from gitmart.resources.labels import DBTSCHEDULE_LABEL, JOB_NAME_LABELS, REPOSITORY_LABEL
from gitmart.workloads.jobs import owned_by
from gitmart.workloads.pods import WorkerSettings

FIRST_REPEAT, LAST_REPEAT = 60.0, 900.0  # seconds until what the API server refused is tried again
WAIT_FOR_WATCH = 1.0  # seconds; the watch wakes us earlier
UNSEEN_LIMIT = 30.0  # seconds after which a write that the watch has not shown is looked up
# A Job none of whose pods has started is looked at again so often: some reasons stand in Events alone.
STARTING_LOOK = 15.0  # seconds
# What the process before us wrote so shortly before it ended was perhaps not told.
UNTOLD = timedelta(minutes=2)
FOREIGN_JOB = "ForeignJob"
FORBIDDEN = "Forbidden"
REFUSALS = (FORBIDDEN, FOREIGN_JOB, FOREIGN_CRON_JOB)  # no event tells when these are over

ResourceT = TypeVar("ResourceT", bound=Resource)
StatusT = TypeVar("StatusT", bound=Status)


class Notify(Protocol):
    """Tells people something of a resource, as an Event. It never fails."""

    def __call__(self, resource: Resource, kind: str, reason: str, message: str) -> None:
        """Tell it; `kind` is Normal or Warning."""


class Meter(Protocol):
    """Who is told of ends and states, such as the metrics."""

    def ended(self, resource: Resource, run: Run) -> None:
        """Take note of a run that ended."""

    def visited(self, resource: Resource) -> None:
        """Take note of a resource and its status as they are now."""

    def gone(self, kind: str, namespace: str, name: str) -> None:
        """Take note that a resource is gone."""


@dataclass(frozen=True, slots=True)
class Surroundings:
    """What a visit works with."""

    indexes: Indexes
    cluster: Cluster
    awaited: Awaited[Key]
    workers: WorkerSettings
    notify: Notify
    meter: Meter
    wake: Callable[[Key], None]
    now: Callable[[], datetime] = field(default=lambda: datetime.now(UTC).replace(microsecond=0))
    told: Latest[str, Condition | None] = field(default_factory=Latest)  # by uid: Ready, as people know it
    began: datetime = field(init=False)

    def __post_init__(self) -> None:
        object.__setattr__(self, "began", self.now())  # the class is frozen


class Refused(Exception):  # noqa: N818 # no failure of ours
    """The API server will not have an object; `verdict` says what that means for the resource."""

    def __init__(self, verdict: Verdict) -> None:
        super().__init__(verdict.message)
        self.verdict = verdict


async def settled(at: Surroundings, key: Key) -> bool:
    """Whether all that was written for the key is seen. A write that is long unseen is given up once nothing is left."""
    age = at.awaited.age(key)
    if age is None:
        return True
    if age > UNSEEN_LIMIT:
        await _give_up_on_gone(at, key)
    return at.awaited.age(key) is None


async def _give_up_on_gone(at: Surroundings, key: Key) -> None:
    """Await nothing any more if the resource's Jobs are just those that the watch has shown."""
    label = f"{REPOSITORY_LABEL if key.kind == REPOSITORY else DBTSCHEDULE_LABEL}={key.name}"
    there = {job["metadata"]["uid"] for job in await at.cluster.list(JOB, key.namespace, labels=label)}
    if there == {job.uid for job in at.indexes.jobs_of(key)}:
        at.awaited.forget(key)


async def children_of(at: Surroundings, key: Key, resource: Resource, told: Iterable[str | None]) -> list[Child]:
    """
    Return the Jobs with the resource's label and their pods. One whose owner reference is lost gets it back.

    An end that was not told yet is confirmed first: the Job is read anew, since it may have been deleted after it
    was told, and its pods too if their ends are not seen. Jobs of an object that had the name before are among them.
    """
    known = set(told)
    found: list[Child] = []
    for job in at.indexes.jobs_of(key):
        child: Child | None = Child(job, at.indexes.pods_of(key.namespace, job.name))
        if child is not None and job.claimed_by == resource.metadata.uid:
            if job.owner is None and not job.deleting:
                await _adopt(at, key, resource, job)
            unsure = not job.active and job.name not in known
            child = await _confirmed(at, key, child) if unsure else await _explained(at, key, child)
        if child is not None:
            found.append(child)
    return found


async def _adopt(at: Surroundings, key: Key, resource: Resource, job: JobSeen) -> None:
    metadata = {"ownerReferences": owned_by(resource, key.kind), "resourceVersion": job.version, "uid": job.uid}
    await at.cluster.patch(JOB, key.namespace, job.name, {"metadata": metadata})


async def _confirmed(at: Surroundings, key: Key, child: Child) -> Child | None:
    try:
        job = job_seen(await at.cluster.get(JOB, key.namespace, child.job.name))
    except NotFoundError:
        return None
    if job.uid != child.job.uid:
        return None
    if any(pod.exit_code is not None for pod in child.pods):
        return replace(child, job=job)
    return replace(child, job=job, pods=await _pods(at, key, job.name))


async def _pods(at: Surroundings, key: Key, job: str) -> list[PodSeen]:
    label = f"{JOB_NAME_LABELS[0]}={job}"
    return [pod_seen(body) for body in await at.cluster.list(POD, key.namespace, labels=label)]


async def _explained(at: Surroundings, key: Key, child: Child) -> Child:
    """Return a Job that does not get to work with the warnings that say why: they stand in Events alone."""
    job = child.job
    age = (at.now() - job.created_at).total_seconds()
    if not job.active or job.suspended or child.ran or child.trouble() is not None or age < STARTING_LOOK / 2:
        return child
    about = [job.uid, *(pod.uid for pod in child.pods)]
    warnings = [warning for uid in about for warning in await _warnings(at, key, uid)]
    return replace(child, warnings=warnings)


async def _warnings(at: Surroundings, key: Key, uid: str) -> list[WarningSeen]:
    events = await at.cluster.list(EVENT, key.namespace, fields=f"involvedObject.uid={uid},type=Warning")
    return [
        WarningSeen(str(event.get("reason")), str(event.get("message")), datetime.fromisoformat(when))
        for event in events
        if (when := event.get("lastTimestamp") or event.get("eventTime"))
    ]


def older_of(at: Surroundings, key: Key, claimed: tuple[str, ...], model: type[ResourceT]) -> ResourceT | None:
    """Return the object that has the address or target, None when it is the key's own. One that is invalid has none."""
    for claim in sorted(at.indexes.claims(key.kind, claimed)):
        if (claim.namespace, claim.name) == (key.namespace, key.name):
            return None
        stored = at.indexes.resource(Key(key.kind, claim.namespace, claim.name))
        with suppress(ValidationError):
            if stored is not None:
                return read_resource(model, document_of(stored))
    return None


def look_again(children: Sequence[Child], known: Sequence[Condition], now: datetime, seconds: float) -> float:
    """Return when to come again: soon while a Job has not started, now and then while something is refused."""
    if any(child.job.active and not child.job.suspended and not child.ran for child in children):
        return min(seconds, STARTING_LOOK)
    trouble = find(known, RECONCILING)
    if trouble is None or trouble.reason not in REFUSALS:
        return seconds
    lasted = (now - trouble.last_transition_time).total_seconds()  # so the pauses double
    return min(seconds, max(FIRST_REPEAT, min(lasted, LAST_REPEAT)))


async def delete_jobs(at: Surroundings, key: Key, jobs: Iterable[JobSeen]) -> None:
    """Delete Jobs with their pods. One that never ended stays in sight until its pods are gone."""
    for job in jobs:
        # An active one is given up as it was seen. If it has changed since, it may have ended or come to work.
        propagation, version = ("Foreground", job.version) if job.active else ("Background", None)
        await at.cluster.delete(JOB, key.namespace, job.name, job.uid, propagation, version)
        at.awaited.add(key, lambda job=job: _is_gone(at, key, job))  # type: ignore[misc]


def _is_gone(at: Surroundings, key: Key, job: JobSeen) -> bool:
    return all(each.uid != job.uid or each.deleting for each in at.indexes.jobs_of(key))


async def make_job(at: Surroundings, key: Key, body: dict[str, Any], owner: str) -> None:
    """Make a Job, or find that it is there already. Raises Refused."""
    name = body["metadata"]["name"]
    with_reasons = _refusals(f"the Job {name}")
    try:
        made = await with_reasons(at.cluster.create(JOB, key.namespace, body))
    except AlreadyExistsError:
        made = await at.cluster.get(JOB, key.namespace, name)
        if job_seen(made).claimed_by != owner:
            message = f"a Job named {name} is there already and is not ours: delete it"
            raise Refused(Verdict(Situation.RETRYING, FOREIGN_JOB, message)) from None
    version, uid = made["metadata"]["resourceVersion"], made["metadata"]["uid"]
    at.awaited.add(
        key, lambda: any(job.uid == uid and at_least(job.version, version) for job in at.indexes.jobs_of(key))
    )


def _refusals(what: str) -> Callable[[Awaitable[dict[str, Any]]], Awaitable[dict[str, Any]]]:
    """Return a wrapper that turns the API server's refusals of an object into verdicts."""

    async def judged(request: Awaitable[dict[str, Any]]) -> dict[str, Any]:
        try:
            return await request
        except InvalidError as error:
            message = f"{what} is refused: {error.message}"
            raise Refused(Verdict(Situation.STALLED, INVALID_POD_TEMPLATE, message)) from None
        except ForbiddenError as error:
            raise Refused(Verdict(Situation.RETRYING, FORBIDDEN, f"{what} is refused: {error.message}")) from None

    return judged


async def apply_object(at: Surroundings, kind: Kind, key: Key, body: dict[str, Any]) -> dict[str, Any]:
    """Make an object so. Raises Refused."""
    what = f"the {kind.name} {body['metadata']['name']}"
    return await _refusals(what)(at.cluster.apply(kind, key.namespace, body["metadata"]["name"], body))


async def delete_object(at: Surroundings, kind: Kind, key: Key, name: str, uid: str, propagation: str) -> None:
    """Delete an object. Raises Refused when we may not."""
    try:
        await at.cluster.delete(kind, key.namespace, name, uid, propagation)
    except ForbiddenError as error:
        message = f"that the {kind.name} {name} is deleted is refused: {error.message}"
        raise Refused(Verdict(Situation.RETRYING, FORBIDDEN, message)) from None


async def write_status(
    at: Surroundings, kind: Kind, key: Key, stored: Stored, before: dict[str, Any], after: Status
) -> bool:
    """Write the status if it differs; return whether it did. Raises ConflictError when the object has changed."""
    patch = merge_patch(before, after.model_dump(mode="json", by_alias=True, exclude_none=True))
    if not patch:
        return False
    body = {"metadata": {"resourceVersion": stored.version}, "status": patch}
    written = await at.cluster.patch_status(kind, key.namespace, key.name, body)
    version = written["metadata"]["resourceVersion"]

    def seen() -> bool:
        now = at.indexes.resource(key)
        return now is None or now.uid != stored.uid or at_least(now.version, version)

    at.awaited.add(key, seen)
    return True


def tell_ready(at: Surroundings, resource: Resource, before: Sequence[Condition], after: Sequence[Condition]) -> None:
    """
    Tell people when Ready says something else than they know. To be called whenever a status is known to be stored.

    What they know is remembered, since a write may go through without an answer: the next visit finds it done.
    """
    uid, was, now = resource.metadata.uid or "", find(before, READY), find(after, READY)
    if uid in at.told:
        was = at.told[uid]
    elif was is not None and was.status == "False" and at.began - UNTOLD < was.last_transition_time <= at.began:
        was = None
    at.told[uid] = now
    _tell(at, resource, was, now)


def tell_changes(
    at: Surroundings, resource: Resource, before: Sequence[Condition], after: Sequence[Condition], kind: str
) -> None:
    """Tell people when a condition says something else than before."""
    _tell(at, resource, find(before, kind), find(after, kind))


def _tell(at: Surroundings, resource: Resource, was: Condition | None, now: Condition | None) -> None:
    if (
        now is None
        or now.status == "Unknown"
        or (was is not None and (was.status, was.reason) == (now.status, now.reason))
    ):
        return
    if now.status == "True" and was is not None and was.status == "True":
        return  # an extraction or a check: the same to whoever waits for it
    at.notify(resource, "Normal" if now.status == "True" else "Warning", now.reason, now.message)


def read_resource(model: type[ResourceT], document: dict[str, Any]) -> ResourceT:
    """
    Return the resource; one whose status cannot be read, such as for an edit by hand, begins with none.

    Raises ValidationError when it is the spec that is wrong.
    """
    try:
        return model.parse(document)
    except ValidationError:
        return model.parse({**document, "status": {}})


def read_status(model: type[StatusT], document: dict[str, Any]) -> StatusT:
    """Return the status alone, a fresh one if it cannot be read."""
    try:
        return model.model_validate(document.get("status", {}))
    except ValidationError:
        return model()


def document_of(stored: Stored) -> dict[str, Any]:
    """Return the resource's JSON."""
    document: dict[str, Any] = json.loads(stored.document)
    return document


def named(model: type[Resource], document: dict[str, Any]) -> Resource:
    """Return a resource of which nothing but the name is known: for telling people that the rest is invalid."""
    known = {name: document["metadata"].get(name) for name in ("name", "namespace", "uid")}
    return model.model_construct(metadata=ObjectMeta.model_construct(**known))


async def cancelled(task: asyncio.Task[Any]) -> None:
    """Cancel a task and wait for its end."""
    task.cancel()
    await asyncio.gather(task, return_exceptions=True)
