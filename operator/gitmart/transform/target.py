"""The target of a run, a schema of the warehouse: one run at a time, and no statement of an earlier one."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import timedelta

import psycopg

from gitmart.warehouse.connections import connect
from gitmart.warehouse.errors import UnreachableError, classify
from gitmart.warehouse.locks import Connection, Lock, target_lock, try_lock

LOCK_NAME = "gitmart-transform lock"  # application_name of the session that holds the lock
PATIENCE = timedelta(seconds=10)  # for a terminated session to roll back


@dataclass(frozen=True, slots=True)
class Target:
    """A schema that dbt writes into."""

    schema: str

    @property
    def lock(self) -> Lock:
        """The lock that a run into this schema holds."""
        return target_lock(self.schema)

    @property
    def session_name(self) -> str:
        """The application_name of dbt's sessions: who holds the lock owns every session of this name."""
        return f"gitmart-transform {self.schema[:32]} {self.lock.key & 0xFFFF_FFFF:08x}"


def open_session(url: str) -> Connection:
    """Open the session that will hold the lock; it may rest as long as the run takes. Raise WarehouseError."""
    return connect(url, application_name=LOCK_NAME, autocommit=True, extra={"idle_session_timeout": "0"})


def take_lock(connection: Connection, target: Target, patience: timedelta) -> bool:
    """Take the target's lock within `patience`; return whether it is ours. Raise WarehouseError."""
    try:
        if try_lock(connection, target.lock):
            return True
        if not patience:
            return False
        milliseconds = int(patience.total_seconds() * 1000)
        connection.execute("select set_config('lock_timeout', %s, false)", [f"{milliseconds}ms"])
        connection.execute("select pg_advisory_lock(%s, %s)", [target.lock.kind, target.lock.key])
    except psycopg.errors.LockNotAvailable:
        return False
    except psycopg.Error as error:
        raise classify(error) or error from None
    return True


def end_sessions(connection: Connection, target: Target) -> int:
    """
    Terminate dbt's sessions of the target, wait until they are gone and return how many there were.

    Only the holder of the lock may call it. Raise UnreachableError when one does not end.
    """
    ended = connection.execute(
        "select pg_terminate_backend(pid, %s) from pg_stat_activity"
        " where application_name = %s and datname = current_database() and usename = current_user",
        [int(PATIENCE.total_seconds() * 1000), target.session_name],
    ).fetchall()
    if not all(row[0] for row in ended):
        raise UnreachableError("PostgreSQL does not end a statement of an earlier run")
    return len(ended)
