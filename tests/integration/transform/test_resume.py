"""A run after one that was cut off builds what is left, and all if anything that makes the marts has changed."""

from __future__ import annotations

import argparse
import signal
from datetime import date
from pathlib import Path
from typing import Any

import psycopg

from gitmart.contract.outcomes import Outcome
from gitmart.transform.command import configure
from gitmart.transform.resume import resume_key
from gitmart.transform.settings import Settings

SLOW = """
-- depends_on: {{ ref('stamp') }} {{ ref('per_repository') }}
{{ config(materialized='table') }} select pg_sleep(600)::text as slept
"""
SLOW_STATEMENTS = "select pid from pg_stat_activity where state = 'active' and query ~ 'pg_sleep[(]600[)]'"
TIME = "{{ config(materialized='table') }} select now() as built_at"
BUILT_AT = "select built_at from analytics.stamp"
OWN_PROJECT = Path(__file__).parents[3] / "dbt"


def nodes(warehouse: Any) -> set[str]:
    """Return the names of the nodes that the last run has ended, in short."""
    found = warehouse.query(
        "select split_part(unique_id, '.', 3) from dbt_meta.node_runs where run_id = (select max(id) from dbt_meta.runs)"
    )
    return {str(name) for (name,) in found}


def test_a_retry_builds_what_failed_or_was_never_reached(transform: Any, warehouse: Any, until: Any) -> None:
    transform.project.model("stamp", TIME)
    transform.project.model("slow", SLOW)
    transform.project.model("after_slow", "select * from {{ ref('slow') }}")
    first = transform.start("--threads", "1")
    until(SLOW_STATEMENTS)
    [(built_at,)] = warehouse.query(BUILT_AT)
    first.send(signal.SIGTERM)
    assert first.ended_as(Outcome.CANCELLED)
    done = nodes(warehouse)
    assert {"stamp", "per_repository"} <= done

    second = transform.start("--threads", "1")
    until(SLOW_STATEMENTS)
    warehouse.query("select pg_cancel_backend(pid) from pg_stat_activity where query ~ 'pg_sleep[(]600[)]'")
    assert second.wait() == Outcome.DATA_FAILED.exit_code

    assert second.result["resumed"] == len(done)
    assert nodes(warehouse) == {"slow", "after_slow"} | ({"total"} - done)
    assert warehouse.query(BUILT_AT) == [(built_at,)]
    assert warehouse.query("select resumes is not null from dbt_meta.runs order by id") == [(False,), (True,)]


def test_all_is_built_anew_when_something_has_changed(transform: Any, warehouse: Any, until: Any) -> None:
    """Each run is cut off, and differs from the one before in one thing."""
    transform.project.model("stamp", TIME)
    transform.project.model("slow", SLOW)
    transform.project.model("team", "select '{{ env_var('TEAM', 'none') }}' as team")
    words: tuple[str, ...] = ("--threads", "1")
    environment: dict[str, str] = {}

    def cut_off() -> Any:
        process = transform.start(*words, **environment)
        until(SLOW_STATEMENTS)
        process.send(signal.SIGTERM)
        assert process.ended_as(Outcome.CANCELLED)
        return process.result

    cut_off()
    for change in ("the project's files", "the raw data", "the options", "a variable for projects",
                   "another variable that a model reads", "all is asked for"):  # fmt: skip
        match change:
            case "the project's files":
                transform.project.model("more", "select 1 as one")
            case "the raw data":
                warehouse.query(
                    "with one as (insert into repositories (url, url_key, host, name, state) values"
                    " ('https://git.example/a', 'https://git.example/a', 'git.example', 'a', 'completed') returning id)"
                    " insert into extraction_runs select id, 1, now(), now(), 'main', null, '', 0, 0, 1, 0, 0, 0, 0, 0,"
                    " '{}', '2.0', '0' from one"
                )
            case "the options":
                words += ("--exclude", "total")
            case "a variable for projects":
                environment["DBT_ENV_CUSTOM_ENV_TEAM"] = "another"
            case "another variable that a model reads":
                environment["TEAM"] = "another"
            case "all is asked for":
                words += ("--no-resume",)
        assert "resumed" not in cut_off(), change
        assert {"stamp", "per_repository"} <= nodes(warehouse), change

    words = words[:-1]
    assert cut_off()["resumed"] > 0, "nothing has changed"
    assert nodes(warehouse) & {"stamp", "per_repository"} == set()
    warehouse.query("drop table analytics.per_repository, analytics.stamp cascade")
    cut_off()
    assert {"stamp", "per_repository"} <= nodes(warehouse), "what had been built is gone"


def test_the_day_and_foreign_sources_count(transform: Any, warehouse: Any) -> None:
    parser = argparse.ArgumentParser()
    configure(parser)
    words = parser.parse_args(["--project-dir", str(transform.project.folder)])
    settings = Settings.of(words, {"GITMART_WAREHOUSE_URL": transform.url})

    with psycopg.connect(transform.url) as connection:
        keys = [
            resume_key(connection, settings, "1.12.0", schemas, {}, day)
            for schemas in ({"public"}, {"public", "theirs"}, {"dbt_meta"})
            for day in (date(2026, 1, 1), date(2026, 1, 1), date(2026, 1, 2))
        ]

    assert keys[0] == keys[1]
    assert len({keys[0], keys[2], None}) == 3
    assert keys[3:] == [None] * 6  # nobody can say whether what is in there has changed


def test_a_run_whose_data_failed_is_run_whole(transform: Any, warehouse: Any) -> None:
    transform.project.model("bad", "{{ config(materialized='table') }} select 1 / 0 as nothing")
    assert transform.run().ended_as(Outcome.DATA_FAILED)
    first = nodes(warehouse)

    again = transform.run()

    assert again.ended_as(Outcome.DATA_FAILED)
    assert "resumed" not in again.result
    assert nodes(warehouse) == first


def test_each_node_of_our_own_project_can_be_named_alone(transform: Any, warehouse: Any) -> None:
    words = ("--project-dir", str(OWN_PROJECT))
    assert transform.run(*words).ended_as(Outcome.SUCCEEDED)
    whole = nodes(warehouse)
    missed = {"fct_daily_commits", "dim_contributor"}
    warehouse.query(
        "update dbt_meta.runs set outcome = 'Timeout';"
        "delete from dbt_meta.node_runs where resource_type = 'model' and name in ('fct_daily_commits', 'dim_contributor')"
    )

    rest = transform.run(*words)

    assert rest.ended_as(Outcome.SUCCEEDED)
    built = nodes(warehouse)
    assert missed < built < whole
    assert "fct_commits" not in built
    assert {"int_time_series", "contributor_summary"} <= built  # they stand on what was missed
    assert rest.result["resumed"] > 0
    assert "had been before the last run was cut off" in rest.result["message"]
