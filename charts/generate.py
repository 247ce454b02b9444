"""
Write what is made from other files of a chart: `python charts/generate.py [--check] CHART`.

- values.schema.json and the table in README.md come from the comments in values.yaml: the lines above a value
  describe it, and what follows `@schema` in one of them, in YAML, is added to the schema of the value;
- files/crds/ is a copy of crds/, since a chart holds no file from elsewhere.
"""
# ruff: noqa: INP001 # a script, not a module of a package

from __future__ import annotations

import argparse
import json
import re
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

CRDS = Path(__file__).parent.parent / "crds"
TABLE = re.compile(r"(<!-- values: .*-->\n).*(<!-- end of values -->\n)", re.DOTALL)
JSON_TYPES = {str: "string", bool: "boolean", int: "integer", float: "number", list: "array", dict: "object"}
# Kubernetes' own requests and limits.
QUANTITIES = {"type": "object", "additionalProperties": {"type": ["string", "number"]}}
RESOURCES = {
    "type": "object",
    "additionalProperties": False,
    "required": ["requests", "limits"],
    "properties": {"requests": QUANTITIES, "limits": QUANTITIES},
}


@dataclass(frozen=True, slots=True)
class Value:
    """A value of the chart: its name, the default, and what its comment says."""

    name: str
    default: Any
    description: str
    schema: dict[str, Any]
    parts: tuple[Value, ...] = ()  # of a group; empty for a value that is taken as a whole


def values_of(text: str) -> tuple[Value, ...]:
    """Return the values of a values.yaml in their order; raise ValueError for one without a description."""
    root = yaml.compose(text, Loader=yaml.SafeLoader)
    assert isinstance(root, yaml.MappingNode)  # noqa: S101 # for the type checker: a chart's values are a mapping
    return tuple(_values(root, text.splitlines()))


def _values(node: yaml.MappingNode, lines: list[str]) -> Iterator[Value]:
    for key, content in node.value:
        description, schema = _comment(lines, key.start_mark.line)
        default = yaml.safe_load(yaml.serialize(content))
        # A value with a comment of its own, such as requests and limits, is one; else it is a group.
        group = isinstance(content, yaml.MappingNode) and bool(content.value) and not description
        if not group and not description:
            raise ValueError(f"values.yaml, line {key.start_mark.line + 1}: {key.value} has no comment: describe it")
        yield Value(key.value, default, description, schema, tuple(_values(content, lines)) if group else ())


def _comment(lines: list[str], line: int) -> tuple[str, dict[str, Any]]:
    """Return the description and the schema in the comment that ends above a line (counted from 0)."""
    start = line
    while start and lines[start - 1].lstrip().startswith("#"):
        start -= 1
    words = [text.strip().removeprefix("#").strip() for text in lines[start:line]]
    schema: dict[str, Any] = {}
    for word in words:
        if word.startswith("@schema "):
            schema |= yaml.safe_load(word.removeprefix("@schema "))
    return " ".join(word for word in words if not word.startswith("@schema ")), schema


def schema_of(values: tuple[Value, ...]) -> dict[str, Any]:
    """Return the JSON schema of a group of values: nothing but what it names."""
    return {
        "type": "object",
        "additionalProperties": False,
        "properties": {value.name: _schema(value) for value in values},
    }


def _schema(value: Value) -> dict[str, Any]:
    if value.parts:
        return schema_of(value.parts)
    described = {"description": value.description, "default": value.default}
    if "$ref" in value.schema:  # beside a reference draft 7 heeds nothing else
        return {**described, "allOf": [value.schema]}
    return {**described, "type": JSON_TYPES[type(value.default)], **value.schema}


def rendered_schema(values: tuple[Value, ...]) -> str:
    """Return the text of values.schema.json."""
    schema = schema_of(values)
    # Helm hands `global` to each chart that another one depends on.
    schema["properties"]["global"] = {"type": "object", "description": "Not used."}
    whole = {"$schema": "http://json-schema.org/draft-07/schema#", **schema, "definitions": {"resources": RESOURCES}}
    return json.dumps(whole, indent=2, ensure_ascii=False) + "\n"


def rendered_readme(readme: str, values: tuple[Value, ...]) -> str:
    """Return README.md with the table of values in its place; raise ValueError if it has no place for it."""
    rows = ["| value | default | what it is |", "|---|---|---|", *_rows(values, "")]
    if not TABLE.search(readme):
        raise ValueError(
            "README.md has no place for the values: give it the lines <!-- values: … --> and <!-- end of values -->"
        )
    return TABLE.sub(lambda found: found[1] + "\n".join(rows) + "\n" + found[2], readme)


def _rows(values: tuple[Value, ...], prefix: str) -> Iterator[str]:
    for value in values:
        if value.parts:
            yield from _rows(value.parts, f"{prefix}{value.name}.")
        else:
            default = json.dumps(value.default, ensure_ascii=False)
            yield f"| `{prefix}{value.name}` | `{default}` | {value.description} |"


def generated(chart: Path) -> dict[Path, str]:
    """Return the text of every generated file of a chart."""
    values = values_of((chart / "values.yaml").read_text(encoding="utf-8"))
    readme = (chart / "README.md").read_text(encoding="utf-8")
    return {
        chart / "values.schema.json": rendered_schema(values),
        chart / "README.md": rendered_readme(readme, values),
        **{
            chart / "files" / "crds" / path.name: path.read_text(encoding="utf-8")
            for path in sorted(CRDS.glob("*.yaml"))
        },
    }


def main(arguments: list[str] | None = None) -> int:
    """Write the files, or with --check return 1 if one is missing, stale or left over."""
    parser = argparse.ArgumentParser(prog="python charts/generate.py", description=__doc__)
    parser.add_argument("--check", action="store_true", help="write nothing; fail if a file is missing or stale")
    parser.add_argument("chart", type=Path, metavar="CHART", help="the chart's folder, such as charts/gitmart")
    options = parser.parse_args(arguments)
    wanted = generated(options.chart)
    left_over = set((options.chart / "files" / "crds").glob("*")) - set(wanted)
    stale = [path for path, text in wanted.items() if not path.exists() or path.read_text(encoding="utf-8") != text]
    if options.check:
        for path in (*stale, *sorted(left_over)):
            sys.stderr.write(f"{path} is missing, stale or left over: run `make generate`\n")
        return 1 if stale or left_over else 0
    (options.chart / "files" / "crds").mkdir(parents=True, exist_ok=True)
    for path in stale:
        path.write_text(wanted[path], encoding="utf-8")
    for path in left_over:
        path.unlink()
    return 0


if __name__ == "__main__":
    sys.exit(main())
