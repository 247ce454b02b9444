"""Events held against the schemas that OpenLineage publishes."""

from __future__ import annotations

import json
from collections.abc import Iterator
from datetime import datetime
from pathlib import Path
from typing import Any

from jsonschema import Draft202012Validator, FormatChecker
from referencing import Registry, Resource

_FILES = [json.loads(file.read_text(encoding="utf-8")) for file in (Path(__file__).parent / "spec").glob("*.json")]
_KNOWN = {file["$id"]: file for file in _FILES}
_REGISTRY: Registry[Any] = Registry().with_resources(
    (name, Resource.from_contents(file)) for name, file in _KNOWN.items()
)
_FORMATS = FormatChecker()


@_FORMATS.checks("date-time", raises=ValueError)
def _is_time(value: object) -> bool:
    return not isinstance(value, str) or datetime.fromisoformat(value).tzinfo is not None


def violations(event: dict[str, Any]) -> list[str]:
    """Return what the schemas find wrong with an event, and which fields of facets they do not know."""
    found = list(_violations(event, event["schemaURL"]))
    for facet in _facets(event):
        url = facet["_schemaURL"]
        found += _violations(facet, url)
        file, _, pointer = url.partition("#/$defs/")
        known = {name for part in _KNOWN[file]["$defs"][pointer]["allOf"] for name in part.get("properties", ())}
        found += [f"{pointer} has no {name}" for name in facet.keys() - known - {"_producer", "_schemaURL"}]
    return found


def _violations(value: object, url: str) -> Iterator[str]:
    validator = Draft202012Validator({"$ref": url}, registry=_REGISTRY, format_checker=_FORMATS)
    yield from (f"{error.json_path}: {error.message}" for error in validator.iter_errors(value))


def _facets(value: object) -> Iterator[dict[str, Any]]:
    if isinstance(value, dict):
        if "_schemaURL" in value:
            yield value
        for part in value.values():
            yield from _facets(part)
    elif isinstance(value, list):
        for part in value:
            yield from _facets(part)
