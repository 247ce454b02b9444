"""dbt's sessions of PostgreSQL serve one node after the other, and none of them notices."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from types import SimpleNamespace
from typing import Any

import psycopg
import pytest
from dbt.adapters.postgres.connections import PostgresConnectionManager, PostgresCredentials
from psycopg.conninfo import conninfo_to_dict

from gitmart.transform.sessions import share_sessions

NAME = "shared sessions"


@pytest.fixture
def nodes(warehouse: Any, monkeypatch: pytest.MonkeyPatch) -> Iterator[Any]:
    """What gives dbt's nodes their sessions."""
    for name in ("open", "_close_handle", "cleanup_all"):  # so that they are put back
        monkeypatch.setattr(PostgresConnectionManager, name, getattr(PostgresConnectionManager, name))
    monkeypatch.setenv("PGOPTIONS", "-c lock_timeout=4321ms")
    share_sessions()
    known: dict[str, Any] = conninfo_to_dict(warehouse.url("gitmart_transform"))
    credentials = PostgresCredentials(
        host=known["host"], port=int(known["port"]), user=known["user"], password=known["password"],
        database=known["dbname"], schema="analytics", application_name=NAME,
    )  # fmt: skip
    manager = PostgresConnectionManager(SimpleNamespace(credentials=credentials), threading)
    yield manager
    manager.cleanup_all()


def ask(manager: Any, query: str) -> Any:
    """Return the first value of the node that has begun."""
    _, cursor = manager.add_query(query, auto_begin=True)
    return cursor.fetchone()[0]


def test_a_session_is_handed_on_as_good_as_new(nodes: Any) -> None:
    nodes.set_connection_name("model.one")
    first = ask(nodes, "select pg_backend_pid()")
    ask(nodes, "select set_config('lock_timeout', '1s', false)")
    ask(nodes, "select pg_advisory_lock(7)::text")
    nodes.add_query("create temporary table made as select 1 as x", auto_begin=True)
    nodes.commit()
    nodes.add_query("create temporary table unfinished as select 1 as x", auto_begin=True)
    nodes.release()

    nodes.set_connection_name("model.two")

    assert ask(nodes, "select pg_backend_pid()") == first
    assert ask(nodes, "show lock_timeout") == "4321ms"
    assert ask(nodes, "show application_name") == NAME
    assert ask(nodes, "select to_regclass('made') is null and to_regclass('unfinished') is null")
    assert ask(nodes, "select count(*) from pg_locks where locktype = 'advisory' and pid = pg_backend_pid()") == 0
    assert nodes.get_thread_connection().handle.autocommit is False


def test_two_nodes_at_a_time_have_two(nodes: Any) -> None:
    nodes.set_connection_name("model.one")
    first = ask(nodes, "select pg_backend_pid()")
    others: list[int] = []

    def another() -> None:
        nodes.set_connection_name("model.two")
        others.append(ask(nodes, "select pg_backend_pid()"))
        nodes.release()

    for _ in range(2):
        thread = threading.Thread(target=another)
        thread.start()
        thread.join()

    assert others[0] != first
    assert others[1] == others[0]


def test_one_that_the_server_has_ended_is_not_handed_on(nodes: Any, warehouse: Any) -> None:
    nodes.set_connection_name("model.one")
    first = ask(nodes, "select pg_backend_pid()")
    nodes.release()
    with psycopg.connect(warehouse.url("gitmart_transform"), autocommit=True) as connection:
        connection.execute("select pg_terminate_backend(%s, 10000)", [first])

    nodes.set_connection_name("model.two")

    assert ask(nodes, "select pg_backend_pid()") != first


def test_one_that_broke_under_a_node_is_closed(nodes: Any, warehouse: Any) -> None:
    nodes.set_connection_name("model.one")
    first = ask(nodes, "select pg_backend_pid()")
    with psycopg.connect(warehouse.url("gitmart_transform"), autocommit=True) as connection:
        connection.execute("select pg_terminate_backend(%s, 10000)", [first])
    nodes.release()

    nodes.set_connection_name("model.two")

    assert ask(nodes, "select pg_backend_pid()") != first


def test_a_role_is_taken_by_each_node(nodes: Any) -> None:
    nodes.profile.credentials.role = "gitmart_transform"
    nodes.set_connection_name("model.one")
    first = ask(nodes, "select pg_backend_pid()")
    nodes.release()

    nodes.set_connection_name("model.two")

    assert ask(nodes, "select pg_backend_pid()") != first
    assert ask(nodes, "show role") == "gitmart_transform"


def test_none_is_left_when_a_command_ends(nodes: Any, until: Any) -> None:
    rest = f"select pid from pg_stat_activity where application_name = '{NAME}' and state = 'idle'"
    nodes.set_connection_name("model.one")
    ask(nodes, "select 1")
    nodes.release()
    until(rest)

    nodes.cleanup_all()

    until(rest, rows=False)
