"""The views for BI tools on the sample warehouse: what they hold, and that PostgreSQL reads the marts through them."""

from __future__ import annotations

from typing import Any

import psycopg
import pytest
from psycopg.rows import TupleRow
from tests.integration.bi.conftest import Ask

pytestmark = [pytest.mark.slow, pytest.mark.xdist_group("sample")]

REPOSITORY = "repository_id, repository_name, url as repository_url"
PERSON = "contributor_id, contributor_name, contributor_kind"
JOINED = {
    "bi_commits": (
        (
            f"{REPOSITORY}, {PERSON}, commit_hash, activity_at, commit_day, author_local_weekday, author_local_hour, is_merge,"
            " lines_added, lines_deleted, files_changed"
        ),
        (
            "fct_commits join dim_repository using (repository_id) join dim_contributor using (contributor_id)"
            " where in_default_branch"
        ),
    ),
    "bi_all_refs_commits": (
        (
            f"{REPOSITORY}, {PERSON}, commit_hash, commit_day, is_merge, lines_added, in_default_branch, is_first_of_patch,"
            " is_first_of_patch_anywhere"
        ),
        "fct_commits join dim_repository using (repository_id) join dim_contributor using (contributor_id)",
    ),
    "bi_daily_commits": (
        f"{REPOSITORY}, {PERSON}, commit_day, commits, merge_commits, lines_added, lines_deleted, files_changed",
        (
            "fct_daily_commits join dim_repository using (repository_id) join dim_contributor using (contributor_id)"
            " where commits > 0"
        ),
    ),
    "bi_monthly_activity": (
        (
            f"{REPOSITORY}, period_start as month_start, commits, merge_commits, lines_added, lines_deleted, files_changed,"
            " contributors, new_contributors, returning_contributors, commits_to_date, contributors_to_date"
        ),
        "fct_repository_activity join dim_repository using (repository_id) where granularity = 'month' and commits > 0",
    ),
    "bi_file_changes": (
        (
            f"{REPOSITORY}, {PERSON}, commit_hash, commit_day, path, old_path, change_type, file_class, files.lines_added,"
            " files.lines_deleted"
        ),
        (
            "fct_file_changes as files join fct_commits using (repository_id, commit_id) join dim_repository"
            " using (repository_id) join dim_contributor using (contributor_id)"
            " where in_default_branch and file_class <> 'excluded'"
        ),
    ),
    "bi_repositories": (
        (
            "repository_id, summary.repository_name, summary.url as repository_url, host, summary.default_branch,"
            " summary.state, summary.last_processed_at, commits, contributors, absence_factor, gini_coefficient, active_days,"
            " commits_last_90_days, stars, is_archived, summarized_on"
        ),
        "repository_summary as summary join dim_repository using (repository_id)",
    ),
    "bi_contributors": (
        (
            f"{PERSON.replace('contributor_', 'summary.contributor_').replace('summary.contributor_id', 'contributor_id')},"
            " profile_url, commit_rank, repositories, commits, assisted_commits, active_days, last_commit_at, summarized_on"
        ),
        "contributor_summary as summary join dim_contributor using (contributor_id) where commits > 0",
    ),
    "bi_repository_contributors": (
        f"{REPOSITORY}, {PERSON}, commit_rank, commits, commit_share, lines_added, active_days, last_commit_at",
        "fct_repository_contributors join dim_repository using (repository_id) where commits > 0",
    ),
    "bi_releases": (
        f"{REPOSITORY}, tag_name, release_type, commit_hash, in_default_branch, released_on, days_since_previous",
        "fct_releases join dim_repository using (repository_id)",
    ),
}
# A query of each view as BI tools ask, with a condition that must reach a mart.
ASKED = {
    "bi_commits": "commit_day >= '2023-01-01'",
    "bi_all_refs_commits": "contributor_name = 'Ada Gardener'",
    "bi_daily_commits": "commit_day >= '2023-01-01' and repository_name = 'garden'",
    "bi_monthly_activity": "month_start >= '2023-01-01'",
    "bi_file_changes": "path = 'README.md'",
    "bi_repositories": "host = 'localhost'",
    "bi_contributors": "contributor_kind = 'human'",
    "bi_repository_contributors": "commit_rank <= 2",
    "bi_releases": "released_on >= '2023-01-01'",
}


def plan(reader: psycopg.Connection[TupleRow], query: str) -> dict[str, Any]:
    """Return how PostgreSQL would run a query."""
    [(found,)] = reader.execute(f"explain (format json, verbose) {query}".encode()).fetchall()
    steps: dict[str, Any] = found[0]["Plan"]
    return steps


def steps(node: dict[str, Any]) -> list[dict[str, Any]]:
    """Return a step of a plan and all below."""
    return [node, *(step for child in node.get("Plans", ()) for step in steps(child))]


@pytest.mark.parametrize("view", JOINED)
def test_a_view_is_the_join_on_the_marts(view: str, ask: Ask) -> None:
    columns, relations = JOINED[view]
    joined = ask("select " + columns + " from " + _qualified(relations))

    shown = ask(f"select {', '.join(joined.columns)} from analytics.{view}")

    assert sorted(shown.rows, key=str) == sorted(joined.rows, key=str)
    assert shown.types == joined.types
    assert shown.rows


def _qualified(relations: str) -> str:
    words = relations.split()
    return " ".join(
        f"analytics.{word}" if word.startswith(("fct_", "dim_")) or word.endswith("_summary") else word
        for word in words
    )


def test_sums_of_rows_are_those_of_the_summaries(ask: Ask) -> None:
    """Whoever sums or counts all rows gets what every other page shows."""
    counted = ask(
        "select repository_id, count(*), count(distinct contributor_id), count(distinct commit_day), sum(lines_added),"
        " sum(lines_deleted) from analytics.bi_commits group by 1 order by 1"
    ).rows
    of_files = ask(
        "select repository_id, sum(lines_added), sum(lines_deleted) from analytics.bi_file_changes group by 1 order by 1"
    ).rows

    summary = ask(
        "select repository_id, commits, contributors, active_days, lines_added, lines_deleted"
        " from analytics.bi_repositories where commits > 0 order by 1"
    ).rows
    assert counted == summary
    assert of_files == [(row[0], *row[4:]) for row in summary]
    assert ask("select count(*) from analytics.bi_all_refs_commits").rows[0][0] > sum(row[1] for row in summary)


def test_an_organization_is_a_domain_and_a_directory_the_first(ask: Ask) -> None:
    assert set(ask("select distinct organization from analytics.bi_contributors").rows) == {
        ("garden.example",), ("tools.example",), ("example.org",), ("renovateapp.com",),
    }  # fmt: skip
    found = dict(
        ask("select distinct path, top_directory from analytics.bi_file_changes where repository_name = 'garden'").rows
    )
    assert (found["README.md"], found["beds/bed1.py"], found["api/garden.pb.go"]) == ("./", "beds/", "api/")


@pytest.mark.parametrize("view", ASKED)
def test_the_planner_puts_the_marts_in_place_of_the_function(
    view: str, reader: psycopg.Connection[TupleRow], ask: Ask
) -> None:
    found = steps(plan(reader, f"select * from analytics.{view} where {ASKED[view]} limit 10"))
    filtered = str([step.get("Filter", "") + step.get("Index Cond", "") for step in found if "Relation Name" in step])

    assert {step["Node Type"] for step in found} & {"Function Scan", "ProjectSet"} == set()
    assert {step["Schema"] for step in found if "Schema" in step} == {"analytics"}
    for column in ("commit_day", "contributor_name", "period_start", "path", "host", "contributor_kind", "commit_rank"):
        assert column in filtered or column not in ASKED[view].replace("month_start", "period_start")
    assert ask(f"select count(*) from analytics.{view}").rows[0][0] > 0


@pytest.mark.parametrize("view", ["bi_commits", "bi_file_changes"])
def test_a_condition_on_the_day_uses_the_index(view: str, reader: psycopg.Connection[TupleRow], ask: Ask) -> None:
    """As soon as a table is so large that an index pays, which the sample's are not."""
    [(garden,)] = ask("select repository_id from analytics.bi_repositories where repository_name = 'garden'").rows
    with reader.transaction():
        reader.execute("set local enable_seqscan = off")
        found = steps(
            plan(
                reader,
                f"select count(*) from analytics.{view} where repository_id = {garden} and commit_day = '2023-01-02'",
            )
        )

    [commits] = [step for step in found if step.get("Relation Name") == "fct_commits"]
    assert "commit_day" in commits["Index Cond"]
    assert str(garden) in commits["Index Cond"]


def test_what_is_not_asked_for_is_not_read(reader: psycopg.Connection[TupleRow]) -> None:
    found = steps(plan(reader, "select commit_day, sum(lines_added) from analytics.bi_commits group by 1"))

    assert {step["Relation Name"] for step in found if "Relation Name" in step} == {"fct_commits"}


def test_a_reader_may_read_views_and_not_replace_them(reader: psycopg.Connection[TupleRow]) -> None:
    with pytest.raises(psycopg.errors.InsufficientPrivilege):
        reader.execute("create or replace view analytics.bi_commits as select 1 as a")
    with pytest.raises(psycopg.errors.InsufficientPrivilege):
        reader.execute("drop function analytics.bi_commits() cascade")
    with pytest.raises(psycopg.errors.Error):
        reader.execute("insert into analytics.bi_releases (tag_name) values ('v9')")
