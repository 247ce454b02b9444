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
from metricflow.converters.osi_to_msi import OSIToMSIConverter
converter = type(OSIToMSIConverter()).__module__
from dbt.contracts.graph.unparsed import UnparsedModelUpdate
def refused_by_schema(**field):
    try:
        UnparsedModelUpdate.validate({"name": "x", "original_file_path": "", "yaml_key": "", "package_name": "", **field})
    except Exception as error:
        return type(error).__name__
print(json.dumps({
    "schema": [refused_by_schema(), refused_by_schema(columns=1), refused_by_schema(description=[])],
    "trimmed": trimmed, "loaded": loaded, "refused": refused, "converter": converter,
    "on demand": [nx.pagerank.__name__, nx.drawing.layout.__name__, nx.complete_graph(3).size()],
    "nonsense": hasattr(nx, "nonsense"),
    "number": [str(agate.Number().cast("1,234.5")), str(agate.Number(locale="de_DE").cast("1.234,5"))],
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


@pytest.mark.parametrize("name", ["sqlglot", "urllib3", "networkx.algorithms.link_analysis"])
def test_it_is_left_out(seen: dict[str, object], name: str) -> None:
    assert name not in set(seen["loaded"])  # type: ignore[call-overload]


def test_what_is_left_out_comes_when_it_is_needed(seen: dict[str, object]) -> None:
    assert seen["on demand"] == ["pagerank", "networkx.drawing.layout", 3]
    assert seen["nonsense"] is False
    assert seen["converter"] == "metricflow.converters.osi_to_msi"
    assert seen["number"] == ["1234.5", "1234.5"]


def test_no_request_can_be_made(seen: dict[str, object]) -> None:
    assert "nobody else" in str(seen["refused"])


def test_locks_are_those_of_threads(seen: dict[str, object]) -> None:
    assert seen["lock"] == "_thread"


def test_what_people_write_is_validated_as_ever(seen: dict[str, object]) -> None:
    assert seen["schema"] == [None, "ValidationError", "ValidationError"]
