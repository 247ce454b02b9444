"""The alerts: what Prometheus thinks of them, on series as the operator tells them."""

from __future__ import annotations

import re
import subprocess
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import yaml

from gitmart.handlers.metrics import DbtScheduleFacts, Metrics, QueueMetrics, RepositoryFacts
from gitmart.handlers.queue import QueueState

VALUES = {"metrics": {"prometheusRule": {"enabled": True, "runbookUrl": "https://docs.example.org/help.md",
                                         "staleAfterSeconds": 3600, "replicaBehindSeconds": 600}}}  # fmt: skip
HEALTHY = {
    'gitmart_repository_ready{namespace="n",name="r"}': "1x120",
    'gitmart_repository_freshness_seconds{namespace="n",name="r"}': "60x120",
    'gitmart_dbt_nodes{namespace="n",name="d",status="error"}': "0x120",
    'gitmart_dbt_nodes{namespace="n",name="d",status="success"}': "9x120",
    'gitmart_dbtschedule_replication_lag_seconds{namespace="n",name="d"}': "30x120",
    'controller_runtime_reconcile_errors_total{controller="repository"}': "5x120",
    'controller_runtime_max_concurrent_reconciles{controller="repository"}': "10x120",
    'workqueue_longest_running_processor_seconds{name="gitmart"}': "1x120",
}


@pytest.fixture
def rules(render: Callable[..., Any]) -> list[dict[str, Any]]:
    """The chart's alerts."""
    (group,) = render(VALUES).one("PrometheusRule", "gitmart-operator")["spec"]["groups"]
    return list(group["rules"])


def test_they_come_when_asked_for(render: Callable[..., Any]) -> None:
    assert not render().of_kind("PrometheusRule")
    labelled = {"metrics": {"prometheusRule": {"enabled": True, "labels": {"release": "p"}}}}
    assert render(labelled).one("PrometheusRule", "gitmart")["metadata"]["labels"]["release"] == "p"


def test_each_says_where_help_is(rules: list[dict[str, Any]]) -> None:
    page = (Path(__file__).parents[2] / "docs" / "troubleshooting.md").read_text(encoding="utf-8")
    headings = {heading.lower().replace(" ", "-") for heading in re.findall("^#+ (.+)$", page, re.MULTILINE)}
    for rule in rules:
        address, _, heading = rule["annotations"]["runbook_url"].partition("#")
        assert address == "https://docs.example.org/help.md"
        assert heading in headings, rule["alert"]
        assert rule["labels"]["severity"] in ("warning", "critical")


@pytest.mark.parametrize(
    ("series", "alert"),
    [
        pytest.param({}, None, id="healthy"),
        pytest.param({'gitmart_repository_ready{namespace="n",name="r"}': "0x120"}, "GitmartRepositoryNotReady", id="not ready"),
        pytest.param(
            {'gitmart_repository_freshness_seconds{namespace="n",name="r"}': "3601x120"}, "GitmartRepositoryStale", id="stale"
        ),
        pytest.param(
            {'gitmart_dbt_nodes{namespace="n",name="d",status="error"}': "2x120"}, "GitmartDbtNodesFailed", id="dbt"
        ),
        pytest.param(
            {'gitmart_dbtschedule_replication_lag_seconds{namespace="n",name="d"}': "601x120"}, "GitmartReplicaBehind", id="replica"
        ),
        pytest.param(
            {'controller_runtime_reconcile_errors_total{controller="repository"}': "0+10x120"},
            "GitmartReconcileErrors", id="errors",
        ),
        pytest.param(
            {'controller_runtime_max_concurrent_reconciles{controller="repository"}': "_x120"},
            "GitmartOperatorDown", id="down",
        ),
        pytest.param(
            {'workqueue_longest_running_processor_seconds{name="gitmart"}': "0+60x120"}, "GitmartQueueStuck", id="stuck"
        ),
    ],
)  # fmt: skip
def test_an_alert_fires_when_it_should_and_no_other(
    rules: list[dict[str, Any]], the_program: Callable[[str], Path], tmp_path: Path, series: dict[str, str], alert: str | None
) -> None:  # fmt: skip
    (tmp_path / "rules.yaml").write_text(yaml.safe_dump({"groups": [{"name": "gitmart", "rules": rules}]}))
    firing = {
        "input_series": [{"series": name, "values": values} for name, values in (HEALTHY | series).items()],
        "interval": "1m",
        "promql_expr_test": [
            {
                "expr": 'count by (alertname) (ALERTS{alertstate="firing"})',
                "eval_time": "115m",
                "exp_samples": [{"labels": f'{{alertname="{alert}"}}', "value": 1}] if alert else [],
            }
        ],
    }
    (tmp_path / "test.yaml").write_text(
        yaml.safe_dump({"rule_files": ["rules.yaml"], "evaluation_interval": "1m", "tests": [firing]})
    )

    done = subprocess.run(
        [the_program("promtool"), "test", "rules", "test.yaml"],
        cwd=tmp_path,
        capture_output=True,
        text=True,
        check=False,
    )

    assert done.returncode == 0, done.stdout + done.stderr


def test_they_ask_for_series_that_the_operator_tells() -> None:
    metrics = Metrics(clock=lambda: 100.0)
    queue: QueueMetrics[str] = QueueMetrics(metrics, lambda key: key)
    state = QueueState(
        running=True, workers=10, depth=0, planned=0, active=0, longest_visit=0.0, unfinished=0.0, idle=0.0
    )
    queue.show(lambda: state, ("repository", "dbtschedule"))
    queue.started("repository", 0.0)
    queue.ended("repository", 1.0, "error")
    metrics.repository_is("n", "r", RepositoryFacts(ready=True, last_check=1.0))
    metrics.dbt_schedule_is("n", "d", DbtScheduleFacts(nodes={"error": 1, "success": 2}, replication_lag=30.0))

    told = metrics.text().decode()

    for name in HEALTHY:
        metric, _, labels = name.partition("{")
        lines = [line for line in told.splitlines() if line.startswith(f"{metric}{{")]
        assert any(all(label in line for label in labels.strip("}").split(",")) for line in lines), name
