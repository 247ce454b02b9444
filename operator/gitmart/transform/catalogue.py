"""
The catalogue of metrics, from what the dbt project's YAML says of each: `python -m gitmart.transform.catalogue`.

A column of a mart that is a metric has `config.meta.metric`, a function has `config.meta.metrics`: the name, the
definition, the source of the definition, and what to beware of. The page docs/metrics.md has a table of them, the
file contract/metrics.json has them for the API, which serves them without dbt's project.
"""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import yaml

BEGIN = "<!-- {}: generated from dbt/ by `make generate`; edit the YAML of the models and functions. -->\n"
END = "<!-- End of {}. -->\n"
SWITCHES = ("repository", "since", "until", "merges", "bots", "classes", "dates", "refs", "count_once")


@dataclass(frozen=True, slots=True)
class Metric:
    """One metric: what it is, who says so, and where to read it."""

    name: str
    definition: str
    source: str  # "" where it is gitmart's own
    caveat: str  # "" without any
    places: tuple[str, ...]  # columns of marts (`mart.column`) and of functions


@dataclass(frozen=True, slots=True)
class Function:
    """A function that computes metrics when they are read."""

    name: str
    description: str
    arguments: tuple[tuple[str, str], ...]  # names, and what they are with their default
    result: str


def metrics_of(project: Path) -> list[Metric]:
    """Return the metrics of a dbt project by name. Raise KeyError for one that lacks what each must say."""
    found = [metric for properties in _properties(project) for metric in _metrics(properties)]
    return sorted(found, key=lambda each: each.name)


def functions_of(project: Path) -> list[Function]:
    """Return the functions of a dbt project in the order of its files."""
    return [
        Function(
            told["name"],
            told["description"].strip(),
            tuple((argument["name"], _argument(argument)) for argument in told["arguments"]),
            told["returns"]["description"].strip(),
        )
        for properties in _properties(project)
        for told in properties.get("functions", ())
    ]


def metrics_table(metrics: list[Metric]) -> str:
    """Return the metrics as a table in Markdown."""
    lines = ["| metric | definition | read it from | source |", "|---|---|---|---|"]
    for metric in metrics:
        definition = f"{metric.definition} {metric.caveat}".strip()
        places = ", ".join(f"`{place}`" for place in metric.places)
        lines.append(f"| {metric.name} | {definition} | {places} | {metric.source or 'gitmart'} |")
    return "\n".join(lines) + "\n"


def functions_table(functions: list[Function]) -> str:
    """Return the functions as a table in Markdown, the arguments that nearly all have left to another place."""
    lines = ["| function | arguments besides the switches | result |", "|---|---|---|"]
    for function in functions:
        names = {name for name, _ in function.arguments}
        own = [f"`{name}`{words}" for name, words in function.arguments if name not in SWITCHES]
        lacking = [f"`{name}`" for name in SWITCHES if name not in names]
        own += [f"No switches {', '.join(lacking)}."] if lacking else []
        lines.append(f"| `{function.name}` | {' '.join(own)} | {function.description} {function.result} |")
    return "\n".join(lines) + "\n"


def document(metrics: list[Metric], functions: list[Function]) -> str:
    """Return both in JSON, as the API reads them."""
    told = {
        "metrics": [asdict(metric) for metric in metrics],
        "functions": [
            {
                "name": function.name,
                "description": function.description,
                "arguments": [name for name, _ in function.arguments],
                "result": function.result,
            }
            for function in functions
        ],
    }
    return json.dumps(told, ensure_ascii=False, indent=1) + "\n"


def page(text: str, tables: dict[str, str]) -> str:
    """Return a page with each table between its two marks. Raise ValueError if it has no such place."""
    for name, made in tables.items():
        begin, end = BEGIN.format(name), END.format(name)
        before, found, rest = text.partition(begin)
        _, ended, after = rest.partition(end)
        if not found or not ended:
            raise ValueError(f"the page has no place for {name}: {begin.strip()} … {end.strip()}")
        text = f"{before}{begin}\n{made}\n{end}{after}"
    return text


def _argument(told: dict[str, Any]) -> str:
    default = f" ({told['default_value']})" if "default_value" in told else ""
    words: str = told["description"]
    return f"{default}: {words[0].lower()}{words[1:]}"


def _properties(project: Path) -> Iterator[dict[str, Any]]:
    for folder in ("models", "functions"):
        for path in sorted((project / folder).rglob("*.yml")):
            yield yaml.safe_load(path.read_text(encoding="utf-8"))


def _metrics(properties: dict[str, Any]) -> Iterator[Metric]:
    for model in properties.get("models", ()):
        for column in model.get("columns", ()):
            if told := column.get("config", {}).get("meta", {}).get("metric"):
                yield _metric(told, f"{model['name']}.{column['name']}")
    for function in properties.get("functions", ()):
        for told in function.get("config", {}).get("meta", {}).get("metrics", ()):
            call = f"{function['name']}({told.get('call', '')})"
            yield _metric(told, *(f"{call}.{column}" for column in told["columns"]))


def _metric(told: dict[str, Any], *places: str) -> Metric:
    also = told.get("also", ())
    return Metric(told["name"], told["definition"], told.get("source", ""), told.get("caveat", ""), (*places, *also))


def main() -> int:
    """Write the tables into the page and the document into its file, or say which is stale."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--check", action="store_true", help="write nothing; fail if one is stale")
    parser.add_argument("project", type=Path)
    parser.add_argument("page", type=Path)
    parser.add_argument("document", type=Path)
    arguments = parser.parse_args()
    metrics, functions = metrics_of(arguments.project), functions_of(arguments.project)
    there = arguments.page.read_text(encoding="utf-8")
    made = {
        arguments.page: page(there, {"Metrics": metrics_table(metrics), "Functions": functions_table(functions)}),
        arguments.document: document(metrics, functions),
    }
    stale = [path for path, text in made.items() if not path.exists() or path.read_text(encoding="utf-8") != text]
    for path in stale:
        if arguments.check:
            sys.stderr.write(f"{path} is stale: make generate\n")
        else:
            path.write_text(made[path], encoding="utf-8")
    return 1 if arguments.check and stale else 0


if __name__ == "__main__":
    sys.exit(main())
