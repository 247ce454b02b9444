"""Amounts of CPU and memory in Kubernetes' own shape: 2, 250m, 256Mi, 1.5Gi, 1e3."""

from __future__ import annotations

import math
import re
from dataclasses import dataclass, field
from decimal import Decimal
from typing import ClassVar, Self

from pydantic import Field, GetCoreSchemaHandler, GetJsonSchemaHandler
from pydantic.json_schema import JsonSchemaValue
from pydantic_core import CoreSchema, core_schema

from gitmart.resources.base import CEL_KEY, Model, Rule

_TEXT_LIMIT = 32  # characters
# The pattern Kubernetes' own generator prints for a quantity.
_PATTERN = (
    r"^(\+|-)?(([0-9]+(\.[0-9]*)?)|(\.[0-9]+))"
    r"(([KMGTPE]i)|[numkMGTPE]|([eE](\+|-)?(([0-9]+(\.[0-9]*)?)|(\.[0-9]+))))?$"
)
_PARTS = re.compile(r"(?P<number>\+?(?:[0-9]+\.?[0-9]*|\.[0-9]+))(?P<unit>[KMGTPE]i|[numkMGTPE]|[eE][+-]?[0-9]{1,2})?")
_UNITS = {
    **{unit: Decimal(10) ** power for unit, power in zip("numkMGTPE", (-9, -6, -3, 3, 6, 9, 12, 15, 18), strict=True)},
    **{f"{unit}i": Decimal(1024) ** power for power, unit in enumerate("KMGTPE", start=1)},
}
_LARGEST = Decimal(1024) ** 6  # 1Ei: far from where Kubernetes' int64 ends and amounts are cut silently


def _cel_is_quantity(value: str) -> str:
    """
    Return the CEL expression that `value` can be read as a quantity.

    A long exponent is refused first: Kubernetes writes 1e999999999 out before it compares it, for many minutes.
    """
    return f"!string({value}).matches('[eE][+-]?[0-9]{{3}}') && isQuantity(string({value}))"


@dataclass(frozen=True, slots=True, eq=False)
class Quantity:
    """An amount above 0, kept as it was written. Equal amounts are equal however they are spelled."""

    text: str
    value: Decimal = field(init=False)  # CPU cores, or bytes

    rule: ClassVar[Rule[object]] = Rule(
        "must be a quantity above 0 and at most 1Ei, as Kubernetes writes it: "
        "500m or 2 for cores, 256Mi or 1Gi for bytes",
        f"{_cel_is_quantity('self')} && quantity(string(self)).isGreaterThan(quantity('0')) && "
        "quantity(string(self)).compareTo(quantity('1Ei')) <= 0",
        lambda value: isinstance(value, Quantity),
    )

    def __post_init__(self) -> None:
        found = _PARTS.fullmatch(self.text) if len(self.text) <= _TEXT_LIMIT else None
        if found is None:
            raise ValueError(self.rule.message)
        unit = found["unit"] or "e0"
        factor = _UNITS[unit] if unit in _UNITS else Decimal(10) ** int(unit[1:])
        amount = Decimal(found["number"]) * factor
        if not 0 < amount <= _LARGEST:
            raise ValueError(self.rule.message)
        object.__setattr__(self, "value", amount)

    def __str__(self) -> str:
        return self.text

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Quantity) and self.value == other.value

    def __hash__(self) -> int:
        return hash(self.value)

    @property
    def cores(self) -> float:
        """The amount as CPU cores."""
        return float(self.value)

    @property
    def bytes(self) -> int:
        """The amount as bytes, rounded up as Kubernetes rounds."""
        return math.ceil(self.value)

    @classmethod
    def _parse(cls, value: object) -> Self:
        if isinstance(value, cls):
            return value
        if isinstance(value, str) or (isinstance(value, int) and not isinstance(value, bool)):
            return cls(str(value))
        raise ValueError(cls.rule.message)

    @classmethod
    def __get_pydantic_core_schema__(cls, source: object, handler: GetCoreSchemaHandler) -> CoreSchema:
        return core_schema.no_info_plain_validator_function(
            cls._parse,
            serialization=core_schema.plain_serializer_function_ser_schema(
                str, return_schema=core_schema.str_schema(), when_used="json"
            ),
        )

    @classmethod
    def __get_pydantic_json_schema__(cls, core: CoreSchema, handler: GetJsonSchemaHandler) -> JsonSchemaValue:
        return {
            "anyOf": [{"type": "integer"}, {"type": "string"}],
            "x-kubernetes-int-or-string": True,
            "maxLength": _TEXT_LIMIT,
            "pattern": _PATTERN,
            CEL_KEY: [cls.rule.schema_entry],
        }


_CPU = "CPU cores, such as 500m or 2."
_MEMORY = "Memory, such as 256Mi or 1Gi."


class Requests(Model):
    """What the scheduler keeps free for the container."""

    cpu: Quantity = Field(default=Quantity("250m"), description=_CPU)
    memory: Quantity = Field(default=Quantity("256Mi"), description=_MEMORY)


class ExtractionLimits(Model):
    """What an extraction can use at most: it works on as many cores as it may."""

    cpu: Quantity = Field(default=Quantity("2"), description=_CPU)
    memory: Quantity = Field(default=Quantity("1Gi"), description=_MEMORY)


class TransformationLimits(Model):
    """What a dbt run can use at most: PostgreSQL does the work."""

    cpu: Quantity = Field(default=Quantity("1"), description=_CPU)
    memory: Quantity = Field(default=Quantity("1Gi"), description=_MEMORY)


class ComputeResources(Model):
    """Requests and limits of the container. Subclasses say which limits stand when nothing is written."""

    requests: Requests = Field(default=Requests(), description="What the scheduler keeps free for the container.")
    limits: ExtractionLimits | TransformationLimits


def _within_limits(name: str) -> Rule[ComputeResources]:
    request, limit = f"self.requests.{name}", f"self.limits.{name}"
    return Rule(
        f"requests.{name} must be at most limits.{name}",
        # what is no quantity has a message of its own already
        f"!({_cel_is_quantity(request)} && {_cel_is_quantity(limit)}) || "
        f"quantity(string({request})).compareTo(quantity(string({limit}))) <= 0",
        lambda resources: getattr(resources.requests, name).value <= getattr(resources.limits, name).value,
    )


class ExtractionResources(ComputeResources):
    """CPU and memory of an extraction."""

    rules = (_within_limits("cpu"), _within_limits("memory"))
    limits: ExtractionLimits = Field(default=ExtractionLimits(), description="What the container can use at most.")


class TransformationResources(ComputeResources):
    """CPU and memory of a dbt run."""

    rules = (_within_limits("cpu"), _within_limits("memory"))
    limits: TransformationLimits = Field(
        default=TransformationLimits(), description="What the container can use at most."
    )
