"""Durations, quantities, schedules and time zones."""

from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import TypeAdapter, ValidationError

from gitmart.contract.durations import format_duration, parse_duration
from gitmart.resources.quantity import Quantity
from gitmart.resources.schedule import Cron, TimeZone, next_time

CRON: TypeAdapter[str] = TypeAdapter(Cron)
ZONE: TypeAdapter[str] = TypeAdapter(TimeZone)


@pytest.mark.parametrize(
    ("text", "seconds"), [("0s", 0), ("30s", 30), ("90m", 5400), ("1h30m", 5400), ("1h1m1s", 3661), ("720h", 2592000)]
)
def test_a_duration_is_read_in_seconds(text: str, seconds: int) -> None:
    assert parse_duration(text) == timedelta(seconds=seconds)


@given(st.integers(min_value=0, max_value=10**9))
def test_a_printed_duration_reads_as_itself(seconds: int) -> None:
    duration = timedelta(seconds=seconds)

    assert parse_duration(format_duration(duration)) == duration


@pytest.mark.parametrize("text", ["", "5", "h", "1d", "-1h", "1.5h", "1h ", "1h\n", "PT1H", "٣h", "1h1h1h1h"])
def test_what_is_no_duration_is_told_how_to_write_one(text: str) -> None:
    with pytest.raises(ValueError, match="write it like 30s, 10m or 1h30m"):
        parse_duration(text)


@pytest.mark.parametrize(
    ("text", "cores", "size"),
    [
        ("250m", 0.25, 1),
        ("2", 2.0, 2),
        (".5", 0.5, 1),
        ("1.5Gi", 1610612736.0, 1610612736),
        ("256Mi", 268435456.0, 268435456),
        ("1M", 1000000.0, 1000000),
        ("1e3", 1000.0, 1000),
        ("128974848000m", 128974848.0, 128974848),
    ],
)
def test_a_quantity_tells_cores_and_bytes(text: str, cores: float, size: int) -> None:
    quantity = Quantity(text)

    assert (quantity.cores, quantity.bytes, str(quantity)) == (cores, size, text)


def test_quantities_are_equal_by_amount() -> None:
    assert Quantity("1Gi") == Quantity("1024Mi")
    assert hash(Quantity("1000m")) == hash(Quantity("1"))
    assert Quantity("1G") != Quantity("1Gi")


@pytest.mark.parametrize(
    "text", ["", "0", "-1", "1 Gi", "1gi", "1GB", "1e99", "2Ei", "1e1.5", "nan", "1e999999999", "1" * 33, "1\n"]
)
def test_what_is_no_quantity_is_told_how_to_write_one(text: str) -> None:
    with pytest.raises(ValueError, match="must be a quantity above 0"):
        Quantity(text)


@pytest.mark.parametrize(
    "text",
    [
        "0 */6 * * *",
        "5/15 * * * *",
        "0,30 8-18/2 ? JAN-mar mon-Fri",
        "0 0 29 2 *",
        "@daily",
        "0  0 1 1 *",
        "0 0 1 * 0-6",
    ],
)
def test_a_schedule_that_cronjob_accepts_is_accepted(text: str) -> None:
    assert CRON.validate_python(text) == text


@pytest.mark.parametrize(
    ("text", "words"),
    [
        pytest.param("", "at least 1", id="empty"),
        pytest.param("* * * *", "five cron fields", id="four fields"),
        pytest.param("0 * * * * *", "five cron fields", id="with seconds"),
        pytest.param("TZ=UTC 0 * * * *", "goes into timeZone", id="time zone inside"),
        pytest.param("CRON_TZ=UTC 0 * * * *", "goes into timeZone", id="time zone inside, long"),
        pytest.param("@every 5m", "one of @hourly", id="every"),
        pytest.param("@reboot", "one of @hourly", id="unknown macro"),
        pytest.param("61 * * * *", "has a wrong minute:", id="minute"),
        pytest.param("0 24 * * *", "has a wrong hour:", id="hour"),
        pytest.param("0 0 0 * *", "has a wrong day of the month:", id="day"),
        pytest.param("0 0 * 13 *", "has a wrong month:", id="month"),
        pytest.param("0 0 * * 7", "has a wrong day of the week:", id="7 as Sunday"),
        pytest.param("0 0 * * fri-mon", "has a wrong day of the week:", id="range that wraps"),
        pytest.param("0 0 * abc *", "has a wrong month:", id="unknown name"),
        pytest.param("*/0 * * * *", "has a wrong minute:", id="step 0"),
        pytest.param("? * * * *", "has a wrong minute:", id="question mark"),
        pytest.param("*-5 * * * *", "has a wrong minute:", id="star range"),
        pytest.param("1,,2 * * * *", "has a wrong minute:", id="empty element"),
        pytest.param("0 0 L * *", "has a wrong day of the month:", id="last day"),
        pytest.param("0 0 31 2 *", "never comes", id="never"),
        pytest.param("0 0 * * *\n", "five cron fields", id="newline"),
    ],
)
def test_a_wrong_schedule_is_told_what_is_wrong(text: str, words: str) -> None:
    with pytest.raises(ValidationError) as caught:
        CRON.validate_python(text)

    assert words in str(caught.value)


def test_a_question_mark_means_any_day() -> None:
    assert next_time("0 0 ? * ?", None, datetime(2026, 1, 1, tzinfo=UTC)) == datetime(2026, 1, 2, tzinfo=UTC)


def test_the_next_time_counts_in_the_zone_of_the_schedule() -> None:
    winter, summer = datetime(2026, 1, 1, tzinfo=UTC), datetime(2026, 7, 1, tzinfo=UTC)

    assert next_time("0 6 * * *", "Europe/Berlin", winter) == datetime(2026, 1, 1, 5, tzinfo=UTC)
    assert next_time("0 6 * * *", "Europe/Berlin", summer) == datetime(2026, 7, 1, 4, tzinfo=UTC)
    assert next_time("0 6 * * *", None, winter) == datetime(2026, 1, 1, 6, tzinfo=UTC)


@pytest.mark.parametrize("name", ["UTC", "Etc/UTC", "Europe/Berlin", "America/Argentina/Buenos_Aires", "Etc/GMT+5"])
def test_a_zone_of_the_iana_database_is_accepted(name: str) -> None:
    assert ZONE.validate_python(name) == name


@pytest.mark.parametrize(
    "name",
    ["", "Local", "local", "Mars/Olympus", "../etc/passwd", "/etc/passwd", "Europe", "Europe/", "UTC\n", "+02:00"],
)
def test_any_other_zone_is_refused(name: str) -> None:
    with pytest.raises(ValidationError):
        ZONE.validate_python(name)
