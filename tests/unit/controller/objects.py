"""Resources and runs for the tests of decisions."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

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
            "spec": {"url": url},
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
