"""Kubernetes' own ConfigMap, as far as local mode stands in for it: what a Repository names may stand beside it."""

from __future__ import annotations

import base64
import binascii
from typing import Annotated, Literal, Self

from pydantic import AfterValidator, Field

from gitmart.resources.base import Model, ObjectMeta, ObjectName


def _base64(values: dict[str, str]) -> dict[str, str]:
    for key, value in values.items():
        try:
            base64.b64decode(value, validate=True)
        except (binascii.Error, ValueError):
            raise ValueError(f"the value of {key[:80]!r} must be base64") from None
    return values


class ConfigMapMeta(ObjectMeta):
    """The parts of metadata that gitmart reads; the name may be longer than those of its own kinds."""

    name: ObjectName


class ConfigMap(Model):
    """Texts and bytes by key."""

    api_version: Literal["v1"] = "v1"
    kind: Literal["ConfigMap"] = "ConfigMap"
    metadata: ConfigMapMeta
    data: dict[str, str] = Field(default={})
    binary_data: Annotated[dict[str, str], AfterValidator(_base64)] = Field(default={})
    immutable: bool = False

    @classmethod
    def parse(cls, document: object, *, allow_file_urls: bool = False) -> Self:  # noqa: ARG003 # as a Resource
        """Return what a person wrote. Raises pydantic.ValidationError with every mistake."""
        return cls.model_validate(document, by_alias=True, by_name=False)

    def content(self, key: str) -> bytes | None:
        """Return the value of a key, None when there is no such key."""
        if key in self.data:
            return self.data[key].encode()
        return base64.b64decode(self.binary_data[key]) if key in self.binary_data else None
