"""Durations as people write them: 30s, 10m, 1h30m."""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import timedelta

from pydantic import GetCoreSchemaHandler, GetJsonSchemaHandler
from pydantic.json_schema import JsonSchemaValue
from pydantic_core import CoreSchema, core_schema

from gitmart.resources.base import CEL_KEY, Rule, cel_matches

_TEXT_LIMIT = 20  # characters
DURATION = r"^([0-9]{1,6}[hms]){1,3}$"
_SECONDS = {"h": 3600, "m": 60, "s": 1}


def parse_duration(text: str) -> timedelta:
    """Return the duration `text` stands for. Raises ValueError on anything but numbers with h, m or s."""
    if re.fullmatch(DURATION, text, re.ASCII) is None:
        raise ValueError(f"{text[:_TEXT_LIMIT]!r} is no duration: write it like 30s, 10m or 1h30m")
    return timedelta(seconds=sum(int(part[:-1]) * _SECONDS[part[-1]] for part in re.findall(r"\d+[hms]", text)))


def format_duration(duration: timedelta) -> str:
    """Return whole seconds as hours, minutes and seconds, such as 1h30m; less than a second is 0s."""
    minutes, seconds = divmod(int(duration.total_seconds()), 60)
    hours, minutes = divmod(minutes, 60)
    return "".join(f"{count}{unit}" for count, unit in ((hours, "h"), (minutes, "m"), (seconds, "s")) if count) or "0s"


@dataclass(frozen=True, slots=True)
class DurationBetween:
    """Marks a timedelta that people write as text, from `shortest` to `longest` (bounds included)."""

    shortest: timedelta
    longest: timedelta

    @property
    def rule(self) -> Rule[timedelta]:
        """The bounds, as both sides check them."""
        shortest, longest = format_duration(self.shortest), format_duration(self.longest)
        return Rule(
            f"must be a duration from {shortest} to {longest}, written like 30s, 10m or 1h30m",
            f"{cel_matches(DURATION)} && "
            f"duration(self) >= duration('{shortest}') && duration(self) <= duration('{longest}')",
            lambda value: self.shortest <= value <= self.longest,
        )

    def _parse(self, value: object) -> timedelta:
        if isinstance(value, timedelta):
            return self.rule.enforce(value)
        if not isinstance(value, str):
            raise ValueError(self.rule.message)  # noqa: TRY004 pydantic wants ValueError
        try:
            return self.rule.enforce(parse_duration(value))
        except ValueError as error:
            raise ValueError(self.rule.message) from error

    def __get_pydantic_core_schema__(self, source: object, handler: GetCoreSchemaHandler) -> CoreSchema:
        return core_schema.no_info_plain_validator_function(
            self._parse,
            serialization=core_schema.plain_serializer_function_ser_schema(
                format_duration, return_schema=core_schema.str_schema(), when_used="json"
            ),
        )

    def __get_pydantic_json_schema__(self, core: CoreSchema, handler: GetJsonSchemaHandler) -> JsonSchemaValue:
        return {
            "type": "string",
            "maxLength": _TEXT_LIMIT,
            "pattern": DURATION,
            CEL_KEY: [self.rule.schema_entry],
        }
