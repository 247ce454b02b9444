"""
Write the CustomResourceDefinitions from the models: `python -m gitmart.resources.generate [--check] DIR`.

pydantic's JSON schema is close to what Kubernetes calls structural; this module closes the distance: no $ref,
no alternative for null, metadata left to the API server.
"""

from __future__ import annotations

import argparse
import sys
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path
from typing import Any

import yaml
from pydantic.json_schema import GenerateJsonSchema

from gitmart.contract.durations import format_duration
from gitmart.contract.kinds import GROUP, VERSION
from gitmart.resources import dbtschedule, repository
from gitmart.resources.base import API_VERSION, CEL_KEY, NAME_RULE, Model, Resource
from gitmart.resources.columns import PrinterColumn
from gitmart.resources.quantity import Quantity

_HEADER = "# Generated from operator/gitmart/resources by `make generate`: edit the models, not this file.\n"
# JSON Schema words that a structural schema has no place for, or that say nothing to a reader.
_DROPPED = frozenset({"title", "$defs"})
_ORDER = ("description", "type", "required", "default", "enum", "format", "minLength", "maxLength", "pattern")
_API_VERSION_HELP = f"Version of the schema this object is written in: {API_VERSION}."


@dataclass(frozen=True, slots=True)
class Kind:
    """What a CustomResourceDefinition says of a kind besides its fields."""

    model: type[Resource]
    plural: str
    short_name: str
    columns: tuple[PrinterColumn, ...]

    @property
    def name(self) -> str:
        """The kind as it stands in a manifest."""
        return self.model.__name__

    @property
    def file_name(self) -> str:
        """The file in crds/."""
        return f"{GROUP}_{self.plural}.yaml"


KINDS = (
    Kind(repository.Repository, "repositories", "repo", repository.PRINTER_COLUMNS),
    Kind(dbtschedule.DbtSchedule, "dbtschedules", "dbts", dbtschedule.PRINTER_COLUMNS),
)


class _SchemaWriter(GenerateJsonSchema):
    """Writes defaults as a person would write the value."""

    def encode_default(self, dft: Any) -> Any:  # the name of the argument is pydantic's
        """Return the default as a JSON value."""
        match dft:
            case timedelta():
                return format_duration(dft)
            case Quantity():
                return str(dft)
            case Model():
                return dft.model_dump(mode="json", by_alias=True, exclude_none=True)
            case _:
                return super().encode_default(dft)


def structural_schema(model: type[Resource]) -> dict[str, Any]:
    """Return the OpenAPI v3 schema of a kind as apiextensions/v1 accepts it."""
    found = model.model_json_schema(by_alias=True, schema_generator=_SchemaWriter)
    schema: dict[str, Any] = _inline(found, found["$defs"])
    fields = schema["properties"]
    return {
        "description": schema["description"],
        "type": "object",
        "required": ["spec"],
        "properties": {
            "apiVersion": {"type": "string", "description": _API_VERSION_HELP},
            "kind": {"type": "string", "description": f"The kind of this object: {model.__name__}."},
            "metadata": {"type": "object"},
            "spec": fields["spec"],
            # Nothing but a visit may say that a spec was seen, so a status starts at generation -1.
            "status": fields["status"] | {"default": {"observedGeneration": -1}},
        },
        CEL_KEY: [{"rule": NAME_RULE.cel, "message": f"metadata.name {NAME_RULE.message}"}],
    }


def _inline(node: Any, definitions: dict[str, Any]) -> Any:
    """Return a copy of a schema node with its references put in place and what Kubernetes refuses taken out."""
    if isinstance(node, list):
        return [_inline(item, definitions) for item in node]
    if not isinstance(node, dict):
        return node
    node = dict(node)
    if "$ref" in node:
        node = definitions[node.pop("$ref").rpartition("/")[2]] | node
    if {"type": "null"} in node.get("anyOf", ()):
        node = _without_null(node, definitions)
    return {key: _inlined_part(key, node[key], definitions) for key in sorted(node, key=_rank) if _is_kept(key, node)}


def _is_kept(key: str, node: dict[str, Any]) -> bool:
    """Whether a word of a schema node stays: a map tells of its values, a mapping of fields refuses others anyway."""
    return key not in _DROPPED and not (key == "additionalProperties" and isinstance(node[key], bool))


def _inlined_part(key: str, value: Any, definitions: dict[str, Any]) -> Any:
    """Return what stands under one word of a schema node. Names of fields and defaults are no schema words."""
    if key == "properties":
        return {name: _inline(field, definitions) for name, field in value.items()}
    return value if key == "default" else _inline(value, definitions)


def _rank(key: str) -> int:
    """Order the words of a schema node for a reader: what it is, what it holds when left out, its bounds, its parts."""
    return _ORDER.index(key) if key in _ORDER else len(_ORDER)


def _without_null(node: dict[str, Any], definitions: dict[str, Any]) -> dict[str, Any]:
    """Return the one alternative besides null: in Kubernetes a field that may be null is one that may be left out."""
    (kept,) = (option for option in node["anyOf"] if option != {"type": "null"})
    if "$ref" in kept:
        kept = definitions[kept["$ref"].rpartition("/")[2]]
    result: dict[str, Any] = kept | {key: value for key, value in node.items() if key not in ("anyOf", "default")}
    return result


def definition(kind: Kind) -> dict[str, Any]:
    """Return the CustomResourceDefinition of a kind."""
    return {
        "apiVersion": "apiextensions.k8s.io/v1",
        "kind": "CustomResourceDefinition",
        "metadata": {"name": f"{kind.plural}.{GROUP}"},
        "spec": {
            "group": GROUP,
            "scope": "Namespaced",
            "names": {
                "kind": kind.name,
                "listKind": f"{kind.name}List",
                "plural": kind.plural,
                "singular": kind.name.lower(),
                "shortNames": [kind.short_name],
                "categories": ["gitmart"],
            },
            "versions": [
                {
                    "name": VERSION,
                    "served": True,
                    "storage": True,
                    "subresources": {"status": {}},
                    "additionalPrinterColumns": [column.schema_entry for column in kind.columns],
                    "schema": {"openAPIV3Schema": structural_schema(kind.model)},
                }
            ],
        },
    }


class _Dumper(yaml.SafeDumper):
    """Writes no anchors: equal parts are written out, as people expect of a CRD."""

    def ignore_aliases(self, data: object) -> bool:  # noqa: ARG002 the base class names it
        return True


def rendered(kind: Kind) -> str:
    """Return the text of the file in crds/."""
    return _HEADER + yaml.dump(definition(kind), Dumper=_Dumper, sort_keys=False, width=110)


def main(arguments: list[str] | None = None) -> int:
    """Write the files, or with --check return 1 if one is missing or stale."""
    parser = argparse.ArgumentParser(prog="python -m gitmart.resources.generate", description=__doc__)
    parser.add_argument("--check", action="store_true", help="write nothing; fail if a file is missing or stale")
    parser.add_argument("directory", type=Path, metavar="DIR", help="where the files stand, such as crds")
    options = parser.parse_args(arguments)
    stale = [kind for kind in KINDS if _content(options.directory / kind.file_name) != rendered(kind)]
    if options.check:
        for kind in stale:
            sys.stderr.write(f"{options.directory / kind.file_name} is missing or stale: run `make generate`\n")
        return 1 if stale else 0
    options.directory.mkdir(parents=True, exist_ok=True)
    for kind in stale:
        (options.directory / kind.file_name).write_text(rendered(kind), encoding="utf-8")
    return 0


def _content(path: Path) -> str | None:
    return path.read_text(encoding="utf-8") if path.exists() else None


if __name__ == "__main__":
    sys.exit(main())
