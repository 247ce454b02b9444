"""What users may add to the pods of a run: where they are scheduled, under which account, with which labels."""

from __future__ import annotations

from typing import Annotated, Any, Literal

from pydantic import AfterValidator, Field, GetJsonSchemaHandler
from pydantic.json_schema import JsonSchemaValue
from pydantic_core import CoreSchema

from gitmart.resources.base import Model, ObjectName

OWN_PREFIXES = ("gitmart.dev/", "app.kubernetes.io/", "batch.kubernetes.io/")
_OWN_KEY = (
    f"must not start with {', '.join(OWN_PREFIXES[:-1])} or {OWN_PREFIXES[-1]}: those are set by gitmart and Kubernetes"
)
_ENTRIES = 64  # of a map, as of the lists


class _Free:
    """
    Marks a mapping that is Kubernetes' own and passed on as it is.

    The API server checks it when the Job is made; what it says then stands in the Ready condition.
    """

    @staticmethod
    def __get_pydantic_json_schema__(core: CoreSchema, handler: GetJsonSchemaHandler) -> JsonSchemaValue:
        return {"type": "object", "x-kubernetes-preserve-unknown-fields": True}


class _Map:
    """Bounds a map of texts, so that the API server can tell what it costs to check one."""

    @staticmethod
    def __get_pydantic_json_schema__(core: CoreSchema, handler: GetJsonSchemaHandler) -> JsonSchemaValue:
        return {
            "type": "object",
            "maxProperties": _ENTRIES,
            "additionalProperties": {"type": "string", "maxLength": 4096},
        }


def _few(entries: dict[str, str]) -> dict[str, str]:
    if len(entries) > _ENTRIES:
        raise ValueError(f"must have at most {_ENTRIES} entries")
    return entries


def _foreign(entries: dict[str, str]) -> dict[str, str]:
    for key in entries:
        if key.startswith(OWN_PREFIXES):
            raise ValueError(f"{key[:80]!r} {_OWN_KEY}")
    return entries


TextMap = Annotated[dict[str, str], AfterValidator(_few), _Map]


class _ForeignKeys:
    """Adds the rule on keys to the schema of a map."""

    @staticmethod
    def __get_pydantic_json_schema__(core: CoreSchema, handler: GetJsonSchemaHandler) -> JsonSchemaValue:
        prefixes = " || ".join(f"key.startsWith('{prefix}')" for prefix in OWN_PREFIXES)
        schema = _Map.__get_pydantic_json_schema__(core, handler)
        return schema | {
            "x-kubernetes-validations": [{"rule": f"!self.exists(key, {prefixes})", "message": f"a key {_OWN_KEY}"}]
        }


ForeignMap = Annotated[dict[str, str], AfterValidator(_few), AfterValidator(_foreign), _ForeignKeys]
Key = Annotated[str, Field(max_length=317)]  # a prefix of 253 characters, a slash, a name of 63


class Toleration(Model):
    """Lets the pod run on nodes with a matching taint."""

    key: Key | None = Field(default=None, description="Key of the taint; without it every taint matches.")
    operator: Literal["Exists", "Equal"] = Field(default="Equal", description="How key and value are compared.")
    value: Annotated[str, Field(max_length=63)] | None = Field(default=None, description="Value of the taint.")
    effect: Literal["NoSchedule", "PreferNoSchedule", "NoExecute"] | None = Field(
        default=None, description="Effect of the taint; without it every effect matches."
    )
    toleration_seconds: Annotated[int, Field(ge=0, le=2**31 - 1)] | None = Field(
        default=None, description="How long, in seconds, a NoExecute taint is tolerated. Without it: for ever."
    )


class SecretName(Model):
    """A Secret of the same namespace."""

    name: ObjectName = Field(description="Name of the Secret.")


class PodTemplate(Model):
    """What is added to the pods of a run, in Kubernetes' own words."""

    labels: ForeignMap = Field(default={}, description="Labels to add to the pods.")
    annotations: ForeignMap = Field(default={}, description="Annotations to add to the pods.")
    node_selector: TextMap = Field(default={}, description="Labels that a node must have.")
    tolerations: Annotated[list[Toleration], Field(max_length=_ENTRIES)] = Field(
        default=[], description="Taints of nodes to put up with."
    )
    affinity: Annotated[dict[str, Any], _Free] = Field(
        default={}, description="Rules of scheduling, as in a pod's spec.affinity."
    )
    service_account_name: ObjectName | None = Field(
        default=None, description="Service account of the pods. Its token is never mounted. Without it: default."
    )
    priority_class_name: ObjectName | None = Field(default=None, description="Priority class of the pods.")
    runtime_class_name: ObjectName | None = Field(default=None, description="Runtime class of the pods.")
    image_pull_secrets: Annotated[list[SecretName], Field(max_length=_ENTRIES)] = Field(
        default=[], description="Secrets with registry credentials, besides those of the installation."
    )
