"""
Advisory locks: who may do what at a time. The two-number form, first number one of the classes here.

They belong to a session, so they vanish with the process that held them, however it ends.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from zlib import crc32

import psycopg

Connection = psycopg.Connection[tuple[object, ...]]


@dataclass(frozen=True, slots=True)
class Lock:
    """Two signed 32-bit numbers, as `pg_advisory_lock(int, int)` takes them."""

    kind: int
    key: int


REPOSITORY = 0x67_6D_01  # "gm" and a number: no other application of the database is likely to use it
TARGET = 0x67_6D_02
MIGRATION_LOCK = Lock(0x67_6D_03, 0)
IDENTITY_LOCK = Lock(0x67_6D_04, 0)  # of a transaction that settles which contributors are one person
FORGET_LOCK = Lock(0x67_6D_05, 0)  # shared by merges, alone for whoever forgets a person; taken before IDENTITY_LOCK


def repository_lock(repository_id: int) -> Lock:
    """Return the lock of a repository's extraction."""
    return Lock(REPOSITORY, _signed(repository_id & 0xFFFF_FFFF))


def target_lock(schema: str) -> Lock:
    """Return the lock of dbt's runs into a schema of this database. Two names may share one, at worst they queue."""
    return Lock(TARGET, _signed(crc32(schema.encode())))


def _signed(number: int) -> int:
    return number - (1 << 32) if number >= 1 << 31 else number


def try_lock(connection: Connection, lock: Lock) -> bool:
    """Take the lock for this session if it is free; return whether it was."""
    row = connection.execute("select pg_try_advisory_lock(%s, %s)", [lock.kind, lock.key]).fetchone()
    return row is not None and row[0] is True


def unlock(connection: Connection, lock: Lock) -> None:
    """Give the lock back."""
    connection.execute("select pg_advisory_unlock(%s, %s)", [lock.kind, lock.key])


@contextmanager
def shared_lock(connection: Connection, lock: Lock) -> Iterator[None]:
    """Hold the lock together with others who share it, after waiting for whoever has it alone."""
    connection.execute("select pg_advisory_lock_shared(%s, %s)", [lock.kind, lock.key])
    try:
        yield
    finally:
        if not connection.closed:
            connection.execute("select pg_advisory_unlock_shared(%s, %s)", [lock.kind, lock.key])


@contextmanager
def session_lock(connection: Connection, lock: Lock) -> Iterator[None]:
    """Hold the lock, after waiting for it as long as it takes."""
    connection.execute("select pg_advisory_lock(%s, %s)", [lock.kind, lock.key])
    try:
        yield
    finally:
        if not connection.closed:
            unlock(connection, lock)
