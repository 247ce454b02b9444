"""A run can be stopped at any moment, and two runs never build into one schema at once."""

from __future__ import annotations

import os
import signal
from typing import Any

import psycopg
import pytest
from tests.integration.transform.conftest import may_unshare

from gitmart.contract.outcomes import Outcome
from gitmart.transform.target import LOCK_NAME, Target
from gitmart.warehouse.locks import target_lock, try_lock

pytestmark = pytest.mark.slow

SLOW = "{{ config(materialized='table') }} select pg_sleep(600)::text as slept"
SLOW_STATEMENTS = "select pid from pg_stat_activity where state = 'active' and query ~ 'pg_sleep[(]600[)]'"
OURS = (
    "select application_name from pg_stat_activity"
    " where application_name like 'gitmart-transform%' and datname = current_database()"
)


@pytest.mark.parametrize(
    "signals",
    [
        pytest.param((signal.SIGTERM,), id="SIGTERM"),
        pytest.param((signal.SIGINT,), id="SIGINT"),
        pytest.param((signal.SIGTERM, signal.SIGTERM, signal.SIGINT), id="again and again"),
    ],
)
def test_a_signal_ends_the_statement_and_the_run(
    transform: Any, until: Any, signals: tuple[signal.Signals, ...]
) -> None:
    transform.project.model("slow", SLOW)
    process = transform.start("--threads", "2")
    until(SLOW_STATEMENTS)

    for number in signals:
        process.send(number)

    assert process.ended_as(Outcome.CANCELLED)
    assert until(OURS, rows=False, seconds=5) == []  # they are gone; the last of them may still say goodbye
    assert process.result["counts"]["success"] >= 0
    assert list(transform.temporary.iterdir()) == []


@pytest.mark.own_interpreter
def test_a_signal_before_dbt_is_there_ends_the_run(transform: Any, until: Any) -> None:
    process = transform.start()
    until(OURS)

    process.send(signal.SIGTERM)

    assert process.ended_as(Outcome.CANCELLED)


@pytest.mark.skipif(not may_unshare("--pid", "--fork"), reason="needs the right to make a PID namespace")
def test_process_one_of_a_container_heeds_sigterm(transform: Any, until: Any) -> None:
    transform.project.model("slow", SLOW)
    process = transform.start(prefix=("unshare", "--pid", "--fork"))
    until(SLOW_STATEMENTS)
    [child] = [int(pid) for pid in children_of(process.popen.pid)]

    os.kill(child, signal.SIGTERM)

    assert process.ended_as(Outcome.CANCELLED)
    until(SLOW_STATEMENTS, rows=False, seconds=5)


def children_of(pid: int) -> list[str]:
    with open(f"/proc/{pid}/task/{pid}/children", encoding="ascii") as file:
        return file.read().split()


def test_the_timeout_ends_the_statement_and_the_run(transform: Any, until: Any) -> None:
    transform.project.model("slow", SLOW)
    process = transform.start("--timeout", "12s")

    assert process.ended_as(Outcome.TIMEOUT)
    assert "12s" in process.result["message"]
    until(SLOW_STATEMENTS, rows=False, seconds=5)


def test_a_killed_run_leaves_no_statement(transform: Any, until: Any) -> None:
    transform.project.model("slow", SLOW)
    process = transform.start()
    until(SLOW_STATEMENTS)

    process.send(signal.SIGKILL)
    process.wait()

    until(OURS, rows=False, seconds=5)


def test_a_run_ends_what_a_killed_one_left(transform: Any, warehouse: Any) -> None:
    """Where the server cannot notice that its client is gone, the next run does."""
    name = Target("analytics").session_name
    with psycopg.connect(transform.url, application_name=name) as left:
        process = transform.run("--select", "per_repository")

        assert process.ended_as(Outcome.SUCCEEDED)
        assert process.lines[0]["sessions"] == 1
        with pytest.raises(psycopg.OperationalError):
            left.execute("select 1")


def test_a_second_run_waits_and_is_skipped(transform: Any, warehouse: Any) -> None:
    with psycopg.connect(transform.url, autocommit=True) as other:
        assert try_lock(other, target_lock("analytics"))

        for patience in ("0s", "1s"):
            process = transform.run("--lock-timeout", patience)

            assert process.ended_as(Outcome.SKIPPED)
            assert patience in process.result["message"]
        assert warehouse.query("select 1 from pg_tables where schemaname = 'analytics'") == []


def test_a_second_run_builds_after_the_first(transform: Any, warehouse: Any, until: Any) -> None:
    """Each build notes when it began and ended; if they overlapped, one would begin before the other's end."""
    transform.project.model(
        "log_of_builds",
        "{{ config(materialized='incremental') }} select clock_timestamp() as began, pg_sleep(1)::text as slept,"
        " clock_timestamp() as ended",
    )
    processes = [transform.start("--select", "log_of_builds", "--lock-timeout", "1m") for _ in range(3)]

    assert all(process.ended_as(Outcome.SUCCEEDED) for process in processes)

    [(builds, overlaps)] = warehouse.query(
        "select count(*), count(*) filter (where began < previous) from"
        " (select began, lag(ended) over (order by began) as previous from analytics.log_of_builds) as builds"
    )
    assert (builds, overlaps) == (3, 0)


def test_a_run_that_waits_for_the_lock_can_be_stopped(transform: Any, until: Any) -> None:
    with psycopg.connect(transform.url, autocommit=True) as other:
        assert try_lock(other, target_lock("analytics"))
        process = transform.start()
        until("select 1 from pg_locks where locktype = 'advisory' and not granted")

        process.send(signal.SIGTERM)

        assert process.ended_as(Outcome.CANCELLED)
        until("select 1 from pg_locks where locktype = 'advisory' and not granted", rows=False, seconds=5)


def test_a_lost_lock_stops_the_build(transform: Any, warehouse: Any, until: Any) -> None:
    transform.project.model("slow", SLOW)
    process = transform.start()
    until(SLOW_STATEMENTS)

    warehouse.query("select pg_terminate_backend(pid) from pg_stat_activity where application_name = %s", LOCK_NAME)

    assert process.ended_as(Outcome.WAREHOUSE_UNREACHABLE)
    until(SLOW_STATEMENTS, rows=False, seconds=5)


def test_a_changed_setting_of_the_server_stops_nothing(transform: Any, warehouse: Any, until: Any) -> None:
    """The server tells its sessions of a new setting, also the one that holds the lock and rests."""
    transform.project.model("slow", "{{ config(materialized='table') }} select pg_sleep(5)::text as slept")
    process = transform.start()
    until("select 1 from pg_stat_activity where state = 'active' and query ~ 'pg_sleep[(]5[)]'")
    try:
        warehouse.query("alter system set search_path = public")
        warehouse.query("select pg_reload_conf()")

        assert process.ended_as(Outcome.SUCCEEDED)
    finally:
        warehouse.query("alter system reset search_path")
        warehouse.query("select pg_reload_conf()")
