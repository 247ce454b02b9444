"""
Fields that hold an address: parsed by the contract, told to the API server in CEL.

The schema of such a field has no pattern and no rule. They stand at the mapping that holds it: of a text that breaks
a rule the API server repeats the value, and an address may hold a password. Of a mapping it repeats nothing.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from pydantic import GetCoreSchemaHandler, GetJsonSchemaHandler, ValidationInfo
from pydantic.json_schema import JsonSchemaValue
from pydantic_core import CoreSchema, core_schema


@dataclass(frozen=True, slots=True)
class AddressField:
    """
    Makes a type of addresses a field, in `Annotated`.

    `kind` is the type, `parse` makes one of a text or raises ValueError, `limit` is in characters, and `message` says
    what is allowed in place of something that is no text.
    """

    kind: type
    parse: Callable[[str, ValidationInfo], object]
    limit: int
    message: str

    def __get_pydantic_core_schema__(self, source: object, handler: GetCoreSchemaHandler) -> CoreSchema:
        return core_schema.with_info_plain_validator_function(
            self._parse,
            serialization=core_schema.plain_serializer_function_ser_schema(
                str, return_schema=core_schema.str_schema(), when_used="json"
            ),
        )

    def __get_pydantic_json_schema__(self, core: CoreSchema, handler: GetJsonSchemaHandler) -> JsonSchemaValue:
        return {"type": "string", "minLength": 1, "maxLength": self.limit}

    def _parse(self, value: object, info: ValidationInfo) -> object:
        if isinstance(value, self.kind):
            return value
        if not isinstance(value, str):
            raise ValueError(self.message)  # noqa: TRY004 pydantic wants ValueError
        return self.parse(value, info)
