"""`gitmart migrate --target-schema`: schemas for dbt's marts, and what each role may do there, tried."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Iterator
from typing import Any

import psycopg
import pytest

from gitmart.contract.outcomes import Outcome
from gitmart.contract.target_schema import schemas_of
from gitmart.warehouse.connections import connect
from gitmart.warehouse.errors import NotMigratedError, RefusedError
from gitmart.warehouse.migrate import migrate
from gitmart.warehouse.targets import check_target

MAY = [
    *(("gitmart_transform", f"create table {schema}.made (id bigint)") for schema in schemas_of("sales")),
    ("gitmart_transform", "create table sales.made as select 1 as id; grant select on sales.made to gitmart_read"),
    ("gitmart_read", "select * from sales.published"),
]
MUST_NOT = [
    *((role, "create schema mine") for role in ("gitmart_extract", "gitmart_transform", "gitmart_read")),
    *(
        (role, f"create table {schema}.made (id bigint)")
        for role in ("gitmart_extract", "gitmart_read")
        for schema in schemas_of("sales")
    ),
    ("gitmart_transform", "drop schema sales cascade"),
    ("gitmart_transform", "alter schema sales owner to gitmart_transform"),
    ("gitmart_extract", "select * from sales.published"),
    ("gitmart_read", "select * from sales.hidden"),
    ("gitmart_read", "select * from sales_staging.inner_layer"),
    ("gitmart_read", "drop table sales.published"),
]


@pytest.fixture(scope="module")
def sales(shared_warehouse: Any) -> Iterator[Any]:
    """A warehouse with a target `sales`, in which dbt has published a table and not others. It was migrated twice."""
    for _ in range(2):
        migrate(shared_warehouse.url("gitmart_owner"), targets=["sales"])
    with psycopg.connect(shared_warehouse.url("gitmart_transform"), autocommit=True) as connection:
        for table in ("sales.published", "sales.hidden", "sales_staging.inner_layer"):
            connection.execute(f"create table {table} as select 1 as id".encode())
        connection.execute("grant select on sales.published to gitmart_read")
    yield shared_warehouse
    shared_warehouse.query(f"drop schema {', '.join(schemas_of('sales'))} cascade")


def _try(warehouse: Any, role: str, statement: str) -> None:
    with psycopg.connect(warehouse.url(role)) as connection:
        connection.execute(statement.encode())
        connection.rollback()


@pytest.mark.parametrize(("role", "statement"), MAY)
def test_a_role_may(role: str, statement: str, sales: Any) -> None:
    _try(sales, role, statement)


@pytest.mark.parametrize(("role", "statement"), MUST_NOT)
def test_a_role_must_not(role: str, statement: str, sales: Any) -> None:
    with pytest.raises(psycopg.errors.InsufficientPrivilege):
        _try(sales, role, statement)


def test_the_schemas_belong_to_the_owner(sales: Any) -> None:
    owners = sales.query(
        "select distinct nspowner::regrole::text from pg_namespace where nspname = any(%s)", schemas_of("sales")
    )

    assert owners == [("gitmart_owner",)]


@pytest.mark.parametrize("taken", ["sales", "sales_intermediate"])
def test_a_schema_of_somebody_else_is_left_alone(taken: str, warehouse: Any) -> None:
    warehouse.query(f"create schema {taken}")

    with pytest.raises(RefusedError, match=f"schema {taken} is there already and belongs to postgres, not to gitmart"):
        migrate(warehouse.url("gitmart_owner"), targets=["sales"])

    there = warehouse.query("select nspname, nspacl is null from pg_namespace where nspname like 'sales%%'")
    assert there == [(taken, True)], "nothing else was made, and no right given"


@pytest.mark.parametrize(
    ("statement", "said"),
    [
        pytest.param("select 1", "schema sales is not there, and this role may not make it", id="no schema"),
        pytest.param("create schema sales", "schema sales may not be written by this role", id="of somebody else"),
        pytest.param(
            "create schema sales; grant create on schema sales to gitmart_transform",
            "schema sales may not be written by this role",
            id="not to be entered",
        ),
        pytest.param("create schema sales; grant all on schema sales to gitmart_transform", None, id="made by hand"),
    ],
)
def test_who_may_not_write_a_target_is_told_the_cure(statement: str, said: str | None, warehouse: Any) -> None:
    warehouse.query(statement)

    with connect(warehouse.url("gitmart_transform"), application_name="test", autocommit=True) as connection:
        if said is None:
            check_target(connection, "sales")
            return
        with pytest.raises(NotMigratedError, match=said) as caught:
            check_target(connection, "sales")
    assert "run `gitmart migrate --target-schema sales` with the owner's connection" in str(caught.value)


def test_who_may_make_schemas_needs_no_help(warehouse: Any) -> None:
    warehouse.query(f"grant create on database {warehouse.database} to gitmart_transform")

    with connect(warehouse.url("gitmart_transform"), application_name="test", autocommit=True) as connection:
        check_target(connection, "sales")


def test_the_command_names_what_is_no_target(warehouse: Any) -> None:
    done = subprocess.run(
        [sys.executable, "-m", "gitmart", "migrate", "--target-schema=sales", "--target-schema=public"],
        env={**os.environ, "GITMART_WAREHOUSE_URL": warehouse.url("gitmart_owner")},
        capture_output=True, text=True, check=False,
    )  # fmt: skip

    assert done.returncode == Outcome.INVALID_INPUT.exit_code
    assert "'public' must be a schema of at most 48" in done.stderr
    assert warehouse.query("select 1 from pg_namespace where nspname = 'sales'") == []
