"""What people copy works, and the pages tell of every field."""

from pathlib import Path

import pytest

from gitmart.resources.generate import KINDS, Kind, structural_schema
from gitmart.resources.manifests import load_manifests

ROOT = Path(__file__).parents[3]
EXAMPLES = sorted((ROOT / "examples").glob("*.yaml"))
each_kind = pytest.mark.parametrize("kind", KINDS, ids=lambda kind: kind.name)


@pytest.mark.parametrize("path", EXAMPLES, ids=lambda path: path.name)
def test_an_example_loads(path: Path) -> None:
    assert len(load_manifests([path], allow_file_urls=False)) == 1


def test_the_examples_can_be_applied_together() -> None:
    assert len(load_manifests([ROOT / "examples"], allow_file_urls=False)) == len(EXAMPLES)


@each_kind
def test_the_full_example_shows_every_field(kind: Kind) -> None:
    text = (ROOT / "examples" / f"{kind.name.lower()}-full.yaml").read_text()
    fields = structural_schema(kind.model)["properties"]["spec"]["properties"]
    alternatives = {"interval"}  # excluded by schedule

    assert [field for field in fields if f"  {field}:" not in text and field not in alternatives] == []


@each_kind
def test_the_page_tells_of_every_field(kind: Kind) -> None:
    text = (ROOT / "docs" / f"{kind.name.lower()}.md").read_text()
    schema = structural_schema(kind.model)["properties"]

    assert [
        field for part in ("spec", "status") for field in schema[part]["properties"] if f"`{field}" not in text
    ] == []
