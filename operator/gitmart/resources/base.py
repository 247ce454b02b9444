"""
What every resource shares: the model base, rules told in one sentence, metadata, conditions.

A rule is checked twice, here in Python and by the Kubernetes API server in CEL. Both give the message that
stands beside it, so nobody has to learn two wordings of one mistake.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Annotated, Any, ClassVar, Final, Generic, Literal, Self, TypeVar

from pydantic import (
    AwareDatetime,
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    GetCoreSchemaHandler,
    GetJsonSchemaHandler,
    ModelWrapValidatorHandler,
    PlainSerializer,
    ValidationError,
    WithJsonSchema,
    model_validator,
)
from pydantic.alias_generators import to_camel
from pydantic.json_schema import JsonSchemaValue
from pydantic_core import CoreSchema, ErrorDetails, InitErrorDetails, PydanticCustomError, core_schema

API_VERSION: Final = "gitmart.dev/v1alpha1"
NAME_LIMIT = 47  # characters: a CronJob's name holds 52, and `-full` is appended for a sibling
CEL_KEY = "x-kubernetes-validations"

ValueT = TypeVar("ValueT")


@dataclass(frozen=True)  # no slots: CPython 3.11 cannot make a generic one
class Rule(Generic[ValueT]):
    """
    A demand on a value that passed its own type: `cel` for the API server, `check` for Python.

    `of_presence` marks a demand on a mapping that only asks which fields are there: it is told beside mistakes
    in the fields themselves, so that nobody meets them one after the other.
    """

    message: str
    cel: str
    check: Callable[[ValueT], bool]
    of_presence: bool = False

    def enforce(self, value: ValueT) -> ValueT:
        """Return the value. Raises ValueError with the message if the demand is not met."""
        if not self.check(value):
            raise ValueError(self.message)
        return value

    @property
    def schema_entry(self) -> dict[str, str]:
        """The element of `x-kubernetes-validations`."""
        return {"rule": self.cel, "message": self.message}

    def __get_pydantic_core_schema__(self, source: object, handler: GetCoreSchemaHandler) -> CoreSchema:
        return core_schema.no_info_after_validator_function(self.enforce, handler(source))

    def __get_pydantic_json_schema__(self, core: CoreSchema, handler: GetJsonSchemaHandler) -> JsonSchemaValue:
        schema = handler(core)
        schema[CEL_KEY] = [*schema.get(CEL_KEY, []), self.schema_entry]
        return schema


def cel_matches(pattern: str, value: str = "self") -> str:
    """Return the CEL expression that finds `pattern` in the value. A raw string keeps its backslashes."""
    return f"{value}.matches(r'{pattern}')"


def matching(pattern: str, message: str) -> Rule[str]:
    """Return the rule that a text matches `pattern`, which is anchored at both ends."""
    return Rule(message, cel_matches(pattern), lambda text: re.fullmatch(pattern, text) is not None)


class Model(BaseModel):
    """A mapping of known camelCase fields. Types are strict, as the API server's are: "3" is no integer."""

    model_config = ConfigDict(
        alias_generator=to_camel,
        extra="forbid",
        frozen=True,
        hide_input_in_errors=True,  # an address may hold a password
        strict=True,
        validate_by_alias=True,
        validate_by_name=True,  # for code that builds a status; parse() turns it off for what people wrote
    )
    rules: ClassVar[tuple[Rule[Any], ...]] = ()

    @model_validator(mode="wrap")
    @classmethod
    def _enforce_rules(cls, value: object, handler: ModelWrapValidatorHandler[Self]) -> Self:
        """Build the model, then check its rules. Raises all that is wrong at once."""
        try:
            model = handler(value)
        except ValidationError as error:
            fields = value if isinstance(value, dict) else {}
            written = {name: fields.get(field.alias) for name, field in cls.model_fields.items() if field.alias}
            broken = _broken((rule for rule in cls.rules if rule.of_presence), cls.model_construct(**written))
            known = [_again(details) for details in error.errors(include_url=False)]
            raise ValidationError.from_exception_data(cls.__name__, known + broken, hide_input=True) from None
        if broken := _broken(cls.rules, model):
            raise ValidationError.from_exception_data(cls.__name__, broken, hide_input=True)
        return model

    @classmethod
    def __get_pydantic_json_schema__(cls, core: CoreSchema, handler: GetJsonSchemaHandler) -> JsonSchemaValue:
        schema = handler.resolve_ref_schema(handler(core))
        if cls.rules:
            schema[CEL_KEY] = [rule.schema_entry for rule in cls.rules]
        return schema


def _broken(rules: Iterable[Rule[Any]], model: Model) -> list[InitErrorDetails]:
    """Return an error for each rule that the model does not meet."""
    return [
        InitErrorDetails(type=PydanticCustomError("rule", "{sentence}", {"sentence": rule.message}), input=None)
        for rule in rules
        if not rule.check(model)
    ]


def _again(details: ErrorDetails) -> InitErrorDetails:
    """Return an error of pydantic's in the form it can be raised with again."""
    again = InitErrorDetails(type=details["type"], loc=details["loc"], input=details["input"])
    if "ctx" in details:
        again["ctx"] = details["ctx"]
    if details["type"] == "rule":  # pydantic knows only its own types by name
        again["type"] = PydanticCustomError("rule", "{sentence}", details["ctx"])
    return again


def _as_datetime(value: object) -> object:
    return datetime.fromisoformat(value) if isinstance(value, str) else value


def _rfc3339(value: datetime) -> str:
    return value.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


# A point in time. Printed in UTC with whole seconds, as all of Kubernetes does.
Time = Annotated[
    AwareDatetime,
    BeforeValidator(_as_datetime),
    PlainSerializer(_rfc3339, return_type=str, when_used="json"),
    WithJsonSchema({"type": "string", "format": "date-time"}),
]
Count = Annotated[int, Field(ge=0, le=2**53)]  # above 2^53 JSON readers lose digits
ShortText = Annotated[str, Field(max_length=256)]

_LABEL = "[a-z0-9]([a-z0-9-]*[a-z0-9])?"
NAME_RULE = Rule[str](
    f"must hold at most {NAME_LIMIT} characters",
    f"self.metadata.name.size() <= {NAME_LIMIT}",  # of the root: only there the API server shows metadata
    lambda name: len(name) <= NAME_LIMIT,
)
ObjectName = Annotated[
    str,
    Field(min_length=1, max_length=253),
    matching(
        rf"^{_LABEL}(\.{_LABEL})*$",
        "must be a name of lower-case letters, digits, - and ., with a letter or digit at both ends",
    ),
]
ConfigMapKey = Annotated[
    str,
    Field(min_length=1, max_length=253),
    matching(r"^[-._a-zA-Z0-9]+$", "must be a key of a ConfigMap: letters, digits, hyphens, dots and underscores"),
]


class ObjectMeta(Model):
    """The parts of metadata that gitmart reads. Kubernetes owns the rest, which is left alone."""

    model_config = ConfigDict(extra="ignore")

    name: Annotated[ObjectName, NAME_RULE]
    namespace: Annotated[ObjectName, Field(max_length=63)] = "default"
    uid: str | None = Field(default=None, max_length=128)
    generation: int = Field(default=1, ge=0)
    creation_timestamp: Time | None = None
    deletion_timestamp: Time | None = None
    labels: dict[str, str] = Field(default_factory=dict)
    annotations: dict[str, str] = Field(default_factory=dict)


class WarehouseRef(Model):
    """Which warehouse to write to."""

    name: ObjectName = Field(
        default="gitmart-warehouse",
        description="Name of the Secret, in this namespace, that holds the connection URLs of the warehouse.",
    )


class Status(Model):
    """A status may come from a newer version of gitmart, so fields unknown here are left out instead of refused."""

    model_config = ConfigDict(extra="ignore")


class Condition(Status):
    """One aspect of the state, in the form all of Kubernetes uses."""

    type: str = Field(min_length=1, max_length=316, description="What the condition is about, such as Ready.")
    status: Literal["True", "False", "Unknown"] = Field(description="Whether it holds.")
    reason: str = Field(
        min_length=1,
        max_length=1024,
        pattern=r"^[A-Za-z]([A-Za-z0-9_,:]*[A-Za-z0-9_])?$",
        description="Why, in one CamelCase word.",
    )
    message: str = Field(max_length=32768, description="Why, for a person.")
    last_transition_time: Time = Field(description="When `status` last changed.")
    observed_generation: int = Field(
        default=0, ge=0, le=2**53, description="The generation of the object this was said of."
    )


Conditions = Annotated[
    list[Condition],
    Field(
        max_length=16,
        description="The latest observations of the state, one per type.",
        json_schema_extra={"x-kubernetes-list-type": "map", "x-kubernetes-list-map-keys": ["type"]},
    ),
]
ObservedGeneration = Annotated[
    int, Field(ge=-1, le=2**53, description="The generation this status belongs to; -1 before the first visit.")
]


class Resource(Model):
    """The root of a kind. Subclasses add `kind`, `spec` and `status`."""

    api_version: Literal["gitmart.dev/v1alpha1"] = API_VERSION
    metadata: ObjectMeta

    @classmethod
    def parse(cls, document: object, *, allow_file_urls: bool = False) -> Self:
        """
        Return the resource a person wrote, `document` being what YAML or JSON gave.

        `allow_file_urls` accepts `file:///abs/path` addresses, as local mode does.
        Raises pydantic.ValidationError with every mistake.
        """
        context = {"allow_file_urls": allow_file_urls}
        return cls.model_validate(document, context=context, by_alias=True, by_name=False)

    def to_dict(self) -> dict[str, Any]:
        """Return the object as JSON values with camelCase names, without what is unset."""
        return self.model_dump(mode="json", by_alias=True, exclude_none=True)
