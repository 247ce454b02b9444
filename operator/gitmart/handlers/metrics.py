"""
What Prometheus reads of the operator: controller-runtime's names where it has one, gitmart's own beside.

What is known of single objects is kept as small records, and becomes series when somebody scrapes: a deleted
object takes its series along, ages are true at that moment, and a thousand repositories cost some hundred KiB.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Generic

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, ProcessCollector, disable_created_metrics
from prometheus_client.exposition import CONTENT_TYPE_LATEST, generate_latest
from prometheus_client.metrics_core import GaugeMetricFamily
from prometheus_client.registry import Collector

from gitmart.handlers.queue import Ending, Key, QueueState

CONTENT_TYPE = CONTENT_TYPE_LATEST
QUEUE_NAME = "gitmart"

_QUICK = (0.001, 0.01, 0.1, 0.5, 1, 5, 10, 30, 60, 300)  # seconds
_REQUEST = (0.005, 0.025, 0.1, 0.25, 0.5, 1, 2, 4, 8, 15, 30)
_RUN = (1, 5, 15, 30, 60, 120, 300, 600, 1800, 3600, 7200, 21600)

ObjectName = tuple[str, str]  # namespace, name


@dataclass(frozen=True, slots=True)
class RepositoryFacts:
    """What is told of one Repository. Times are seconds since 1970, None: never."""

    ready: bool
    last_success: float | None = None  # end of the last good extraction
    last_check: float | None = None  # when the warehouse was last known to hold what the host has


@dataclass(frozen=True, slots=True)
class DbtScheduleFacts:
    """What is told of one DbtSchedule. `nodes` counts those of the last run by dbt's word for how they ended."""

    last_success: float | None = None  # seconds since 1970
    nodes: Mapping[str, int] = field(default_factory=dict)
    replication_lag: float | None = None  # seconds; None: the last run told of no replica


class Metrics:
    """A registry of its own. `clock` gives seconds since 1970."""

    def __init__(self, clock: Callable[[], float] = time.time) -> None:
        disable_created_metrics()  # type: ignore[no-untyped-call] # a second series per counter, which nobody reads
        self.registry = registry = CollectorRegistry()
        ProcessCollector(registry=registry)
        self._requests = Counter(
            "rest_client_requests_total", "Requests to the Kubernetes API, attempts counted one by one.",
            ["code", "method", "host"], registry=registry,
        )  # fmt: skip
        self._request_seconds = Histogram(
            "rest_client_request_duration_seconds", "How long a request to the Kubernetes API took.",
            ["verb", "host"], buckets=_REQUEST, registry=registry,
        )  # fmt: skip
        self._extraction_seconds = Histogram(
            "gitmart_extraction_duration_seconds", "How long an extraction took, by how it ended.",
            ["outcome"], buckets=_RUN, registry=registry,
        )  # fmt: skip
        self._new_commits = Counter(
            "gitmart_extraction_new_commits_total",
            "Commits that extractions added to the warehouse.",
            registry=registry,
        )
        self._checks = Counter(
            "gitmart_checks_total",
            "Hosts asked for news without a pod, by how it ended.",
            ["outcome"],
            registry=registry,
        )
        self._running = Gauge("gitmart_extractions_running", "Extractions with a pod.", registry=registry)
        self._queued = Gauge(
            "gitmart_extractions_queued", "Extractions that wait because a cap is full, by that cap (global or host).",
            ["cap"], registry=registry,
        )  # fmt: skip
        self._objects = _Objects(clock)
        registry.register(self._objects)

    def text(self) -> bytes:
        """Return everything in Prometheus' text format (CONTENT_TYPE)."""
        return generate_latest(self.registry)

    def request_ended(self, method: str, code: str, host: str, seconds: float) -> None:
        """Count a request to the API: a RequestObserver of Cluster."""
        self._requests.labels(code, method, host).inc()
        self._request_seconds.labels(method, host).observe(seconds)

    def check_ended(self, outcome: str) -> None:
        """Count a check by how it ended."""
        self._checks.labels(outcome).inc()

    def extraction_ended(self, outcome: str, seconds: float, new_commits: int) -> None:
        """Count an extraction; to be called once for each."""
        self._extraction_seconds.labels(outcome).observe(seconds)
        self._new_commits.inc(new_commits)

    def extractions_are(self, running: int, queued: Mapping[str, int]) -> None:
        """Set how many extractions have a pod, and how many wait, by the cap that is full."""
        self._running.set(running)
        for cap in ("global", "host"):
            self._queued.labels(cap).set(queued.get(cap, 0))

    def repository_is(self, namespace: str, name: str, facts: RepositoryFacts) -> None:
        """Set what is told of a Repository."""
        self._objects.repositories[namespace, name] = facts

    def forget_repository(self, namespace: str, name: str) -> None:
        """Remove the series of a Repository that is gone."""
        self._objects.repositories.pop((namespace, name), None)

    def dbt_schedule_is(self, namespace: str, name: str, facts: DbtScheduleFacts) -> None:
        """Set what is told of a DbtSchedule."""
        self._objects.schedules[namespace, name] = facts

    def forget_dbt_schedule(self, namespace: str, name: str) -> None:
        """Remove the series of a DbtSchedule that is gone."""
        self._objects.schedules.pop((namespace, name), None)


class QueueMetrics(Generic[Key]):
    """
    The observer of the work queue, in the words of controller-runtime.

    `controller_of` gives the `controller` label of a key: the kind in lower case.
    """

    def __init__(self, metrics: Metrics, controller_of: Callable[[Key], str]) -> None:
        self._controller_of = controller_of
        registry = metrics.registry
        self._total = Counter(
            "controller_runtime_reconcile_total", "Visits, by controller and result.",
            ["controller", "result"], registry=registry,
        )  # fmt: skip
        self._errors = Counter(
            "controller_runtime_reconcile_errors_total", "Visits that failed and are repeated after a backoff.",
            ["controller"], registry=registry,
        )  # fmt: skip
        self._seconds = Histogram(
            "controller_runtime_reconcile_time_seconds", "How long a visit took.",
            ["controller"], buckets=_QUICK, registry=registry,
        )  # fmt: skip
        self._active = Gauge(
            "controller_runtime_active_workers", "Visits under way.", ["controller"], registry=registry
        )
        self._adds = Counter("workqueue_adds_total", "Keys that began to wait.", ["name"], registry=registry)
        self._retries = Counter(
            "workqueue_retries_total", "Keys put back after a failed visit.", ["name"], registry=registry
        )
        self._waited = Histogram(
            "workqueue_queue_duration_seconds", "How long a key waited for a worker.",
            ["name"], buckets=_QUICK, registry=registry,
        )  # fmt: skip
        self._worked = Histogram(
            "workqueue_work_duration_seconds", "How long a key was worked on.",
            ["name"], buckets=_QUICK, registry=registry,
        )  # fmt: skip
        self._registry = registry

    def show(self, state: Callable[[], QueueState], controllers: tuple[str, ...]) -> None:
        """Tell the queue's state at every scrape; all `controllers` share its workers."""
        self._registry.register(_Queue(state, controllers))

    def added(self, key: Key) -> None:  # noqa: ARG002 # as the queue calls it
        """Take note that a key began to wait for a worker."""
        self._adds.labels(QUEUE_NAME).inc()

    def started(self, key: Key, waited: float) -> None:
        """Take note that a visit began, after its key was ready for `waited` seconds."""
        self._waited.labels(QUEUE_NAME).observe(waited)
        self._active.labels(self._controller_of(key)).inc()

    def ended(self, key: Key, took: float, ending: Ending) -> None:
        """Take note of how a visit of `took` seconds ended."""
        controller = self._controller_of(key)
        self._active.labels(controller).dec()
        self._worked.labels(QUEUE_NAME).observe(took)
        self._seconds.labels(controller).observe(took)
        self._total.labels(controller, ending).inc()
        if ending == "error":
            self._errors.labels(controller).inc()
            self._retries.labels(QUEUE_NAME).inc()


class _Queue(Collector):
    """The gauges of the queue, read when they are asked for."""

    def __init__(self, state: Callable[[], QueueState], controllers: tuple[str, ...]) -> None:
        self._state = state
        self._controllers = controllers

    def collect(self) -> Iterator[GaugeMetricFamily]:
        """Yield the families."""
        state = self._state()
        yield _gauge("workqueue_depth", "Keys that wait for a worker.", ["name"], {(QUEUE_NAME,): state.depth})
        yield _gauge(
            "workqueue_unfinished_work_seconds", "Sum of the ages of the visits under way.",
            ["name"], {(QUEUE_NAME,): state.unfinished},
        )  # fmt: skip
        yield _gauge(
            "workqueue_longest_running_processor_seconds", "Age of the oldest visit under way.",
            ["name"], {(QUEUE_NAME,): state.longest_visit},
        )  # fmt: skip
        yield _gauge(
            "controller_runtime_max_concurrent_reconciles", "Visits at a time, shared by all controllers.",
            ["controller"], {(controller,): state.workers for controller in self._controllers},
        )  # fmt: skip


class _Objects(Collector):
    """The series of single objects, made when they are asked for."""

    def __init__(self, clock: Callable[[], float]) -> None:
        self.repositories: dict[ObjectName, RepositoryFacts] = {}
        self.schedules: dict[ObjectName, DbtScheduleFacts] = {}
        self._clock = clock

    def collect(self) -> Iterator[GaugeMetricFamily]:
        """Yield the families."""
        repositories, schedules, names = self.repositories.items(), self.schedules.items(), ["namespace", "name"]
        yield _gauge(
            "gitmart_repository_ready", "1 while the Repository's condition Ready is True, else 0.",
            names, {key: float(facts.ready) for key, facts in repositories},
        )  # fmt: skip
        yield _gauge(
            "gitmart_repository_last_success_timestamp_seconds", "When the last good extraction ended.",
            names, {key: facts.last_success for key, facts in repositories},
        )  # fmt: skip
        now = self._clock()
        yield _gauge(
            "gitmart_repository_freshness_seconds",
            "Age of the last moment at which the warehouse was known to hold what the host has.",
            names,
            {key: max(0.0, now - facts.last_check) for key, facts in repositories if facts.last_check is not None},
        )
        yield _gauge(
            "gitmart_dbtschedule_last_success_timestamp_seconds", "When the last good dbt run ended.",
            names, {key: facts.last_success for key, facts in schedules},
        )  # fmt: skip
        yield _gauge(
            "gitmart_dbtschedule_replication_lag_seconds",
            "How far the replica that the last dbt run read was behind its source, at most.",
            names, {key: facts.replication_lag for key, facts in schedules},
        )  # fmt: skip
        yield _gauge(
            "gitmart_dbt_nodes", "Nodes of the last dbt run, by how they ended.", [*names, "status"],
            {(*key, status): count for key, facts in schedules for status, count in facts.nodes.items()},
        )  # fmt: skip


def _gauge(
    name: str, meaning: str, labels: list[str], values: Mapping[tuple[str, ...], float | None]
) -> GaugeMetricFamily:
    """Return a family; a value of None is no series."""
    family = GaugeMetricFamily(name, meaning, labels=labels)
    for words, value in values.items():
        if value is not None:
            family.add_metric(words, value)
    return family
