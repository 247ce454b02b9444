"""
What is seen of the children of a resource: Jobs and their pods, cut down to what decisions need.

The functions read the API's own JSON and never fail on it: a field that is missing was not told. The dataclasses
are small, because the operator holds one for every Job and pod of the cluster that is ours.
"""

from __future__ import annotations

import re
import sys
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, Literal

from gitmart.contract.kinds import REQUESTED_AT
from gitmart.resources.labels import (
    DBTSCHEDULE_LABEL,
    FETCHER,
    FULL_REFRESH,
    GENERATION,
    GIT_HOST,
    IMAGE,
    JOB_NAME_LABELS,
    OWNER_UID,
    REPOSITORY_LABEL,
    SLOT,
    URL,
    WORKER,
)

JobState = Literal["active", "complete", "failed"]
Json = Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class JobSeen:
    """
    A Job. `owner` is the uid of its controller, None for an orphan; `claimed_by` is the uid it was made for.

    `finished_at` is None while it is active. `reason` and `message` are those of a failed Job's condition.
    """

    name: str
    uid: str
    version: str
    owner: str | None
    claimed_by: str | None
    resource: str
    slot: str
    token: str | None
    generation: int | None
    host: str
    created_at: datetime
    started_at: datetime | None
    finished_at: datetime | None
    state: JobState
    reason: str
    message: str
    deleting: bool
    suspended: bool = False  # somebody else, such as Kueue, decides when it starts
    image: str | None = None  # None: not told
    url: str | None = None  # that an extraction reads; None: not told
    full_refresh: bool = False

    @property
    def active(self) -> bool:
        """Whether it has not ended."""
        return self.state == "active"


@dataclass(frozen=True, slots=True)
class PodSeen:
    """
    A pod of a Job and its container that works; while one that fetches runs before it, or has failed, that one.

    `exit_code` is None until the container has ended; `told` is its termination message. `waiting` is why it
    cannot start, as the kubelet names it, `unschedulable` why no node takes it. `ran`: it has started at all.
    """

    name: str
    uid: str
    job: str
    created_at: datetime
    phase: str
    reason: str
    message: str
    ran: bool
    exit_code: int | None
    ended_as: str
    told: str
    started_at: datetime | None
    finished_at: datetime | None
    waiting: str
    waiting_message: str
    unschedulable: str


@dataclass(frozen=True, slots=True)
class CronJobSeen:
    """
    A CronJob. `generation` rises with every change of its spec, whoever makes it.

    `resource` is the DbtSchedule that its label names.
    """

    name: str
    uid: str
    version: str
    owner: str | None
    generation: int
    last_schedule_time: datetime | None
    resource: str = ""
    deleting: bool = False


@dataclass(frozen=True, slots=True)
class WarningSeen:
    """The latest Warning event about a Job or pod that says why nothing runs."""

    reason: str
    message: str
    at: datetime


def job_seen(body: Json) -> JobSeen:
    """Return what a Job's JSON says."""
    metadata, status = body.get("metadata", {}), body.get("status", {})
    annotations, labels = metadata.get("annotations") or {}, metadata.get("labels") or {}
    ended = _ending(status.get("conditions") or ())
    generation = annotations.get(GENERATION, "")
    state: JobState = "active" if ended is None else "complete" if ended.get("type") == "Complete" else "failed"
    return JobSeen(
        name=metadata.get("name", ""),
        uid=metadata.get("uid", ""),
        version=metadata.get("resourceVersion", ""),
        owner=controller_of(metadata),
        claimed_by=annotations.get(OWNER_UID),
        resource=labels.get(REPOSITORY_LABEL) or labels.get(DBTSCHEDULE_LABEL) or "",
        slot=annotations.get(SLOT, ""),
        token=annotations.get(REQUESTED_AT),
        generation=int(generation) if re.fullmatch("[0-9]{1,15}", generation) else None,
        host=annotations.get(GIT_HOST, ""),
        created_at=_time(metadata.get("creationTimestamp")) or datetime.min.replace(tzinfo=UTC),
        started_at=_time(status.get("startTime")),
        finished_at=_time(ended.get("lastTransitionTime")) if ended else None,
        state=state,
        reason=ended.get("reason", "") if ended else "",
        message=ended.get("message", "") if ended else "",
        deleting=metadata.get("deletionTimestamp") is not None,
        suspended=bool(body.get("spec", {}).get("suspend")),
        url=annotations.get(URL),
        full_refresh=annotations.get(FULL_REFRESH) == "true",
        image=sys.intern(annotations[IMAGE]) if IMAGE in annotations else None,  # one text for a thousand Jobs
    )


def pod_seen(body: Json) -> PodSeen:
    """Return what a pod's JSON says."""
    metadata, status = body.get("metadata", {}), body.get("status", {})
    labels = metadata.get("labels") or {}
    worker = _telling(status)
    state, before = worker.get("state") or {}, worker.get("lastState") or {}
    ended = state.get("terminated") or before.get("terminated") or {}
    waiting = state.get("waiting") or {}
    return PodSeen(
        name=metadata.get("name", ""),
        uid=metadata.get("uid", ""),
        job=next((labels[name] for name in JOB_NAME_LABELS if name in labels), ""),
        created_at=_time(metadata.get("creationTimestamp")) or datetime.min.replace(tzinfo=UTC),
        phase=status.get("phase", ""),
        reason=status.get("reason", ""),
        message=status.get("message", ""),
        ran=bool(ended or "running" in state),
        exit_code=ended.get("exitCode"),
        ended_as=ended.get("reason", ""),
        told=ended.get("message", ""),
        started_at=_time(ended.get("startedAt")),
        finished_at=_time(ended.get("finishedAt")),
        waiting=waiting.get("reason", ""),
        waiting_message=waiting.get("message", ""),
        unschedulable=_unschedulable(status.get("conditions") or ()),
    )


def cron_job_seen(body: Json) -> CronJobSeen:
    """Return what a CronJob's JSON says."""
    metadata, status = body.get("metadata", {}), body.get("status", {})
    return CronJobSeen(
        name=metadata.get("name", ""),
        uid=metadata.get("uid", ""),
        version=metadata.get("resourceVersion", ""),
        owner=controller_of(metadata),
        generation=metadata.get("generation", 0),
        last_schedule_time=_time(status.get("lastScheduleTime")),
        resource=(metadata.get("labels") or {}).get(DBTSCHEDULE_LABEL, ""),
        deleting=metadata.get("deletionTimestamp") is not None,
    )


def controller_of(metadata: Json) -> str | None:
    """Return the uid of the object's controller."""
    owners = metadata.get("ownerReferences") or ()
    return next((owner.get("uid") for owner in owners if owner.get("controller")), None)


def _ending(conditions: Iterable[Json]) -> Json | None:
    """Return the condition that says a Job is over. FailureTarget and SuccessCriteriaMet come before and do not."""
    holding = [each for each in conditions if each.get("status") == "True"]
    return next((each for each in holding if each.get("type") in ("Complete", "Failed")), None)


def _telling(status: Json) -> Json:
    """Return the status of the container that tells of the pod: others may have been added by anybody."""
    fetcher = _named(FETCHER, status.get("initContainerStatuses") or ())
    done = (fetcher.get("state") or {}).get("terminated") or {}
    if fetcher and done.get("exitCode") != 0:
        return fetcher
    return _named(WORKER, status.get("containerStatuses") or ())


def _named(name: str, containers: Iterable[Json]) -> Json:
    return next((each for each in containers if each.get("name") == name), {})


def _unschedulable(conditions: Iterable[Json]) -> str:
    for each in conditions:
        if (
            each.get("type") == "PodScheduled"
            and each.get("status") == "False"
            and each.get("reason") == "Unschedulable"
        ):
            return str(each.get("message", ""))
    return ""


def _time(text: object) -> datetime | None:
    """Return a time of the API, None when there is none."""
    return datetime.fromisoformat(text) if isinstance(text, str) and text else None
