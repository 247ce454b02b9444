"""
Errors of the warehouse, each with the outcome that a worker ends with.

WarehouseError
├── UnreachableError      PostgreSQL does not answer, or went away
├── RefusedError          it refuses the credentials or the role
├── NotMigratedError      its tables are of another version
├── FullError             no space left on its disk
├── IsReplicaError        its raw tables are another warehouse's to write
├── ReplicaNotReadyError  it is a replica that should not be read now
├── SettingError          the connection's settings are wrong
│   └── InvalidSecretError  and they come from a Secret
└── MissingSecretError    the file that should hold the connection's settings is not there
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import psycopg

from gitmart.contract.outcomes import Outcome

if TYPE_CHECKING:
    from gitmart.warehouse.replication.replica import Replica


class WarehouseError(Exception):
    """Something about the warehouse ends the run; `outcome` says as what."""

    outcome = Outcome.BUG


class UnreachableError(WarehouseError):
    """PostgreSQL does not answer, or the connection broke."""

    outcome = Outcome.WAREHOUSE_UNREACHABLE


class RefusedError(WarehouseError):
    """PostgreSQL refuses the password, the role or the database."""

    outcome = Outcome.AUTHENTICATION_FAILED


class NotMigratedError(WarehouseError):
    """The tables are not those of this version."""

    outcome = Outcome.WAREHOUSE_NOT_MIGRATED


class FullError(WarehouseError):
    """PostgreSQL's disk is full."""

    outcome = Outcome.DISK_FULL


class IsReplicaError(WarehouseError):
    """The raw tables are another warehouse's to write. Only another connection URL cures it."""

    outcome = Outcome.INVALID_INPUT


class ReplicaNotReadyError(WarehouseError):
    """The raw tables are a replica that is not whole, or to which nothing comes. `replica` says what is known of it."""

    outcome = Outcome.REPLICA_NOT_READY

    def __init__(self, message: str, replica: Replica) -> None:
        super().__init__(message)
        self.replica = replica


class SettingError(WarehouseError):
    """The connection URL is missing or is none."""

    outcome = Outcome.INVALID_INPUT


class InvalidSecretError(SettingError):
    """The file that a Secret is mounted as holds no connection URL. Changing the Secret is all there is to do."""

    outcome = Outcome.SECRET_INVALID


class MissingSecretError(WarehouseError):
    """The file that should hold the connection URL is not there or is empty: nobody has made the Secret yet."""

    outcome = Outcome.SECRET_MISSING


# SQLSTATE classes: https://www.postgresql.org/docs/current/errcodes-appendix.html
_BY_SQLSTATE: dict[str, type[WarehouseError]] = {
    "28": RefusedError,  # invalid authorization specification
    "3D": RefusedError,  # invalid catalog name: no such database
    "42501": RefusedError,  # insufficient privilege
    "42P01": NotMigratedError,  # undefined table
    "42703": NotMigratedError,  # undefined column
    "53100": FullError,  # disk full
    "53": UnreachableError,  # out of memory, too many connections
    "57P": UnreachableError,  # shut down, starting up, terminated by an administrator
    "08": UnreachableError,  # connection exception
    "58": UnreachableError,  # I/O error of the server
}


def classify(error: psycopg.Error) -> WarehouseError | None:
    """Return the error a person can act on, or None when the error is ours (a bug)."""
    state = error.sqlstate or ""
    text = " ".join(str(error).split()) or type(error).__name__  # one line: it becomes a column of kubectl's
    for length in (5, 3, 2):
        if (kind := _BY_SQLSTATE.get(state[:length])) is not None:
            return kind(f"PostgreSQL: {text}")
    # libpq reports what happened to a connection by text alone, without an SQLSTATE.
    if not state and isinstance(error, psycopg.OperationalError):
        if "password authentication failed" in text or "no password supplied" in text:
            return RefusedError(f"PostgreSQL: {text}")
        return UnreachableError(f"PostgreSQL: {text}")
    return None
