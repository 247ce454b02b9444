"""Resources and runs for the tests of decisions."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta
from typing import Any, cast

from gitmart.controller.observed import JobSeen, PodSeen
from gitmart.controller.runs import Run
from gitmart.resources.dbtschedule import DbtSchedule
from gitmart.resources.repository import Repository

T0 = datetime(2026, 1, 1, tzinfo=UTC)
SECOND = timedelta(seconds=1)


def a_repository(name: str = "one", url: str = "https://git.example.org/a", **metadata: Any) -> Repository:
    return Repository.parse(
        {
            "apiVersion": "gitmart.dev/v1alpha1",
            "kind": "Repository",
            "metadata": {"name": name, "uid": name, "creationTimestamp": "2026-01-01T00:00:00Z", **metadata},
            "spec": {"url": url} | ({"secretRef": {"name": "git"}} if url.startswith("ssh:") else {}),
        }
    )


def a_schedule(name: str = "analytics", **metadata: Any) -> DbtSchedule:
    return DbtSchedule.parse(
        {
            "apiVersion": "gitmart.dev/v1alpha1",
            "kind": "DbtSchedule",
            "metadata": {"name": name, "uid": name, "creationTimestamp": "2026-01-01T00:00:00Z", **metadata},
            "spec": {"schedule": "0 */6 * * *"},
        }
    )


def a_run(outcome: str | None = "Succeeded", exit_code: int = 0, **facts: Any) -> Run:
    """Return a run that ended ten seconds after it started; `outcome` None is one without a result."""
    system = {name: facts.pop(name) for name in ("deadline_exceeded", "out_of_memory") if name in facts}
    result = None if outcome is None else {"outcome": outcome, "message": f"it was {outcome}", **facts}
    return Run(started_at=T0, finished_at=T0 + 10 * SECOND, exit_code=exit_code, result=result, **system)


def a_job(name: str = "one-1", *, uid: str = "one", at: datetime = T0, ended: str = "", **changes: Any) -> JobSeen:
    """Return a Job of the object with this uid; `ended` is `complete`, `failed` or empty while it is active."""
    known: dict[str, Any] = {
        "uid": f"uid-of-{name}", "version": "1", "owner": uid, "claimed_by": uid, "resource": "one", "slot": "",
        "token": None, "generation": 1, "host": "git.example.org", "started_at": at,
        "finished_at": at + 10 * SECOND if ended else None, "reason": "", "message": "", "deleting": False,
    }  # fmt: skip
    return JobSeen(name=name, created_at=at, state=cast(Any, ended or "active"), **(known | changes))


def a_pod(job: str = "one-1", at: datetime = T0, **changes: Any) -> PodSeen:
    """Return a pod of a Job that was just made, unless the changes say more."""
    known: dict[str, Any] = {
        "uid": f"uid-of-{job}-x", "phase": "Pending", "reason": "", "message": "", "ran": False, "exit_code": None,
        "ended_as": "", "told": "", "started_at": None, "finished_at": None, "waiting": "", "waiting_message": "",
        "unschedulable": "",
    }  # fmt: skip
    return PodSeen(name=f"{job}-x", job=job, created_at=at, **(known | changes))


def an_ended_pod(job: str = "one-1", outcome: str | None = "Succeeded", code: int = 0, **facts: Any) -> PodSeen:
    """Return a pod whose container has ended and left a result; none if `outcome` is None."""
    told = {"version": 1, "outcome": outcome, "message": f"it was {outcome}", **facts}
    return a_pod(
        job, phase="Failed" if code else "Succeeded", ran=True, exit_code=code, finished_at=T0 + 9 * SECOND,
        told="" if outcome is None else json.dumps(told),
    )  # fmt: skip
