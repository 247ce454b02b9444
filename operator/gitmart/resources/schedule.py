"""
Cron schedules and time zones, in the grammar of Kubernetes' CronJob.

CronJob reads schedules with another library (robfig/cron) than we do (croniter), so the grammar here is what
both understand alike: no seconds, no 7 for Sunday, no ranges that wrap around, no L, #, H or R, no @every.
"""

from __future__ import annotations

import re
from datetime import UTC, datetime
from typing import Annotated, Final
from zoneinfo import ZoneInfo

from croniter import CroniterBadDateError, croniter
from pydantic import AfterValidator, Field

from gitmart.resources.base import Rule, cel_matches

MACROS: Final = ("@hourly", "@daily", "@midnight", "@weekly", "@monthly", "@yearly", "@annually")
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
_ITEM = re.compile(r"(?P<start>\*|\?|[0-9]{1,2}|[a-z]{3})(-(?P<end>[0-9]{1,2}|[a-z]{3}))?(/(?P<step>[0-9]{1,2}))?")
_CRON_PATTERN = rf"^({'|'.join(MACROS)}|[0-9A-Za-z*?/,-]+( +[0-9A-Za-z*?/,-]+){{4}})$"
_CRON_RULE = Rule[str](
    "must be five cron fields (minute, hour, day of the month, month, day of the week) such as '0 */6 * * *', "
    f"or one of {', '.join(MACROS)}; a time zone goes into timeZone",
    cel_matches(_CRON_PATTERN),
    lambda text: re.fullmatch(_CRON_PATTERN, text) is not None,
)
_ZONE_PATTERN = r"^[A-Z][A-Za-z0-9_+-]*(/[A-Za-z0-9_+-]+)*$"
_ZONE_RULE = Rule[str](
    "must be a time zone of the IANA database, such as Etc/UTC or Europe/Berlin",
    f"{cel_matches(_ZONE_PATTERN)} && self != 'Local'",
    lambda name: re.fullmatch(_ZONE_PATTERN, name) is not None and name != "Local",
)


def next_time(schedule: str, time_zone: str | None, after: datetime) -> datetime:
    """Return the first time of an accepted schedule later than `after` (aware), in UTC. Without a zone, UTC counts."""
    zone = ZoneInfo(time_zone) if time_zone else UTC
    found: datetime = croniter(schedule.replace("?", "*"), after.astimezone(zone)).get_next(datetime)
    return found.astimezone(UTC)


def _check_item(text: str, field: str, least: int, most: int, names: dict[str, int]) -> None:
    """Raise ValueError unless `text` is one element, such as 5, 1-5, */2 or mon, of a field's comma list."""
    found = _ITEM.fullmatch(text.lower())
    wrong = ValueError(f"{text!r} is no {field}: write *, numbers from {least} to {most}, ranges 1-5 or steps */2")
    if found is None or (found["start"] == "?" and not field.startswith("day")):
        raise wrong
    if found["start"] in "*?":
        start, end = least, most
        if found["end"]:
            raise wrong
    else:
        start = _number(found["start"], names, wrong)
        end = _number(found["end"], names, wrong) if found["end"] else start
    if not least <= start <= end <= most or found["step"] in ("0", "00"):
        raise wrong


def _number(text: str, names: dict[str, int], wrong: ValueError) -> int:
    if text.isdigit():
        return int(text)
    if text not in names:
        raise wrong
    return names[text]


def _check_cron(text: str) -> str:
    if text in MACROS:
        return text
    for value, (field, least, most, names) in zip(text.split(), _FIELDS, strict=True):
        for item in value.split(","):
            _check_item(item, field, least, most, names)
    try:
        next_time(text, None, datetime(2024, 1, 1, tzinfo=UTC))
    except CroniterBadDateError as error:
        raise ValueError(f"{text!r} never comes: no month of it has that day") from error
    return text


def _check_zone(name: str) -> str:
    try:
        ZoneInfo(name)
    except (OSError, ValueError, KeyError) as error:  # KeyError: ZoneInfoNotFoundError
        raise ValueError(f"{name!r} is unknown: it {_ZONE_RULE.message}") from error
    return name


Cron = Annotated[str, Field(min_length=1, max_length=256), _CRON_RULE, AfterValidator(_check_cron)]
TimeZone = Annotated[str, Field(min_length=1, max_length=64), _ZONE_RULE, AfterValidator(_check_zone)]
