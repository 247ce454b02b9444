"""
How a worker's run can end: one word, one exit code, one answer to "try again by itself?".

The exit code is what Kubernetes sees (`podFailurePolicy`), the word is what people see in status and
on the screen. Codes follow BSD's sysexits(3) where it has one. Codes of 128 and more are left to
signals, 1 and 2 to the interpreter, so that a code of this table never means anything else.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

# What is said of a run that could not say how it ended.
RESULT_LOST = "ResultLost"


class Outcome(StrEnum):
    """The result of one run of `gitmart extract`, `check`, `fetch`, `transform`, `migrate` or `purge`."""

    SUCCEEDED = "Succeeded"
    SKIPPED = "Skipped"
    BUG = "Bug"
    INVALID_INPUT = "InvalidInput"
    AUTHENTICATION_FAILED = "AuthenticationFailed"
    NOT_FOUND = "NotFound"
    MOVED = "Moved"
    HOST_UNREACHABLE = "HostUnreachable"
    REPOSITORY_DAMAGED = "RepositoryDamaged"
    TIMEOUT = "Timeout"
    DISK_FULL = "DiskFull"
    WAREHOUSE_UNREACHABLE = "WarehouseUnreachable"
    WAREHOUSE_NOT_MIGRATED = "WarehouseNotMigrated"
    SECRET_MISSING = "SecretMissing"  # noqa: S105 # a word, no secret
    SECRET_INVALID = "SecretInvalid"  # noqa: S105 # likewise
    LOCKED = "Locked"
    CANCELLED = "Cancelled"
    DATA_FAILED = "DataFailed"
    PROJECT_ERROR = "ProjectError"
    NOTHING_SELECTED = "NothingSelected"
    ADDRESS_NOT_ALLOWED = "AddressNotAllowed"
    LIMIT_EXCEEDED = "LimitExceeded"
    HOST_KEY_UNKNOWN = "HostKeyUnknown"
    SOURCES_STALE = "SourcesStale"
    REPLICA_NOT_READY = "ReplicaNotReady"

    @property
    def exit_code(self) -> int:
        """The process exit status, 0 to 127."""
        return MEANINGS[self].exit_code

    @property
    def retryable(self) -> bool:
        """Whether the same run may succeed later without anybody editing anything."""
        return MEANINGS[self].retryable

    @property
    def good(self) -> bool:
        """Whether the run ended as wished (exit code 0)."""
        return self.exit_code == 0


@dataclass(frozen=True, slots=True)
class Meaning:
    """What an outcome stands for. `summary` is the sentence of the documentation."""

    exit_code: int
    retryable: bool
    summary: str


MEANINGS = {
    Outcome.SUCCEEDED: Meaning(0, False, "The run did all it was asked to do."),
    Outcome.SKIPPED: Meaning(0, False, "Another run held the target for longer than lockTimeout; nothing was done."),
    Outcome.INVALID_INPUT: Meaning(64, False, "An option, a URL or a setting is wrong; the message names it."),
    Outcome.REPOSITORY_DAMAGED: Meaning(65, False, "git cannot read the history: objects are missing, corrupt or cut off (shallow)."),
    Outcome.NOT_FOUND: Meaning(66, True, "The host answered that there is no such repository; of a dbt project also: no such branch, tag, commit or folder."),
    Outcome.MOVED: Meaning(67, False, "The host redirects to another address; gitmart does not follow redirects: change the url."),
    Outcome.HOST_UNREACHABLE: Meaning(68, True, "The git host could not be resolved or reached."),
    Outcome.WAREHOUSE_UNREACHABLE: Meaning(69, True, "PostgreSQL could not be reached, or the connection broke."),
    Outcome.BUG: Meaning(70, False, "gitmart itself failed; the traceback is in the log."),
    Outcome.TIMEOUT: Meaning(72, True, "The run took longer than its timeout."),
    Outcome.DISK_FULL: Meaning(74, True, "No space left, for the clone or in PostgreSQL; the message says which."),
    Outcome.LOCKED: Meaning(75, True, "Another run of the same repository holds its lock."),
    Outcome.SECRET_INVALID: Meaning(76, True, "What a Secret holds cannot be used: its keys do not belong together, or a value is none of its kind; the message names it."),
    Outcome.AUTHENTICATION_FAILED: Meaning(77, True, "The git host or PostgreSQL refused the credentials."),
    Outcome.WAREHOUSE_NOT_MIGRATED: Meaning(78, True, "The warehouse lacks the tables of this version, or the schema that dbt shall write: run `gitmart migrate`."),
    Outcome.SECRET_MISSING: Meaning(79, True, "A Secret or a ConfigMap, or the key of it that the run needs, is not there or is empty; the message names it."),
    Outcome.CANCELLED: Meaning(80, True, "The run was asked to stop (SIGTERM or SIGINT) and did."),
    Outcome.DATA_FAILED: Meaning(81, False, "dbt ran; a model or a test of severity error failed."),
    Outcome.PROJECT_ERROR: Meaning(82, False, "The dbt project does not parse or compile, or is none; the message names the file."),
    Outcome.NOTHING_SELECTED: Meaning(83, False, "The selection matches no node of the dbt project."),
    Outcome.ADDRESS_NOT_ALLOWED: Meaning(84, True, "The git host's address is private and in no network that the administrator allows; the message names it."),
    Outcome.LIMIT_EXCEEDED: Meaning(85, False, "The repository is larger than a limit allows, or its host sends without end; the message names the limit."),
    Outcome.HOST_KEY_UNKNOWN: Meaning(86, True, "The git host shows an ssh key that known_hosts does not hold, or another one than it holds."),
    Outcome.SOURCES_STALE: Meaning(87, False, "A source is older than its error limit, and freshness.blocksBuild lets nothing be built then."),
    Outcome.REPLICA_NOT_READY: Meaning(88, True, "The warehouse is a replica whose raw tables do not belong together yet, get nothing from their source, or are older than freshness.maxReplicationLag; nothing is built."),
}  # fmt: skip
