"""Which run of a schedule is due, as Kubernetes' CronJob controller decides it."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gitmart.controller.cron import Fire, fire, latest_time
from gitmart.resources.dbtschedule import DbtSchedule
from gitmart.resources.schedule import next_time

CREATED = datetime(2026, 1, 1, 0, 30, tzinfo=UTC)
HOURLY = "0 * * * *"


def a_schedule(schedule: str = HOURLY, **spec: Any) -> DbtSchedule:
    return DbtSchedule.parse(
        {
            "apiVersion": "gitmart.dev/v1alpha1",
            "kind": "DbtSchedule",
            "metadata": {"name": "analytics", "uid": "u", "creationTimestamp": "2026-01-01T00:30:00Z"},
            "spec": {"schedule": schedule, **spec},
        }
    )


def at(text: str) -> datetime:
    return datetime.fromisoformat(f"2026-01-{text}:00Z")


@pytest.mark.parametrize(
    ("spec", "last", "running", "now", "due"),
    [
        pytest.param({}, None, False, "01T00:30", None, id="just made: not before its first time"),
        pytest.param({}, None, False, "01T00:59", None, id="too early"),
        pytest.param({}, None, False, "01T01:00", "01T01:00", id="on the second"),
        pytest.param({}, "01T01:00", False, "01T01:59", None, id="done already"),
        pytest.param({}, "01T01:00", False, "01T02:01", "01T02:00", id="a little late"),
        pytest.param({}, "01T01:00", False, "01T07:59", "01T07:00", id="of missed ones the latest"),
        pytest.param({}, "01T01:00", False, "01T00:10", None, id="the clock was set back"),
        pytest.param({"startingDeadlineSeconds": 60}, "01T01:00", False, "01T02:01", None, id="over the deadline"),
        pytest.param({"startingDeadlineSeconds": 61}, "01T01:00", False, "01T02:01", "01T02:00", id="in time"),
        pytest.param({}, "01T01:00", True, "01T02:00", None, id="Forbid waits for the one before"),
        pytest.param({"concurrencyPolicy": "Allow"}, "01T01:00", True, "01T02:00", "01T02:00", id="Allow"),
        # Its full hours are our half ones; the one of creation itself does not count.
        pytest.param({"timeZone": "Asia/Kolkata"}, None, False, "01T01:00", None, id="another zone, not yet"),
        pytest.param({"timeZone": "Asia/Kolkata"}, None, False, "01T01:40", "01T01:30", id="another zone"),
    ],
)
def test_what_is_due(spec: dict[str, Any], last: str | None, running: bool, now: str, due: str | None) -> None:
    found = fire(a_schedule(**spec), at(last) if last else None, running=running, now=at(now))

    assert found == (Fire(at(due), replaces=False) if due else None)


def test_replace_says_so_only_while_one_runs() -> None:
    schedule = a_schedule(concurrencyPolicy="Replace")

    assert fire(schedule, at("01T01:00"), running=True, now=at("01T02:00")) == Fire(at("01T02:00"), replaces=True)
    assert fire(schedule, at("01T01:00"), running=False, now=at("01T02:00")) == Fire(at("01T02:00"), replaces=False)


def test_a_time_that_was_protected_against_comes_late_once() -> None:
    schedule = a_schedule()

    assert fire(schedule, at("01T01:00"), running=True, now=at("01T02:10")) is None
    late = fire(schedule, at("01T01:00"), running=False, now=at("01T02:20"))
    assert late == Fire(at("01T02:00"), replaces=False)
    assert late.slot == "cron-20260101T020000Z"
    assert fire(schedule, late.at, running=False, now=at("01T02:21")) is None


def test_full_refreshes_have_times_and_names_of_their_own() -> None:
    schedule = a_schedule(fullRefreshSchedule="30 3 * * *", concurrencyPolicy="Replace")
    found = fire(schedule, at("01T01:00"), running=True, now=at("01T03:40"), full_refresh=True)

    assert found == Fire(at("01T03:30"), replaces=True, full_refresh=True)
    assert found.slot == "full-20260101T033000Z"
    assert fire(a_schedule(), at("01T01:00"), running=False, now=at("01T03:40"), full_refresh=True) is None


@given(
    schedule=st.sampled_from(["* * * * *", "*/7 3 * * *", "30 2 29 * *", "0 0 1 1 *"]),
    zone=st.sampled_from(["Etc/UTC", "Europe/Berlin"]),
    since=st.integers(0, 31 * 24 * 60),
    minutes=st.integers(0, 3000),
)
def test_the_latest_time_is_the_last_of_all(schedule: str, zone: str, since: int, minutes: int) -> None:
    start = datetime(2026, 3, 1, tzinfo=UTC) + timedelta(minutes=since)
    now = start + timedelta(minutes=minutes)
    latest, time = None, next_time(schedule, zone, start)
    while time <= now:
        latest, time = time, next_time(schedule, zone, time)

    assert latest_time(schedule, zone, start, now) == latest


def test_a_year_of_minutes_takes_no_walk_through_them() -> None:
    now = CREATED + timedelta(days=365 * 50)

    assert latest_time("* * * * *", "Etc/UTC", CREATED, now) == now
