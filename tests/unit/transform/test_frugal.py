"""What dbt's code uses of the libraries that are left out of its imports."""

from __future__ import annotations

import importlib.util
import json
import re
import subprocess
import sys
from pathlib import Path

import pytest

CODE = """
import json, sys
from gitmart.transform.frugal import leave_out, lighten
leave_out()
import dbt.cli.main, dbt.task.build, dbt.task.freshness
lighten(keeps_parse=False)
import networkx
trimmed = sorted(vars(networkx))
loaded = sorted(sys.modules)
import agate, dbt.clients.registry, dbt.mp_context, requests, networkx as nx
try:
    requests.get("https://example.org")
    refused = ""
except OSError as error:
    refused = str(error)
import leather
charts = leather.Chart.__module__
import gc, parsedatetime
from dbt_common.clients.agate_helper import empty_table, table_from_data_flat
from dbt_common.clients.jinja import get_template, render_template
def calendars():
    return sum(isinstance(each, parsedatetime.Calendar) for each in gc.get_objects())
before = calendars()
tables = [table_from_data_flat([{"x": 1}], ["x"]), empty_table()]
def rendered(text):
    template = get_template(text, {"given": "by the template"}, native=True)
    return render_template(template, {"numbers": [1, 2]})
from metricflow.converters.osi_to_msi import OSIToMSIConverter
converter = type(OSIToMSIConverter()).__module__
from dbt.contracts.graph.unparsed import UnparsedModelUpdate
def refused_by_schema(**field):
    try:
        UnparsedModelUpdate.validate({"name": "x", "original_file_path": "", "yaml_key": "", "package_name": "", **field})
    except Exception as error:
        return type(error).__name__
from dbt_common.behavior_flags import Behavior
import linecache
linecache.clearcache()
flag = Behavior([{"name": "a", "default": False, "docs_url": "b"}], {})._flags[0]
print(json.dumps({
    "flag": flag._behavior_change_event.flag_source,
    "sources read": len(linecache.cache),
    "schema": [refused_by_schema(), refused_by_schema(columns=1), refused_by_schema(description=[])],
    "trimmed": trimmed, "loaded": loaded, "refused": refused, "converter": converter,
    "on demand": [nx.pagerank.__name__, nx.drawing.layout.__name__, nx.complete_graph(3).size()],
    "nonsense": hasattr(nx, "nonsense"),
    "number": [str(agate.Number().cast("1,234.5")), str(agate.Number(locale="de_DE").cast("1.234,5"))],
    "charts": charts, "calendars": calendars() - before,
    "date": [str(agate.Date().cast("May 3, 2024")), str(agate.DateTime().cast("May 3, 2024 10:00"))],
    "rendered": [rendered("{{ numbers }}"), rendered("{% set x = numbers %}{{ x[1] }} {{ given }}")],
    "lock": type(dbt.mp_context.get_mp_context().Lock()).__module__,
}))
"""


@pytest.fixture(scope="module")
def seen() -> dict[str, object]:
    """What a fresh interpreter finds."""
    done = subprocess.run([sys.executable, "-c", CODE], capture_output=True, text=True, check=True)
    found: dict[str, object] = json.loads(done.stdout)
    return found


def test_each_name_that_dbt_uses_of_networkx_is_there(seen: dict[str, object]) -> None:
    spec = importlib.util.find_spec("dbt")
    assert spec is not None
    assert spec.submodule_search_locations
    code = "".join(
        path.read_text(encoding="utf-8")
        for folder in spec.submodule_search_locations
        for path in Path(folder).rglob("*.py")
    )
    used = set(re.findall(r"\bnx\.([A-Za-z_]+)", code))

    assert {"DiGraph", "descendants", "topological_sort"} <= used
    assert used - set(seen["trimmed"]) == set()  # type: ignore[call-overload]


@pytest.mark.parametrize("name", ["sqlglot", "urllib3", "leather.chart", "networkx.algorithms.link_analysis"])
def test_it_is_left_out(seen: dict[str, object], name: str) -> None:
    assert name not in set(seen["loaded"])  # type: ignore[call-overload]


def test_what_is_left_out_comes_when_it_is_needed(seen: dict[str, object]) -> None:
    assert seen["on demand"] == ["pagerank", "networkx.drawing.layout", 3]
    assert seen["nonsense"] is False
    assert seen["converter"] == "metricflow.converters.osi_to_msi"
    assert seen["number"] == ["1234.5", "1234.5"]
    assert seen["charts"] == "leather.chart"
    assert seen["date"] == ["2024-05-03", "2024-05-03 10:00:00"]


def test_tables_of_results_make_no_calendars(seen: dict[str, object]) -> None:
    assert seen["calendars"] == 0


def test_a_flag_knows_its_module_and_nothing_was_read_for_that(seen: dict[str, object]) -> None:
    assert (seen["flag"], seen["sources read"]) == ("__main__", 0)


def test_options_of_tests_are_rendered_as_ever(seen: dict[str, object]) -> None:
    assert seen["rendered"] == [[1, 2], "2 by the template"]


def test_no_request_can_be_made(seen: dict[str, object]) -> None:
    assert "nobody else" in str(seen["refused"])


def test_locks_are_those_of_threads(seen: dict[str, object]) -> None:
    assert seen["lock"] == "_thread"


def test_what_people_write_is_validated_as_ever(seen: dict[str, object]) -> None:
    assert seen["schema"] == [None, "ValidationError", "ValidationError"]
