"""The CustomResourceDefinitions: up to date, structural, bounded."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import jsonschema
import pytest
import yaml

from gitmart.resources.generate import KINDS, Kind, definition, main, rendered, structural_schema

CRDS = Path(__file__).parents[3] / "crds"
each_kind = pytest.mark.parametrize("kind", KINDS, ids=lambda kind: kind.name)


def nodes(schema: dict[str, Any], path: str = "") -> Iterator[tuple[str, dict[str, Any]]]:
    """Yield every schema node with its path."""
    yield path, schema
    for name, field in schema.get("properties", {}).items():
        yield from nodes(field, f"{path}.{name}")
    if "items" in schema:
        yield from nodes(schema["items"], f"{path}[]")
    if "additionalProperties" in schema:
        yield from nodes(schema["additionalProperties"], f"{path}[]")


def test_the_files_in_crds_are_what_the_models_say() -> None:
    assert {path.name: path.read_text() for path in CRDS.iterdir()} == {
        kind.file_name: rendered(kind) for kind in KINDS
    }


def test_check_fails_on_a_stale_file_and_writes_nothing(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main([str(tmp_path)]) == 0
    assert main(["--check", str(tmp_path)]) == 0
    stale = tmp_path / KINDS[0].file_name
    stale.write_text("edited by hand")

    assert main(["--check", str(tmp_path)]) == 1
    assert f"{stale} is missing or stale: run `make generate`" in capsys.readouterr().err
    assert stale.read_text() == "edited by hand"


@each_kind
def test_the_file_is_the_definition(kind: Kind) -> None:
    assert yaml.safe_load(rendered(kind)) == definition(kind)


@each_kind
def test_the_schema_is_structural(kind: Kind) -> None:
    known = {
        *("description", "type", "required", "default", "enum", "format", "properties", "items", "anyOf", "pattern"),
        *("minLength", "maxLength", "maxItems", "maxProperties", "minimum", "maximum", "additionalProperties"),
        *(
            "x-kubernetes-preserve-unknown-fields",
            "x-kubernetes-int-or-string",
            "x-kubernetes-list-type",
            "x-kubernetes-list-map-keys",
        ),
        "x-kubernetes-validations",
    }
    for path, node in nodes(structural_schema(kind.model)):
        assert set(node) <= known, path
        if node.get("x-kubernetes-int-or-string"):
            assert node["anyOf"] == [{"type": "integer"}, {"type": "string"}]
            assert "type" not in node, path
        elif "type" not in node:  # a value of several types
            assert node["x-kubernetes-preserve-unknown-fields"] is True, path
            assert {"maxLength", "maxItems"} <= set(node), path
        else:
            assert node["type"] in {"object", "array", "string", "integer", "boolean"}, path
            assert "anyOf" not in node, path


@each_kind
def test_everything_is_bounded_so_that_rules_can_be_costed(kind: Kind) -> None:
    for path, node in nodes(structural_schema(kind.model)):
        if path in {".apiVersion", ".kind"}:
            continue  # the API server compares them with the definition
        if node.get("type") == "string":
            assert "maxLength" in node or "enum" in node or node.get("format") == "date-time", path
        elif node.get("type") == "array":
            assert "maxItems" in node, path
        elif "additionalProperties" in node:
            assert "maxProperties" in node, path
        elif node.get("type") == "integer":
            assert {"minimum", "maximum"} <= set(node), path


@each_kind
def test_every_field_is_described(kind: Kind) -> None:
    assert [
        path
        for path, node in nodes(structural_schema(kind.model))
        if not path.endswith("[]") and path != ".metadata" and not node.get("description")
    ] == []


@each_kind
def test_every_default_meets_its_own_schema(kind: Kind) -> None:
    for _path, node in nodes(structural_schema(kind.model)):
        if "default" in node:
            jsonschema.validate(node["default"], node)


@each_kind
def test_a_status_starts_at_no_generation(kind: Kind) -> None:
    assert structural_schema(kind.model)["properties"]["status"]["default"] == {"observedGeneration": -1}


def test_no_rule_stands_at_the_address_itself() -> None:
    url = structural_schema(KINDS[0].model)["properties"]["spec"]["properties"]["url"]

    # Of a text that breaks a rule or misses a pattern the API server repeats the value, and with it a password.
    assert not {"x-kubernetes-validations", "pattern", "format", "enum"} & set(url)
