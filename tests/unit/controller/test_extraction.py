"""What is done next for a Repository: the table of design §4, and what must not happen."""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime, timedelta
from typing import Any

import pytest

from gitmart.contract.kinds import REQUESTED_AT
from gitmart.controller import repository as statuses
from gitmart.controller.children import Child
from gitmart.controller.conditions import INVALID_SPEC, find
from gitmart.controller.extraction import Check, Decision, Policy, Seen, decide, job_of
from gitmart.controller.observed import JobSeen, PodSeen
from gitmart.resources.host_metadata import HostMetadata
from gitmart.resources.repository import Identity, Repository, RepositoryStatus

from .objects import SECOND, T0, a_job, a_pod, a_repository, a_run, an_ended_pod

POLICY = Policy(checks=False)
MINUTE, HOUR = timedelta(minutes=1), timedelta(hours=1)
GOOD = a_run(commits=7, refsDigest="d1", newCommits=1)


def known(status: RepositoryStatus, *, generation: int = 1, annotations: dict[str, str] | None = None) -> Repository:
    resource = a_repository(generation=generation, annotations=annotations or {})
    return resource.model_copy(update={"status": status})


def spec(resource: Repository, **changes: Any) -> Repository:
    return resource.model_copy(update={"spec": resource.spec.model_copy(update=changes)})


def after(*runs: tuple[str, int], generation: int = 1, **metadata: Any) -> Repository:
    """Return a Repository after runs, of which each ended ten seconds after T0."""
    resource = a_repository()
    for outcome, code in runs:
        run = GOOD if outcome == "Succeeded" else a_run(None if outcome == "137" else outcome, code)
        resource = resource.model_copy(update={"status": statuses.ended(resource, run)})
    return known(resource.status, generation=generation, **metadata)


def at(resource: Repository, now: datetime, *children: Child, policy: Policy = POLICY, **seen: Any) -> Decision:
    return decide(resource, Seen(children, **seen), now, policy)


def told(status: RepositoryStatus) -> tuple[str, ...]:
    """Return Ready's status and reason, and which of Reconciling, Stalled and Queued stand beside it."""
    ready = find(status.conditions, "Ready")
    assert ready is not None
    return ready.status, ready.reason, *sorted({each.type for each in status.conditions} - {"Ready"})


def ended(outcome: str | None, code: int, **pod: Any) -> Child:
    job = a_job(ended="failed" if code else "complete")
    return Child(job, [replace(an_ended_pod(outcome=outcome, code=code, commits=7, refsDigest="d1"), **pod)])


# One row per line of the table: what is seen, Ready and what stands beside it, the state.
@pytest.mark.parametrize(
    ("child", "conditions", "state", "failures"),
    [
        (ended("Succeeded", 0), ("True", "Succeeded"), "completed", 0),
        (ended("AuthenticationFailed", 77), ("False", "AuthenticationFailed", "Reconciling"), "failed", 1),
        (ended("NotFound", 66), ("False", "NotFound", "Reconciling"), "failed", 1),
        (ended("HostUnreachable", 68), ("False", "HostUnreachable", "Reconciling"), "failed", 1),
        (ended("WarehouseUnreachable", 69), ("False", "WarehouseUnreachable", "Reconciling"), "failed", 1),
        (ended("WarehouseNotMigrated", 78), ("False", "WarehouseNotMigrated", "Reconciling"), "failed", 1),
        (ended("SecretMissing", 79), ("False", "SecretMissing", "Reconciling"), "failed", 1),
        (ended("SecretInvalid", 76), ("False", "SecretInvalid", "Reconciling"), "failed", 1),
        (ended("DiskFull", 74), ("False", "DiskFull", "Reconciling"), "failed", 1),
        (ended("Bug", 70), ("False", "Bug", "Reconciling"), "failed", 1),
        (ended(None, 0), ("False", "ResultLost", "Reconciling"), "failed", 1),
        (ended(None, 137, ended_as="OOMKilled"), ("False", "OOMKilled"), "failed", 1),
        (ended(None, 137, reason="Evicted", message="low on disk"), ("False", "Evicted"), "failed", 1),
        (ended("Timeout", 72), ("False", "Timeout"), "failed", 1),
        (ended("InvalidInput", 64), ("False", "InvalidInput", "Stalled"), "failed", 1),
        (ended("Moved", 67), ("False", "Moved", "Stalled"), "failed", 1),
        (ended("LimitExceeded", 85), ("False", "LimitExceeded", "Stalled"), "failed", 1),
    ],
    ids=lambda value: value[1] if isinstance(value, tuple) else "",
)  # fmt: skip
def test_the_end_of_a_run_says_where_the_repository_stands(
    child: Child, conditions: tuple[str, ...], state: str, failures: int
) -> None:
    decision = at(a_repository(), T0 + MINUTE / 2, child)

    assert told(decision.status) == conditions
    assert (decision.status.state, decision.status.consecutive_failures) == (state, failures)
    assert (decision.start, decision.delete, len(decision.runs)) == (None, (), 1)


@pytest.mark.parametrize(
    ("resource", "now", "slot", "conditions"),
    [
        (a_repository(), T0, "generation-1", ("Unknown", "NewGeneration", "Reconciling")),
        (after(("Succeeded", 0)), T0 + 7 * HOUR, "20260101T0", ("True", "Succeeded")),
        (after(("HostUnreachable", 68)), T0 + 10 * SECOND + MINUTE, "retry-20260101T000110Z",
         ("False", "HostUnreachable", "Reconciling")),
        (after(("Timeout", 72)), T0 + 7 * HOUR, "20260101T0", ("False", "Timeout")),
        (after(("InvalidInput", 64), generation=2), T0 + MINUTE, "generation-2",
         ("Unknown", "NewGeneration", "Reconciling")),
        (after(("InvalidInput", 64), annotations={REQUESTED_AT: "x"}), T0 + MINUTE, "request-x",
         ("False", "InvalidInput", "Stalled")),
        (after(("Succeeded", 0), annotations={REQUESTED_AT: "x"}), T0 + MINUTE, "request-x", ("True", "Succeeded")),
    ],
    ids=["new", "good", "retrying", "next-slot", "edited", "stalled-but-requested", "requested"],
)  # fmt: skip
def test_a_job_is_made_when_its_time_has_come(
    resource: Repository, now: datetime, slot: str, conditions: tuple[str, ...]
) -> None:
    decision = at(resource, now)

    assert decision.start is not None
    assert decision.start.slot.startswith(slot)
    assert (decision.status.state, told(decision.status)) == ("in_progress", conditions)
    assert decision.revisit == now + POLICY.resync


@pytest.mark.parametrize(
    ("resource", "now", "revisit"),
    [
        (after(("Succeeded", 0)), T0 + MINUTE, T0 + MINUTE + POLICY.resync),
        (after(("HostUnreachable", 68)), T0 + MINUTE, T0 + 10 * SECOND + MINUTE),
        (after(("Timeout", 72)), T0 + 2 * MINUTE, T0 + 2 * MINUTE + POLICY.resync),
        (after(("InvalidInput", 64)), T0 + 900 * HOUR, T0 + 900 * HOUR + POLICY.resync),
    ],
    ids=["good", "retrying", "next-slot", "stalled"],
)
def test_before_its_time_nothing_is_made(resource: Repository, now: datetime, revisit: datetime) -> None:
    decision = at(resource, now)

    assert (decision.start, decision.check, decision.revisit) == (None, None, revisit)
    assert decision.status.conditions == resource.status.conditions


@pytest.mark.parametrize("outcome", ["Succeeded", "HostUnreachable", "InvalidInput"])
def test_while_a_job_runs_no_condition_changes(outcome: str) -> None:
    resource = after((outcome, {"Succeeded": 0, "HostUnreachable": 68, "InvalidInput": 64}[outcome]))
    decision = at(resource, T0 + 8 * HOUR, Child(a_job(at=T0 + 8 * HOUR), [a_pod(ran=True)]))

    assert (decision.start, decision.status.state) == (None, "in_progress")
    assert decision.status.conditions == resource.status.conditions


@pytest.mark.parametrize(
    ("resource", "conditions"),
    [
        (after(("Succeeded", 0)), ("True", "Succeeded")),
        (after(("HostUnreachable", 68)), ("False", "HostUnreachable")),
        (a_repository(), ("Unknown", "Suspended")),
    ],
)
def test_suspend_starts_nothing_and_leaves_ready_as_it_was(resource: Repository, conditions: tuple[str, ...]) -> None:
    decision = at(spec(resource, suspend=True), T0 + 900 * HOUR)

    assert (decision.start, decision.check, told(decision.status)) == (None, None, conditions)
    assert decision.status.next_extraction_time is None


def test_a_duplicate_is_stalled_until_the_older_one_goes() -> None:
    older = a_repository("older")
    stalled = at(after(("Succeeded", 0)), T0 + 7 * HOUR, older=older)
    assert (stalled.start, told(stalled.status)) == (None, ("False", "DuplicateURL", "Stalled"))

    freed = at(known(stalled.status), T0 + 8 * HOUR)
    assert freed.start is not None
    assert told(freed.status) == ("Unknown", "NewGeneration", "Reconciling")


def test_a_suspended_one_is_no_duplicate_any_more_once_the_older_one_is_gone() -> None:
    stalled = at(after(("Succeeded", 0)), T0 + 7 * HOUR, older=a_repository("older"))

    assert told(at(spec(known(stalled.status), suspend=True), T0 + 8 * HOUR).status) == ("Unknown", "Suspended")


def test_a_spec_that_another_version_refused_is_tried_again() -> None:
    refused = statuses.invalid(after(("Succeeded", 0)).status, ["spec.timeZone: unknown"], 1, T0)
    assert find(refused.conditions, "Stalled").reason == INVALID_SPEC  # type: ignore[union-attr]

    decision = at(known(refused), T0 + 8 * HOUR)
    assert decision.start is not None
    assert told(decision.status) == ("Unknown", "NewGeneration", "Reconciling")


# Looks at the git host

LOOKS = Policy(checks=True)


def looked(resource: Repository, now: datetime, *, code: int = 0, **facts: Any) -> Decision:
    first = at(resource, now, policy=LOOKS)
    assert first.check is not None
    assert first.start is None
    run = replace(a_run(facts.pop("outcome", "Succeeded"), code, **facts), started_at=now, finished_at=now)
    return at(resource, now, policy=LOOKS, check=Check(first.check.slot, run))


def test_nothing_new_means_no_job() -> None:
    decision = looked(after(("Succeeded", 0)), T0 + 7 * HOUR, refsDigest="d1")

    assert (decision.start, decision.runs, told(decision.status)) == (None, (), ("True", "UpToDate"))
    assert decision.status.last_check_time == T0 + 7 * HOUR
    assert decision.status.next_extraction_time is not None
    assert decision.status.next_extraction_time >= T0 + 13 * HOUR


def test_a_look_that_went_beyond_its_limits_leaves_it_to_an_extraction() -> None:
    assert looked(after(("Succeeded", 0)), T0 + 7 * HOUR, outcome="LimitExceeded", code=85).start is not None


def test_something_new_means_a_job() -> None:
    assert looked(after(("Succeeded", 0)), T0 + 7 * HOUR, refsDigest="d2").start is not None


def test_a_host_that_does_not_answer_is_asked_again_after_a_minute() -> None:
    decision = looked(after(("Succeeded", 0)), T0 + 7 * HOUR, outcome="HostUnreachable", code=68)

    assert (decision.start, told(decision.status)) == (None, ("False", "HostUnreachable", "Reconciling"))
    assert decision.status.next_extraction_time == T0 + 7 * HOUR + MINUTE


@pytest.mark.parametrize(("outcome", "code"), [("Bug", 70), ("Cancelled", 80), (None, 1)])
def test_a_look_that_says_nothing_of_the_host_leaves_it_to_a_job(outcome: str | None, code: int) -> None:
    assert looked(after(("Succeeded", 0)), T0 + 7 * HOUR, outcome=outcome, code=code).start is not None


@pytest.mark.parametrize(
    ("resource", "now"),
    [
        pytest.param(after(("Succeeded", 0)), T0 + 11 * HOUR, id="maxSkip-is-over"),
        pytest.param(after(("Succeeded", 0), annotations={REQUESTED_AT: "x"}), T0 + HOUR, id="requested"),
        pytest.param(after(("HostUnreachable", 68)), T0 + 7 * HOUR, id="failing"),
        pytest.param(after(("Succeeded", 0), ("Cancelled", 80)), T0 + 7 * HOUR, id="the-last-one-was-not-good"),
        pytest.param(a_repository(), T0, id="never-extracted"),
        pytest.param(
            spec(after(("Succeeded", 0)), url=a_repository(url="https://git.example.org/b").spec.url),
            T0 + 7 * HOUR,
            id="another-address",
        ),
        pytest.param(
            spec(after(("Succeeded", 0)), secret_ref=a_repository().spec.warehouse_ref), T0 + 7 * HOUR, id="private"
        ),
        pytest.param(spec(after(("Succeeded", 0)), metadata=HostMetadata()), T0 + 7 * HOUR, id="the-API-is-due"),
        pytest.param(
            spec(after(("Succeeded", 0)), identity=Identity(mailmap={"configMapRef": {"name": "people"}})),
            T0 + 7 * HOUR,
            id="a-mailmap-that-may-be-another-one",
        ),
    ],
)
def test_a_job_is_made_without_a_look(resource: Repository, now: datetime) -> None:
    decision = at(resource, now, policy=LOOKS)

    assert decision.start is not None
    assert decision.check is None


# Jobs that get nowhere

IMAGE = a_pod(waiting="ErrImagePull", waiting_message="no such image")


def test_a_job_that_cannot_start_says_why_at_once() -> None:
    decision = at(a_repository(), T0 + MINUTE, Child(a_job(), [IMAGE]))

    assert told(decision.status) == ("False", "ImagePullFailed", "Reconciling")
    assert (decision.delete, decision.start, decision.revisit) == ((), None, T0 + 5 * MINUTE)


def test_after_five_minutes_it_is_given_up_and_another_one_follows() -> None:
    job = a_job()
    decision = at(a_repository(), T0 + 5 * MINUTE, Child(job, [IMAGE]))

    assert (decision.delete, decision.start) == ((job,), None)
    assert (told(decision.status), decision.status.state) == (("False", "ImagePullFailed", "Reconciling"), "failed")
    assert decision.status.consecutive_failures == 1
    again = at(known(decision.status), T0 + 6 * MINUTE)
    assert again.start is not None


def test_a_job_of_an_older_spec_that_cannot_start_makes_room_at_once() -> None:
    job = a_job()
    resource = known(at(a_repository(), T0, Child(job, [IMAGE])).status, generation=2)
    decision = at(resource, T0 + MINUTE, Child(job, [IMAGE]))
    assert (decision.delete, decision.start) == ((job,), None)

    gone = at(known(decision.status, generation=2), T0 + MINUTE)
    assert gone.start is not None
    assert gone.start.slot == "generation-2"
    assert (told(gone.status), gone.status.consecutive_failures) == (("Unknown", "NewGeneration", "Reconciling"), 0)


@pytest.mark.parametrize(
    ("image", "pod", "given_up"),
    [
        pytest.param("image:2", IMAGE, False, id="same"),
        pytest.param(None, IMAGE, False, id="not-told"),
        pytest.param("image:1", IMAGE, True, id="another"),
        pytest.param("image:1", a_pod(ran=True), False, id="another-that-works"),
    ],
)
def test_a_job_that_cannot_start_makes_room_for_one_with_the_present_image(
    image: str | None, pod: PodSeen, given_up: bool
) -> None:
    policy = Policy(checks=False, image="image:2")
    decision = at(a_repository(), T0 + MINUTE / 2, Child(a_job(image=image), [pod]), policy=policy)
    assert (len(decision.delete), decision.start) == (int(given_up), None)

    if given_up:  # which is no failure of the repository
        gone = at(known(decision.status), T0 + 3 * MINUTE, policy=policy)
        assert (gone.start is not None, gone.status.consecutive_failures) == (True, 0)


@pytest.mark.parametrize(
    ("job", "pods"),
    [
        pytest.param(a_job(deleting=True), [IMAGE], id="given-up-and-not-yet-gone"),
        pytest.param(a_job(), [a_pod(ran=True, exit_code=68), a_pod(at=T0 + MINUTE, unschedulable="none")], id="2nd"),
    ],
)
def test_a_job_that_stays_stuck_is_not_looked_at_without_a_pause(job: JobSeen, pods: list[PodSeen]) -> None:
    now = T0 + 9 * MINUTE

    assert at(a_repository(), now, Child(job, pods)).revisit == now + POLICY.resync


# Whose Jobs they are

OTHER = {"uid": "another object of this name"}


def test_the_job_of_an_object_that_is_gone_is_not_told_of() -> None:
    decision = at(a_repository(), T0, Child(a_job(ended="complete", **OTHER), [an_ended_pod(commits=99)]))

    assert (decision.runs, decision.status.commits, decision.delete) == ((), None, ())
    assert decision.start is not None


def test_the_running_job_of_an_object_that_is_gone_is_waited_for() -> None:
    decision = at(a_repository(), T0, Child(a_job(**OTHER), [a_pod(ran=True)]))

    assert (decision.start, told(decision.status)) == (None, ("Unknown", "NewGeneration", "Reconciling"))


def test_a_job_that_only_has_our_label_is_nothing_to_us() -> None:
    decision = at(a_repository(), T0, Child(a_job(uid="", owner=None, claimed_by=None), [a_pod(ran=True)]))

    assert decision.start is not None


def test_a_job_that_lost_its_owner_is_still_ours() -> None:
    decision = at(a_repository(), T0 + MINUTE, Child(a_job(ended="complete", owner=None), [an_ended_pod(commits=7)]))

    assert decision.status.commits == 7


# Jobs that are gone, names that come again, clocks


def test_a_job_deleted_before_its_end_is_repeated() -> None:
    running = at(a_repository(), T0).status
    decision = at(known(running), T0 + MINUTE)

    assert (told(decision.status), decision.status.consecutive_failures) == (("False", "ResultLost", "Reconciling"), 1)


def test_a_request_in_the_words_of_an_older_one_gets_a_job_of_its_own() -> None:
    resource = after(("Succeeded", 0), annotations={REQUESTED_AT: "please"})
    first = at(resource, T0 + MINUTE)
    assert first.start is not None
    name = job_of(resource, first.start.slot)
    old = Child(a_job(name, ended="complete", token="please"), [an_ended_pod(name)])
    recorded = known(
        at(resource, T0 + MINUTE, old).status.model_copy(update={"last_handled_request": "another"}),
        annotations={REQUESTED_AT: "please"},
    )

    again = at(recorded, T0 + 2 * MINUTE, old)
    assert again.start is not None
    assert job_of(resource, again.start.slot) != name


def test_an_end_in_the_time_to_come_is_told_as_now() -> None:
    ahead = Child(a_job(ended="complete", finished_at=T0 + 2 * HOUR), [an_ended_pod()])
    decision = at(a_repository(), T0 + MINUTE, ahead)

    assert decision.status.last_check_time == T0 + MINUTE
    assert at(known(decision.status), T0 + MINUTE, ahead).start is None


@pytest.mark.parametrize("generation", [1, 2])
def test_a_second_visit_at_the_same_moment_changes_nothing(generation: int) -> None:
    for child in (ended("Succeeded", 0), ended("HostUnreachable", 68), Child(a_job(), [IMAGE]), Child(a_job())):
        resource = a_repository(generation=generation)
        first = at(resource, T0 + MINUTE, child)
        second = at(known(first.idle or first.status, generation=generation), T0 + MINUTE, child)
        third = at(known(second.idle or second.status, generation=generation), T0 + MINUTE, child)

        assert (third.idle or third.status) == (second.idle or second.status)
        assert not second.runs


def test_of_ended_jobs_one_good_and_three_failed_are_kept() -> None:
    resource, children = a_repository(), []
    for number in range(9):
        now = T0 + number * HOUR
        good = number % 3 == 0
        job = a_job(f"one-{number}", at=now, ended="complete" if good else "failed")
        outcome, code = ("Succeeded", 0) if good else ("HostUnreachable", 68)
        children.append(Child(job, [an_ended_pod(job.name, outcome, code)]))
        decision = at(resource, now + MINUTE, *children)
        gone = {each.name for each in decision.delete}
        assert gone <= {past.job for past in resource.status.history}
        children = [child for child in children if child.job.name not in gone]
        resource = known(decision.status)
    final = at(resource, T0 + 9 * HOUR, *children)
    left = [child.job.state for child in children if child.job not in final.delete]

    assert sorted(left) == ["complete", "failed", "failed", "failed"]
    assert len(resource.status.history) == 5
