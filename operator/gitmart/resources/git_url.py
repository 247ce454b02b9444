"""The address of a repository as a field: parsed by the contract, told to the API server in CEL."""

from __future__ import annotations

from typing import Annotated

from pydantic import GetCoreSchemaHandler, GetJsonSchemaHandler, ValidationInfo
from pydantic.json_schema import JsonSchemaValue
from pydantic_core import CoreSchema, core_schema

from gitmart.contract.repository_url import NETWORK_RULES, URL_LIMIT, RepositoryUrl, parse_repository_url
from gitmart.resources.base import cel_matches

SSH_NEEDS_KEYS = "an ssh:// url needs secretRef: name a Secret that holds ssh-privatekey and known_hosts"


def _parse(value: object, info: ValidationInfo) -> RepositoryUrl:
    if isinstance(value, RepositoryUrl):
        return value
    if not isinstance(value, str):
        raise ValueError("must be a text such as https://host/group/name.git")  # noqa: TRY004 pydantic wants ValueError
    return parse_repository_url(value, allow_file=bool(info.context and info.context.get("allow_file_urls")))


def url_rules(field: str) -> list[dict[str, str]]:
    """
    Return the rules on an address, for the schema of the mapping that holds it under `field`.

    They stand there and not at the field: of a text that breaks a rule the API server repeats the value, and an
    address may hold a password. Of a mapping it repeats nothing.
    """
    value = f"self.{field}"
    return [
        {
            "rule": f"{'!' if rule.forbidden else ''}{cel_matches(rule.pattern, value)}",
            "message": rule.message,
            "fieldPath": f".{field}",
        }
        for rule in NETWORK_RULES
    ]


class _UrlField:
    """Makes a RepositoryUrl a field. Its own schema has no pattern and no rule, for the reason in `url_rules`."""

    @staticmethod
    def __get_pydantic_core_schema__(source: object, handler: GetCoreSchemaHandler) -> CoreSchema:
        return core_schema.with_info_plain_validator_function(
            _parse,
            serialization=core_schema.plain_serializer_function_ser_schema(
                str, return_schema=core_schema.str_schema(), when_used="json"
            ),
        )

    @staticmethod
    def __get_pydantic_json_schema__(core: CoreSchema, handler: GetJsonSchemaHandler) -> JsonSchemaValue:
        return {"type": "string", "minLength": 1, "maxLength": URL_LIMIT}


GitUrl = Annotated[RepositoryUrl, _UrlField]
