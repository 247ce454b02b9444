"""The OpenAPI document: complete, its examples true to its schemas, and the API true to it."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import httpx
import jsonschema
import pytest
from tests.conftest import Warehouse
from tests.integration.api.fuzzing import fuzz, fuzzed

pytestmark = [pytest.mark.slow, pytest.mark.xdist_group("sample")]


@pytest.fixture
def document(client: httpx.Client) -> dict[str, Any]:
    """What the API says of itself."""
    told: dict[str, Any] = client.get("/openapi.json").raise_for_status().json()
    return told


def operations(document: dict[str, Any]) -> dict[str, dict[str, Any]]:
    """Return the operations below /analytics, by path."""
    return {path: methods["get"] for path, methods in document["paths"].items() if path.startswith("/analytics/")}


def test_everything_is_described(document: dict[str, Any]) -> None:
    tags = {tag["name"] for tag in document["tags"]}
    missing = []
    for path, operation in operations(document).items():
        missing += [path] * (not operation["summary"] or not operation["description"])
        missing += [f"{path} tag"] * (not set(operation["tags"]) <= tags)
        missing += [f"{path} {each['name']}" for each in operation.get("parameters", ()) if not each.get("description")]
    assert missing == []
    assert len(operations(document)) > 20


def test_examples_are_what_the_schemas_say(document: dict[str, Any]) -> None:
    for path, operation in operations(document).items():
        for status, response in operation["responses"].items():
            for kind, content in response["content"].items():
                if kind.endswith("json") and status != "default":
                    schema = {**content["schema"], "components": document["components"]}
                    jsonschema.validate(content["example"], schema, format_checker=jsonschema.FormatChecker())
        if operation.get("parameters"):
            assert {"200", "422", "default"} <= set(operation["responses"]), path
    tables = [each for each in operations(document).values() if "text/csv" in each["responses"]["200"]["content"]]
    assert len(tables) > 15
    for operation in tables:
        row, values, *_ = operation["responses"]["200"]["content"]["text/csv"]["example"].split("\r\n")
        assert len(row.split(",")) <= len(values.split(","))


def test_triggers_and_webhooks_do_what_the_document_says(sample_warehouse: Warehouse, tmp_path: Path) -> None:
    """With a cluster to ask, and a token that may."""
    with fuzzed(tmp_path, sample_warehouse.url("gitmart_read")) as (address, by):
        done = fuzz(
            address, tmp_path, *by, "--include-path-regex", "/extract$|/run$|^/hooks/", "--phases",
            "examples,coverage,fuzzing", "--max-examples", "4", "--generation-deterministic",
        )  # fmt: skip
    assert done.returncode == 0, done.stdout[-20_000:] + done.stderr


def test_the_api_does_what_the_document_says(address: str, tmp_path: Path) -> None:
    """Without an answer 5xx; every check of Schemathesis. `make campaign-api` draws many more."""
    done = fuzz(address, tmp_path, "--phases", "coverage,fuzzing", "--max-examples", "4", "--generation-deterministic")
    assert done.returncode == 0, done.stdout[-20_000:] + done.stderr
