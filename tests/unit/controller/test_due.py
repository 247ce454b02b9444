"""When the next extraction is due."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from gitmart.contract.kinds import REQUESTED_AT
from gitmart.controller import repository as statuses
from gitmart.controller.due import Due, backoff, due, next_slot
from gitmart.resources.repository import Repository

from .objects import SECOND, T0, a_repository, a_run

MINUTE, HOUR = timedelta(minutes=1), timedelta(hours=1)
EXIT_CODES = {"Succeeded": 0, "HostUnreachable": 68, "Timeout": 72, "InvalidInput": 64, "Cancelled": 80}


def after(*outcomes: str, end: datetime = T0, generation: int = 1, **spec: Any) -> Repository:
    """Return a Repository after runs that all ended at `end`, with an interval of an hour and no jitter."""
    resource = a_repository(generation=generation)
    wanted: dict[str, Any] = {"interval": HOUR, "jitter": timedelta(0)} | spec
    resource = resource.model_copy(update={"spec": resource.spec.model_copy(update=wanted)})
    for outcome in outcomes:
        run = a_run(outcome, EXIT_CODES[outcome])
        run = type(run)(end - 10 * SECOND, end, run.exit_code, run.result)
        resource = resource.model_copy(update={"status": statuses.ended(resource, run)})
    return resource


def with_metadata(resource: Repository, **changes: Any) -> Repository:
    return resource.model_copy(update={"metadata": resource.metadata.model_copy(update=changes)})


def test_a_new_repository_is_due_since_it_was_made() -> None:
    found = due(statuses_seen(after()), T0 + 5 * MINUTE)

    assert found == Due(T0, "generation-1")


def statuses_seen(resource: Repository) -> Repository:
    return resource.model_copy(update={"status": statuses.seen(resource, T0)})


@pytest.mark.parametrize(
    ("spec", "at"),
    [
        pytest.param({}, T0 + HOUR, id="interval"),
        pytest.param({"interval": None}, T0 + 6 * HOUR, id="default"),
        pytest.param({"interval": None, "schedule": "15 * * * *"}, T0 + 15 * MINUTE, id="cron"),
        pytest.param(
            {"interval": None, "schedule": "0 4 * * *", "time_zone": "Europe/Berlin"}, T0 + 3 * HOUR, id="cron-zone"
        ),
    ],
)
def test_after_a_good_run_the_next_slot_is_due(spec: dict[str, Any], at: datetime) -> None:
    assert due(after("Succeeded", **spec), T0 + MINUTE) == Due(at, f"{at:%Y%m%dT%H%M%SZ}")


@pytest.mark.parametrize("days", [1, 100])
def test_after_days_without_an_operator_one_run_is_due_and_not_many(days: int) -> None:
    now = T0 + timedelta(days=days)
    missed = due(after("Succeeded"), now)
    assert missed.at == T0 + HOUR
    assert missed.has_come(now)

    assert due(after("Succeeded", end=now), now).at == now + HOUR


def test_jitter_is_the_same_for_an_object_and_time_and_spread_over_many() -> None:
    spec = after(jitter=10 * MINUTE).spec
    slots = [next_slot(spec, f"uid-{number}", T0) - (T0 + HOUR) for number in range(1_000)]

    assert slots == [next_slot(spec, f"uid-{number}", T0) - (T0 + HOUR) for number in range(1_000)]
    assert all(timedelta(0) <= slot <= 10 * MINUTE for slot in slots)
    per_minute = [sum(slot // MINUTE == minute for slot in slots) for minute in range(10)]
    assert all(60 < count < 140 for count in per_minute), per_minute
    assert len({next_slot(spec, "one", T0 + HOUR * number) - T0 - HOUR * number for number in range(50)}) > 30


def test_without_jitter_being_written_an_interval_is_spread_over_a_tenth_and_a_schedule_is_kept() -> None:
    interval, cron = after(jitter=None).spec, after(jitter=None, interval=None, schedule="0 3 * * *").spec
    slots = [next_slot(interval, f"uid-{number}", T0) for number in range(200)]

    assert max(slots) > T0 + 65 * MINUTE
    assert max(slots) <= T0 + 66 * MINUTE
    assert {next_slot(cron, f"uid-{number}", T0) for number in range(200)} == {T0 + 3 * HOUR}


@pytest.mark.parametrize(
    ("failures", "minutes"), [(0, 1), (1, 1), (2, 2), (3, 4), (4, 8), (5, 15), (6, 15), (60, 15), (10**9, 15)]
)
def test_retries_become_rarer_from_one_to_fifteen_minutes(failures: int, minutes: int) -> None:
    assert backoff(failures) == minutes * MINUTE


def test_a_retry_comes_after_its_pause_but_never_later_than_the_next_slot() -> None:
    once = due(after("HostUnreachable"), T0 + SECOND)
    assert once == Due(T0 + MINUTE, "retry-20260101T000100Z")

    often = due(after(*["HostUnreachable"] * 6, interval=10 * MINUTE), T0 + SECOND)
    assert often == Due(T0 + 10 * MINUTE, "20260101T001000Z")


def test_a_run_out_of_time_or_memory_waits_for_the_next_slot() -> None:
    assert due(after("Timeout", "Timeout"), T0 + SECOND).at == T0 + HOUR


def test_a_cancelled_run_of_a_repository_of_which_nothing_is_known_is_repeated() -> None:
    assert due(after("Cancelled"), T0 + SECOND).at == T0 + MINUTE
    assert due(after("Succeeded", "Cancelled"), T0 + SECOND).at == T0 + HOUR


def test_a_stalled_one_is_due_only_once_it_is_edited() -> None:
    stalled = after("InvalidInput")
    assert due(stalled, T0 + 10_000 * HOUR).at is None

    edited = with_metadata(stalled, generation=2)
    assert due(edited, T0 + HOUR) == Due(T0 + HOUR, "generation-2")


@pytest.mark.parametrize("outcome", ["Succeeded", "HostUnreachable", "Timeout"])
@pytest.mark.parametrize("minutes", [59, 61], ids=["just-before-it-fires", "just-after"])
def test_an_edited_spec_is_due_at_once_and_then_by_its_own_schedule(outcome: str, minutes: int) -> None:
    now = T0 + minutes * MINUTE
    edited = with_metadata(after(outcome, interval=3 * HOUR), generation=2)
    assert due(edited, now) == Due(now, "generation-2")

    ran = edited.model_copy(update={"status": statuses.ended(edited, a_run_at(now))})
    assert due(ran, now + SECOND).at == now + 3 * HOUR


def a_run_at(end: datetime, outcome: str = "Succeeded") -> Any:
    run = a_run(outcome, EXIT_CODES[outcome])
    return type(run)(end, end, run.exit_code, run.result)


def test_a_request_is_due_now_whatever_else_holds() -> None:
    for resource in (after(), after("Succeeded"), after("HostUnreachable"), after("InvalidInput")):
        asked = with_metadata(resource, annotations={REQUESTED_AT: "x"})
        assert due(asked, T0 + SECOND) == Due(T0 + SECOND, "request-x", "x")

        answered = asked.model_copy(update={"status": asked.status.model_copy(update={"last_handled_request": "x"})})
        assert due(answered, T0 + SECOND).token is None


def test_a_request_is_cut_and_an_empty_one_is_none() -> None:
    asked = with_metadata(after("Succeeded"), annotations={REQUESTED_AT: "x" * 1000})
    assert due(asked, T0).token == "x" * 256

    assert due(with_metadata(after("Succeeded"), annotations={REQUESTED_AT: ""}), T0).token is None


@pytest.mark.parametrize("outcome", ["Succeeded", "HostUnreachable", "Timeout"])
@pytest.mark.parametrize("back", [MINUTE, HOUR, timedelta(days=1)], ids=["a-minute", "an-hour", "a-day"])
def test_a_clock_that_is_set_back_starves_nothing_and_repeats_nothing(outcome: str, back: timedelta) -> None:
    """Runs of no length follow one another for 36 hours, from the moment the clock was set back."""
    resource, now, slots, most = after(outcome), T0 - back, [], 36 * HOUR
    while now < T0 - back + most:
        found = due(resource, now)
        assert found.at is not None
        if not found.has_come(now):
            assert found.at - now <= HOUR + 5 * MINUTE, "starved"
            now = found.at
            continue
        slots.append(found.slot)
        resource = resource.model_copy(update={"status": statuses.ended(resource, a_run_at(now, outcome))})

    assert 30 <= len(slots) <= 36 * 5  # each hour one, or retries every quarter of an hour
    assert len(set(slots)) >= len(slots) - 2  # but for a time that came again


def test_times_of_other_zones_are_the_same_times() -> None:
    berlin = T0.astimezone(UTC)

    assert due(after("Succeeded", end=berlin), T0) == due(after("Succeeded"), T0)
