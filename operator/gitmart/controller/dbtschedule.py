"""
What a DbtSchedule's status says. Every function returns a new status.

`Ready` is about the schedule: accepted and in place. How runs went is `LastRunSucceeded` and `SourcesFresh`.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime, timedelta
from typing import Any

from gitmart.controller import conditions
from gitmart.controller.conditions import Situation, State, Verdict
from gitmart.controller.runs import Run, verdict_of
from gitmart.resources.base import Condition
from gitmart.resources.dbtschedule import (
    FAILURES_LIMIT,
    HISTORY_LIMIT,
    LONGEST_LAG,
    SLOWEST_LIMIT,
    SOURCES_LIMIT,
    DbtSchedule,
    DbtScheduleStatus,
    LastRun,
    NodeFailure,
    NodeTime,
    PastRun,
    SourceAge,
)

Target = tuple[str, str, str]

CONFLICT = "TargetConflict"
LAST_RUN_SUCCEEDED = "LastRunSucceeded"
SOURCES_FRESH = "SourcesFresh"


def accepted(schedule: DbtSchedule, message: str, now: datetime) -> DbtScheduleStatus:
    """Return the status of a schedule that is in place; `message` says who runs it."""
    return _updated(schedule, Verdict(Situation.GOOD, "Accepted", message), now)


def suspended(schedule: DbtSchedule, now: datetime) -> DbtScheduleStatus:
    """Return the status while spec.suspend is true."""
    verdict = Verdict(Situation.ROUTINE, "Suspended", "spec.suspend is true: no run is started")
    generation = schedule.metadata.generation
    known = schedule.status.conditions
    stalled = conditions.find(known, conditions.STALLED)
    if stalled is not None and stalled.reason in (CONFLICT, conditions.INVALID_SPEC):  # whoever calls this saw neither
        known = conditions.without(known, conditions.READY, conditions.STALLED)
    rested = conditions.resting(known, verdict, generation, now)
    return schedule.status.model_copy(update={"observed_generation": generation, "conditions": rested})


def invalid(status: DbtScheduleStatus, mistakes: Sequence[str], generation: int, now: datetime) -> DbtScheduleStatus:
    """Return the status of an object whose spec breaks a rule that its schema cannot tell."""
    verdict = Verdict(Situation.STALLED, conditions.INVALID_SPEC, "; ".join(mistakes))
    known = conditions.judged(status.conditions, verdict, generation, now)
    return status.model_copy(update={"observed_generation": generation, "conditions": known})


def troubled(schedule: DbtSchedule, verdict: Verdict, now: datetime) -> DbtScheduleStatus:
    """Return the status while something keeps the CronJob from being what it should be."""
    return _updated(schedule, verdict, now)


def conflicting(schedule: DbtSchedule, working: DbtSchedule, now: datetime) -> DbtScheduleStatus:
    """Return the status of a schedule whose target another one, `working`, has already."""
    name = f"{working.metadata.namespace}/{working.metadata.name}"
    schema = working.spec.target.schema_name
    message = (
        f"{name} is older and writes schema {schema} of the same warehouse: delete one of the two, or give one another "
        "spec.target.schema"
    )
    return _updated(schedule, Verdict(Situation.STALLED, CONFLICT, message), now)


def ended(schedule: DbtSchedule, run: Run) -> DbtScheduleStatus:
    """Return the status after a run; when the next one comes is not said."""
    verdict = verdict_of(run)
    good = verdict.situation is Situation.GOOD
    generation = schedule.metadata.generation if run.generation is None else run.generation
    now = run.finished_at
    known: list[Condition] = list(schedule.status.conditions)
    if verdict.situation is not Situation.ROUTINE:
        known = conditions.put(known, LAST_RUN_SUCCEEDED, "True" if good else "False", verdict, generation, now)
    freshness = _freshness(run)
    if freshness is not None:
        known = conditions.put(known, SOURCES_FRESH, freshness[0], freshness[1], generation, now)
    return schedule.status.model_copy(
        update={
            "last_schedule_time": run.started_at,
            "next_schedule_time": None,
            "next_full_refresh_time": None,
            "last_successful_time": run.finished_at if good else schedule.status.last_successful_time,
            "last_run": _last_run(run, verdict),
            "history": _history(schedule.status.history, run, verdict),
            "conditions": known,
        }
    )


def working_of(schedules: Iterable[DbtSchedule]) -> dict[Target, DbtSchedule]:
    """Return, by target, the schedule that works: of several with one target the oldest."""
    working: dict[Target, DbtSchedule] = {}
    for schedule in sorted(schedules, key=age):
        working.setdefault(target_of(schedule), schedule)
    return working


def target_of(schedule: DbtSchedule) -> Target:
    """Return what two schedules must not share: namespace, warehouse, schema."""
    return schedule.metadata.namespace, schedule.spec.warehouse_ref.name, schedule.spec.target.schema_name


def age(schedule: DbtSchedule) -> tuple[float, str, str]:
    """Return what schedules are ordered by where one of several goes first: the oldest has the least."""
    metadata = schedule.metadata
    created = metadata.creation_timestamp.timestamp() if metadata.creation_timestamp else float("inf")
    return created, metadata.namespace, metadata.name


def _history(known: list[PastRun], run: Run, verdict: Verdict) -> list[PastRun]:
    """Return the history with a run in it, by the time of its end: what it names no more is older than all it names."""
    entry = PastRun(
        job=run.job, finished_at=run.finished_at, outcome=verdict.reason, full_refresh=run.full_refresh or None
    )
    return sorted([entry, *known], key=lambda past: (past.finished_at, past.job or ""), reverse=True)[:HISTORY_LIMIT]


def _last_run(run: Run, verdict: Verdict) -> LastRun:
    return LastRun(
        job=run.job,
        started_at=run.started_at,
        finished_at=run.finished_at,
        outcome=verdict.reason,
        full_refresh=run.full_refresh or None,
        message=verdict.message,
        duration=run.duration,
        succeeded=_count(run, "success", "pass"),
        warned=_count(run, "warn"),
        failed=_count(run, "fail", "error"),
        skipped=_count(run, "skipped"),
        slowest=_slowest(run),
        failures=_failures(run),
        sources=_sources(run),
        project_commit=run.text("projectCommit"),
        replicated_until=_moment((run.result or {}).get("replicatedUntil")),
        replication_lag=_span((run.result or {}).get("replicationLagSeconds")),
        invocation_id=run.text("invocationId"),
        dbt_version=run.text("dbtVersion"),
    )


def _count(run: Run, *statuses: str) -> int | None:
    """Return how many nodes ended in one of dbt's statuses, None when the run does not tell."""
    counts = (run.result or {}).get("counts")
    if not isinstance(counts, Mapping):
        return None
    return sum(value for status in statuses if isinstance(value := counts.get(status, 0), int))


def _rows(run: Run, name: str) -> list[Mapping[str, object]]:
    """Return the objects of a list among the result's facts that have a name: who wrote it may be anybody."""
    told = (run.result or {}).get(name)
    rows = told if isinstance(told, list) else []
    return [row for row in rows if isinstance(row, Mapping) and isinstance(row.get("name"), str)]


def _short(value: object, limit: int = 256) -> str:
    return str(value or "")[:limit]


def _slowest(run: Run) -> list[NodeTime]:
    return [
        NodeTime(name=_short(row["name"]), milliseconds=round(seconds * 1000))
        for row in _rows(run, "slowest")[:SLOWEST_LIMIT]
        if isinstance(seconds := row.get("seconds"), (int, float)) and 0 <= seconds < 10**9
    ]


def _failures(run: Run) -> list[NodeFailure]:
    return [
        NodeFailure(
            name=_short(row["name"]), status=_short(row.get("status")), message=_short(row.get("message"), 512) or None
        )
        for row in _rows(run, "failures")[:FAILURES_LIMIT]
    ]


def _sources(run: Run) -> list[SourceAge]:
    return [
        SourceAge(name=_short(row["name"]), status=_short(row.get("status")), loaded_at=_moment(row.get("maxLoadedAt")))
        for row in _rows(run, "sources")[:SOURCES_LIMIT]
    ]


def _moment(value: object) -> datetime | None:
    try:
        moment = datetime.fromisoformat(value) if isinstance(value, str) else None
    except ValueError:
        return None
    return moment if moment is not None and moment.tzinfo is not None else None


def _span(value: object) -> timedelta | None:
    known = isinstance(value, (int, float)) and not isinstance(value, bool) and 0 <= value < LONGEST_LAG.total_seconds()
    return timedelta(seconds=int(value)) if known and isinstance(value, (int, float)) else None


def _freshness(run: Run) -> tuple[State, Verdict] | None:
    """Return what the run says of its sources: dbt's `error` is stale, `warn` is still fresh enough."""
    sources = _rows(run, "sources")
    if not sources:
        return None
    by_status: dict[str, list[str]] = {}
    never: list[str] = []
    for source in sources:
        by_status.setdefault(str(source.get("status")), []).append(str(source.get("name")))
        if source.get("status") == "error" and source.get("maxLoadedAt") is None:
            never.append(str(source.get("name")))
    if "error" in by_status:
        old = [name for name in by_status["error"] if name not in never]
        told = (("older than the error limit", old), ("never loaded", never))
        return "False", _aside("Stale", "; ".join(f"{words}: {_listed(names)}" for words, names in told if names))
    if unknown := [name for status in by_status.keys() - {"pass", "warn"} for name in by_status[status]]:
        return "Unknown", _aside("NotMeasured", f"freshness could not be measured: {_listed(sorted(unknown))}")
    if "warn" in by_status:
        return "True", _aside("Aging", f"older than the warning limit: {_listed(by_status['warn'])}")
    return "True", _aside("Fresh", "every source is within its limits")


def _aside(reason: str, message: str) -> Verdict:
    return Verdict(Situation.ROUTINE, reason, message)


def _listed(names: list[str]) -> str:
    return ", ".join(names[:5]) + (f" and {len(names) - 5} more" if len(names) > 5 else "")


def _updated(schedule: DbtSchedule, verdict: Verdict, now: datetime, **changes: Any) -> DbtScheduleStatus:
    generation = schedule.metadata.generation
    return schedule.status.model_copy(
        update={
            **changes,
            "observed_generation": generation,
            "conditions": conditions.judged(schedule.status.conditions, verdict, generation, now),
        }
    )
