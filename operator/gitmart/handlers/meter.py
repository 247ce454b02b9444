"""From resources and runs to what Prometheus reads."""

from __future__ import annotations

from gitmart.controller.admission import HOST_FULL, TOTAL_FULL
from gitmart.controller.conditions import READY, find
from gitmart.controller.runs import Run, verdict_of
from gitmart.handlers.metrics import DbtScheduleFacts, Metrics, RepositoryFacts
from gitmart.handlers.places import Places
from gitmart.resources.base import Resource
from gitmart.resources.dbtschedule import DbtSchedule
from gitmart.resources.repository import Repository


class ResourceMeter:
    """Tells the metrics of what visits have seen."""

    def __init__(self, metrics: Metrics, places: Places) -> None:
        self._metrics = metrics
        self._places = places

    def ended(self, resource: Resource, run: Run) -> None:
        """Count an extraction that ended. What a dbt run brought stands in the schedule's status."""
        if isinstance(resource, Repository):
            self._metrics.extraction_ended(
                verdict_of(run).reason, run.duration.total_seconds(), run.number("newCommits") or 0
            )

    def visited(self, resource: Resource) -> None:
        """Tell of a resource as it is now."""
        metadata = resource.metadata
        if isinstance(resource, Repository):
            self._metrics.repository_is(metadata.namespace, metadata.name, _repository_facts(resource))
        elif isinstance(resource, DbtSchedule):
            self._metrics.dbt_schedule_is(metadata.namespace, metadata.name, _schedule_facts(resource))

    def scrape(self) -> bytes:
        """Return what Prometheus reads, with what is counted only when it asks."""
        queued = self._places.queued()
        self._metrics.extractions_are(
            len(self._places.taken()), {"global": queued[TOTAL_FULL], "host": queued[HOST_FULL]}
        )
        return self._metrics.text()

    def gone(self, kind: str, namespace: str, name: str) -> None:
        """Forget a resource."""
        if kind == "Repository":
            self._metrics.forget_repository(namespace, name)
        else:
            self._metrics.forget_dbt_schedule(namespace, name)


def _repository_facts(repository: Repository) -> RepositoryFacts:
    status = repository.status
    ready = find(status.conditions, READY)
    good = next((past.finished_at for past in status.history if past.outcome == "Succeeded"), None)
    return RepositoryFacts(
        ready=ready is not None and ready.status == "True",
        last_success=good.timestamp() if good else None,
        last_check=status.last_check_time.timestamp() if status.last_check_time else None,
    )


def _schedule_facts(schedule: DbtSchedule) -> DbtScheduleFacts:
    status, last = schedule.status, schedule.status.last_run
    counts = {
        word: count
        for word, count in (
            ("succeeded", last.succeeded), ("warned", last.warned), ("failed", last.failed), ("skipped", last.skipped),
        )
        if count is not None
    } if last is not None else {}  # fmt: skip
    lag = last.replication_lag if last is not None else None
    return DbtScheduleFacts(
        last_success=status.last_successful_time.timestamp() if status.last_successful_time else None,
        nodes=counts,
        replication_lag=lag.total_seconds() if lag is not None else None,
    )
