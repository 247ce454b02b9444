"""When a cron schedule fires: on the days the clocks change as CronJob does it, and else by its fields alone."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pydantic import TypeAdapter, ValidationError

from gitmart.resources.schedule import Cron, next_time

MINUTE = timedelta(minutes=1)
CRON: TypeAdapter[str] = TypeAdapter(Cron)


def fires(schedule: str, zone: str, after: str, count: int) -> list[str]:
    """Return the next times, in UTC, as 29T00:30 (day and time)."""
    times, time = [], datetime.fromisoformat(after).replace(tzinfo=UTC)
    for _ in range(count):
        time = next_time(schedule, zone, time)
        times.append(f"{time:%dT%H:%M}")
    return times


# What github.com/robfig/cron v3.0.1, the library of Kubernetes' CronJob, printed for the same questions.
# Berlin: 29 March 2026 from 2 to 3 (01:00 UTC), 25 October from 3 to 2 (01:00 UTC).
# New York: 8 March 2026 from 2 to 3 (07:00 UTC), 1 November from 2 to 1 (06:00 UTC).
@pytest.mark.parametrize(
    ("schedule", "zone", "after", "times"),
    [
        pytest.param("30 2 * * *", "Europe/Berlin", "2026-03-28T00:00", ["28T01:30", "30T00:30"], id="berlin-gap"),
        pytest.param(
            "30 2 * * *", "Europe/Berlin", "2026-10-24T12:00", ["25T00:30", "25T01:30", "26T01:30"], id="berlin-twice"
        ),
        pytest.param(
            "*/30 * * * *", "Europe/Berlin", "2026-03-29T00:00", ["29T00:30", "29T01:00", "29T01:30"], id="berlin-half"
        ),
        pytest.param(
            "*/30 * * * *", "Europe/Berlin", "2026-10-25T00:00", ["25T00:30", "25T01:00", "25T01:30"], id="berlin-half2"
        ),
        pytest.param("0 0 * * *", "Europe/Berlin", "2026-03-28T12:00", ["28T23:00", "29T22:00"], id="berlin-midnight"),
        pytest.param("0 0 * * *", "Europe/Berlin", "2026-10-24T12:00", ["24T22:00", "25T23:00"], id="berlin-midnight2"),
        pytest.param("30 2 * * *", "America/New_York", "2026-03-07T00:00", ["07T07:30", "09T06:30"], id="york-gap"),
        pytest.param(
            "30 1 * * *", "America/New_York", "2026-10-31T12:00", ["01T05:30", "01T06:30", "02T06:30"], id="york-twice"
        ),
        pytest.param("30 2 * * *", "America/New_York", "2026-10-31T12:00", ["01T07:30", "02T07:30"], id="york-once"),
        pytest.param(
            "*/30 * * * *", "America/New_York", "2026-03-08T06:00", ["08T06:30", "08T07:00", "08T07:30"], id="york-half"
        ),
        pytest.param("0 0 * * *", "America/New_York", "2026-03-07T12:00", ["08T05:00", "09T04:00"], id="york-midnight"),
        pytest.param("0 0 * * *", "America/New_York", "2026-10-31T12:00", ["01T04:00", "02T05:00"], id="york-midnight2"),
    ],
)  # fmt: skip
def test_on_days_the_clocks_change_it_fires_as_cronjob_does(
    schedule: str, zone: str, after: str, times: list[str]
) -> None:
    assert fires(schedule, zone, after, len(times)) == times


@pytest.mark.parametrize(
    ("schedule", "after", "times"),
    [
        pytest.param("0 0 13 * 5", "2026-02-01T00:00", ["06T00:00", "13T00:00", "20T00:00"], id="either-day-field"),
        pytest.param("0 0 13 * *", "2026-02-14T00:00", ["13T00:00", "13T00:00"], id="one-is-a-star"),
        pytest.param("0 0 */10 * 5", "2026-02-01T00:00", ["06T00:00", "11T00:00"], id="step-no-star"),
        pytest.param("0 0 */1 * 5", "2026-02-01T00:00", ["06T00:00", "13T00:00"], id="step-of-1-is-a-star"),
        pytest.param("50/5 0 ? * ?", "2026-02-01T00:00", ["01T00:50", "01T00:55", "02T00:50"], id="start-and-step"),
        pytest.param("0 0 29 2 *", "2026-02-01T00:00", ["29T00:00"], id="leap-day"),
        pytest.param("0 0 29 2 *", "2096-03-01T00:00", ["29T00:00"], id="leap-day-after-eight-years"),
        pytest.param("@weekly", "2026-02-01T00:00", ["08T00:00"], id="macro"),
    ],
)  # fmt: skip
def test_fields_are_read_as_cronjob_reads_them(schedule: str, after: str, times: list[str]) -> None:
    assert fires(schedule, "Etc/UTC", after, len(times)) == times


def test_odd_changes_of_the_clocks_lose_no_time() -> None:
    # In Cairo 24 April 2026 began at 1:00; on Lord Howe the clocks went from 2:00 to 2:30 on 4 October.
    assert fires("30 0,1 * * *", "Africa/Cairo", "2026-04-23T12:00", 2) == ["23T22:30", "24T21:30"]
    assert fires("0 3 * * *", "Australia/Lord_Howe", "2026-10-03T12:30", 2) == ["03T16:00", "04T16:00"]


def an_item(least: int, most: int) -> st.SearchStrategy[str]:
    number = st.integers(least, most)
    spans = st.tuples(number, number).map(lambda ends: f"{min(ends)}-{max(ends)}")
    starts = st.one_of(st.just("*"), spans, number.map(str))
    steps = st.tuples(st.one_of(st.just("*"), spans), st.integers(1, most)).map(lambda both: f"{both[0]}/{both[1]}")
    return st.lists(st.one_of(starts, steps), min_size=1, max_size=3).map(",".join)


SCHEDULES = st.tuples(*(an_item(*bounds) for bounds in ((0, 59), (0, 23), (1, 31), (1, 12), (0, 6)))).map(" ".join)
ZONES = st.sampled_from(
    ["Etc/UTC", "Europe/Berlin", "America/New_York", "Asia/Kolkata", "Australia/Lord_Howe", "Africa/Cairo"]
)
TIMES = st.datetimes(datetime(2020, 1, 1), datetime(2040, 1, 1), timezones=st.just(UTC))  # noqa: DTZ001 # see timezones


def matches(schedule: str, local: datetime) -> bool:
    """Whether a schedule names the minute that a clock on the wall shows: crontab(5), word by word."""

    def allowed(field: int, least: int, most: int) -> set[int]:
        found: set[int] = set()
        for item in schedule.split()[field].split(","):
            span, _, step = item.partition("/")
            first, _, last = span.partition("-")
            numbers = range(least, most + 1) if span == "*" else range(int(first), int(last or first) + 1)
            found |= {number for number in numbers if (number - numbers[0]) % int(step or 1) == 0}
        return found

    def is_star(field: int) -> bool:
        return bool({"*", "*/1"} & set(schedule.split()[field].split(",")))

    on_days = [local.day in allowed(2, 1, 31), local.isoweekday() % 7 in allowed(4, 0, 6)]
    fits = all(on_days) if is_star(2) or is_star(4) else any(on_days)
    return (
        fits
        and local.month in allowed(3, 1, 12)
        and local.hour in allowed(1, 0, 23)
        and local.minute in allowed(0, 0, 59)
    )


def is_accepted(schedule: str) -> bool:
    try:
        CRON.validate_python(schedule)
    except ValidationError:
        return False
    return True


@settings(deadline=None, max_examples=100)
@given(SCHEDULES.filter(is_accepted), ZONES, TIMES)
def test_the_next_time_is_the_first_minute_that_the_fields_name(schedule: str, zone: str, after: datetime) -> None:
    found = next_time(schedule, zone, after)

    assert found > after
    assert matches(schedule, found.astimezone(ZoneInfo(zone)))
    earliest = max(after, found - timedelta(hours=30)).replace(second=0, microsecond=0) + MINUTE
    between = (earliest + MINUTE * passed for passed in range(int((found - earliest) / MINUTE)))
    for local in (time.astimezone(ZoneInfo(zone)) for time in between):
        if local.minute in (0, 29, 30, 59) or found - local < timedelta(hours=2):
            assert not matches(schedule, local), local
