"""Each table over HTTP, compared with what SQL says of the marts, commit by commit where that can be."""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

import httpx
import psycopg
import pytest
from psycopg.rows import dict_row
from tests.conftest import Warehouse

pytestmark = [pytest.mark.slow, pytest.mark.xdist_group("sample")]


def sql(warehouse: Warehouse, query: str) -> list[dict[str, Any]]:
    """Return rows as JSON has them: PostgreSQL itself writes them."""
    with psycopg.connect(warehouse.url("gitmart_read"), row_factory=dict_row, options="-c timezone=UTC") as connection:
        rows = connection.execute(f"select to_jsonb(told) as row from ({query}) as told".encode()).fetchall()
        return [row["row"] for row in rows]


@dataclass(frozen=True)
class Case:
    """A request, and the query whose rows it answers with, in their order; {garden} and {Ada} stand for ids."""

    path: str
    query: str
    parameters: dict[str, Any] = field(default_factory=dict)

    def __str__(self) -> str:
        return "&".join([self.path, *map(str, self.parameters.values())])


INSTANT = re.compile(r"\d{4}-\d\d-\d\dT")
# Commits with their people, one by one: what switches choose is counted from these.
COMMITS = (
    "analytics.fct_commits as c join analytics.dim_contributor as p using (contributor_id)"
    " join analytics.dim_repository as r using (repository_id)"
)
CASES = (
    Case(
        "repositories",
        "select repository_id, url, commits, absence_factor, gini_coefficient, last_commit_at, summarized_on"
        " from analytics.repository_summary order by repository_name",
    ),
    Case(
        "repositories",
        "select repository_name from analytics.repository_summary where url ilike '%%e%%'"
        " order by last_commit_at desc nulls last, repository_id",
        {"search": "E", "sort": "last_commit_at"},
    ),
    Case(
        "repositories",
        "select repository_name from analytics.repository_summary order by commits, repository_id",
        {"sort": "commits", "order": "asc"},
    ),
    Case(
        "repository/{garden}/leaderboard",
        "select contributor_id, contributor_name, commit_rank, commits, commit_share, first_commit_at"
        " from analytics.fct_repository_contributors where repository_id = {garden} order by commit_rank",
    ),
    Case(
        "contributors",
        f"select contributor_id, contributor_name, contributor_kind, count(*) as commits,"
        " count(*) filter (where is_merge) as merge_commits, sum(c.lines_added) as lines_added,"
        " count(distinct commit_day) as active_days, min(commit_day) as first_day,"
        " round(count(*) / sum(count(*)) over (), 6) as commit_share"
        f" from {COMMITS} where in_default_branch group by 1, 2, 3 order by commits desc, contributor_id",
    ),
    Case(
        "contributors",
        f"select contributor_name, count(*) as commits, sum(source_lines_added) as lines_added"
        f" from {COMMITS} where repository_id = {{garden}} and not is_merge and contributor_kind = 'human'"
        " and email ilike '%%tools.ex%%' and commit_day between '2022-06-01' and '2023-06-30'"
        " group by contributor_id, 1 order by 1, contributor_id",
        {
            "repository": "{garden}", "merges": "false", "bots": "false", "classes": "source", "search": "TOOLS.ex",
            "since": "2022-06-01", "until": "2023-06-30", "sort": "name", "refs": "all",
        },
    ),
    Case(
        "contributor/{Ada}/repositories",
        "select repository_id, repository_name, count(*) as commits, count(distinct commit_day) as active_days,"
        " sum(c.lines_added) as lines_added, max(commit_day) as last_day"
        f" from {COMMITS} where contributor_id = {{Ada}} and not is_merge and commit_day >= '2022-06-01'"
        " group by 1, 2 order by commits desc",
        {"merges": "false", "refs": "all", "since": "2022-06-01"},
    ),
    Case(
        "committers",
        "select committer_id as contributor_id, count(*) as commits, count(*) as commits_of_others,"
        " max(committed_day) as last_day from analytics.fct_commits where in_default_branch group by 1",
    ),
    Case(
        "engagement",
        "select contributor_id, count(*) as commits, date '2023-12-31' - max(commit_day) as days_since_last,"
        " case when date '2023-12-31' - max(commit_day) > 60 then 'away'"
        " when date '2023-12-31' - max(commit_day) > 20 then 'drifting' else 'active' end as engagement,"
        " count(*) < 20 as is_occasional"
        f" from {COMMITS} where in_default_branch and repository_id = {{garden}}"
        " group by 1 order by 2 desc, 1",
        {
            "repository": "{garden}", "until": "2023-12-31", "drifting_days": 20, "away_days": 60,
            "occasional_commits": 20, "occasional_gap_days": 36525,
        },
    ),
    Case(
        "engagement",
        "select contributor_id from analytics.dim_contributor where contributor_id = {Ada}",
        {"contributor": "{Ada}"},
    ),
    Case(
        "levels",
        "select level, n as at_least_commits, (select count(*) from analytics.contributor_summary where commits >= n)"
        " as contributors from unnest(array[1, 10, 20]) with ordinality as levels (n, level) order by 1",
        {"levels": ["1", "10", "20"]},
    ),
    Case(
        "flow",
        "select * from analytics.contributor_flow('quarter', repository => {garden}, bots => false)",
        {"granularity": "quarter", "repository": "{garden}", "bots": "false"},
    ),
    Case(
        "organizations",
        "select coalesce(split_part(email, '@', 2), '') as organization, count(distinct contributor_id) as"
        f" contributors, count(*) as commits from {COMMITS} where in_default_branch and repository_id = {{shed}}"
        " group by 1 order by commits desc, 1",
        {"repository": "{shed}"},
    ),
    Case(
        "trends",
        "select date_trunc('month', commit_day)::date as period_start, count(*) as commits,"
        " count(distinct contributor_id) as contributors, sum(c.lines_deleted) as lines_deleted,"
        f" count(distinct commit_day) as active_days from {COMMITS} where in_default_branch group by 1 order by 1",
    ),
    Case(
        "trends",
        "select date_trunc('week', committed_day)::date as period_start, count(*) as commits,"
        f" sum(tests_lines_added) as lines_added from {COMMITS} where repository_id = {{garden}}"
        " and contributor_id = {Ada} group by 1 order by 1",
        {
            "granularity": "week", "repository": "{garden}", "contributor": "{Ada}", "dates": "committed",
            "refs": "all", "classes": "tests", "metric": ["lines_added", "commits"], "count_once": "never",
        },
    ),
    Case(
        "hours",
        "select author_local_weekday as weekday, author_local_hour as hour_of_day, count(*) as commits,"
        " author_local_weekday > 5 or author_local_hour not between 8 and 15 as is_outside_work_hours"
        f" from {COMMITS} where in_default_branch and repository_id = {{garden}} and contributor_id = {{Ada}}"
        " group by 1, 2 order by 1, 2",
        {"repository": "{garden}", "contributor": "{Ada}", "from_hour": 8, "to_hour": 16},
    ),
    Case(
        "commits",
        "select repository_id, commit_hash, contributor_id, contributor_name, activity_at as counted_at,"
        " commit_day as counted_on, is_merge, in_default_branch, c.lines_added, c.files_changed"
        f" from {COMMITS} where repository_id = {{garden}} and commit_day = '2022-05-01'"
        " order by activity_at desc, commit_hash",
        {"repository": "{garden}", "day": "2022-05-01", "refs": "all"},
    ),
    Case(
        "comparison",
        "select repository_id, repository_name, commits, contributors, lines_added"
        " from analytics.repository_summary where repository_name in ('garden', 'shed', 'empty')"
        " order by array_position(array['empty', 'shed', 'garden'], repository_name)",
        {"repository": ["{empty}", "{shed}", "{garden}", "{shed}"]},
    ),
    Case(
        "lorenz-curve",
        "select * from analytics.lorenz_curve(repository => {garden}, measure => 'lines', points => 5)",
        {"repository": "{garden}", "measure": "lines", "points": 5},
    ),
    Case(
        "releases",
        "select release_id, tag_name, release_type, released_on, days_since_previous from analytics.fct_releases"
        " where repository_id = {garden} and released_on <= '2023-06-30' order by released_on desc, release_id",
        {"repository": "{garden}", "until": "2023-06-30"},
    ),
    Case(
        "release-frequency",
        "select date_trunc('year', released_on)::date as period_start, count(*) as releases"
        " from analytics.fct_releases group by 1 order by 1",
        {"granularity": "year"},
    ),
    Case(
        "branches",
        "select branch_id, branch_name, is_default, is_merged, commit_hash, contributor_id, contributor_name,"
        " last_commit_at from analytics.dim_branch join analytics.dim_contributor"
        " using (contributor_id) order by last_commit_at desc nulls last, branch_id",
    ),
    Case("runs", "select id as run_id, outcome, started_at, nodes, passed from dbt_meta.runs order by id desc"),
    Case(
        "runs/1/nodes",
        "select unique_id, status, resource_type, rows_affected from dbt_meta.node_runs where run_id = 1"
        " and resource_type = 'model' order by seconds desc, unique_id",
        {"resource_type": "model"},
    ),
    Case(
        "extractions",
        "select repository_id, run_number, commits, new_commits, quarantined, started_at from dbt_meta.extractions"
        " order by finished_at desc, repository_id::text",
    ),
    Case(
        "hotspots",
        "select path, f.file_class, count(*) as commits, sum(coalesce(f.lines_added, 0)) as lines_added,"
        " count(distinct contributor_id) as contributors, max(commit_day) as last_day"
        f" from {COMMITS} join analytics.fct_file_changes as f using (repository_id, commit_id)"
        " where repository_id = {garden} and contributor_kind = 'human' and f.file_class <> 'generated'"
        " and commit_day >= '2022-03-01' group by 1, 2 order by lines_added desc, path",
        {
            "repository": "{garden}", "bots": "false", "refs": "all", "since": "2022-03-01", "sort": "lines_added",
            "classes": ["source", "tests", "documentation"],
        },
    ),
    Case(
        "hotspots",
        "select case path ~ '/' when true then split_part(path, '/', 1) || '/' else './' end as path,"
        " count(distinct commit_id) as commits, round(sum((coalesce(f.lines_added, 0) + coalesce(f.lines_deleted, 0))"
        " * power(0.5::float8, (date '2023-12-31' - commit_day) / 30.0)::float8)::numeric, 3) as recent_churn"
        f" from {COMMITS} join analytics.fct_file_changes as f using (repository_id, commit_id)"
        " where repository_id = {garden} and in_default_branch group by 1 order by 3 desc",
        {
            "repository": "{garden}", "until": "2023-12-31", "half_life_days": 30, "depth": 1, "sort": "recent_churn",
            "classes": ["source", "tests", "documentation", "configuration", "generated", "vendored", "excluded"],
        },
    ),
    Case(
        "coupling",
        "with changes as (select f.path, f.commit_id from analytics.fct_file_changes as f"
        " join analytics.fct_commits as c using (repository_id, commit_id)"
        " where f.repository_id = {garden} and in_default_branch and f.file_class = any(array['source', 'tests']))"
        " select a.path, b.path as other_path, count(*) as commits_together,"
        " (select count(*) from changes as c where c.path = a.path) as commits"
        " from changes as a join changes as b using (commit_id) where a.path < b.path group by 1, 2"
        " having count(*) >= 2 order by 3 desc, length(a.path) || ':' || a.path || b.path",
        {"repository": "{garden}", "classes": ["source", "tests"], "at_least_together": 2},
    ),
    Case("freshness", "select source, status, max_loaded_at, age_seconds from dbt_meta.source_freshness order by 1"),
)  # fmt: skip


@pytest.mark.parametrize("case", CASES, ids=str)
def test_a_table_is_what_sql_says(
    client: httpx.Client, sample_warehouse: Warehouse, ids: dict[str, int], case: Case
) -> None:
    def named(value: object) -> object:
        return [named(each) for each in value] if isinstance(value, list) else str(value).format_map(ids)

    parameters = {name: named(value) for name, value in case.parameters.items()}
    answer = client.get(f"/analytics/{case.path.format_map(ids)}", params=parameters)  # type: ignore[arg-type]
    expected = sql(sample_warehouse, case.query.format_map(ids).replace("%%", "%"))

    assert answer.status_code == 200, answer.text
    assert 0 < len(expected) <= 100
    columns = expected[0].keys()
    items = [{name: item.get(name, "missing") for name in columns} for item in answer.json()["items"]]
    assert same(items) == same(expected)


def test_quarantine_is_counted_and_its_bytes_are_not_told(
    client: httpx.Client, sample_warehouse: Warehouse, ids: dict[str, int]
) -> None:
    assert client.get("/analytics/quarantine").json()["items"] == []
    sample_warehouse.query(
        "insert into quarantine (repository_id, commit_hash, field, raw, reason, changed_run)"
        " select %s, commit, field, 'secret', 'because', 1"
        " from (values ('a', 'author_name'), ('b', 'author_name'), ('a', 'message')) as told (commit, field)",
        ids["shed"],
    )
    try:
        answer = client.get("/analytics/quarantine", params={"repository": ids["shed"]})
        assert answer.json()["items"] == [
            {"repository_id": ids["shed"], "field": "author_name", "reason": "because", "values": 2},
            {"repository_id": ids["shed"], "field": "message", "reason": "because", "values": 1},
        ]
        assert client.get("/analytics/quarantine", params={"repository": ids["garden"]}).json()["items"] == []
    finally:
        sample_warehouse.query("delete from quarantine")


def same(rows: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """Return rows with instants read, since they can be written in several ways."""
    return [
        {
            name: datetime.fromisoformat(value) if isinstance(value, str) and INSTANT.match(value) else value
            for name, value in row.items()
        }
        for row in rows
    ]
