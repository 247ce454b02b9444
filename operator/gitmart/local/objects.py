"""
The resources local mode knows, one JSON file each, in the shape Kubernetes would show them.

`apply` does what the API server does: it keeps the status, raises the generation when the spec changes,
and gives a new object its uid and time of creation.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar, cast
from uuid import uuid4

from pydantic import ValidationError

from gitmart.local.exits import StateError
from gitmart.local.state import unusable, write_file
from gitmart.resources.base import Resource
from gitmart.resources.config_map import ConfigMap
from gitmart.resources.dbtschedule import DbtSchedule
from gitmart.resources.repository import Repository

if TYPE_CHECKING:
    from gitmart.resources.manifests import AnyObject, AnyResource  # whose module loads YAML, which reading needs not

_PLURALS: dict[type[Resource], str] = {Repository: "repositories", DbtSchedule: "dbtschedules"}

ResourceT = TypeVar("ResourceT", bound="AnyResource")
ObjectT = TypeVar("ObjectT", bound="AnyObject")


def plural(kind: type[Resource]) -> str:
    """Return the kind's name in kubectl's lists."""
    return _PLURALS[kind]


@dataclass(frozen=True, slots=True)
class Objects:
    """The files of one state folder."""

    folder: Path

    def all(self, kind: type[ResourceT]) -> list[ResourceT]:
        """Return the resources of a kind, sorted by namespace and name. Raise StateError."""
        files = sorted((self.folder / plural(kind)).glob("*/*.json"))
        return [_read(kind, file) for file in files if not file.name.startswith(".")]

    def save(self, resource: AnyResource) -> None:
        """Write the resource at once: a crash leaves the old one or the new one."""
        path = self._path(type(resource), resource.metadata.namespace, resource.metadata.name)
        try:
            path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
            write_file(path, json.dumps(resource.to_dict(), indent=2, ensure_ascii=False) + "\n")
        except OSError as error:
            raise unusable(path, error) from None

    def keep(self, config_map: ConfigMap) -> None:
        """Write a ConfigMap, in the place of one of its name."""
        path = self._config_map(config_map.metadata.namespace, config_map.metadata.name)
        document = config_map.model_dump(mode="json", by_alias=True, exclude_none=True)
        try:
            path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
            write_file(path, json.dumps(document, indent=2, ensure_ascii=False) + "\n")
        except OSError as error:
            raise unusable(path, error) from None

    def config_map(self, namespace: str, name: str) -> ConfigMap | None:
        """Return the ConfigMap of that name, None if there is none. Raise StateError."""
        path = self._config_map(namespace, name)
        return _read(ConfigMap, path) if path.exists() else None

    def _config_map(self, namespace: str, name: str) -> Path:
        return self.folder / "configmaps" / namespace / f"{name}.json"

    def apply(self, wanted: Sequence[AnyResource], now: datetime) -> list[AnyResource]:
        """Store what the manifests say and return it with metadata and status, in the same order."""
        applied = list(self._applied(wanted, now))
        for resource in applied:
            self.save(resource)
        return applied

    def _applied(self, wanted: Sequence[AnyResource], now: datetime) -> Iterator[AnyResource]:
        for resource in wanted:
            kind = type(resource)
            path = self._path(kind, resource.metadata.namespace, resource.metadata.name)
            known = _read(kind, path) if path.exists() else None
            yield merged(resource, known, now)

    def _path(self, kind: type[AnyResource], namespace: str, name: str) -> Path:
        return self.folder / plural(kind) / namespace / f"{name}.json"


def merged(wanted: ResourceT, known: ResourceT | None, now: datetime) -> ResourceT:
    """Return the wanted object with the metadata and status of the known one."""
    if known is None:
        metadata: dict[str, Any] = {"uid": str(uuid4()), "generation": 1, "creation_timestamp": now}
        status = type(wanted).model_fields["status"].get_default(call_default_factory=True)
    else:
        changed = known.to_dict()["spec"] != wanted.to_dict()["spec"]
        metadata = {
            "uid": known.metadata.uid,
            "generation": known.metadata.generation + changed,
            "creation_timestamp": known.metadata.creation_timestamp,
        }
        status = known.status
    told = {"metadata": wanted.metadata.model_copy(update=metadata), "status": status}
    return cast(ResourceT, wanted.model_copy(update=told))


def _read(kind: type[ObjectT], path: Path) -> ObjectT:
    try:
        return cast(ObjectT, kind.parse(json.loads(path.read_text(encoding="utf-8")), allow_file_urls=True))
    except OSError as error:
        raise unusable(path, error) from None
    except (ValueError, ValidationError) as error:
        first = error.errors()[0]["msg"] if isinstance(error, ValidationError) else error
        raise StateError(f"{path} is damaged ({first}): delete it and run `gitmart local up` again") from None
