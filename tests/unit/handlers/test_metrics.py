"""The operator's metrics, as Prometheus reads them."""

from __future__ import annotations

import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest
from prometheus_client import Metric
from prometheus_client.parser import text_string_to_metric_families

from gitmart.handlers.metrics import DbtScheduleFacts, Metrics, QueueMetrics, RepositoryFacts
from gitmart.handlers.queue import QueueState

PAGE = Path(__file__).parents[3] / "docs" / "metrics-operator.md"
CACHED_PROMTOOL = Path("~/.cache/gitmart/cluster/bin/promtool").expanduser()
STATE = QueueState(
    running=True, workers=10, depth=3, planned=900, active=2, longest_visit=7.5, unfinished=9.0, idle=0.5
)


@pytest.fixture
def metrics() -> Metrics:
    """Metrics of an operator that has seen one of everything, at the time 1000."""
    metrics = Metrics(clock=lambda: 1000.0)
    queue = QueueMetrics[str](metrics, lambda key: key.partition("/")[0])
    queue.show(lambda: STATE, ("repository", "dbtschedule"))
    for _ in range(2):
        queue.added("repository/kopf")
        queue.started("repository/kopf", 0.2)
    queue.ended("repository/kopf", 1.5, "requeue_after")
    queue.ended("repository/kopf", 0.5, "error")
    queue.started("dbtschedule/nightly", 0.0)
    metrics.request_ended("PATCH", "200", "10.96.0.1:443", 0.02)
    metrics.request_ended("GET", "<error>", "10.96.0.1:443", 30.0)
    metrics.check_ended("Succeeded")
    metrics.extraction_ended("Succeeded", 61.0, 42)
    metrics.extraction_ended("Timeout", 3600.0, 0)
    metrics.extractions_are(4, {"host": 7})
    metrics.repository_is("team", "kopf", RepositoryFacts(True, last_success=700.0, last_check=940.0))
    metrics.repository_is("team", "new", RepositoryFacts(False))
    metrics.dbt_schedule_is("team", "nightly", DbtScheduleFacts(800.0, {"success": 31, "error": 1}, 42.0))
    metrics.dbt_schedule_is("team", "beside", DbtScheduleFacts(800.0))
    return metrics


def families(metrics: Metrics) -> Iterator[Metric]:
    """Yield what the text holds, but for the process's own."""
    for family in text_string_to_metric_families(metrics.text().decode()):
        if not family.name.startswith("process_"):
            yield family


def value(metrics: Metrics, series: str, /, **labels: str) -> float | None:
    return metrics.registry.get_sample_value(series, labels)


@pytest.mark.parametrize(
    ("name", "labels", "expected"),
    [
        ("controller_runtime_reconcile_total", {"controller": "repository", "result": "requeue_after"}, 1),
        ("controller_runtime_reconcile_total", {"controller": "repository", "result": "error"}, 1),
        ("controller_runtime_reconcile_errors_total", {"controller": "repository"}, 1),
        ("controller_runtime_reconcile_time_seconds_sum", {"controller": "repository"}, 2.0),
        ("controller_runtime_active_workers", {"controller": "repository"}, 0),
        ("controller_runtime_active_workers", {"controller": "dbtschedule"}, 1),
        ("controller_runtime_max_concurrent_reconciles", {"controller": "dbtschedule"}, 10),
        ("workqueue_adds_total", {"name": "gitmart"}, 2),
        ("workqueue_retries_total", {"name": "gitmart"}, 1),
        ("workqueue_depth", {"name": "gitmart"}, 3),
        ("workqueue_longest_running_processor_seconds", {"name": "gitmart"}, 7.5),
        ("workqueue_unfinished_work_seconds", {"name": "gitmart"}, 9.0),
        ("workqueue_queue_duration_seconds_count", {"name": "gitmart"}, 3),
        ("workqueue_work_duration_seconds_count", {"name": "gitmart"}, 2),
        ("rest_client_requests_total", {"code": "<error>", "method": "GET", "host": "10.96.0.1:443"}, 1),
        ("rest_client_request_duration_seconds_count", {"verb": "PATCH", "host": "10.96.0.1:443"}, 1),
        ("gitmart_checks_total", {"outcome": "Succeeded"}, 1),
        ("gitmart_extraction_duration_seconds_sum", {"outcome": "Timeout"}, 3600.0),
        ("gitmart_extraction_new_commits_total", {}, 42),
        ("gitmart_extractions_running", {}, 4),
        ("gitmart_extractions_queued", {"cap": "host"}, 7),
        ("gitmart_extractions_queued", {"cap": "global"}, 0),
        ("gitmart_repository_ready", {"namespace": "team", "name": "kopf"}, 1),
        ("gitmart_repository_ready", {"namespace": "team", "name": "new"}, 0),
        ("gitmart_repository_last_success_timestamp_seconds", {"namespace": "team", "name": "kopf"}, 700),
        ("gitmart_repository_last_success_timestamp_seconds", {"namespace": "team", "name": "new"}, None),
        ("gitmart_repository_freshness_seconds", {"namespace": "team", "name": "kopf"}, 60),
        ("gitmart_repository_freshness_seconds", {"namespace": "team", "name": "new"}, None),
        ("gitmart_dbtschedule_last_success_timestamp_seconds", {"namespace": "team", "name": "nightly"}, 800),
        ("gitmart_dbtschedule_replication_lag_seconds", {"namespace": "team", "name": "nightly"}, 42),
        ("gitmart_dbtschedule_replication_lag_seconds", {"namespace": "team", "name": "beside"}, None),
        ("gitmart_dbt_nodes", {"namespace": "team", "name": "nightly", "status": "success"}, 31),
    ],
)
def test_values(metrics: Metrics, name: str, labels: dict[str, str], expected: float | None) -> None:
    assert value(metrics, name, **labels) == expected


def test_a_deleted_object_takes_its_series_along(metrics: Metrics) -> None:
    assert b'name="kopf"' in metrics.text()
    metrics.forget_repository("team", "kopf")
    metrics.forget_repository("team", "kopf")
    metrics.forget_dbt_schedule("team", "nightly")

    assert b'name="kopf"' not in metrics.text()
    assert b'name="nightly"' not in metrics.text()
    assert b'name="new"' in metrics.text()


def test_a_status_that_no_longer_occurs_has_no_series(metrics: Metrics) -> None:
    metrics.dbt_schedule_is("team", "nightly", DbtScheduleFacts(900.0, {"success": 32}))

    assert value(metrics, "gitmart_dbt_nodes", namespace="team", name="nightly", status="error") is None


def test_a_clock_that_went_back_makes_no_negative_age(metrics: Metrics) -> None:
    metrics.repository_is("team", "kopf", RepositoryFacts(True, last_check=1010.0))

    assert value(metrics, "gitmart_repository_freshness_seconds", namespace="team", name="kopf") == 0


def test_the_process_tells_of_its_memory(metrics: Metrics) -> None:
    assert b"\nprocess_resident_memory_bytes " in metrics.text()


def test_promtool_finds_nothing_to_say(metrics: Metrics) -> None:
    promtool = shutil.which("promtool") or (str(CACHED_PROMTOOL) if CACHED_PROMTOOL.exists() else None)
    if promtool is None:
        pytest.skip("promtool is neither in PATH nor among the cluster's binaries: `make cluster` builds it")
    done = subprocess.run([promtool, "check", "metrics"], input=metrics.text(), capture_output=True, check=False)

    assert (done.returncode, done.stdout, done.stderr) == (0, b"", b"")


def test_the_page_lists_every_metric_as_it_is(metrics: Metrics) -> None:
    rows = [line for line in PAGE.read_text(encoding="utf-8").splitlines() if line.startswith("| `")]

    assert sorted(rows) == sorted(row(family) for family in families(metrics))


def row(family: Metric) -> str:
    name = family.name + ("_total" if family.type == "counter" else "")
    labels = sorted({label for sample in family.samples for label in sample.labels} - {"le"})
    return f"| `{name}` | {family.type} | {', '.join(f'`{label}`' for label in labels)} | {family.documentation} |"
