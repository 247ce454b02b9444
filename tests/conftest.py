"""Fixtures that several folders of tests share: a real PostgreSQL, real git."""

from __future__ import annotations

import shutil
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from uuid import uuid4

import psycopg
import pytest
from psycopg import sql

from gitmart.local.postgres import SUPERUSER, EmbeddedPostgres
from gitmart.warehouse.migrate import migrate

TEMPLATE = "gitmart"  # the database the embedded server makes; tests copy it and never write into it


@dataclass(frozen=True, slots=True)
class Warehouse:
    """A migrated database of its own for one test."""

    server: EmbeddedPostgres
    database: str

    def url(self, role: str) -> str:
        """Return the connection URL of `gitmart_owner`, `gitmart_extract`, … or of the superuser `postgres`."""
        return self.server.url(role, self.database)

    def query(self, statement: str, *parameters: object) -> list[tuple[object, ...]]:
        """Run a statement as superuser and return its rows, [] when it gives none."""
        with psycopg.connect(self.url(SUPERUSER), autocommit=True) as connection:
            cursor = connection.execute(statement.encode(), parameters or None)
            return cursor.fetchall() if cursor.description else []


@pytest.fixture(scope="session")
def server() -> Iterator[EmbeddedPostgres]:
    """One embedded PostgreSQL for the whole run; its folder goes with it."""
    folder = Path(tempfile.mkdtemp(prefix="gitmart-tests-"))
    embedded = EmbeddedPostgres(folder)
    try:
        embedded.start()
        migrate(embedded.url("gitmart_owner"))
        yield embedded
    finally:
        embedded.stop()
        shutil.rmtree(folder, ignore_errors=True)


@pytest.fixture
def empty_database(server: EmbeddedPostgres) -> Iterator[Warehouse]:
    """A database of the owner's without any tables."""
    yield from _database(server, "template1")


@pytest.fixture
def warehouse(server: EmbeddedPostgres) -> Iterator[Warehouse]:
    """A migrated, empty warehouse."""
    yield from _database(server, TEMPLATE)


def _database(server: EmbeddedPostgres, template: str) -> Iterator[Warehouse]:
    name = f"test_{uuid4().hex}"
    with psycopg.connect(server.url(SUPERUSER, "postgres"), autocommit=True) as connection:
        connection.execute(
            sql.SQL("create database {} template {} owner gitmart_owner").format(
                sql.Identifier(name), sql.Identifier(template)
            )
        )
        try:
            yield Warehouse(server, name)
        finally:
            connection.execute(sql.SQL("drop database {} with (force)").format(sql.Identifier(name)))
