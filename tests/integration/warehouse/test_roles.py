"""Least privilege, tried: each role does its work, and not what it must not."""

from __future__ import annotations

from typing import Any

import psycopg
import pytest

from gitmart.warehouse.replication.replica import look, refuse_replica

RAW = ("repositories", "contributors", "commits", "commit_parents", "commit_files", "commit_trailers", "removed_commits", "refs",
       "extraction_runs", "quarantine", "repository_contributors", "repository_snapshots", "repository_topics",
       "repository_languages", "contributor_accounts", "repository_metadata")  # fmt: skip

HISTORY = ("runs", "node_runs", "source_freshness", "artifacts", "docs")
HISTORY_VIEWS = (
    "slowest_models",
    "flaky_tests",
    "freshness_over_time",
    "repository_states",
    "extractions",
    "quarantined",
)

MAY = [
    *(("gitmart_extract", f"select * from public.{table}") for table in RAW),
    *(("gitmart_extract", f"delete from public.{table}") for table in RAW),
    ("gitmart_extract", "delete from public.host_answers"),
    *(("gitmart_extract", f"select * from public.{table}") for table in ("forgotten", "forgotten_key")),
    ("gitmart_extract", "insert into forgotten_key (key) values ('')"),
    ("gitmart_extract", "insert into contributors (name, email) values ('a', 'b')"),
    ("gitmart_extract", "create unlogged table gitmart_staging.r1_00000000_commits (id bigint)"),
    *(("gitmart_transform", f"select * from public.{table}") for table in RAW),
    ("gitmart_transform", "create table analytics.mart (id bigint)"),
    ("gitmart_transform", "create view analytics_staging.stg as select 1"),
    ("gitmart_transform", "create table analytics_intermediate.int (id bigint)"),
    ("gitmart_transform", "create table analytics_test_failures.failed (id bigint)"),
    *(("gitmart_transform", f"delete from dbt_meta.{table}") for table in HISTORY),
    *(("gitmart_read", f"select * from dbt_meta.{table}") for table in (*HISTORY, *HISTORY_VIEWS)),
    *((role, "select * from public.replicated_from") for role in ("gitmart_extract", "gitmart_transform")),
    *(
        (role, "select * from public.gitmart_revision")
        for role in ("gitmart_extract", "gitmart_transform", "gitmart_read")
    ),
]

MUST_NOT = [
    *(("gitmart_transform", f"delete from public.{table}") for table in RAW),
    *(("gitmart_transform", f"insert into public.{table} default values") for table in RAW),
    *(("gitmart_read", f"select * from public.{table}") for table in RAW),
    *(
        (role, "create table public.mine (id bigint)")
        for role in ("gitmart_extract", "gitmart_transform", "gitmart_read")
    ),
    # Whether a warehouse is a replica is said by who sets it up; how it gets there holds a password.
    *(
        (role, f"{statement} public.replicated_from{rest}")
        for role in ("gitmart_extract", "gitmart_transform", "gitmart_read")
        for statement, rest in (
            ("delete from", ""),
            ("insert into", " (source, tables) values ('', '{}')"),
            ("update", " set source = ''"),
        )
    ),
    *(
        (role, "select subconninfo from pg_subscription")
        for role in ("gitmart_extract", "gitmart_transform", "gitmart_read")
    ),
    *((role, "select * from public.host_answers") for role in ("gitmart_transform", "gitmart_read")),
    *((role, "drop table public.quarantine") for role in ("gitmart_extract", "gitmart_transform", "gitmart_read")),
    *((role, "truncate public.quarantine") for role in ("gitmart_extract", "gitmart_transform", "gitmart_read")),
    *((role, "create schema mine") for role in ("gitmart_extract", "gitmart_transform", "gitmart_read")),
    *(
        (role, "update public.gitmart_revision set version_num = 'x'")
        for role in ("gitmart_extract", "gitmart_transform")
    ),
    *(
        (role, f"select * from public.{table}")
        for role in ("gitmart_transform", "gitmart_read")
        for table in ("forgotten", "forgotten_key")
    ),
    # Who was forgotten stays so, by the same hashes.
    *(("gitmart_extract", f"delete from public.{table}") for table in ("forgotten", "forgotten_key")),
    ("gitmart_extract", "update public.forgotten_key set key = ''"),
    *(("gitmart_read", f"delete from dbt_meta.{table}") for table in HISTORY),
    *(("gitmart_extract", f"insert into dbt_meta.{table} default values") for table in HISTORY),
    ("gitmart_transform", "create table dbt_meta.mine (id bigint)"),
    ("gitmart_extract", "create table analytics.mart (id bigint)"),
    ("gitmart_extract", "create view analytics_staging.stg as select 1"),
    ("gitmart_transform", "create table gitmart_staging.mine (id bigint)"),
    ("gitmart_read", "create table analytics.mart (id bigint)"),
    ("gitmart_read", "create table gitmart_staging.mine (id bigint)"),
    *((role, "create role another") for role in ("gitmart_extract", "gitmart_transform", "gitmart_read")),
    *((role, "set role gitmart_owner") for role in ("gitmart_extract", "gitmart_transform", "gitmart_read")),
]


def _try(warehouse: Any, role: str, statement: str) -> None:
    with psycopg.connect(warehouse.url(role)) as connection:
        connection.execute(statement.encode())
        connection.rollback()


@pytest.mark.parametrize(("role", "statement"), MAY)
def test_a_role_may(role: str, statement: str, shared_warehouse: Any) -> None:
    _try(shared_warehouse, role, statement)


@pytest.mark.parametrize(("role", "statement"), MUST_NOT)
def test_a_role_must_not(role: str, statement: str, shared_warehouse: Any) -> None:
    with pytest.raises(psycopg.errors.InsufficientPrivilege):
        _try(shared_warehouse, role, statement)


def test_the_reader_reads_what_is_granted_in_analytics_alone(warehouse: Any) -> None:
    with psycopg.connect(warehouse.url("gitmart_transform"), autocommit=True) as connection:
        connection.execute("create table analytics.published as select 1 as id")
        connection.execute("create table analytics.hidden as select 1 as id")
        connection.execute("grant select on analytics.published to gitmart_read")

    _try(warehouse, "gitmart_read", "select * from analytics.published")
    with pytest.raises(psycopg.errors.InsufficientPrivilege):
        _try(warehouse, "gitmart_read", "select * from analytics.hidden")


def test_the_roles_of_workers_see_whether_a_warehouse_is_a_replica(shared_warehouse: Any) -> None:
    with psycopg.connect(shared_warehouse.url("gitmart_transform")) as connection:
        assert look(connection) is None
    with psycopg.connect(shared_warehouse.url("gitmart_extract")) as connection:
        refuse_replica(connection)
