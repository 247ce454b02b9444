"""The project's own tests notice what they are there for."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from tests.integration.dbt.conftest import NO_UNIT_TESTS

if TYPE_CHECKING:
    from tests.integration.dbt.conftest import Dbt, Marts, Raw

DAMAGE = [
    pytest.param("delete from fct_commits where lines_added = 1", {"test_reconciliation"}, id="a lost commit"),
    pytest.param("update fct_commits set lines_added = 9 where lines_added = 1", {"test_reconciliation"}, id="lines"),
    pytest.param("update fct_commits set contributor_id = 99 where lines_added = 1",
                 {"relationships_fct_commits_contributor_id__contributor_id__ref_dim_contributor_"}, id="no person"),
    pytest.param("update fct_commits set repository_id = 99 where lines_added = 1",
                 {"test_reconciliation", "relationships_fct_commits_repository_id__repository_id__ref_dim_repository_"},
                 id="no repository"),
    pytest.param("delete from fct_daily_commits where lines_added = 1", {"test_reconciliation", "test_data_quality"},
                 id="a lost day"),
    pytest.param("delete from fct_file_changes where lines_added = 1", {"test_reconciliation"}, id="a lost file"),
    pytest.param("update fct_file_changes set lines_deleted = 7 where lines_added = 1", {"test_reconciliation"},
                 id="lines of a file"),
    pytest.param("update fct_daily_commits set lines_deleted = -1 where lines_added = 1",
                 {"non_negative_fct_daily_commits_commits__merge_commits__lines_added__lines_deleted__files_changed"},
                 id="negative lines"),
    pytest.param("update fct_daily_commits set all_refs_commits = 0 where lines_added = 1",
                 {"test_reconciliation", "test_data_quality",
                  "accepted_range_fct_daily_commits_1__all_refs_commits"}, id="a day without commits"),
    pytest.param("update repository_summary set commits = commits + 1", {"test_reconciliation", "test_data_quality"},
                 id="a summary that counts one more"),
    pytest.param("update repository_summary set gini_coefficient = 1.5",
                 {"accepted_range_repository_summary_0__1__gini_coefficient"}, id="a Gini beyond 1"),
    pytest.param("update fct_repository_activity set contributors = 7 where granularity = 'week'",
                 {"adds_up_to_fct_repository_activity_new_contributors__returning_contributors__contributors"},
                 id="neither new nor returning"),
    pytest.param("insert into contributor_summary select * from contributor_summary",
                 {"unique_combination_contributor_summary_contributor_id", "test_data_quality"}, id="everybody twice"),
    pytest.param("insert into dim_contributor (contributor_name, email, contributor_kind, identities)"
                 " values ('', '', 'human', 1)",
                 {"unique_combination_dim_contributor_contributor_id"}, id="a key that is NULL"),
    pytest.param("update public.repository_contributors set commit_count = 5", {"test_reconciliation"},
                 id="a leaderboard that is off"),
]  # fmt: skip


# What PostgreSQL itself would refuse is tried without its help.
WITHOUT_CONSTRAINTS = """
    do $$ declare mart record; begin
        for mart in select relname, conname from pg_constraint join pg_class on pg_class.oid = conrelid
            where relnamespace = 'analytics'::regnamespace and contype = 'p'
        loop execute format('alter table analytics.%I drop constraint %I', mart.relname, mart.conname); end loop;
        for mart in select relname, attname from pg_attribute join pg_class on pg_class.oid = attrelid
            where relnamespace = 'analytics'::regnamespace and attnotnull and attnum > 0 and relkind = 'r'
        loop execute format('alter table analytics.%I alter %I drop not null', mart.relname, mart.attname); end loop;
    end $$
"""


def _a_small_warehouse(raw: Raw) -> int:
    repository, one, two = raw.repository("tools"), raw.person("one"), raw.person("two")
    with raw.run(repository) as run:
        run.add("first", one, "2024-05-01 10:00+00", lines=(1, 0))
        run.add("second", two, "2024-05-02 10:00+00", lines=(2, 0))
        run.add("third", two, "2024-05-02 11:00+00", lines=(4, 0))
    return repository


@pytest.mark.slow
def test_each_kind_of_damage_is_noticed(dbt: Dbt, raw: Raw, marts: Marts) -> None:
    _a_small_warehouse(raw)
    dbt.run()
    marts.query(WITHOUT_CONSTRAINTS)
    tables = [
        f"analytics.{row[0]}" for row in marts.query("select tablename from pg_tables where schemaname = 'analytics'")
    ]
    tables.append("public.repository_contributors")
    marts.query(";".join(f"create table rebuilt.{name.split('.')[1]} as select * from {name}" for name in tables))
    noticed, expected = {}, {}
    for case in DAMAGE:
        damage, tests = case.values
        marts.query(f"set search_path = analytics; {damage}")
        statuses = dbt.invoke("test", "--select", *tests)  # type: ignore[misc]
        noticed[case.id] = {name for name, status in statuses.items() if status == "fail"}
        expected[case.id] = tests
        for name in tables:
            marts.query(f"truncate {name}; insert into {name} select * from rebuilt.{name.split('.')[1]}")

    assert noticed == expected


def test_an_undamaged_warehouse_passes(dbt: Dbt, raw: Raw, marts: Marts) -> None:
    _a_small_warehouse(raw)

    assert set(dbt.build(*NO_UNIT_TESTS).values()) <= {"success", "pass", "no-op"}


def test_a_repository_extracted_since_the_build_began_is_not_reconciled(dbt: Dbt, raw: Raw, marts: Marts) -> None:
    repository = _a_small_warehouse(raw)
    dbt.run()
    with raw.run(repository) as run:
        run.add("during the build", 1)
    marts.query("update extraction_runs set finished_at = now() + interval '1 hour' where run_number = 2")

    assert dbt.invoke("test", "--select", "test_reconciliation") == {"test_reconciliation": "pass"}

    marts.query("update extraction_runs set finished_at = now() - interval '1 hour'")

    assert dbt.invoke("test", "--select", "test_reconciliation") == {"test_reconciliation": "fail"}
    rows = marts.query("select * from analytics_test_failures.test_reconciliation")
    assert len(rows) == 1


def test_a_partial_build_is_not_blamed_for_what_it_did_not_build(dbt: Dbt, raw: Raw, marts: Marts) -> None:
    repository = _a_small_warehouse(raw)
    dbt.run()
    with raw.run(repository) as run:
        run.add("new", 1)

    statuses = dbt.build("--select", "repository_summary")

    assert set(statuses.values()) == {"success", "pass"}
    assert "test_reconciliation" not in statuses
