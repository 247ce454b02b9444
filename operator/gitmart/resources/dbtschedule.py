"""The kind `DbtSchedule`: when the dbt project turns raw tables into analytics."""

from __future__ import annotations

from datetime import timedelta
from typing import Annotated, ClassVar, Literal

from pydantic import Field

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
from gitmart.resources.pod_template import PodTemplate, TextMap
from gitmart.resources.quantity import TransformationResources
from gitmart.resources.schedule import Cron, TimeZone

# One selector of dbt's node selection syntax: no space, and no leading dash that would make it an option.
Selector = Annotated[
    str,
    Field(min_length=1, max_length=256),
    matching(
        r"^[!-,.-~][!-~]*$",
        "must be one dbt selector such as tag:daily or +fct_commits: no space (one per element), no - in front",
    ),
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
    )

    schedule: Cron = Field(description="When to run dbt, as five cron fields, such as '0 */6 * * *'.")
    time_zone: TimeZone = Field(default="Etc/UTC", description="Time zone of the schedule, such as Europe/Berlin.")
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
    threads: Annotated[int, Field(ge=1, le=64)] = Field(
        default=4, description="How many models dbt builds at once; each takes a connection."
    )
    resources: TransformationResources = Field(
        default=TransformationResources(), description="CPU and memory of a dbt run."
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


class LastRun(Status):
    """The latest dbt run that ended."""

    job: Annotated[str, Field(max_length=253)] | None = Field(default=None, description="Name of its Job.")
    started_at: Time = Field(description="When it started.")
    finished_at: Time = Field(description="When it ended.")
    outcome: ShortText = Field(description="How it ended, such as Succeeded or DataFailed.")
    message: Annotated[str, Field(max_length=4096)] | None = Field(default=None, description="The outcome in words.")
    duration: Annotated[timedelta, DurationBetween(timedelta(0), timedelta(days=365))] | None = Field(
        default=None, description="How long it took, in whole seconds."
    )
    succeeded: Count | None = Field(default=None, description="Models and tests that were good.")
    warned: Count | None = Field(default=None, description="Tests that warned.")
    failed: Count | None = Field(default=None, description="Models and tests that failed.")
    skipped: Count | None = Field(default=None, description="Models and tests left out because of a failure.")
    invocation_id: ShortText | None = Field(default=None, description="dbt's own name of the run.")
    dbt_version: ShortText | None = Field(default=None, description="Version of dbt that ran.")


class PastRun(Status):
    """One of the latest runs."""

    job: Annotated[str, Field(max_length=253)] | None = Field(default=None, description="Name of its Job.")
    finished_at: Time = Field(description="When it ended.")
    outcome: ShortText = Field(description="How it ended.")


HISTORY_LIMIT = 5
JobNames = Annotated[list[Annotated[str, Field(max_length=253)]], Field(max_length=16)]
History = Annotated[list[PastRun], Field(max_length=HISTORY_LIMIT)]


class DbtScheduleStatus(Status):
    """What was found. Written by gitmart alone."""

    observed_generation: ObservedGeneration = -1
    cron_job: Annotated[str, Field(max_length=253)] | None = Field(
        default=None, description="Name of the CronJob that keeps the schedule."
    )
    active: JobNames = Field(default_factory=list, description="Names of the Jobs that run now.")
    last_schedule_time: Time | None = Field(default=None, description="When a run was last started.")
    next_schedule_time: Time | None = Field(default=None, description="When the next run is due.")
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
    MESSAGE,
)
