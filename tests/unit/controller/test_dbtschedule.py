"""A DbtSchedule's status: accepted, and how runs went."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any, cast

import pytest

from gitmart.controller import dbtschedule
from gitmart.controller.runs import Run
from gitmart.resources.dbtschedule import DbtSchedule

from .objects import SECOND, T0, a_run, a_schedule

COUNTS = {"total": 12, "success": 5, "pass": 4, "warn": 1, "fail": 1, "error": 0, "skipped": 1}


def conditions(schedule: DbtSchedule) -> dict[str, tuple[str, str]]:
    return {condition.type: (condition.status, condition.reason) for condition in schedule.status.conditions}


def an_accepted_schedule() -> DbtSchedule:
    schedule = a_schedule()
    return schedule.model_copy(update={"status": dbtschedule.accepted(schedule, "in place", T0)})


def after(schedule: DbtSchedule, *runs: Run) -> DbtSchedule:
    for run in runs:
        status = dbtschedule.ended(schedule, run)
        schedule = cast(DbtSchedule, schedule.model_copy(update={"status": status}))
    return schedule


def test_a_failed_run_leaves_the_schedule_ready() -> None:
    schedule = after(an_accepted_schedule(), a_run("DataFailed", 81, counts=COUNTS))

    assert conditions(schedule) == {"Ready": ("True", "Accepted"), "LastRunSucceeded": ("False", "DataFailed")}
    assert schedule.status.last_successful_time is None


def test_the_last_run_tells_its_counts() -> None:
    last = after(
        an_accepted_schedule(), a_run(counts=COUNTS, invocationId="i", dbtVersion="1.12", projectCommit="c")
    ).status.last_run

    assert last is not None
    assert (last.succeeded, last.warned, last.failed, last.skipped) == (9, 1, 1, 1)
    assert (last.invocation_id, last.dbt_version, last.project_commit) == ("i", "1.12", "c")


def test_the_last_run_tells_what_was_slow_failed_or_stale() -> None:
    run = a_run(
        "DataFailed", 81,
        slowest=[{"name": "fct_commits", "seconds": 1.2345}, {"name": "b", "seconds": "soon"}, {"seconds": 1}, "c"],
        failures=[{"name": f"n{number}", "status": "error", "message": "x" * 600} for number in range(12)],
        sources=[
            {"name": "raw.a", "status": "error", "maxLoadedAt": None},
            {"name": "raw.b", "status": "pass", "maxLoadedAt": "2026-01-01T12:00:00+00:00"},
            {"name": "raw.c", "status": "pass", "maxLoadedAt": "soon"},
        ],
    )  # fmt: skip
    last = after(an_accepted_schedule(), run).status.last_run

    assert last is not None
    assert [(node.name, node.milliseconds) for node in last.slowest] == [("fct_commits", 1234)]
    assert [node.name for node in last.failures] == [f"n{number}" for number in range(10)]
    assert {(node.status, len(node.message or "")) for node in last.failures} == {("error", 512)}
    loaded = datetime(2026, 1, 1, 12, tzinfo=UTC)
    assert [(one.name, one.status, one.loaded_at) for one in last.sources] == [
        ("raw.a", "error", None), ("raw.b", "pass", loaded), ("raw.c", "pass", None),
    ]  # fmt: skip


@pytest.mark.parametrize(
    ("told", "lag", "until"),
    [
        pytest.param({}, None, None, id="no replica"),
        pytest.param(
            {"replicationLagSeconds": 61.9, "replicatedUntil": "2026-01-01T12:00:00.000+00:00"},
            61 * SECOND, datetime(2026, 1, 1, 12, tzinfo=UTC), id="a replica",
        ),
        pytest.param({"replicationLagSeconds": -1, "replicatedUntil": "soon"}, None, None, id="no time"),
        pytest.param({"replicationLagSeconds": True, "replicatedUntil": 5}, None, None, id="another shape"),
        pytest.param({"replicationLagSeconds": 1e300}, None, None, id="too long"),
    ],
)  # fmt: skip
def test_the_last_run_tells_how_far_a_replica_is_behind(told: dict[str, Any], lag: Any, until: Any) -> None:
    last = after(an_accepted_schedule(), a_run("ReplicaNotReady", 88, **told)).status.last_run

    assert last is not None
    assert (last.outcome, last.replication_lag, last.replicated_until) == ("ReplicaNotReady", lag, until)


@pytest.mark.parametrize("told", [None, 5, "x", {}, [5], [[]]])
def test_facts_of_another_shape_are_left_out(told: object) -> None:
    last = after(an_accepted_schedule(), a_run(slowest=told, failures=told, sources=told)).status.last_run

    assert last is not None
    assert (last.slowest, last.failures, last.sources) == ([], [], [])


@pytest.mark.parametrize(("outcome", "code"), [("Skipped", 0), ("Cancelled", 80)])
def test_a_run_that_did_nothing_changes_no_condition(outcome: str, code: int) -> None:
    good = after(an_accepted_schedule(), a_run(counts=COUNTS))
    schedule = after(good, a_run(outcome, code))

    assert conditions(schedule) == conditions(good)
    assert schedule.status.last_run is not None
    assert schedule.status.last_run.outcome == outcome
    assert schedule.status.last_successful_time == T0 + 10 * SECOND


@pytest.mark.parametrize(
    ("statuses", "expected"),
    [
        pytest.param(["pass", "pass"], ("True", "Fresh"), id="fresh"),
        pytest.param(["pass", "warn"], ("True", "Aging"), id="aging"),
        pytest.param(["error", "warn"], ("False", "Stale"), id="stale"),
        pytest.param(["runtime error", "pass"], ("Unknown", "NotMeasured"), id="not-measured"),
        pytest.param([], None, id="not-told"),
    ],
)
def test_sources_are_as_fresh_as_the_worst(statuses: list[str], expected: tuple[str, str] | None) -> None:
    sources = [{"name": f"source {number}", "status": status} for number, status in enumerate(statuses)]
    schedule = after(an_accepted_schedule(), a_run(counts=COUNTS, sources=sources))

    assert conditions(schedule).get("SourcesFresh") == expected


def test_a_source_that_was_never_loaded_is_told_apart_from_an_old_one() -> None:
    new = {"name": "raw.new", "status": "error", "maxLoadedAt": None}
    old = {"name": "raw.old", "status": "error", "maxLoadedAt": T0.isoformat()}
    schedule = after(an_accepted_schedule(), a_run(counts=COUNTS, sources=[new, old]))

    (stale,) = (each for each in schedule.status.conditions if each.type == "SourcesFresh")
    assert (stale.reason, stale.message) == (
        "Stale",
        "older than the error limit: raw.old; never loaded: raw.new",
    )


def test_of_two_schedules_with_one_target_the_oldest_works() -> None:
    older, younger = a_schedule("b"), a_schedule("a", creationTimestamp="2026-01-02T00:00:00Z")
    elsewhere = a_schedule("c", namespace="team")

    working = dbtschedule.working_of([younger, elsewhere, older])

    assert [working[dbtschedule.target_of(schedule)] for schedule in (younger, elsewhere)] == [older, elsewhere]
    status = dbtschedule.conflicting(younger, older, T0)
    assert status.conditions[0].message == (
        "default/b is older and writes schema analytics of the same warehouse: delete one of the two, or give one "
        "another spec.target.schema"
    )
    assert [(condition.type, condition.status) for condition in status.conditions] == [
        ("Ready", "False"),
        ("Stalled", "True"),
    ]


@pytest.mark.parametrize(
    ("changes", "conflict"),
    [
        pytest.param({}, True, id="the same"),
        pytest.param({"target": {"schema": "analytics"}}, True, id="the same, written out"),
        pytest.param({"target": {"schema": "sales"}}, False, id="another schema"),
        pytest.param({"warehouseRef": {"name": "other"}}, False, id="another warehouse"),
    ],
)
def test_what_two_schedules_must_not_share_is_the_schema_of_a_warehouse(
    changes: dict[str, Any], conflict: bool
) -> None:
    older = a_schedule("older")
    younger = a_schedule("younger", creationTimestamp="2026-01-02T00:00:00Z")
    document = younger.to_dict()
    younger = DbtSchedule.parse(document | {"spec": document["spec"] | changes})

    working = dbtschedule.working_of([younger, older])

    assert (working[dbtschedule.target_of(younger)] == older) is conflict


def test_a_status_survives_its_json() -> None:
    schedule = after(an_accepted_schedule(), a_run(counts=COUNTS, sources=[{"name": "raw", "status": "pass"}]))

    assert DbtSchedule.parse(schedule.to_dict()).status == schedule.status
