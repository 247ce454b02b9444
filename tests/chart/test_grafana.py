"""The dashboards that the chart brings to Grafana's sidecar."""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from typing import Any

import yaml
from tests.chart.conftest import CHART

Render = Callable[..., Any]


def test_dashboards_come_when_asked_for(render: Render) -> None:
    assert not [found for found in render().of_kind("ConfigMap") if found["metadata"]["name"].endswith("-grafana")]
    brought = render({"grafana": {"dashboards": {"enabled": True}}}).one("ConfigMap", "gitmart-grafana")

    assert brought["metadata"]["namespace"] == "gitmart"
    assert brought["metadata"]["labels"]["grafana_dashboard"] == "1"
    assert "annotations" not in brought["metadata"]
    files = {file.name: file.read_text(encoding="utf-8") for file in (CHART / "files" / "grafana").iterdir()}
    assert len(files) == 2
    assert {name: json.loads(text) for name, text in brought["data"].items()} == {
        name: json.loads(text) for name, text in files.items()
    }


def test_the_sidecar_may_look_elsewhere(render: Render) -> None:
    given = {
        "enabled": True,
        "namespace": "monitoring",
        "labels": {"grafana_dashboard": None, "dashboards": "yes"},
        "annotations": {"grafana_folder": "Git"},
    }

    metadata = render({"grafana": {"dashboards": given}}).one("ConfigMap", "gitmart-grafana")["metadata"]

    assert metadata["namespace"] == "monitoring"
    assert metadata["annotations"] == {"grafana_folder": "Git"}
    assert metadata["labels"]["dashboards"] == "yes"
    assert "grafana_dashboard" not in metadata["labels"]


def test_the_values_of_the_guide_let_grafana_in(render: Render) -> None:
    page = (CHART.parents[1] / "docs" / "bi.md").read_text(encoding="utf-8")
    blocks = map(yaml.safe_load, re.findall(r"^```yaml\n(.*?)^```$", page, re.DOTALL | re.MULTILINE))
    values: dict[str, Any] = {}
    for block in blocks:
        if "datasources" not in block:  # Grafana's own
            values |= block

    rendered = render(values)

    policy = rendered.one("NetworkPolicy", "gitmart-postgresql")
    [peer] = values["networkPolicy"]["postgresqlFrom"]
    assert peer in policy["spec"]["ingress"][0]["from"]
    assert rendered.one("ConfigMap", "gitmart-grafana")["metadata"]["namespace"] == "monitoring"
