"""The kind `DbtSchedule`: when the dbt project turns raw tables into analytics."""

from __future__ import annotations

from datetime import timedelta
from typing import Annotated, ClassVar, Literal

from pydantic import Field

from gitmart.contract import target_schema
from gitmart.contract.durations import PATTERN as DURATION
from gitmart.resources.base import (
    Conditions,
    Count,
    Model,
    ObservedGeneration,
    Resource,
    Rule,
    ShortText,
    Status,
    Time,
    WarehouseRef,
    cel_matches,
    matching,
)
from gitmart.resources.columns import AGE, MESSAGE, READY, PrinterColumn
from gitmart.resources.duration import DurationBetween
from gitmart.resources.openlineage import OpenLineage
from gitmart.resources.pod_template import PodTemplate, TextMap
from gitmart.resources.project import Project
from gitmart.resources.quantity import TransformationResources
from gitmart.resources.schedule import Cron, TimeZone
from gitmart.resources.variables import Variables

# One selector of dbt's node selection syntax: no space, and no leading dash that would make it an option.
Selector = Annotated[
    str,
    Field(min_length=1, max_length=256),
    matching(
        r"^[!-,.-~][!-~]*$",
        "must be one dbt selector such as tag:daily or +fct_commits: no space (one per element), no - in front",
    ),
]
SelectorName = Annotated[
    str,
    Field(min_length=1, max_length=128),
    matching(r"^[A-Za-z0-9_][A-Za-z0-9_.-]*$", "must be the name of a selector: letters, digits, _, . and -"),
]
Selectors = Annotated[list[Selector], Field(max_length=64)]
HistoryLimit = Annotated[int, Field(ge=1, le=100)]


class LabelSelector(Model):
    """Which Repositories of the namespace are meant."""

    match_labels: TextMap = Field(default={}, description="Labels that a Repository must have. Empty means all.")


class AfterExtraction(Model):
    """A run soon after extractions have brought something new, besides the schedule."""

    rules: ClassVar = (
        Rule["AfterExtraction"](
            "debounce must be at most maxDelay",
            f"!({cel_matches(DURATION, 'self.debounce')} && {cel_matches(DURATION, 'self.maxDelay')}) || "
            "duration(self.debounce) <= duration(self.maxDelay)",
            lambda after: after.debounce <= after.max_delay,
        ),
    )

    selector: LabelSelector = Field(
        default=LabelSelector(), description="Which Repositories of this namespace count. By default all."
    )
    debounce: Annotated[timedelta, DurationBetween(timedelta(0), timedelta(days=1))] = Field(
        default=timedelta(minutes=2), description="How long nothing new must have come before a run starts."
    )
    max_delay: Annotated[timedelta, DurationBetween(timedelta(0), timedelta(days=1))] = Field(
        default=timedelta(minutes=30), description="A run starts at the latest this long after the first news."
    )


class Freshness(Model):
    """What the age of the sources means for a run."""

    blocks_build: bool = Field(
        default=False,
        description="Build nothing, and end as SourcesStale, while a source is older than its error limit.",
    )
    max_replication_lag: Annotated[timedelta, DurationBetween(timedelta(minutes=1), timedelta(days=365))] | None = (
        Field(
            default=None,
            description="Build nothing, and end as ReplicaNotReady, while a replica may be further behind its source. "
            "Without it: however far.",
        )
    )


TargetSchema = Annotated[
    str,
    Field(min_length=1, max_length=target_schema.LIMIT),
    Rule[str](
        target_schema.ALLOWED,
        f"{cel_matches(target_schema.NAME)} && !{cel_matches(target_schema.TAKEN)}",
        target_schema.may_be_target,
    ),
]


class Target(Model):
    """Where dbt writes. Two DbtSchedules must not share it."""

    schema_name: TargetSchema = Field(
        default=target_schema.DEFAULT,
        alias="schema",
        description="Schema of the marts. Another one than the default must be made once, by gitmart migrate.",
    )


class DbtScheduleSpec(Model):
    """What is wanted."""

    rules: ClassVar = (
        Rule["DbtScheduleSpec"](
            "lockTimeout must be less than timeout, or a run would be stopped while it waits",
            # what is no duration has a message of its own already
            f"!({cel_matches(DURATION, 'self.lockTimeout')} && {cel_matches(DURATION, 'self.timeout')}) || "
            "duration(self.lockTimeout) < duration(self.timeout)",
            lambda spec: spec.lock_timeout < spec.timeout,
        ),
        Rule["DbtScheduleSpec"](
            "selector takes the place of select and exclude: give one or the other",
            "!has(self.selector) || (size(self.select) == 0 && size(self.exclude) == 0)",
            lambda spec: spec.selector is None or not (spec.select or spec.exclude),
        ),
    )

    schedule: Cron = Field(description="When to run dbt, as five cron fields, such as '0 */6 * * *'.")
    full_refresh_schedule: Cron | None = Field(
        default=None,
        description="When to rebuild incremental models from nothing, as five cron fields. Without it: only on request.",
    )
    time_zone: TimeZone = Field(default="Etc/UTC", description="Time zone of the schedules, such as Europe/Berlin.")
    suspend: bool = Field(default=False, description="Start no run while true. A running one is left alone.")
    concurrency_policy: Literal["Allow", "Forbid", "Replace"] = Field(
        default="Forbid",
        description="What happens when a run is due while another still runs: both run (the later one waits for the "
        "target, at most lockTimeout), the new one is left out, or the old one is stopped.",
    )
    starting_deadline_seconds: Annotated[int, Field(ge=10, le=31_536_000)] | None = Field(
        default=None, description="How late, in seconds, a run may still start. Without it: however late."
    )
    successful_jobs_history_limit: HistoryLimit = Field(default=3, description="How many good runs are kept.")
    failed_jobs_history_limit: HistoryLimit = Field(default=3, description="How many failed runs are kept.")
    after_extraction: AfterExtraction | None = Field(
        default=None, description="Run dbt after extractions too. Without it: by the schedule alone."
    )
    select: Selectors = Field(
        default=[], description="What to build, in dbt's selection syntax, one selector per element. Empty means all."
    )
    exclude: Selectors = Field(default=[], description="What to leave out, in dbt's selection syntax.")
    selector: SelectorName | None = Field(
        default=None, description="Name of a selector of the project's selectors.yml, in place of select and exclude."
    )
    fail_fast: bool = Field(default=False, description="Start no further model or test once one has failed.")
    warn_error: bool = Field(default=False, description="Take each warning of dbt's for an error.")
    store_failures: bool = Field(
        default=False, description="Keep the rows that fail any test, in tables of the schema …_test_failures."
    )
    freshness: Freshness = Field(default=Freshness(), description="What the age of the sources means for a run.")
    target: Target = Field(default=Target(), description="Where dbt writes, in the warehouse of warehouseRef.")
    project: Project | None = Field(
        default=None,
        description="A dbt project of yours on top of gitmart's own, such as one whose models ref the marts. Both are "
        "built as one. Without it: gitmart's own alone.",
    )
    vars: Variables = Field(
        default={},
        description="Variables of the dbt project and their values, such as count_rewrites_once: everywhere. A value is "
        "a text, a number, true or false, or a list of at most 64 of these.",
    )
    threads: Annotated[int, Field(ge=1, le=64)] = Field(
        default=4, description="How many models dbt builds at once; each takes a connection."
    )
    resources: TransformationResources = Field(
        default=TransformationResources(), description="CPU and memory of a dbt run."
    )
    docs: bool = Field(
        default=True,
        description="Make dbt's documentation of each good run, with lineage, and keep it in the warehouse.",
    )
    history_retention: Annotated[timedelta, DurationBetween(timedelta(0), timedelta(days=3650))] = Field(
        default=timedelta(days=90), description="How long runs are remembered in the warehouse, in schema dbt_meta."
    )
    open_lineage: OpenLineage | None = Field(
        default=None,
        description="Where to post OpenLineage events of each run. Without it: nowhere. They change nothing of a run.",
    )
    timeout: Annotated[timedelta, DurationBetween(timedelta(seconds=10), timedelta(days=7))] = Field(
        default=timedelta(hours=1), description="How long one run may take before it is stopped."
    )
    lock_timeout: Annotated[timedelta, DurationBetween(timedelta(0), timedelta(days=1))] = Field(
        default=timedelta(minutes=10),
        description="How long a run waits for another run of the same target; after that it ends as Skipped.",
    )
    retries: Annotated[int, Field(ge=0, le=10)] = Field(
        default=2, description="How often a run that failed for a passing reason is repeated at once."
    )
    warehouse_ref: WarehouseRef = Field(default=WarehouseRef(), description="Which warehouse to write to.")
    pod_template: PodTemplate | None = Field(
        default=None, description="What is added to the pods: scheduling, labels, service account."
    )


class NodeTime(Status):
    """How long a model or test took."""

    name: ShortText = Field(description="Its name.")
    milliseconds: Count = Field(description="How long it took.")


class NodeFailure(Status):
    """A model or test that failed."""

    name: ShortText = Field(description="Its name.")
    status: ShortText = Field(description="dbt's word: error, or fail of a test.")
    message: Annotated[str, Field(max_length=512)] | None = Field(default=None, description="What dbt says of it.")


class SourceAge(Status):
    """How old a source was."""

    name: ShortText = Field(description="source.table of the dbt project.")
    status: ShortText = Field(description="pass, warn or error, as the limits of the project say.")
    loaded_at: Time | None = Field(default=None, description="When it was last loaded.")


FullRefresh = Annotated[bool | None, Field(description="Whether it was a full refresh; absent if not.")]
SLOWEST_LIMIT, FAILURES_LIMIT, SOURCES_LIMIT = 5, 10, 10
LONGEST_LAG = timedelta(days=3650)
Slowest = Annotated[list[NodeTime], Field(max_length=SLOWEST_LIMIT)]
Failures = Annotated[list[NodeFailure], Field(max_length=FAILURES_LIMIT)]
Sources = Annotated[list[SourceAge], Field(max_length=SOURCES_LIMIT)]


class LastRun(Status):
    """The latest dbt run that ended."""

    job: Annotated[str, Field(max_length=253)] | None = Field(default=None, description="Name of its Job.")
    started_at: Time = Field(description="When it started.")
    finished_at: Time = Field(description="When it ended.")
    outcome: ShortText = Field(description="How it ended, such as Succeeded or DataFailed.")
    full_refresh: FullRefresh = None
    message: Annotated[str, Field(max_length=4096)] | None = Field(default=None, description="The outcome in words.")
    duration: Annotated[timedelta, DurationBetween(timedelta(0), timedelta(days=365))] | None = Field(
        default=None, description="How long it took, in whole seconds."
    )
    succeeded: Count | None = Field(default=None, description="Models and tests that were good.")
    warned: Count | None = Field(default=None, description="Tests that warned.")
    failed: Count | None = Field(default=None, description="Models and tests that failed.")
    skipped: Count | None = Field(default=None, description="Models and tests left out because of a failure.")
    slowest: Slowest = Field(default_factory=list, description="What took longest, the slowest first.")
    failures: Failures = Field(default_factory=list, description="What failed, errors before tests.")
    sources: Sources = Field(default_factory=list, description="How old the sources were, the stalest first.")
    project_commit: ShortText | None = Field(
        default=None, description="Commit of spec.project.git that was built with gitmart's own project."
    )
    replicated_until: Time | None = Field(
        default=None, description="Of a replica: it had all that its source had until then, at least."
    )
    replication_lag: Annotated[timedelta, DurationBetween(timedelta(0), LONGEST_LAG)] | None = Field(
        default=None, description="Of a replica: how old what was read is at most, in whole seconds."
    )
    invocation_id: ShortText | None = Field(default=None, description="dbt's own name of the run.")
    dbt_version: ShortText | None = Field(default=None, description="Version of dbt that ran.")


class PastRun(Status):
    """One of the latest runs."""

    job: Annotated[str, Field(max_length=253)] | None = Field(default=None, description="Name of its Job.")
    finished_at: Time = Field(description="When it ended.")
    outcome: ShortText = Field(description="How it ended.")
    full_refresh: FullRefresh = None


HISTORY_LIMIT = 5
JobNames = Annotated[list[Annotated[str, Field(max_length=253)]], Field(max_length=16)]
History = Annotated[list[PastRun], Field(max_length=HISTORY_LIMIT)]


class DbtScheduleStatus(Status):
    """What was found. Written by gitmart alone."""

    observed_generation: ObservedGeneration = -1
    cron_job: Annotated[str, Field(max_length=253)] | None = Field(
        default=None, description="Name of the CronJob that keeps the schedule."
    )
    full_refresh_cron_job: Annotated[str, Field(max_length=253)] | None = Field(
        default=None, description="Name of the CronJob that keeps fullRefreshSchedule."
    )
    active: JobNames = Field(default_factory=list, description="Names of the Jobs that run now.")
    last_schedule_time: Time | None = Field(default=None, description="When a run was last started.")
    next_schedule_time: Time | None = Field(default=None, description="When the next run is due.")
    next_full_refresh_time: Time | None = Field(default=None, description="When the next full refresh is due.")
    last_successful_time: Time | None = Field(default=None, description="When a run last ended well.")
    last_run: LastRun | None = Field(default=None, description="The latest run that ended.")
    last_handled_request: Annotated[str, Field(max_length=256)] | None = Field(
        default=None, description="The latest gitmart.dev/requested-at that a run was started for."
    )
    pending_since: Time | None = Field(
        default=None, description="Since when there is something new that no run has started after (afterExtraction)."
    )
    history: History = Field(default_factory=list, description="The latest runs, newest first.")
    conditions: Conditions = Field(default_factory=list)


class DbtSchedule(Resource):
    """When the dbt project turns raw tables into analytics."""

    kind: Literal["DbtSchedule"] = "DbtSchedule"
    spec: DbtScheduleSpec = Field(description="What is wanted.")
    status: DbtScheduleStatus = Field(
        default=DbtScheduleStatus(), description="What was found. Written by gitmart alone."
    )


PRINTER_COLUMNS = (
    PrinterColumn("Schedule", ".spec.schedule"),
    PrinterColumn("Time Zone", ".spec.timeZone"),
    PrinterColumn("Suspend", ".spec.suspend", "boolean"),
    READY,
    PrinterColumn("Last Run", ".status.lastRun.outcome"),
    PrinterColumn("Last Schedule", ".status.lastScheduleTime", "date"),
    PrinterColumn("Next", ".status.nextScheduleTime"),
    AGE,
    PrinterColumn("Last Success", ".status.lastSuccessfulTime", "date", priority=1),
    PrinterColumn("Lag", ".status.lastRun.replicationLag", priority=1),
    MESSAGE,
)
