"""The catalogue of metrics says what the project has, and a page without a place for it is refused."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
import yaml

from gitmart.transform.catalogue import (
    SWITCHES,
    Function,
    Metric,
    functions_of,
    functions_table,
    metrics_of,
    metrics_table,
    page,
)

ROOT = Path(__file__).parents[3]
PROJECT = ROOT / "dbt"
PLACE = re.compile(r"(\w+)(\([^)]*\))?(?:\.(\w+))?")


def columns() -> dict[str, set[str]]:
    """Return the columns of each mart, and those of what each function returns."""
    marts = yaml.safe_load((PROJECT / "models/marts/_marts.yml").read_text(encoding="utf-8"))["models"]
    functions = yaml.safe_load((PROJECT / "functions/_functions.yml").read_text(encoding="utf-8"))["functions"]
    found = {mart["name"]: {column["name"] for column in mart["columns"]} for mart in marts}
    for each in functions:
        inside = each["returns"]["data_type"].partition("(")[2].rpartition(")")[0]
        found[each["name"]] = {column.split()[0] for column in inside.split(",")}
    return found


def test_every_metric_is_where_it_is_said_to_be() -> None:
    there = columns()
    wrong = []
    for metric in metrics_of(PROJECT):
        for place in metric.places:
            found = PLACE.fullmatch(place)
            assert found, place
            holder, call, column = found.groups()
            if holder not in there or (column or "") not in there[holder] | {""} or not (call or column):
                wrong.append(place)
    assert wrong == []


def test_names_are_told_once() -> None:
    names = [metric.name for metric in metrics_of(PROJECT)]
    assert sorted(set(names)) == names
    assert len(names) > 25


# Tags are no commits, and merges change no files.
LACKING = {
    "release_frequency": {"merges", "bots", "refs", "count_once"},
    "file_coupling": {"merges"},
    "file_hotspots": {"merges"},
}


def test_every_function_has_the_switches_in_one_order() -> None:
    for function in functions_of(PROJECT):
        names = [name for name, _ in function.arguments]
        switches = [name for name in SWITCHES if name in names]
        assert [name for name in names if name in SWITCHES] == switches, function.name
        assert {"repository", "since", "until"} <= set(names), function.name
        lacking = {"merges", "bots", "refs", "count_once"} - set(names)
        assert lacking == LACKING.get(function.name, set()), function.name


def test_tables_of_a_page() -> None:
    metrics = [Metric("A", "a.", "", "Beware.", ("mart.a",)), Metric("B", "b.", "CHAOSS", "", ("mart.b", "f()"))]
    functions = [Function("f", "One row.", (("repository", ": id."), ("extra", " (5): number.")), "Sums.")]
    text = "".join(
        f"<!-- {name}: generated from dbt/ by `make generate`; edit the YAML of the models and functions. -->\n"
        f"stale\n<!-- End of {name}. -->\n"
        for name in ("Metrics", "Functions")
    )
    made = page(f"before\n{text}after\n", {"Metrics": metrics_table(metrics), "Functions": functions_table(functions)})
    assert "| A | a. Beware. | `mart.a` | gitmart |\n| B | b. | `mart.b`, `f()` | CHAOSS |\n" in made
    assert "| `f` | `extra` (5): number. No switches `since`, `until`" in made
    assert "stale" not in made
    assert made.startswith("before\n")
    assert made.endswith("after\n")


def test_a_page_without_a_place_is_refused() -> None:
    with pytest.raises(ValueError, match="no place for Metrics"):
        page("# Metrics\n", {"Metrics": ""})
