"""
A run of dbt in the words of OpenLineage (https://openlineage.io/spec/2-0-2/OpenLineage.json).

Told are the run, each model, seed and snapshot, and the tests of each of them, as they end. Values are not told: what
PostgreSQL says of an error may quote a row, and so a person. The log and `dbt_meta` have it.
"""

from __future__ import annotations

import logging
import re
import threading
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import cache
from importlib.metadata import version
from typing import Any
from uuid import uuid4

from gitmart import __version__
from gitmart.contract.openlineage import NAME_LIMIT
from gitmart.contract.outcomes import MEANINGS, Outcome
from gitmart.contract.redaction import Scrubber
from gitmart.contract.result import Result
from gitmart.transform.collector import Collector, CollectorSettings
from gitmart.transform.digest import rows_affected

log = logging.getLogger(__name__)

PRODUCER = f"https://gitmart.dev/v{__version__}"
SPECIFICATION = "https://openlineage.io/spec"
# Facets by their key: the file and the version of their schema.
_FACETS = {
    "dataQualityAssertions": "1-1-0/DataQualityAssertionsDatasetFacet",
    "dataSource": "1-0-1/DatasourceDatasetFacet",
    "errorMessage": "1-0-1/ErrorMessageRunFacet",
    "jobType": "2-0-4/JobTypeJobFacet",
    "outputStatistics": "1-0-2/OutputStatisticsOutputDatasetFacet",
    "parent": "1-2-0/ParentRunFacet",
    "processing_engine": "1-1-1/ProcessingEngineRunFacet",
    "schema": "1-2-0/SchemaDatasetFacet",
}
_STOPPED = "stopped before it ended"
_BUILT = frozenset({"model", "seed", "snapshot"})
_ENDS = {
    "success": "COMPLETE",
    "no-op": "COMPLETE",
    "skipped": "ABORT",
    _STOPPED: "ABORT",
}  # dbt's word for a node; any other: FAIL
_HEADING = re.compile(r"\w+ Error in \w+ [\w.]+ \([^)\s]*\)")  # of what dbt says of an error; the rest may quote a row

Json = dict[str, Any]


@dataclass(frozen=True, slots=True)
class Assertion:
    """How a test of a dataset ended."""

    node: Any  # of dbt's manifest
    status: str
    failures: int | None
    began: datetime
    ended: datetime

    @property
    def good(self) -> bool:
        """Whether nothing was found that stops a build."""
        return self.status in ("pass", "warn")


@dataclass(frozen=True, slots=True)
class Job:
    """A job and one run of it."""

    namespace: str
    name: str
    kind: str  # of the integration of dbt: JOB, MODEL, SEED, SNAPSHOT, TEST
    run_id: str
    parent: Job | None = None

    def part(self, node: Any, kind: str, suffix: str = "") -> Job:
        """Return a job below this one, for a node of the manifest, with a run of its own."""
        name = f"{self.name}.{node.unique_id.partition('.')[2]}{suffix}"  # of a model: project.name, or project.name.v1
        return Job(self.namespace, name, kind, str(uuid4()), self)


def event(
    kind: str, time: datetime, job: Job, *, error: str = "", inputs: Sequence[Json] = (), outputs: Sequence[Json] = ()
) -> Json:
    """Return a RunEvent: START, COMPLETE, FAIL or ABORT."""
    facets = {"processing_engine": _engine()}
    if job.parent is not None:
        above = {
            "run": {"runId": job.parent.run_id}, "job": {"namespace": job.parent.namespace, "name": job.parent.name}
        }  # fmt: skip
        facets["parent"] = facet("parent", **above, root=above)
    if error:
        facets["errorMessage"] = facet("errorMessage", message=error, programmingLanguage="SQL")
    job_type = facet("jobType", processingType="BATCH", integration="DBT", jobType=job.kind)
    return {
        "eventType": kind,
        "eventTime": time.astimezone(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z"),
        "producer": PRODUCER,
        "schemaURL": f"{SPECIFICATION}/2-0-2/OpenLineage.json#/$defs/RunEvent",
        "run": {"runId": job.run_id, "facets": facets},
        "job": {"namespace": job.namespace, "name": job.name, "facets": {"jobType": job_type}},
        "inputs": list(inputs),
        "outputs": list(outputs),
    }


@cache
def _engine() -> Json:
    return facet("processing_engine", version=version("dbt-core"), name="dbt", openlineageAdapterVersion=__version__)


def facet(key: str, **fields: Any) -> Json:
    """Return a facet with what each must have."""
    file = _FACETS[key]
    name = file.rpartition("/")[2]
    return {"_producer": PRODUCER, "_schemaURL": f"{SPECIFICATION}/facets/{file}.json#/$defs/{name}", **fields}


def dataset(node: Any, warehouse: str) -> Json:
    """Return a table of a node or a source. `warehouse`: postgres://host:port."""
    facets = {"dataSource": facet("dataSource", name=warehouse, uri=warehouse)}
    if node.columns:
        facets["schema"] = facet("schema", fields=[_column(column) for column in node.columns.values()])
    name = f"{node.database}.{node.schema}.{node.identifier}"
    return {"namespace": warehouse, "name": name, "facets": facets}


def _column(column: Any) -> Json:
    told = {"name": column.name, "type": column.data_type, "description": column.description}
    return {name: value for name, value in told.items() if value}


def tables_read(node: Any, manifest: Any) -> Iterator[Any]:
    """Yield each node and source whose table a node reads, through models that make none (ephemeral)."""
    seen = set()
    rest = list(reversed(node.depends_on.nodes))
    while rest:
        name = rest.pop()
        if name in seen:
            continue
        seen.add(name)
        found = manifest.sources.get(name) or manifest.nodes.get(name)
        if found is None:  # a function, a metric
            continue
        if found.resource_type == "source" or found.relation_name:
            yield found
        else:
            rest += reversed(found.depends_on.nodes)


def node_events(
    node: Any, job: Job, manifest: Any, warehouse: str, begun: datetime, ended: datetime, status: str, *,
    rows: int | None = None, message: str = "",
) -> list[Json]:  # fmt: skip
    """Return the two events of a model, a seed or a snapshot."""
    inputs = [dataset(each, warehouse) for each in tables_read(node, manifest)] if node.resource_type != "seed" else []
    output = dataset(node, warehouse) if node.relation_name else None
    end = _ENDS.get(status, "FAIL")
    if output is not None and end == "COMPLETE" and rows is not None:
        output["outputFacets"] = {"outputStatistics": facet("outputStatistics", rowCount=rows)}
    error = "" if end == "COMPLETE" else heading(status, message)
    outputs = [output] if output is not None else []
    return [
        event("START", begun, job, inputs=inputs, outputs=[dataset(node, warehouse)] if output is not None else []),
        event(end, ended, job, error=error, inputs=inputs, outputs=outputs),
    ]


def heading(status: str, message: str) -> str:
    """Return what may be told of a node that did not end well."""
    if status == _STOPPED:
        return status
    if status == "skipped":
        return "skipped, because of a failure of what it stands on"
    found = _HEADING.match(" ".join(message.split()))
    return f"{status}: {found[0]}" if found else status


def assertion_events(node: Any, job: Job, warehouse: str, assertions: Iterable[Assertion]) -> list[Json]:
    """Return the two events of the tests of a table."""
    found = sorted(assertions, key=lambda each: str(each.node.name))
    tested = dataset(node, warehouse)
    told = facet("dataQualityAssertions", assertions=[_assertion(each) for each in found])
    failed = [str(each.node.name) for each in found if not each.good]
    error = f"{len(failed)} of {len(found)} tests failed: {', '.join(failed[:3])}" if failed else ""
    return [
        event("START", min(each.began for each in found), job, inputs=[tested]),
        event(
            "FAIL" if failed else "COMPLETE", max(each.ended for each in found), job, error=error,
            inputs=[{**tested, "inputFacets": {"dataQualityAssertions": told}}],
        ),
    ]  # fmt: skip


def _assertion(test: Assertion) -> Json:
    metadata = getattr(test.node, "test_metadata", None)
    told: Json = {
        "assertion": metadata.name if metadata is not None else test.node.name,
        "name": test.node.name,
        "success": test.status == "pass",
        "severity": str(test.node.config.severity).lower(),
    }
    if column := getattr(test.node, "column_name", None):
        told["column"] = column
    if test.failures is not None and test.status != "error":
        told["actual"] = str(test.failures)
    return told


def subjects_of(node: Any, manifest: Any) -> list[str]:
    """Return the unique ids of the tables that a test is about: the one it belongs to, else all that it reads."""
    attached = getattr(node, "attached_node", None)
    return [attached] if attached else [each.unique_id for each in tables_read(node, manifest)]


def run_end(outcome: Outcome) -> str:
    """Return the kind of event that ends the run."""
    if outcome in (Outcome.CANCELLED, Outcome.SKIPPED):
        return "ABORT"
    return "COMPLETE" if outcome.good else "FAIL"


class Lineage:
    """Tells of one run. dbt calls `event` from several threads at once; nothing here raises."""

    def __init__(self, settings: CollectorSettings, scrubber: Scrubber, began: datetime) -> None:
        self.manifest: Any = None  # dbt's, once it is there
        self._collector = Collector(settings, scrubber)
        self._run = Job(settings.namespace, settings.job[:NAME_LIMIT], "JOB", str(uuid4()))
        self._warehouse = ""
        self._begun: dict[str, datetime] = {}  # by unique id: what runs now
        self._tests: dict[str, Assertion] = {}
        self._failed = False
        self._telling = threading.Lock()
        self._carefully(lambda: self._collector.put(event("START", began, self._run)))

    def at(self, host: str, port: int) -> None:
        """Tell where the tables are. A socket of this machine has no name that others know."""
        host = "localhost" if host.startswith("/") or not host else host
        self._warehouse = f"postgres://{f'[{host}]' if ':' in host else host}:{port}"

    def event(self, message: Any) -> None:
        """Take an event of dbt (`EventMsg`)."""
        if self.manifest is None:
            return
        match message.info.name:
            case "NodeStart":
                self._begun[message.data.node_info.unique_id] = datetime.now(UTC)
            case "NodeFinished":
                self._carefully(lambda: self._finished(message.data.node_info.unique_id, message.data.run_result))

    def end(self, result: Result) -> None:
        """Tell how the run ended, and see all sent."""
        self._carefully(lambda: self._end(result))
        self._collector.close()

    def _carefully(self, tell: Callable[[], None]) -> None:
        try:
            with self._telling:
                tell()
        except Exception:
            if not self._failed:
                log.warning("OpenLineage events cannot be made", exc_info=True)
            self._failed = True

    def _finished(self, name: str, result: Any) -> None:
        now = datetime.now(UTC)
        begun = self._begun.pop(name, now)
        node = self.manifest.nodes.get(name)
        if node is None:  # a source, whose age was looked at
            return
        if node.resource_type in _BUILT:
            self._tell(node, begun, now, result.status, rows_affected(dict(result.adapter_response)), result.message)
        elif node.resource_type == "test" and result.status != "skipped":
            failures = result.num_failures if result.status in ("pass", "warn", "fail") else None
            self._tests[name] = Assertion(node, result.status, failures, begun, now)

    def _tell(self, node: Any, begun: datetime, ended: datetime, status: str, rows: int | None, message: str) -> None:
        job = self._run.part(node, str(node.resource_type).upper())
        for each in node_events(
            node, job, self.manifest, self._warehouse, begun, ended, status, rows=rows, message=message
        ):
            self._collector.put(each)

    def _end(self, result: Result) -> None:
        for name, begun in list(self._begun.items()):  # it was stopped in their midst
            node = self.manifest.nodes.get(name)
            if node is not None and node.resource_type in _BUILT:
                self._tell(node, begun, result.finished_at, _STOPPED, None, "")
        for node, tests in self._tables_tested():
            for each in assertion_events(node, self._run.part(node, "TEST", ".test"), self._warehouse, tests):
                self._collector.put(each)
        outcome = result.outcome
        error = "" if outcome is Outcome.SUCCEEDED else f"{outcome.value}: {MEANINGS[outcome].summary}"
        self._collector.put(event(run_end(outcome), result.finished_at, self._run, error=error))

    def _tables_tested(self) -> Iterator[tuple[Any, list[Assertion]]]:
        found: dict[str, list[Assertion]] = {}
        for test in self._tests.values():
            for name in subjects_of(test.node, self.manifest):
                found.setdefault(name, []).append(test)
        for name, tests in found.items():
            node = self.manifest.sources.get(name) or self.manifest.nodes.get(name)
            if node is not None:
                yield node, tests
