"""
dbt opens a session of PostgreSQL for each node. Here one that a node has done with serves the next.

Opening one takes 3 ms of CPU, most of them for the proof that the password is known (SCRAM), and the server a
process. A session is handed on as good as new: nothing that a node has set, locked or made for itself is left in it.
"""

from __future__ import annotations

from typing import Any

import psycopg2


def share_sessions() -> None:
    """Let dbt's adapter of PostgreSQL use sessions again, for as long as a command of dbt runs."""
    from dbt.adapters.contracts.connection import ConnectionState
    from dbt.adapters.postgres.connections import PostgresConnectionManager as Manager

    at_rest: list[Any] = []  # of psycopg2; the threads share it, and both of its methods are atomic
    open_new, close = Manager.open.__func__, Manager._close_handle.__func__  # noqa: SLF001
    clean_up = Manager.cleanup_all

    def open_or_take(manager: Any, connection: Any) -> Any:
        while connection.state != ConnectionState.OPEN and (handle := _taken_from(at_rest)) is not None:
            if _answers(handle):
                connection.handle, connection.state = handle, ConnectionState.OPEN
        return open_new(manager, connection)  # which returns one that is open as it is

    def rest_or_close(manager: Any, connection: Any) -> None:
        handle = connection.handle
        if connection.credentials.role or not _made_new(handle):  # a role is taken when a session begins
            close(manager, connection)
            return
        connection.handle = None  # another thread's now
        at_rest.append(handle)

    def close_all(manager: Any) -> None:
        clean_up(manager)
        while (handle := _taken_from(at_rest)) is not None:
            handle.close()

    Manager.open = classmethod(open_or_take)
    Manager._close_handle = classmethod(rest_or_close)  # noqa: SLF001
    Manager.cleanup_all = close_all


def _taken_from(at_rest: list[Any]) -> Any:
    try:
        return at_rest.pop()  # the last one that worked
    except IndexError:
        return None


def _made_new(handle: Any) -> bool:
    """Let a session forget all that it was told; return whether it did."""
    try:
        handle.rollback()
        _alone(handle, "discard all")
    except psycopg2.Error:
        return False
    return True


def _answers(handle: Any) -> bool:
    """Whether the server has not ended a session while it rested."""
    try:
        _alone(handle, "select 1")
    except psycopg2.Error:
        handle.close()
        return False
    return True


def _alone(handle: Any, statement: str) -> None:
    """Execute a statement outside of any transaction."""
    before, handle.autocommit = handle.autocommit, True
    with handle.cursor() as cursor:
        cursor.execute(statement)
    handle.autocommit = before
