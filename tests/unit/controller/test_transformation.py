"""What is done next for a DbtSchedule."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from datetime import datetime, timedelta
from typing import Any

import pytest

from gitmart.contract.kinds import REQUESTED_AT
from gitmart.controller.children import Child
from gitmart.controller.conditions import find
from gitmart.controller.observed import CronJobSeen
from gitmart.controller.transformation import Decision, Seen, decide, job_of
from gitmart.resources.dbtschedule import AfterExtraction, DbtSchedule, DbtScheduleStatus

from .objects import SECOND, T0, a_job, a_pod, a_schedule, an_ended_pod

MINUTE, HOUR = timedelta(minutes=1), timedelta(hours=1)
RESYNC = 10 * MINUTE
CRON = CronJobSeen("analytics", "cron-uid", "1", "analytics", 1, None)


def known(status: DbtScheduleStatus, *, annotations: dict[str, str] | None = None, **spec: Any) -> DbtSchedule:
    schedule = a_schedule(annotations=annotations or {})
    changed = schedule.spec.model_copy(update=spec)
    return schedule.model_copy(update={"status": status, "spec": changed})


def new(**changes: Any) -> DbtSchedule:
    return known(DbtScheduleStatus(), **changes)


def at(
    schedule: DbtSchedule, now: datetime, *children: Child, cron_job: CronJobSeen | None = CRON, **seen: Any
) -> Decision:
    return decide(schedule, Seen(children, cron_job, **seen), now, RESYNC)


def told(status: DbtScheduleStatus, kind: str = "Ready") -> tuple[str, str] | None:
    condition = find(status.conditions, kind)
    return (condition.status, condition.reason) if condition is not None else None


def a_child(name: str = "run", when: datetime = T0, outcome: str = "", code: int = 0, **job: Any) -> Child:
    """Return a Job of the CronJob; one that runs if there is no outcome."""
    made = a_job(name, uid="cron-uid", claimed_by="analytics", at=when, **job)
    if not outcome:
        return Child(made, [a_pod(name, ran=True)])
    ended = replace(made, state="failed" if code else "complete", finished_at=when + 10 * SECOND)
    return Child(ended, [an_ended_pod(name, outcome, code)])


def own(child: Child) -> Child:
    return replace(child, job=replace(child.job, owner="analytics"))


def test_a_schedule_is_ready_once_its_cron_job_is_in_place() -> None:
    decision = at(new(), T0, cron_job=None)

    assert (told(decision.status), decision.cron_job, decision.start) == (("True", "Accepted"), False, None)
    assert decision.status.next_schedule_time == T0 + 6 * HOUR
    assert decision.revisit == T0 + RESYNC


def test_suspend_suspends_the_cron_job_and_leaves_ready() -> None:
    accepted = at(new(), T0).status
    decision = at(known(accepted, suspend=True, annotations={REQUESTED_AT: "x"}), T0 + 7 * HOUR)

    assert (told(decision.status), decision.cron_job, decision.start) == (("True", "Accepted"), True, None)
    assert decision.status.next_schedule_time is None


@pytest.mark.parametrize(("cron_job", "suspended"), [(None, None), (CRON, True)])
def test_of_two_with_one_target_the_younger_is_stalled_until_the_older_goes(
    cron_job: CronJobSeen | None, suspended: bool | None
) -> None:
    older = a_schedule("older")
    decision = at(new(annotations={REQUESTED_AT: "x"}), T0, cron_job=cron_job, older=older)
    assert (told(decision.status), decision.cron_job) == (("False", "TargetConflict"), suspended)
    assert (told(decision.status, "Stalled"), decision.start) == (("True", "TargetConflict"), None)

    freed = at(known(decision.status), T0 + MINUTE)
    assert (told(freed.status), told(freed.status, "Stalled"), freed.cron_job) == (("True", "Accepted"), None, False)
    resting = at(known(decision.status, suspend=True), T0 + MINUTE).status
    assert (told(resting), told(resting, "Stalled")) == (("Unknown", "Suspended"), None)


def test_a_cron_job_of_somebody_else_is_left_alone_until_it_goes() -> None:
    decision = at(new(annotations={REQUESTED_AT: "x"}), T0, cron_job=replace(CRON, owner="another"))
    assert (told(decision.status), told(decision.status, "Reconciling")) == (
        ("False", "ForeignCronJob"),
        ("True", "ForeignCronJob"),
    )
    assert (decision.cron_job, decision.start) == (None, None)

    assert told(at(known(decision.status), T0 + MINUTE, cron_job=None).status) == ("True", "Accepted")


# Ends of runs


@pytest.mark.parametrize(
    ("outcome", "code", "condition"),
    [
        ("Succeeded", 0, ("True", "Succeeded")),
        ("DataFailed", 81, ("False", "DataFailed")),
        ("WarehouseUnreachable", 69, ("False", "WarehouseUnreachable")),
        ("SecretMissing", 79, ("False", "SecretMissing")),
        ("NothingSelected", 83, ("False", "NothingSelected")),
        ("Skipped", 0, None),
        ("Cancelled", 80, None),
    ],
)
def test_an_end_is_told_and_leaves_ready(outcome: str, code: int, condition: tuple[str, str] | None) -> None:
    decision = at(new(), T0 + MINUTE, a_child(outcome=outcome, code=code))

    assert (told(decision.status, "LastRunSucceeded"), told(decision.status)) == (condition, ("True", "Accepted"))
    assert [past.outcome for past in decision.status.history] == [outcome]
    assert decision.status.last_schedule_time == T0
    assert (len(decision.runs), decision.delete) == (1, ())


def test_a_job_that_a_person_made_from_the_cron_job_is_told_of_and_left_alone() -> None:
    children = [a_child(f"by-hand-{number}", T0 + number * MINUTE, "Succeeded") for number in range(8)]
    first = at(new(), T0 + HOUR, *children)
    second = at(known(first.status), T0 + HOUR, *children)

    assert [past.job for past in first.status.history] == [f"by-hand-{number}" for number in (7, 6, 5, 4, 3)]
    assert (len(first.runs), second.runs, second.delete) == (8, (), ())


def test_our_own_jobs_are_pruned_once_they_were_told_of() -> None:
    children = [own(a_child(f"own-{number}", T0 + number * MINUTE, "Succeeded")) for number in range(5)]
    first = at(new(), T0 + HOUR, *children)
    second = at(known(first.status), T0 + HOUR, *children)

    assert first.delete == ()
    assert [job.name for job in second.delete] == ["own-1", "own-0"]


def test_many_ends_in_one_second_are_told_of_once() -> None:
    children = [a_child(f"run-{number}", T0, "Succeeded") for number in range(9)]
    first = at(new(), T0 + MINUTE, *children)
    second = at(known(first.status), T0 + MINUTE, *children)

    assert (len(first.runs), second.runs) == (9, ())
    assert second.status == first.status


def test_an_end_is_told_of_although_the_clock_was_set_back() -> None:
    children = [a_child(f"run-{number}", T0 + number * HOUR, "Succeeded") for number in range(5)]
    full = at(new(), T0 + 5 * HOUR, *children).status
    back = T0 - 24 * HOUR
    running = at(known(full), back, *children, a_child("late", back)).status
    decision = at(known(running), back + MINUTE, *children, a_child("late", back, "DataFailed", 81))

    assert decision.status.last_run is not None
    assert decision.status.last_run.job == "late"
    assert told(decision.status, "LastRunSucceeded") == ("False", "DataFailed")
    ended = a_child("late", back, "DataFailed", 81)
    assert at(known(decision.status), back + MINUTE, *children, ended).runs == ()


def test_the_job_of_an_object_that_is_gone_is_not_told_of() -> None:
    old = a_child(outcome="Succeeded")

    assert at(new(), T0 + MINUTE, replace(old, job=replace(old.job, owner="x", claimed_by="another"))).runs == ()


def test_a_run_that_cannot_start_says_why_and_is_given_up() -> None:
    stuck = Child(a_child().job, [a_pod("run", waiting="ErrImagePull")])
    early = at(new(), T0 + MINUTE, stuck)
    assert (told(early.status, "LastRunSucceeded"), early.delete) == (("False", "ImagePullFailed"), ())

    late = at(known(early.status), T0 + 5 * MINUTE, stuck)
    assert (late.delete, late.status.history[0].outcome, late.start) == ((stuck.job,), "ImagePullFailed", None)
    again = at(known(late.status), T0 + 6 * MINUTE, replace(stuck, job=replace(stuck.job, deleting=True)))
    assert (again.delete, again.runs) == ((), ())


def test_a_run_of_an_older_spec_that_cannot_start_is_given_up_at_once() -> None:
    stuck = Child(a_child().job, [a_pod("run", unschedulable="no node")])
    status = at(new(), T0, stuck).status
    edited = a_schedule(generation=2).model_copy(update={"status": status})
    decision = at(edited, T0 + MINUTE, stuck)

    assert decision.delete == (stuck.job,)
    assert told(decision.status, "LastRunSucceeded") == ("False", "Unschedulable")
    assert told(decision.status, "Ready") == ("True", "Accepted")


# Run now

ASKED = {REQUESTED_AT: "x"}


def test_a_request_makes_one_job() -> None:
    decision = at(new(annotations=ASKED), T0)
    assert decision.start is not None
    assert (decision.start.token, decision.status.last_handled_request) == ("x", "x")
    assert (decision.idle or decision.status).last_handled_request is None

    assert at(known(decision.status, annotations=ASKED), T0 + MINUTE).start is None


def test_a_request_whose_job_is_there_was_answered() -> None:
    name = job_of(a_schedule(), "request-x")
    for child in (a_child(name, token="x"), a_child(name, outcome="Succeeded", token="x")):
        decision = at(new(annotations=ASKED), T0 + MINUTE, own(child))

        assert (decision.start, decision.status.last_handled_request) == (None, "x")


def test_a_request_in_the_words_of_an_older_one_gets_a_job_of_its_own() -> None:
    old = own(a_child(job_of(a_schedule(), "request-x"), outcome="Succeeded", token="x"))
    status = at(new(annotations=ASKED), T0 + MINUTE, old).status
    decision = at(known(status.model_copy(update={"last_handled_request": "y"}), annotations=ASKED), T0 + HOUR, old)

    assert decision.start is not None
    assert job_of(a_schedule(), decision.start.slot) != old.job.name


@pytest.mark.parametrize("deleting", [False, True])
def test_a_request_waits_while_another_run_is_not_over(deleting: bool) -> None:
    decision = at(new(annotations=ASKED), T0, a_child(deleting=deleting))

    assert (decision.start, decision.status.last_handled_request) == (None, None)


# After extractions

AFTER = AfterExtraction(debounce=2 * MINUTE, max_delay=30 * MINUTE)


@pytest.mark.parametrize(
    ("news", "now", "starts", "revisit"),
    [
        pytest.param([T0], T0 + MINUTE, False, T0 + 2 * MINUTE, id="debounced"),
        pytest.param([T0], T0 + 2 * MINUTE, True, None, id="quiet"),
        pytest.param([T0, T0 + MINUTE], T0 + 2 * MINUTE, False, T0 + 3 * MINUTE, id="put-off"),
        pytest.param([T0, T0 + 29 * MINUTE], T0 + 30 * MINUTE, True, None, id="put-off-long-enough"),
        pytest.param([], T0 + HOUR, False, T0 + HOUR + RESYNC, id="no-news"),
    ],
)
def test_news_start_a_run_when_they_are_over(
    news: Sequence[datetime], now: datetime, starts: bool, revisit: datetime | None
) -> None:
    decision = at(new(after_extraction=AFTER), now, news=news)

    assert (decision.start is not None) == starts
    assert revisit is None or decision.revisit == revisit


def test_news_that_go_on_cannot_put_a_run_off_for_ever() -> None:
    schedule, now = new(after_extraction=AFTER), T0
    for _ in range(29):
        decision = at(schedule, now, news=[now])  # of the one Repository only the latest is known
        assert decision.start is None
        schedule, now = known(decision.status, after_extraction=AFTER), now + MINUTE

    assert at(schedule, T0 + 30 * MINUTE, news=[now]).start is not None


def test_a_run_covers_the_news_before_it_and_none_after() -> None:
    schedule = new(after_extraction=AFTER)
    ran = a_child(when=T0 + MINUTE, outcome="Succeeded")

    covered = at(schedule, T0 + HOUR, ran, news=[T0])
    assert (covered.start, covered.status.pending_since) == (None, None)
    pruned = at(known(covered.status, after_extraction=AFTER), T0 + HOUR, news=[T0])
    assert pruned.start is None
    assert at(schedule, T0 + HOUR, ran, news=[T0 + MINUTE]).start is not None
    skipped = a_child(when=T0 + MINUTE, outcome="Skipped")
    assert at(schedule, T0 + HOUR, skipped, news=[T0]).start is not None


def test_news_since_the_clock_was_set_back_are_not_covered_by_runs_to_come() -> None:
    status = at(new(), T0 + 24 * HOUR, a_child(when=T0 + 24 * HOUR, outcome="Succeeded")).status

    assert at(known(status, after_extraction=AFTER), T0 + HOUR, news=[T0]).start is not None


# Nothing moves by itself


def test_a_second_visit_at_the_same_moment_changes_nothing() -> None:
    stuck = Child(a_child().job, [a_pod("run", unschedulable="no node")])
    for children in ([], [a_child()], [stuck], [a_child(outcome="Succeeded")], [own(a_child(outcome="Bug", code=70))]):
        for news in ([], [T0 + MINUTE]):
            schedule = new(after_extraction=AFTER)
            first = at(schedule, T0 + 90 * SECOND, *children, news=news)
            second = at(known(first.status, after_extraction=AFTER), T0 + 90 * SECOND, *children, news=news)

            assert (second.status, second.runs) == (first.status, ())
            assert second.revisit > T0 + 90 * SECOND


# Full refreshes

WEEKLY = {"full_refresh_schedule": "0 3 * * 0"}  # T0 is a Thursday
SUNDAY = T0 + timedelta(days=3, hours=3)
FULL_CRON = CronJobSeen("analytics-full", "full-uid", "1", "analytics", 1, None, "analytics")


def test_full_refreshes_have_a_cron_job_beside_the_first() -> None:
    decision = at(new(**WEEKLY), T0, cron_job=None)
    assert (decision.cron_job, decision.full_cron_job, decision.drop) == (False, False, None)
    ready = find(decision.status.conditions, "Ready")
    assert ready is not None
    assert ready.message == "the CronJobs analytics and analytics-full keep the schedules"
    assert decision.status.next_full_refresh_time == SUNDAY
    assert at(new(**WEEKLY), T0, full_cron_job=FULL_CRON).status.full_refresh_cron_job == "analytics-full"
    assert at(new(**WEEKLY), SUNDAY - MINUTE).revisit == SUNDAY

    plain = at(new(), T0)
    assert (plain.full_cron_job, plain.status.next_full_refresh_time) == (None, None)


@pytest.mark.parametrize("spec", [{}, {"suspend": True}], ids=["running", "suspended"])
def test_without_the_field_the_cron_job_of_full_refreshes_goes(spec: dict[str, Any]) -> None:
    status = at(new(**WEEKLY), T0, full_cron_job=FULL_CRON).status
    decision = at(known(status, **spec), T0 + MINUTE, full_cron_job=FULL_CRON)
    assert (decision.drop, decision.full_cron_job) == (FULL_CRON, None)
    assert (decision.status.full_refresh_cron_job, decision.status.next_full_refresh_time) == (None, None)

    going = replace(FULL_CRON, deleting=True)
    assert at(known(decision.status, **spec), T0 + MINUTE, full_cron_job=going).drop is None
    theirs = replace(FULL_CRON, owner="another")
    assert at(known(decision.status, **spec), T0 + MINUTE, full_cron_job=theirs).drop is None


def test_suspend_and_a_conflict_suspend_full_refreshes_too() -> None:
    resting = at(new(suspend=True, **WEEKLY), T0)
    assert (resting.full_cron_job, resting.status.next_full_refresh_time) == (True, None)

    older = a_schedule("older")
    assert at(new(**WEEKLY), T0, full_cron_job=FULL_CRON, older=older).full_cron_job is True
    assert at(new(**WEEKLY), T0, older=older).full_cron_job is None


# DbtSchedule `analytics` wants CronJob `analytics-full` for full refreshes, DbtSchedule `analytics-full` for itself.
@pytest.mark.parametrize(
    ("owner", "label", "sibling", "namesake"),
    [
        pytest.param(None, "", ("Accepted", False), ("Accepted", False), id="nobody's yet"),
        pytest.param("analytics", "analytics", ("Accepted", False), ("ForeignCronJob", None), id="the sibling's"),
        pytest.param("analytics-full", "analytics-full", ("ForeignCronJob", None), ("Accepted", False), id="its own"),
        pytest.param("gone", "analytics", ("ForeignCronJob", None), ("ForeignCronJob", None), id="of one that is gone"),
        pytest.param("gone", "", ("ForeignCronJob", None), ("ForeignCronJob", None), id="of a stranger"),
        # a label may be edited by anybody: the uid counts
        pytest.param("analytics", "analytics-full", ("Accepted", False), ("ForeignCronJob", None), id="label edited"),
    ],
)
def test_a_cron_job_that_two_want_is_that_of_its_owner(
    owner: str | None, label: str, sibling: tuple[str, bool | None], namesake: tuple[str, bool | None]
) -> None:
    wanted = CronJobSeen("analytics-full", "x", "1", owner, 1, None, label) if owner is not None else None
    one = at(new(**WEEKLY), T0, full_cron_job=wanted)
    other = decide(a_schedule("analytics-full"), Seen(cron_job=wanted), T0, RESYNC)

    assert (reason(one.status), one.full_cron_job) == sibling
    assert (reason(other.status), other.cron_job) == namesake
    assert (one.cron_job, one.drop, other.drop) == (False, None, None)  # the other CronJob of the one is kept
    for schedule, decision in ((known(one.status, **WEEKLY), one), (a_schedule("analytics-full"), other)):
        seen = Seen(cron_job=CRON, full_cron_job=wanted) if decision is one else Seen(cron_job=wanted)
        told_of = schedule.model_copy(update={"status": decision.status})
        assert decide(told_of, seen, T0, RESYNC).status == decision.status, "it moves by itself"


MADE = {"older": "2025-12-31T00:00:00Z", "same": "2026-01-01T00:00:00Z", "younger": "2026-01-02T00:00:00Z"}


@pytest.mark.parametrize(
    ("namesake", "spec", "sibling_has", "namesake_has"),
    [
        pytest.param("older", WEEKLY, False, True, id="the older one"),
        pytest.param("younger", WEEKLY, True, False, id="and not the younger one"),
        pytest.param("same", WEEKLY, True, False, id="by name, of the same second"),
        pytest.param("older", {}, None, True, id="whoever wants it alone"),
        pytest.param("younger", {}, None, True, id="however young"),
    ],
)
def test_a_cron_job_that_nobody_has_yet_is_for_the_oldest_that_wants_it(
    namesake: str, spec: dict[str, Any], sibling_has: bool | None, namesake_has: bool
) -> None:
    one = new(**spec)
    other = a_schedule("analytics-full", creationTimestamp=MADE[namesake])
    both = [
        decide(one, Seen(namesakes=[other]), T0, RESYNC),
        decide(other, Seen(namesakes=[one]), T0, RESYNC),
    ]

    assert both[0].cron_job is False, "its own is its own"
    assert both[0].full_cron_job is (False if sibling_has else None)
    assert both[1].cron_job is (False if namesake_has else None)
    assert [reason(decision.status) for decision in both] == [
        "ForeignCronJob" if has is False else "Accepted" for has in (sibling_has, namesake_has)
    ]
    resting = new(suspend=True, **spec)
    assert decide(resting, Seen(namesakes=[other]), T0, RESYNC).full_cron_job is (True if sibling_has else None)


def reason(status: DbtScheduleStatus) -> str:
    found = told(status)
    assert found is not None
    return found[1]


def test_whose_cron_job_is_in_the_way_is_said_with_the_cure() -> None:
    theirs = CronJobSeen("analytics-full", "x", "1", "analytics-full", 1, None, "analytics-full")
    decision = at(new(annotations=ASKED, **WEEKLY), T0, full_cron_job=theirs)

    ready = find(decision.status.conditions, "Ready")
    assert ready is not None
    assert ready.message == (
        "the CronJob analytics-full, which spec.fullRefreshSchedule needs, is that of DbtSchedule analytics-full: "
        "choose another name for one of the two, or remove spec.fullRefreshSchedule of analytics"
    )
    assert decision.start is not None, "what was asked for now needs no CronJob"
    assert told(at(known(decision.status, **WEEKLY), T0 + MINUTE).status) == ("True", "Accepted")


def test_a_full_refresh_is_told_of_as_one() -> None:
    full = a_child("analytics-full-1", outcome="Succeeded", full_refresh=True)
    plain = a_child("analytics-1", T0 + MINUTE, "Succeeded")
    status = at(new(**WEEKLY), T0 + HOUR, full, plain, full_cron_job=FULL_CRON).status

    assert [(past.job, past.full_refresh) for past in status.history] == [
        ("analytics-1", None),
        ("analytics-full-1", True),
    ]
    assert status.last_run is not None
    assert status.last_run.full_refresh is None
    assert at(new(**WEEKLY), T0 + HOUR, full).status.last_run.full_refresh is True  # type: ignore[union-attr]


def test_a_full_refresh_that_did_not_get_the_lock_changes_no_condition() -> None:
    before = at(new(**WEEKLY), T0 + MINUTE, a_child("failed", outcome="DataFailed", code=81)).status
    skipped = a_child("analytics-full-1", T0 + 2 * MINUTE, "Skipped", full_refresh=True)
    after = at(known(before, **WEEKLY), T0 + HOUR, skipped).status

    assert after.conditions == before.conditions
    assert [(past.outcome, past.full_refresh) for past in after.history] == [("Skipped", True), ("DataFailed", None)]
