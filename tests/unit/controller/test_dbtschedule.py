"""A DbtSchedule's status: accepted, and how runs went."""

from __future__ import annotations

from typing import cast

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
    last = after(an_accepted_schedule(), a_run(counts=COUNTS, invocationId="i", dbtVersion="1.12")).status.last_run

    assert last is not None
    assert (last.succeeded, last.warned, last.failed, last.skipped) == (9, 1, 1, 1)
    assert (last.invocation_id, last.dbt_version) == ("i", "1.12")


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


def test_of_two_schedules_with_one_target_the_oldest_works() -> None:
    older, younger = a_schedule("b"), a_schedule("a", creationTimestamp="2026-01-02T00:00:00Z")
    elsewhere = a_schedule("c", namespace="team")

    working = dbtschedule.working_of([younger, elsewhere, older])

    assert [working[dbtschedule.target_of(schedule)] for schedule in (younger, elsewhere)] == [older, elsewhere]
    status = dbtschedule.conflicting(younger, older, T0)
    assert [(condition.type, condition.status) for condition in status.conditions] == [
        ("Ready", "False"),
        ("Stalled", "True"),
    ]


def test_a_status_survives_its_json() -> None:
    schedule = after(an_accepted_schedule(), a_run(counts=COUNTS, sources=[{"name": "raw", "status": "pass"}]))

    assert DbtSchedule.parse(schedule.to_dict()).status == schedule.status
