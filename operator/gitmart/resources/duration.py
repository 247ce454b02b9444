"""Durations as people write them: 30s, 10m, 1h30m."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import timedelta

from pydantic import GetCoreSchemaHandler, GetJsonSchemaHandler
from pydantic.json_schema import JsonSchemaValue
from pydantic_core import CoreSchema, core_schema

from gitmart.contract.durations import ALLOWED, PATTERN, TEXT_LIMIT, format_duration, parse_duration
from gitmart.resources.base import CEL_KEY, Rule, cel_matches


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
            f"must be a duration from {shortest} to {longest}: {ALLOWED}",
            f"{cel_matches(PATTERN)} && "
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
            "maxLength": TEXT_LIMIT,
            "pattern": PATTERN,
            CEL_KEY: [self.rule.schema_entry],
        }
