"""What tests do to a warehouse so that the API has to wait: hold a table, or the lock of a build."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager

import psycopg
from tests.conftest import Warehouse

from gitmart.warehouse.locks import target_lock

TABLE = "analytics.dim_repository"  # that every summary of a repository reads first


@contextmanager
def held(warehouse: Warehouse) -> Iterator[None]:
    """Let whoever reads the table wait until the block ends."""
    with psycopg.connect(warehouse.url("postgres")) as connection:
        connection.execute(f"lock table {TABLE} in access exclusive mode".encode())
        yield
        connection.rollback()


@contextmanager
def building(warehouse: Warehouse) -> Iterator[None]:
    """Hold the lock that a run of `gitmart transform` holds."""
    lock = target_lock("analytics")
    with psycopg.connect(warehouse.url("gitmart_transform"), autocommit=True) as connection:
        connection.execute("select pg_advisory_lock(%s, %s)", [lock.kind, lock.key])
        yield


def waiting(warehouse: Warehouse) -> int:
    """Return how many queries of the API wait for the table."""
    [(count,)] = warehouse.query(
        "select count(*) from pg_stat_activity where application_name = 'gitmart-api'"
        " and datname = current_database() and wait_event_type = 'Lock'"
    )
    assert isinstance(count, int)
    return count


def until(condition: Callable[[], bool], seconds: float = 60) -> None:
    """Wait for a condition; fail after so long."""
    end = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < end, condition
        time.sleep(0.02)
