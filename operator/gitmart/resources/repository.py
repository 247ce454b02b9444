"""The kind `Repository`: one git repository whose history is kept in the warehouse."""

from __future__ import annotations

from datetime import timedelta
from typing import Annotated, ClassVar, Literal

from pydantic import Field, GetJsonSchemaHandler
from pydantic.json_schema import JsonSchemaValue
from pydantic_core import CoreSchema

from gitmart.resources.base import (
    CEL_KEY,
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
    matching,
)
from gitmart.resources.columns import AGE, MESSAGE, READY, PrinterColumn
from gitmart.resources.duration import DurationBetween
from gitmart.resources.git_url import GitUrl, url_rules
from gitmart.resources.pod_template import PodTemplate, SecretName
from gitmart.resources.quantity import ExtractionResources
from gitmart.resources.schedule import Cron, TimeZone

DEFAULT_INTERVAL = timedelta(hours=6)
JITTER_SHARE = 10  # without spec.jitter, an interval is spread over a tenth of itself

# What git allows in the name of a branch, and * ? [ ] around it.
BranchGlob = Annotated[
    str,
    Field(min_length=1, max_length=255),
    matching(
        r"^[^\x00-\x20\x7f~^:\\-][^\x00-\x20\x7f~^:\\]*$",
        "must be a branch name or a glob of names such as release/*: no space, no ~ ^ : \\, no - in front",
    ),
]
Globs = Annotated[list[BranchGlob], Field(max_length=64)]


class Branches(Model):
    """Which branches count, chosen by the names git gives them (without refs/heads/)."""

    include: Globs = Field(default=[], description="Globs of branches to read; * matches / too. Empty means all.")
    exclude: Globs = Field(default=[], description="Globs of branches to leave out; wins over include.")


class RepositorySpec(Model):
    """What is wanted."""

    rules: ClassVar = (
        Rule["RepositorySpec"](
            "interval and schedule exclude each other: set one of them",
            "!(has(self.interval) && has(self.schedule))",
            lambda spec: spec.interval is None or spec.schedule is None,
            of_presence=True,
        ),
        Rule["RepositorySpec"](
            "timeZone belongs to a schedule: set schedule too, or leave timeZone out",
            "!has(self.timeZone) || has(self.schedule)",
            lambda spec: spec.time_zone is None or spec.schedule is not None,
            of_presence=True,
        ),
    )

    url: GitUrl = Field(
        description="Address of the git repository: https or ssh, without credentials. It cannot be changed later."
    )
    interval: Annotated[timedelta, DurationBetween(timedelta(minutes=1), timedelta(days=30))] | None = Field(
        default=None,
        description="How often to look for new commits, such as 1h30m. Without interval and schedule: 6h.",
    )
    schedule: Cron | None = Field(
        default=None, description="When to look for new commits, as five cron fields. Excludes interval."
    )
    time_zone: TimeZone | None = Field(
        default=None, description="Time zone of the schedule, such as Europe/Berlin. Without it: Etc/UTC."
    )
    jitter: Annotated[timedelta, DurationBetween(timedelta(0), timedelta(days=1))] | None = Field(
        default=None,
        description="Each check comes later by a part of this, another one for each object and time, so that many do "
        "not come at once. Without it: a tenth of the interval; 0s with a schedule.",
    )
    max_skip: Annotated[timedelta, DurationBetween(timedelta(minutes=1), timedelta(days=365))] = Field(
        default=timedelta(hours=10),
        description="Once the last extraction is older than this, a check runs one even if there is nothing new.",
    )
    suspend: bool = Field(default=False, description="Start no extraction while true. A running one is left alone.")
    secret_ref: SecretName | None = Field(
        default=None,
        description="Secret in this namespace with the credentials for the git host: username and password, token, "
        "or bearerToken; and ca.crt for a host with a certificate of its own.",
    )
    branches: Branches = Field(
        default=Branches(),
        description="Which branches to read. By default all branches and tags; with include or exclude, tags are "
        "left out, since a tag may hold any branch's commits.",
    )
    resources: ExtractionResources = Field(
        default=ExtractionResources(), description="CPU and memory of an extraction."
    )
    timeout: Annotated[timedelta, DurationBetween(timedelta(seconds=10), timedelta(days=7))] = Field(
        default=timedelta(hours=1), description="How long one extraction may take before it is stopped."
    )
    retries: Annotated[int, Field(ge=0, le=10)] = Field(
        default=3,
        description="How often an extraction that failed for a passing reason is repeated at once, before the "
        "Repository counts as failed and is tried again more and more rarely.",
    )
    warehouse_ref: WarehouseRef = Field(default=WarehouseRef(), description="Which warehouse to write to.")
    pod_template: PodTemplate | None = Field(
        default=None, description="What is added to the pods: scheduling, labels, service account."
    )

    @classmethod
    def __get_pydantic_json_schema__(cls, core: CoreSchema, handler: GetJsonSchemaHandler) -> JsonSchemaValue:
        schema = super().__get_pydantic_json_schema__(core, handler)
        return schema | {CEL_KEY: [*url_rules("url"), *schema[CEL_KEY]]}

    @property
    def effective_interval(self) -> timedelta | None:
        """The interval that counts; None when the schedule does."""
        return None if self.schedule else self.interval or DEFAULT_INTERVAL

    @property
    def effective_jitter(self) -> timedelta:
        """The jitter that counts."""
        if self.jitter is not None:
            return self.jitter
        interval = self.effective_interval
        return interval / JITTER_SHARE if interval else timedelta(0)


Fetch = Literal["incremental", "full"]


class LastExtraction(Status):
    """The latest extraction that ended."""

    job: Annotated[str, Field(max_length=253)] | None = Field(
        default=None, description="Name of its Job. Without it: a look at the git host failed, and no Job was made."
    )
    generation: Annotated[int, Field(ge=0, le=2**53)] | None = Field(
        default=None, description="Generation of the Repository it ran for."
    )
    started_at: Time = Field(description="When it started.")
    finished_at: Time = Field(description="When it ended.")
    outcome: ShortText = Field(description="How it ended, such as Succeeded or HostUnreachable.")
    message: Annotated[str, Field(max_length=4096)] | None = Field(default=None, description="The outcome in words.")
    new_commits: Count | None = Field(default=None, description="Commits that came into the warehouse.")
    removed_commits: Count | None = Field(default=None, description="Commits that no ref reaches any more.")
    quarantined: Count | None = Field(default=None, description="Values that could not be stored as git has them.")
    bytes_fetched: Count | None = Field(default=None, description="Bytes received from the git host.")
    fetch: Fetch | None = Field(
        default=None, description="What was asked of the git host: incremental, what is new; full, the whole history."
    )
    fetch_reason: Annotated[str, Field(max_length=4096)] | None = Field(
        default=None, description="Why the whole history was read, although a part of it was known."
    )
    duration: Annotated[timedelta, DurationBetween(timedelta(0), timedelta(days=365))] | None = Field(
        default=None, description="How long it took, in whole seconds."
    )


class PastExtraction(Status):
    """One of the latest extractions."""

    job: Annotated[str, Field(max_length=253)] | None = Field(default=None, description="Name of its Job.")
    finished_at: Time = Field(description="When it ended.")
    outcome: ShortText = Field(description="How it ended.")
    new_commits: Count | None = Field(default=None, description="Commits that came into the warehouse.")


HISTORY_LIMIT = 5
History = Annotated[list[PastExtraction], Field(max_length=HISTORY_LIMIT)]


class RepositoryStatus(Status):
    """What was found. Written by gitmart alone."""

    observed_generation: ObservedGeneration = -1
    state: Literal["pending", "in_progress", "completed", "failed"] | None = Field(
        default=None, description="State of the latest extraction, as the warehouse has it."
    )
    commits: Count | None = Field(default=None, description="Commits in the warehouse.")
    contributors: Count | None = Field(default=None, description="Authors of these commits.")
    branches: Count | None = Field(default=None, description="Branches that were read.")
    head: Annotated[str, Field(max_length=64)] | None = Field(
        default=None, description="Hash of the newest commit of the default branch."
    )
    refs_digest: Annotated[str, Field(max_length=128)] | None = Field(
        default=None, description="Digest of all refs; equal digests mean that nothing is new."
    )
    last_check_time: Time | None = Field(default=None, description="When the git host was last asked.")
    last_extraction: LastExtraction | None = Field(default=None, description="The latest extraction that ended.")
    next_extraction_time: Time | None = Field(default=None, description="When the next one is due.")
    consecutive_failures: Count = Field(default=0, description="Extractions that failed since the last good one.")
    last_change_time: Time | None = Field(
        default=None, description="When an extraction last brought or removed commits."
    )
    last_handled_request: Annotated[str, Field(max_length=256)] | None = Field(
        default=None, description="The latest gitmart.dev/requested-at that an extraction was started for."
    )
    history: History = Field(
        default_factory=list,
        description="The latest extractions, newest first. Those whose Job is still there stay the longest.",
    )
    conditions: Conditions = Field(default_factory=list)


class Repository(Resource):
    """A git repository whose history is kept in the warehouse."""

    kind: Literal["Repository"] = "Repository"
    spec: RepositorySpec = Field(description="What is wanted.")
    status: RepositoryStatus = Field(
        default=RepositoryStatus(), description="What was found. Written by gitmart alone."
    )


PRINTER_COLUMNS = (
    PrinterColumn("URL", ".spec.url"),
    READY,
    PrinterColumn("State", ".status.state"),
    PrinterColumn("Commits", ".status.commits", "integer"),
    PrinterColumn("Contributors", ".status.contributors", "integer"),
    PrinterColumn("Last Check", ".status.lastCheckTime", "date"),
    PrinterColumn("Next", ".status.nextExtractionTime"),
    AGE,
    PrinterColumn("Head", ".status.head", priority=1),
    PrinterColumn("Last Extraction", ".status.lastExtraction.outcome", priority=1),
    MESSAGE,
)
