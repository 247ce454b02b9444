"""Where a DbtSchedule's runs tell of themselves in the words of OpenLineage."""

from __future__ import annotations

from typing import Annotated

from pydantic import Field, GetJsonSchemaHandler
from pydantic.json_schema import JsonSchemaValue
from pydantic_core import CoreSchema

from gitmart.contract import openlineage
from gitmart.contract.openlineage import CollectorUrl, parse_collector_url
from gitmart.resources.address import AddressField
from gitmart.resources.base import CEL_KEY, Model, cel_matches, matching
from gitmart.resources.pod_template import SecretName

_URL = AddressField(
    CollectorUrl, lambda text, _: parse_collector_url(text), openlineage.URL_LIMIT, openlineage.URL_MESSAGE
)


class OpenLineage(Model):
    """Where to post OpenLineage events of each run: what was built of what, and how it and its tests went."""

    url: Annotated[CollectorUrl, _URL] = Field(
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
