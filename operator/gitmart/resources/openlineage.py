"""Where a DbtSchedule's runs tell of themselves in the words of OpenLineage."""

from __future__ import annotations

from typing import Annotated

from pydantic import Field, GetCoreSchemaHandler, GetJsonSchemaHandler
from pydantic.json_schema import JsonSchemaValue
from pydantic_core import CoreSchema, core_schema

from gitmart.contract import openlineage
from gitmart.contract.openlineage import CollectorUrl, parse_collector_url
from gitmart.resources.base import CEL_KEY, Model, cel_matches, matching
from gitmart.resources.pod_template import SecretName


def _parse(value: object) -> CollectorUrl:
    if isinstance(value, CollectorUrl):
        return value
    if not isinstance(value, str):
        raise ValueError(openlineage.URL_MESSAGE)  # noqa: TRY004 pydantic wants ValueError
    return parse_collector_url(value)


class _CollectorUrlField:
    """Makes a collector's address a field. Its rule stands at the mapping: no message repeats a value, see `git_url.py`."""

    @staticmethod
    def __get_pydantic_core_schema__(source: object, handler: GetCoreSchemaHandler) -> CoreSchema:
        return core_schema.no_info_plain_validator_function(
            _parse,
            serialization=core_schema.plain_serializer_function_ser_schema(
                str, return_schema=core_schema.str_schema(), when_used="json"
            ),
        )

    @staticmethod
    def __get_pydantic_json_schema__(core: CoreSchema, handler: GetJsonSchemaHandler) -> JsonSchemaValue:
        return {"type": "string", "minLength": 1, "maxLength": openlineage.URL_LIMIT}


class OpenLineage(Model):
    """Where to post OpenLineage events of each run: what was built of what, and how it and its tests went."""

    url: Annotated[CollectorUrl, _CollectorUrlField] = Field(
        description="Address of the collector. http:// is for one inside, of a private address. Without a path: "
        f"{openlineage.DEFAULT_PATH}."
    )
    namespace: (
        Annotated[
            str,
            Field(min_length=1, max_length=openlineage.NAME_LIMIT),
            matching(openlineage.NAMESPACE_PATTERN, openlineage.NAMESPACE_MESSAGE),
        ]
        | None
    ) = Field(default=None, description="Namespace of the jobs. Without it: that of this object.")
    secret_ref: SecretName | None = Field(
        default=None,
        description="Secret in this namespace with the key api-key, which is sent as a bearer token, or ca.crt, "
        "certificates of authorities that the collector's is trusted by, or both.",
    )

    @classmethod
    def __get_pydantic_json_schema__(cls, core: CoreSchema, handler: GetJsonSchemaHandler) -> JsonSchemaValue:
        schema = super().__get_pydantic_json_schema__(core, handler)
        rule = {
            "rule": cel_matches(openlineage.URL_PATTERN, "self.url"),
            "message": openlineage.URL_MESSAGE,
            "fieldPath": ".url",
        }
        return schema | {CEL_KEY: [rule]}
