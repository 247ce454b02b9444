"""
Cron schedules and time zones, in the grammar of Kubernetes' CronJob and with its idea of when a schedule fires.

CronJob reads schedules with github.com/robfig/cron, and so the grammar here is what that library takes of the usual
one: no seconds, no 7 for Sunday, no ranges that wrap around, no L, #, H or R, no @every. A day must fit both day
fields if one of them is `*` or `?`, else one of them (`*/2` is no `*`).

A schedule fires at every minute that a clock on the wall of its zone shows and its fields name. So when the clocks go
forward, a time that they leave out does not come that day; when they go back, a time that they show twice comes
twice. That is CronJob's way too, but for zones whose clocks change at midnight or by half an hour: there it may miss
or misplace a time on the day of the change.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta, tzinfo
from functools import lru_cache
from typing import Annotated, Final
from zoneinfo import ZoneInfo

from pydantic import AfterValidator, Field

from gitmart.resources.base import Rule, cel_matches

MACROS: Final = {
    "@hourly": "0 * * * *",
    "@daily": "0 0 * * *",
    "@midnight": "0 0 * * *",
    "@weekly": "0 0 * * 0",
    "@monthly": "0 0 1 * *",
    "@yearly": "0 0 1 1 *",
    "@annually": "0 0 1 1 *",
}
_MONTHS = ("jan", "feb", "mar", "apr", "may", "jun", "jul", "aug", "sep", "oct", "nov", "dec")
_WEEKDAYS = ("sun", "mon", "tue", "wed", "thu", "fri", "sat")
# name of the field, least and greatest value, names that stand for values
_FIELDS: Final[tuple[tuple[str, int, int, dict[str, int]], ...]] = (
    ("minute", 0, 59, {}),
    ("hour", 0, 23, {}),
    ("day of the month", 1, 31, {}),
    ("month", 1, 12, {name: number for number, name in enumerate(_MONTHS, start=1)}),
    ("day of the week", 0, 6, {name: number for number, name in enumerate(_WEEKDAYS)}),
)
_CRON_PATTERN = rf"^({'|'.join(MACROS)}|[0-9A-Za-z*?/,-]+( +[0-9A-Za-z*?/,-]+){{4}})$"
_CRON_RULE = Rule[str](
    "must be five cron fields (minute, hour, day of the month, month, day of the week) such as '0 */6 * * *', "
    f"or one of {', '.join(MACROS)}; a time zone goes into timeZone",
    cel_matches(_CRON_PATTERN),
    lambda text: re.fullmatch(_CRON_PATTERN, text) is not None,
)


def _span(first: int, last: int, names: dict[str, int]) -> str:
    """Return a pattern of all ways to write a value from `first` to `last`: with a leading zero or not, or its name."""
    tens = range(first // 10, last // 10 + 1)
    numbers = (f"{ten or '0?'}[{max(first - ten * 10, 0)}-{min(last - ten * 10, 9)}]" for ten in tens)
    return "|".join([*numbers, *(name for name, value in names.items() if first <= value <= last)])


def _field_pattern(field: str, least: int, most: int, names: dict[str, int]) -> str:
    """Return a pattern of one field: a comma list of *, values and ranges that do not wrap around, each with a step."""
    star = "[*?]" if field.startswith("day") else "[*]"
    ranges = (f"({_span(start, start, names)})-({_span(start, most, names)})" for start in range(least, most + 1))
    item = f"({'|'.join([star, _span(least, most, names), *ranges])})(/(0?[1-9]|[1-9][0-9]))?"
    return f"{item}(,{item})*"


def _field_rule(position: int, field: str, least: int, most: int, names: dict[str, int]) -> Rule[str]:
    """Return the rule on one of the five fields. What is no cron schedule at all has a message of its own already."""
    pattern = rf"^(@.*|(?i:([^ ]+ +){{{position}}}{_field_pattern(field, least, most, names)}( .*)?))$"
    named = f", names such as {next(iter(names))}" if names else ""
    return Rule(
        f"has a wrong {field}: write *, numbers from {least} to {most}{named}, ranges such as 1-5 that do not wrap "
        "around, steps such as */2, or several of these with commas between",
        f"!{cel_matches(_CRON_PATTERN)} || {cel_matches(pattern)}",
        lambda text: re.fullmatch(pattern, text) is not None,
    )


_FIELD_RULES = tuple(_field_rule(position, *field) for position, field in enumerate(_FIELDS))
_ZONE_PATTERN = r"^[A-Z][A-Za-z0-9_+-]*(/[A-Za-z0-9_+-]+)*$"
_ZONE_RULE = Rule[str](
    "must be a time zone of the IANA database, such as Etc/UTC or Europe/Berlin",
    f"{cel_matches(_ZONE_PATTERN)} && self != 'Local'",
    lambda name: re.fullmatch(_ZONE_PATTERN, name) is not None and name != "Local",
)


_MINUTE, _HOUR, _DAY = timedelta(minutes=1), timedelta(hours=1), timedelta(days=1)
_MOST_DAYS = (0, 31, 29, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31)  # of a month, from 1
_HORIZON = timedelta(days=9 * 366)  # 29 February comes after eight years at the latest


@dataclass(frozen=True, slots=True)
class _Fields:
    """What each field allows. `either`: a day need fit only one of the two day fields."""

    minutes: frozenset[int]
    hours: frozenset[int]
    days: frozenset[int]
    months: frozenset[int]
    weekdays: frozenset[int]
    either: bool

    def fit_day(self, local: datetime) -> bool:
        fits_day, fits_weekday = local.day in self.days, local.isoweekday() % 7 in self.weekdays
        fits = (fits_day or fits_weekday) if self.either else (fits_day and fits_weekday)
        return fits and local.month in self.months

    def ever_come(self) -> bool:
        return self.either or any(day <= _MOST_DAYS[month] for day in self.days for month in self.months)


def next_time(schedule: str, time_zone: str | None, after: datetime) -> datetime:
    """Return the first time of an accepted schedule later than `after` (aware), in UTC. Without a zone, UTC counts."""
    fields, zone = _fields(schedule), ZoneInfo(time_zone) if time_zone else UTC
    time = after.astimezone(UTC).replace(second=0, microsecond=0) + _MINUTE
    end = time + _HORIZON
    while time < end:
        local = time.astimezone(zone)
        if not fields.fit_day(local):
            time = _later(time, zone, _DAY - timedelta(hours=local.hour, minutes=local.minute), 60 - local.minute)
        elif local.hour not in fields.hours:
            time = _later(time, zone, timedelta(minutes=60 - local.minute), 1)
        elif local.minute not in fields.minutes:
            time += _MINUTE
        else:
            return time
    raise ValueError(f"{schedule!r} never comes")


def _later(time: datetime, zone: tzinfo, step: timedelta, minutes: int) -> datetime:
    """Return the time a step later, or only `minutes`, or one, lest a change of the clocks be stepped over."""
    offset = time.astimezone(zone).utcoffset()
    for each in (step, timedelta(minutes=minutes)):
        if (time + each).astimezone(zone).utcoffset() == offset:
            return time + each
    return time + _MINUTE


@lru_cache(maxsize=1024)
def _fields(schedule: str) -> _Fields:
    texts = MACROS.get(schedule, schedule).split()
    minutes, hours, days, months, weekdays = (
        frozenset(value for item in text.split(",") for value in _values(item, least, most, names))
        for text, (_, least, most, names) in zip(texts, _FIELDS, strict=True)
    )
    either = not (_is_star(texts[2]) or _is_star(texts[4]))
    return _Fields(minutes, hours, days, months, weekdays, either)


def _is_star(text: str) -> bool:
    return any(item in ("*", "?") or re.fullmatch(r"[*?]/0*1", item) for item in text.split(","))


def _values(item: str, least: int, most: int, names: dict[str, int]) -> Iterator[int]:
    """Yield the values of an accepted element of a field's comma list. 5/15 means 5-59/15."""
    span, _, step = item.lower().partition("/")
    if span in ("*", "?"):
        start, end = least, most
    else:
        first, _, last = span.partition("-")
        start = names[first] if first in names else int(first)
        end = (names[last] if last in names else int(last)) if last else most if step else start
    yield from range(start, end + 1, int(step or 1))


def _check_comes(text: str) -> str:
    if not _fields(text).ever_come():
        raise ValueError(f"{text!r} never comes: no month of it has that day")
    return text


def _check_zone(name: str) -> str:
    try:
        ZoneInfo(name)
    except (OSError, ValueError, KeyError) as error:  # KeyError: ZoneInfoNotFoundError
        raise ValueError(f"{name!r} is unknown: it {_ZONE_RULE.message}") from error
    return name


Cron = Annotated[str, Field(min_length=1, max_length=256), _CRON_RULE, *_FIELD_RULES, AfterValidator(_check_comes)]
TimeZone = Annotated[str, Field(min_length=1, max_length=64), _ZONE_RULE, AfterValidator(_check_zone)]
