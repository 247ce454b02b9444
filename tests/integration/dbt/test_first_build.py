"""The first build: on nothing, and on a few commits whose figures are counted by hand."""

from __future__ import annotations

import re
from datetime import UTC, date, datetime
from decimal import Decimal
from pathlib import Path
from typing import TYPE_CHECKING

import psycopg
import pytest
from tests.integration.dbt.conftest import NO_UNIT_TESTS

from gitmart.local.postgres import EmbeddedPostgres

if TYPE_CHECKING:
    from tests.integration.dbt.conftest import Dbt, Marts, Raw


def test_an_empty_warehouse_builds_and_every_test_passes(dbt: Dbt, marts: Marts) -> None:
    statuses = dbt.build()

    assert set(statuses.values()) <= {"success", "pass", "no-op"}, statuses
    assert statuses["absence_factor_and_gini_of_the_published_numbers"] == "pass"
    built = marts.query(
        "select schemaname, count(*) from (select schemaname, tablename from pg_tables union all"
        " select schemaname, viewname from pg_views) as relations"
        " where schemaname like 'analytics%%' and schemaname <> 'analytics_test_failures' group by 1 order by 1"
    )
    assert built == [("analytics", 26), ("analytics_intermediate", 10), ("analytics_staging", 13)]


def test_the_reader_sees_the_marts_and_nothing_else(
    server: EmbeddedPostgres, dbt_database: str, dbt: Dbt, marts: Marts
) -> None:
    dbt.run()
    relations = marts.query(
        "select nspname, relname from pg_class join pg_namespace on pg_namespace.oid = relnamespace"
        " where relkind in ('r', 'v') and nspname like 'analytics%%'"
    )

    readable = set()
    with psycopg.connect(server.url("gitmart_read", dbt_database), autocommit=True) as reader:
        for schema, name in relations:
            try:
                reader.execute(f"select 1 from {schema}.{name}".encode())
                readable.add((schema, name))
            except psycopg.errors.InsufficientPrivilege:
                pass

    assert readable == {(schema, name) for schema, name in relations if schema == "analytics"}
    assert len(readable) == 26


def test_the_summaries_count_what_was_committed(dbt: Dbt, raw: Raw, marts: Marts) -> None:
    """Author One has a second identity; one commit is on a side branch, one has no date, one lies in the future."""
    repository, empty = raw.repository("tools"), raw.repository("empty")
    one, alias, two, _unseen = (raw.person(name) for name in ("one", "one-at-work", "two", "without-commits"))
    raw.join(alias, one)
    with raw.run(repository) as run:
        run.add("a", one, "2024-01-31 23:30-02", lines=(10, 1))  # 1 February in UTC
        run.add("b", alias, "2024-02-01 12:00+00", lines=(20, 2))
        run.add("c", two, "2024-03-04 12:00+00", lines=(30, 3))
        run.add("merge", one, "2024-03-05 12:00+00", merge=True)
        run.add("dateless", two, None, lines=(40, 4))
        run.add("future", two, "2999-01-01 00:00+00", committed="2024-03-06 09:00+00", lines=(50, 5))
        run.add("side", two, "2024-03-07 12:00+00", in_default_branch=False, lines=(60, 6))
    with raw.run(empty):
        pass
    raw.snapshot(repository, "2024-03-07", 1, Cobol="1")
    raw.snapshot(repository, "2024-03-08", 2, Shell="0.25", Awk="0.25", Python="0.5")

    statuses = dbt.build(*NO_UNIT_TESTS)

    assert set(statuses.values()) <= {"success", "pass", "no-op"}, statuses
    summary = marts.rows(
        "repository_summary",
        "repository_name, commits, contributors, absence_factor, gini_coefficient, merge_commits, lines_added, lines_deleted,"
        " active_days, first_commit_at, last_commit_at, all_refs_commits, all_refs_contributors,"
        " all_refs_undated_commits, all_refs_future_dated_commits",
    )
    first, last = datetime(2024, 2, 1, 1, 30, tzinfo=UTC), datetime(2024, 3, 6, 9, tzinfo=UTC)
    assert summary == [
        ("tools", 6, 2, 1, Decimal("0.000000"), 1, 150, 15, 4, first, last, 7, 2, 1, 1),
        ("empty", 0, 0, None, None, 0, 0, 0, 0, None, None, 0, 0, 0, 0),
    ]
    seen = datetime(2024, 3, 8, tzinfo=UTC)
    assert marts.rows("repository_summary", "stars, forks, license_spdx, main_language, metadata_seen_at") == [
        (2, None, "MIT", "Python", seen), (None, None, None, None, None),
    ]  # fmt: skip
    assert marts.rows("dim_repository", "host_id, is_archived, license_spdx, main_language, metadata_seen_at") == [
        (4711, False, "MIT", "Python", seen), (None, None, None, None, None),
    ]  # fmt: skip
    assert marts.rows("fct_repository_snapshots", "taken_on, stars, is_latest") == [
        (date(2024, 3, 7), 1, False), (date(2024, 3, 8), 2, True),
    ]  # fmt: skip
    assert marts.rows("fct_repository_languages", "language, share, language_rank") == [
        ("Awk", Decimal("0.250000"), 2), ("Python", Decimal("0.500000"), 1), ("Shell", Decimal("0.250000"), 3),
    ]  # fmt: skip
    assert marts.rows("fct_repository_topics", "topic, topic_position") == [("topic-1", 1), ("topic-2", 2)]
    assert marts.rows("contributor_summary", "contributor_name, identities, commit_rank, commits, active_days") == [
        ("one", 2, 2, 3, 2),
        ("two", 1, 1, 3, 2),
    ]
    assert marts.rows(
        "fct_repository_contributors", "contributor_name, commit_rank, commits, commit_share, all_refs_commits"
    ) == [("one", 2, 3, Decimal("0.500000"), 3), ("two", 1, 3, Decimal("0.500000"), 4)]
    months = marts.query(
        "select period_start, commits, contributors, new_contributors, returning_contributors, commits_to_date,"
        " all_refs_commits from analytics.fct_repository_activity where granularity = 'month' order by 1"
    )
    assert months == [(date(2024, 2, 1), 2, 1, 1, 0, 2, 2), (date(2024, 3, 1), 3, 2, 1, 1, 5, 4)]


def test_the_questions_of_the_page_on_marts_have_answers(
    server: EmbeddedPostgres, dbt_database: str, dbt: Dbt, raw: Raw, marts: Marts
) -> None:
    repository, one = raw.repository("tools"), raw.person("one")
    with raw.run(repository) as run:
        run.add("a", one)
    dbt.run()
    page = (Path(__file__).parents[3] / "docs" / "marts.md").read_text(encoding="utf-8")

    questions = re.findall(r"```sql\n(.*?)```", page, re.DOTALL)

    assert len(questions) == 5
    with psycopg.connect(server.url("gitmart_read", dbt_database)) as reader:
        for question in questions:
            assert reader.execute(question.encode()).rowcount == 1, question


def test_recent_commits_are_counted_back_from_the_day_of_the_build(dbt: Dbt, raw: Raw, marts: Marts) -> None:
    repository, one = raw.repository("tools"), raw.person("one")
    today = raw.query("select cast(now() at time zone 'UTC' as date)")[0][0].isoformat()
    ages = {"today": 0, "29": 29, "30": 30, "89": 89, "90": 90}
    with raw.run(repository) as run:
        for name, days in ages.items():
            noon = raw.query("select cast(%s as timestamp) + interval '12 hours' - %s * interval '1 day'", today, days)
            run.add(name, one, f"{noon[0][0]}+00")

    dbt.run()

    row = marts.query(
        "select commits_last_30_days, commits_last_90_days, cast(summarized_on as text) from analytics.repository_summary"
    )
    assert row == [(2, 4, today)]


@pytest.mark.parametrize(
    ("age_hours", "expected"), [pytest.param(1, "pass", id="fresh"), pytest.param(13, "warn", id="half a day"),
                                pytest.param(25, "error", id="a day"), pytest.param(None, "error", id="never")]
)  # fmt: skip
def test_sources_are_as_fresh_as_the_last_extraction(
    dbt: Dbt, raw: Raw, marts: Marts, age_hours: int | None, expected: str
) -> None:
    if age_hours is not None:
        with raw.run(raw.repository("quiet")):
            pass
        marts.query("update extraction_runs set finished_at = now() - %s * interval '1 hour'", age_hours)

    statuses = dbt.invoke("source", "freshness")

    assert set(statuses.values()) == {expected}
    assert set(statuses) == {
        "repositories", "contributors", "commits", "commit_files", "removed_commits", "repository_contributors",
        "extraction_runs", "repository_snapshots", "repository_languages", "repository_topics", "identity_merges",
        "commit_trailers", "refs",
    }  # fmt: skip
