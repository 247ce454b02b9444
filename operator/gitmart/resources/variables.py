"""
Variables of a dbt project: what dbt takes for a value, told in one sentence.

A structural schema gives a field one type or none, so the API server bounds texts and lists and leaves the rest to
the operator, whose Ready condition says it with the sentence that stands here.
"""

from __future__ import annotations

import math
from typing import Annotated, Any, TypeAlias

from pydantic import AfterValidator, GetCoreSchemaHandler, GetJsonSchemaHandler
from pydantic.json_schema import JsonSchemaValue
from pydantic_core import CoreSchema, core_schema

MOST_VARIABLES = 64
MOST_ELEMENTS = 64  # of a list
LONGEST_TEXT = 4096  # characters
_LARGEST = 2**63 - 1  # what the API server keeps of a whole number
ALLOWED = (
    f"must be a text of at most {LONGEST_TEXT} characters, a number, true or false, "
    f"or a list of at most {MOST_ELEMENTS} of these"
)

Scalar: TypeAlias = str | bool | int | float


def _is_scalar(value: object) -> bool:
    match value:
        case str():
            return len(value) <= LONGEST_TEXT
        case int():
            return abs(value) <= _LARGEST
        case float():
            return math.isfinite(value)  # the others are no JSON
        case _:
            return False


def _variable(value: object) -> Scalar | list[Scalar]:
    is_list = isinstance(value, list) and len(value) <= MOST_ELEMENTS and all(map(_is_scalar, value))
    if not is_list and not _is_scalar(value):
        raise ValueError(ALLOWED)
    return value  # type: ignore[return-value]


def _few(entries: dict[str, Any]) -> dict[str, Any]:
    if len(entries) > MOST_VARIABLES:
        raise ValueError(f"must have at most {MOST_VARIABLES} entries")
    return entries


class _Value:
    """Marks a value of any of these types."""

    @staticmethod
    def __get_pydantic_core_schema__(source: object, handler: GetCoreSchemaHandler) -> CoreSchema:
        return core_schema.no_info_plain_validator_function(_variable)


class _Map:
    """Bounds the map, so that the API server can tell what it costs to keep one."""

    @staticmethod
    def __get_pydantic_json_schema__(core: CoreSchema, handler: GetJsonSchemaHandler) -> JsonSchemaValue:
        value = {"x-kubernetes-preserve-unknown-fields": True, "maxLength": LONGEST_TEXT, "maxItems": MOST_ELEMENTS}
        return {"type": "object", "maxProperties": MOST_VARIABLES, "additionalProperties": value}


Variables = Annotated[dict[str, Annotated[Any, _Value]], AfterValidator(_few), _Map]
