"""Queries of BI tools, as the role that they use."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass

import psycopg
import pytest
from psycopg.rows import TupleRow
from tests.conftest import Warehouse


@dataclass(frozen=True, slots=True)
class Answer:
    """What a query returns: names of the columns, names of their types, rows."""

    columns: list[str]
    types: list[str]
    rows: list[TupleRow]

    def as_dicts(self) -> list[dict[str, object]]:
        """Return the rows by column."""
        return [dict(zip(self.columns, row, strict=True)) for row in self.rows]


Ask = Callable[[str], Answer]


def answer(connection: psycopg.Connection[TupleRow], statement: str) -> Answer:
    """Run a statement; a percent sign in it means itself."""
    cursor = connection.execute(statement.encode())
    types = [psycopg.adapters.types[column.type_code].name for column in cursor.description or ()]
    return Answer([column.name for column in cursor.description or ()], types, cursor.fetchall())


@pytest.fixture
def reader(sample_warehouse: Warehouse) -> Iterator[psycopg.Connection[TupleRow]]:
    """A session of gitmart_read, on a clock that is not UTC, as a user's may be."""
    with psycopg.connect(
        sample_warehouse.url("gitmart_read"), autocommit=True, options="-c timezone=Pacific/Auckland"
    ) as connection:
        yield connection


@pytest.fixture
def ask(reader: psycopg.Connection[TupleRow]) -> Ask:
    """Return a function that asks the marts."""
    return lambda statement: answer(reader, statement)


@pytest.fixture
def written(sample_warehouse: Warehouse) -> Iterator[psycopg.Connection[TupleRow]]:
    """A session of a superuser's whose transaction is taken back."""
    with psycopg.connect(sample_warehouse.url("postgres")) as connection:
        yield connection
        connection.rollback()
