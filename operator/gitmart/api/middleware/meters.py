"""What Prometheus reads of the API. Every label has few values: templates of paths, never paths."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping

from prometheus_client import CollectorRegistry, Counter, Histogram, ProcessCollector, disable_created_metrics
from prometheus_client.exposition import CONTENT_TYPE_LATEST, generate_latest
from prometheus_client.metrics_core import GaugeMetricFamily
from prometheus_client.registry import Collector

from gitmart.api.middleware.told import Told

CONTENT_TYPE = CONTENT_TYPE_LATEST

_SECONDS = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10)
_METHODS = frozenset({"GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"})


class Meters:
    """A registry of its own."""

    def __init__(self) -> None:
        disable_created_metrics()  # type: ignore[no-untyped-call] # a second series per counter, which nobody reads
        self.registry = registry = CollectorRegistry()
        ProcessCollector(registry=registry)
        self._requests = Counter(
            "gitmart_api_requests_total", "Requests that ended, by template of the path, method and status.",
            ["route", "method", "status"], registry=registry,
        )  # fmt: skip
        self._seconds = Histogram(
            "gitmart_api_request_duration_seconds", "How long requests took, by template of the path.",
            ["route"], buckets=_SECONDS, registry=registry,
        )  # fmt: skip
        self._cached = Counter(
            "gitmart_api_cache_total",
            "What the cache did for requests: hit, not_modified, shared, miss, or bypass of what is not kept.",
            ["result"], registry=registry,
        )  # fmt: skip
        self._refused = Counter(
            "gitmart_api_refused_total",
            "Requests refused, by the reason that their problem tells; body: it was too large.",
            ["reason"], registry=registry,
        )  # fmt: skip

    def text(self) -> bytes:
        """Return everything in Prometheus' text format (CONTENT_TYPE)."""
        return generate_latest(self.registry)

    def ended(self, told: Told, method: str, seconds: float) -> None:
        """Count a request."""
        self._requests.labels(told.route, method if method in _METHODS else "other", str(told.status)).inc()
        self._seconds.labels(told.route).observe(seconds)
        self._cached.labels(told.cached.value).inc()

    def refused(self, reason: str) -> None:
        """Count a request that was not answered."""
        self._refused.labels(reason).inc()

    def show(self, gauges: Callable[[], Mapping[str, Mapping[str, float]]]) -> None:
        """Tell gauges (those of GAUGES, by the value of their label) at every scrape."""
        self.registry.register(_Gauges(gauges))


# Name: meaning and the name of its label, empty for none.
GAUGES = {
    "gitmart_api_pool_connections": ("Connections to the warehouse, by whether a request has them.", "state"),
    "gitmart_api_pool_waiting": ("Requests that wait for a connection to the warehouse.", ""),
    "gitmart_api_answers_in_progress": ("Answers that are being made.", ""),
    "gitmart_api_requests_waiting": ("Requests that wait for those answers.", ""),
    "gitmart_api_cache_bytes": ("Bytes of the answers that are kept, about.", ""),
    "gitmart_api_cache_entries": ("Answers that are kept.", ""),
    "gitmart_api_warehouse_ready": ("1 while the warehouse answers and its marts are there, else 0.", ""),
    "gitmart_api_build_in_progress": ("1 while dbt builds the marts, else 0.", ""),
}


class _Gauges(Collector):
    def __init__(self, gauges: Callable[[], Mapping[str, Mapping[str, float]]]) -> None:
        self._gauges = gauges

    def collect(self) -> Iterator[GaugeMetricFamily]:
        """Yield the families."""
        values = self._gauges()
        for name, (meaning, label) in GAUGES.items():
            family = GaugeMetricFamily(name, meaning, labels=[label] if label else None)
            for word, value in values.get(name, {}).items():
                family.add_metric([word] if label else [], value)
            yield family
