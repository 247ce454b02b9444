"""The kind `Repository`: one git repository whose history is kept in the warehouse."""

from __future__ import annotations

from datetime import timedelta
from typing import Annotated, ClassVar, Literal, Self

from pydantic import Field, GetJsonSchemaHandler, ValidationInfo, model_validator
from pydantic.json_schema import JsonSchemaValue
from pydantic_core import CoreSchema, PydanticCustomError

from gitmart.contract import file_classes
from gitmart.contract.durations import format_duration
from gitmart.contract.file_classes import GLOB_PATTERN
from gitmart.contract.host_api import AUTO, KNOWN_HOST_PATTERN, UNKNOWN_HOST_MESSAGE, provider_of
from gitmart.contract.repository_url import URL_LIMIT
from gitmart.resources.base import (
    CEL_KEY,
    Conditions,
    ConfigMapKey,
    Count,
    Model,
    ObjectName,
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
from gitmart.resources.cache import Cache
from gitmart.resources.columns import AGE, MESSAGE, READY, PrinterColumn
from gitmart.resources.duration import DurationBetween
from gitmart.resources.git_url import SSH_NEEDS_KEYS, GitUrl, url_rules
from gitmart.resources.host_metadata import HostMetadata, HostMetadataStatus
from gitmart.resources.pod_template import PodTemplate, SecretName
from gitmart.resources.quantity import ExtractionResources, Quantity
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


class Limits(Model):
    """What an extraction may cost. A repository that goes beyond changes nothing in the warehouse."""

    bytes: Quantity = Field(
        default=Quantity("16Gi"),
        description="Most that git may write while it fetches: packs, their indexes, temporary files. The pod's "
        "storage follows from it.",
    )
    commits: Annotated[int, Field(ge=1, le=1_000_000_000)] | None = Field(
        default=None,
        description="Most commits that the branches and tags may reach. A longer history is refused before any line "
        "is counted. Without it: no limit.",
    )
    time: Annotated[timedelta, DurationBetween(timedelta(seconds=10), timedelta(days=7))] | None = Field(
        default=None,
        description="Most time from the start of the extraction until everything is fetched. Without it: timeout alone.",
    )

    @property
    def options(self) -> list[str]:
        """The options of `gitmart extract` that say the same."""
        found = [f"--limit-bytes={self.bytes.bytes}"]
        if self.commits is not None:
            found.append(f"--limit-commits={self.commits}")
        if self.time is not None:
            found.append(f"--limit-time={format_duration(self.time)}")
        return found


PathGlob = Annotated[
    str, Field(min_length=1, max_length=file_classes.GLOB_LENGTH), matching(GLOB_PATTERN, file_classes.GLOB_ALLOWED)
]


class PathClass(Model):
    """A rule: files that match are of the class."""

    glob: PathGlob = Field(
        description="Pattern of paths as in .gitattributes, such as *.gen.go or docs/api/**; one that ends in / stands "
        "for all files below a folder."
    )
    file_class: Literal["source", "tests", "documentation", "configuration", "generated", "vendored"] = Field(
        alias="class", description="Class of the files that match."
    )


class Paths(Model):
    """Which file is of which class. What is said here outranks .gitattributes and the rules for all repositories."""

    exclude: Annotated[list[PathGlob], Field(max_length=file_classes.MOST_GLOBS)] = Field(
        default=[],
        description="Patterns of files whose lines are not to be counted; their rows are kept, with the class excluded.",
    )
    classes: Annotated[list[PathClass], Field(max_length=file_classes.MOST_GLOBS)] = Field(
        default=[], description="Classes of files by pattern; the first that matches counts."
    )


class ConfigMapValue(Model):
    """A key of a ConfigMap of the same namespace."""

    name: ObjectName = Field(description="Name of the ConfigMap.")
    key: ConfigMapKey = Field(default=".mailmap", description="Key whose value is the mailmap.")


class UserMailmap(Model):
    """A mailmap besides the repository's own."""

    config_map_ref: ConfigMapValue = Field(description="Where it stands.")


class Identity(Model):
    """Who is who, beyond what the repository itself says."""

    mailmap: UserMailmap | None = Field(
        default=None, description="A mailmap that is applied after the repository's own and outranks it."
    )


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
        Rule["RepositorySpec"](
            UNKNOWN_HOST_MESSAGE,
            f"!has(self.metadata) || self.metadata.provider != '{AUTO}' || "
            f"{cel_matches(KNOWN_HOST_PATTERN, 'self.url')}",
            lambda spec: spec.metadata is None or spec.metadata.provider != AUTO or provider_of(spec.url) is not None,
        ),
    )

    url: GitUrl = Field(
        description="Address of the git repository: https or ssh, without credentials. With another one its data go "
        "on if the histories share a root commit; else they stay, and another repository begins."
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
        description="Secret in this namespace with the credentials for the git host. For https: username and "
        "password, token, or bearerToken; and ca.crt for a host with a certificate of its own. For ssh, which needs "
        "one: ssh-privatekey (or identity) and known_hosts; ssh-passphrase (or password) if the key is encrypted.",
    )
    branches: Branches = Field(
        default=Branches(),
        description="Which branches to read. By default all branches and tags; with include or exclude, tags are "
        "left out, since a tag may hold any branch's commits.",
    )
    metadata: HostMetadata | None = Field(
        default=None,
        description="What to ask the host's REST API for besides the history: stars, forks, issues, licence, "
        "languages, topics, logins of contributors. Without it the API is not asked.",
    )
    paths: Paths = Field(
        default=Paths(),
        description="Which files are generated, vendored, documentation, tests, configuration or source, and which are "
        "not to be counted.",
    )
    identity: Identity | None = Field(default=None, description="Which identities are one person.")
    first_parent_counts: bool = Field(
        default=False,
        description="Whether to count the lines of merges against their first parent too, in columns of their own. "
        "Where a quarter of the commits are merges, counting then takes two thirds longer.",
    )
    patch_ids: bool = Field(
        default=False,
        description="Whether to keep the stable patch id of each commit, by which cherry-picked and rebased commits "
        "are recognised. Counting then takes two to two and a half times as long.",
    )
    resources: ExtractionResources = Field(
        default=ExtractionResources(), description="CPU and memory of an extraction."
    )
    timeout: Annotated[timedelta, DurationBetween(timedelta(seconds=10), timedelta(days=7))] = Field(
        default=timedelta(hours=1), description="How long one extraction may take before it is stopped."
    )
    limits: Limits = Field(default=Limits(), description="What an extraction may cost.")
    cache: Cache | None = Field(
        default=None,
        description="Keep what was fetched, for a host that cannot send what is new alone. Without it each extraction "
        "begins with an empty disk, which costs little where the host knows partial clones, as nearly all do.",
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

    @model_validator(mode="after")
    def _ssh_has_keys(self, info: ValidationInfo) -> Self:
        """Local mode runs as a person who has keys of their own; a pod has none."""
        is_local = bool(info.context and info.context.get("allow_file_urls"))
        if self.url.scheme == "ssh" and self.secret_ref is None and not is_local:
            raise PydanticCustomError("rule", "{sentence}", {"sentence": SSH_NEEDS_KEYS})
        return self

    @classmethod
    def __get_pydantic_json_schema__(cls, core: CoreSchema, handler: GetJsonSchemaHandler) -> JsonSchemaValue:
        schema = super().__get_pydantic_json_schema__(core, handler)
        keys = {"rule": "!self.url.startsWith('ssh://') || has(self.secretRef)", "message": SSH_NEEDS_KEYS}
        return schema | {CEL_KEY: [*url_rules("url"), keys, *schema[CEL_KEY]]}

    @property
    def mailmap(self) -> ConfigMapValue | None:
        """Where the user's mailmap stands, None if there is none."""
        return self.identity.mailmap.config_map_ref if self.identity and self.identity.mailmap else None

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


Fetch = Literal["incremental", "cached", "full"]


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
        default=None,
        description="What was asked of the git host: incremental, what is new alone; cached, what the cache lacked; "
        "full, the whole history.",
    )
    fetch_reason: Annotated[str, Field(max_length=4096)] | None = Field(
        default=None,
        description="Why the whole history was read, although a part of it was known or there is a cache.",
    )
    cache_problem: Annotated[str, Field(max_length=4096)] | None = Field(
        default=None, description="Why the cache did not serve this extraction, or will not serve the next."
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
    url: Annotated[str, Field(max_length=URL_LIMIT)] | None = Field(
        default=None, description="Address of the last good extraction: that of the rows in the warehouse."
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
    metadata: HostMetadataStatus | None = Field(
        default=None, description="How the latest look at the host's API went, if spec.metadata asks for one."
    )
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
