"""The dashboards for Grafana: their form, every query on the sample warehouse, and figures that equal the marts'."""

from __future__ import annotations

import re
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from itertools import pairwise, product
from typing import Any, cast

import psycopg
import pytest
from psycopg.rows import TupleRow
from tests.integration.bi.conftest import Answer, Ask, answer
from tests.integration.bi.grafana import ALL, MACRO, VARIABLE, Dashboard, dashboards

pytestmark = [pytest.mark.slow, pytest.mark.xdist_group("sample")]

DASHBOARDS = dashboards()
CONTRIBUTIONS, RUNS = DASHBOARDS["gitmart-contributions"], DASHBOARDS["gitmart-runs"]
PANELS = [
    pytest.param(board, title, id=f"{name}: {title}") for name, board in DASHBOARDS.items() for title in board.panels
]
BEGIN, END = datetime(2022, 1, 1, tzinfo=UTC), datetime(2024, 6, 30, tzinfo=UTC)  # of the sample's commits, but one
WITHOUT_ROWS = {
    "Flaky tests",
    "What went wrong",
    "Files that change together",
}  # as long as all repositories are chosen
COLUMNS_TO_COUNT = {"int8", "int4", "numeric", "float8"}


def numbers(board: Dashboard, title: str, ask: Ask, **chosen: str) -> Answer:
    """Return what a panel shows of the sample's years."""
    return ask(board.sql(title, BEGIN, END, {"schema": "analytics"} | chosen))


@pytest.fixture
def garden(ask: Ask) -> str:
    """The repository with most in it."""
    return str(dict(numbers(CONTRIBUTIONS, "$repository", ask).rows)["garden"])


@pytest.mark.parametrize("board", DASHBOARDS.values(), ids=DASHBOARDS)
class TestForm:
    """What Grafana needs of a file, and does not complain of until somebody looks."""

    def test_it_is_known_by_its_uid(self, board: Dashboard) -> None:
        assert board.content["uid"] == board.file.stem
        assert len(board.content["uid"]) <= 40
        assert board.content["id"] is None
        assert board.content["schemaVersion"] == 39
        assert board.content["timezone"] == "utc"  # days of the marts are

    def test_panels_have_ids_and_places_of_their_own(self, board: Dashboard) -> None:
        panels = board.content["panels"]
        places = [panel["gridPos"] for panel in panels]
        cells = [
            (x, y)
            for place in places
            for x, y in product(range(place["x"], place["x"] + place["w"]), range(place["y"], place["y"] + place["h"]))
        ]

        assert [panel["id"] for panel in panels] == list(range(1, len(panels) + 1))
        assert len(board.panels) == len(panels)
        assert len(set(cells)) == len(cells)
        assert max(x for x, _ in cells) < 24
        assert all(panel["description"] for panel in panels)

    def test_the_warehouse_is_a_variable(self, board: Dashboard) -> None:
        expected = {"type": "grafana-postgresql-datasource", "uid": "${datasource}"}
        asked = [
            *board.panels.values(),
            *(target for panel in board.panels.values() for target in panel["targets"]),
            *(variable for variable in board.variables.values() if variable["type"] == "query"),
        ]

        assert all(each["datasource"] == expected for each in asked)
        assert board.variables["datasource"]["query"] == expected["type"]
        assert next(iter(board.variables)) == "datasource"  # the others ask it

    def test_variables_are_there_and_used(self, board: Dashboard) -> None:
        found = {
            match[1] or match[2]
            for query in board.queries.values()
            for match in VARIABLE.finditer(MACRO.sub("", query))
        }

        assert found | {"datasource"} == set(board.variables)


@pytest.mark.parametrize(("board", "title"), PANELS)
def test_a_query_gives_what_its_panel_shows(board: Dashboard, title: str, ask: Ask) -> None:
    """Whatever is chosen. Names of columns are those that the panel has settings for."""
    panel = board.panels[title]
    now = datetime.now(UTC)
    since, until = (BEGIN, END) if board is CONTRIBUTIONS else (now - timedelta(days=1), now)
    repositories = [str(row[1]) for row in numbers(CONTRIBUTIONS, "$repository", ask).rows]

    for chosen in _choices(board, panel["targets"][0]["rawSql"], repositories):
        found = ask(board.sql(title, since, until, {"schema": "analytics"} | chosen))

        assert {override["matcher"]["options"] for override in panel["fieldConfig"]["overrides"]} <= set(found.columns)
        _is_of_its_kind(panel, found)
        if not chosen.get("repository", ALL).isdigit():
            assert bool(found.rows) == (title not in WITHOUT_ROWS), chosen


def _choices(board: Dashboard, query: str, repositories: list[str]) -> list[dict[str, str]]:
    offered = {
        name: [option["value"] for option in variable["options"]]
        if variable["type"] == "custom"
        else [ALL, *repositories]
        for name, variable in board.variables.items()
        if name not in ("datasource", "schema") and re.search(rf"\${name}\b", query)
    }
    return [dict(zip(offered, values, strict=True)) for values in product(*offered.values())]


def _is_of_its_kind(panel: dict[str, Any], found: Answer) -> None:
    kind = panel["type"]
    if kind == "timeseries":
        assert (found.columns[0], found.types[0]) == ("time", "timestamptz")
        assert set(found.types[1:]) <= COLUMNS_TO_COUNT
        assert all(earlier[0] < later[0] for earlier, later in pairwise(found.rows))
        assert panel["targets"][0]["format"] == "time_series"
        return
    assert panel["targets"][0]["format"] == "table"
    if kind == "barchart":
        assert (found.columns[0], found.types[0]) == (panel["options"]["xField"], "text")
        assert set(found.types[1:]) <= COLUMNS_TO_COUNT
    if kind == "stat":
        assert len(found.rows) == 1
        assert set(found.types) <= COLUMNS_TO_COUNT


def test_repositories_and_schemas_are_offered(ask: Ask) -> None:
    offered = numbers(CONTRIBUTIONS, "$repository", ask)

    assert offered.columns == ["__text", "__value"]
    assert offered.rows == ask("select repository_name, repository_id from analytics.dim_repository order by 1").rows
    assert len(offered.rows) == 4
    assert numbers(CONTRIBUTIONS, "$schema", ask).rows == numbers(RUNS, "$schema", ask).rows == [("analytics",)]


def test_repositories_of_one_name_are_told_apart(written: psycopg.Connection[TupleRow]) -> None:
    written.execute("update analytics.dim_repository set repository_name = 'same' where repository_name <> 'garden'")

    offered = answer(written, CONTRIBUTIONS.sql("$repository", BEGIN, END, {"schema": "analytics"}))

    urls = written.execute("select url from analytics.dim_repository where repository_name = 'same'").fetchall()
    assert {text for text, _ in offered.rows} == {"garden", *(url for (url,) in urls)}


def test_how_concentrated_is_what_the_summary_says(ask: Ask, garden: str) -> None:
    shown = numbers(CONTRIBUTIONS, "Who the work rests on", ask, repository=garden)

    [summary] = ask(
        "select contributors, commits, absence_factor, gini_coefficient from analytics.repository_summary"
        f" where repository_id = {garden}"
    ).rows
    [(share,)] = ask(
        f"select max(commit_share) from analytics.fct_repository_contributors where repository_id = {garden}"
    ).rows
    assert shown.rows[0][:4] == summary
    assert round(shown.rows[0][4], 6) == share


def test_periods_are_those_of_the_mart(ask: Ask, garden: str) -> None:
    mart = ask(
        "select period_start::timestamp at time zone 'UTC', commits, new_contributors, returning_contributors, lines_added,"
        " -lines_deleted from analytics.fct_repository_activity where granularity = 'month' and commits > 0"
        f" and repository_id = {garden} order by 1"
    ).rows
    shown = {
        title: numbers(CONTRIBUTIONS, title, ask, repository=garden).rows
        for title in ("Commits", "Contributors, new and returning", "Lines")
    }

    assert len(mart) > 20
    assert [(row[0], row[1] + row[2]) for row in shown["Commits"]] == [row[:2] for row in mart]
    assert shown["Contributors, new and returning"] == [(row[0], *row[2:4]) for row in mart]
    assert shown["Lines"] == [(row[0], *row[4:]) for row in mart]


def test_contributors_are_those_of_the_mart(ask: Ask, garden: str) -> None:
    shown = numbers(CONTRIBUTIONS, "Most active contributors", ask, repository=garden).as_dicts()

    mart = ask(
        "select contributor_name, commits, commit_share, active_days from analytics.fct_repository_contributors"
        f" where repository_id = {garden} and commits > 0 order by commits desc, contributor_name"
    ).rows
    keys = ("Contributor", "Commits", "Share", "Active days")
    for row in shown:
        row["Share"] = round(cast(Decimal, row["Share"]), 6)
    assert [tuple(row[key] for key in keys) for row in shown] == mart


def test_time_range_and_switches_choose_what_counts(ask: Ask, garden: str) -> None:
    chosen = {"schema": "analytics", "repository": garden, "merges": "false", "bots": "false", "granularity": "day"}
    since, until = datetime(2022, 3, 5, 18, tzinfo=UTC), datetime(2022, 9, 1, 6, tzinfo=UTC)

    shown = ask(CONTRIBUTIONS.sql("Commits", since, until, chosen)).rows

    [(expected,)] = ask(
        "select count(*) from analytics.fct_commits join analytics.dim_contributor using (contributor_id)"
        f" where repository_id = {garden} and in_default_branch and not is_merge and contributor_kind = 'human'"
        " and commit_day between '2022-03-05' and '2022-09-01'"
    ).rows
    assert 0 < sum(row[1] for row in shown) == expected < 120
    assert {row[2] for row in shown} == {0}


def test_hours_are_all_there_and_add_up(ask: Ask, garden: str) -> None:
    shown = numbers(CONTRIBUTIONS, "Hours of the day", ask, repository=garden).rows

    assert [hour for hour, _ in shown] == [f"{hour:02}" for hour in range(24)]
    assert (
        sum(commits for _, commits in shown)
        == ask(f"select commits from analytics.repository_summary where repository_id = {garden}").rows[0][0]
    )


def test_files_are_those_of_the_functions(ask: Ask, garden: str) -> None:
    """Within the time range, of the sample all but one commit."""
    files = numbers(CONTRIBUTIONS, "Files that change most", ask, repository=garden, bots="false").as_dicts()
    pairs = numbers(CONTRIBUTIONS, "Files that change together", ask, repository=garden).as_dicts()

    hotspots = ask(
        "select path, commits, contributors, recent_churn, last_day from analytics.file_hotspots("
        f"repository => {garden}, bots => false, until => '2024-06-30')"
    ).rows
    assert {row["Repository"] for row in files} == {"garden"}
    keys = ("File", "Commits", "Contributors", "Recent churn", "Last day")
    assert sorted(tuple(row[key] for key in keys) for row in files) == sorted(hotspots)
    assert [row["Commits"] for row in files] == sorted((row["Commits"] for row in files), reverse=True)
    assert [tuple(row.values()) for row in pairs] == [("README.md", "api/garden.pb.go", 12, Decimal(1))]


def test_coupled_files_of_all_repositories_are_not_looked_for(ask: Ask) -> None:
    query = CONTRIBUTIONS.sql("Files that change together", BEGIN, END, {"schema": "analytics"})

    plan = "\n".join(row[0] for row in ask(f"explain (analyze, costs off, timing off) {query}").rows)

    assert "One-Time Filter: false" in plan
    assert "Function Scan" not in plan


def test_what_went_wrong_is_shown(written: psycopg.Connection[TupleRow]) -> None:
    """A test that failed once between two good runs, and a run that ended badly."""
    now = datetime.now(UTC)
    for number, (outcome, status) in enumerate((("Succeeded", "pass"), ("DataFailed", "fail"), ("Succeeded", "pass"))):
        begin = now - timedelta(hours=9 - number)
        [(run,)] = written.execute(
            "insert into dbt_meta.runs (target_schema, started_at, finished_at, outcome, gitmart_version, full_refresh,"
            " selected, excluded, threads, elapsed_seconds) values ('analytics', %s, %s, %s, '1', false, '{}', '{}', 4, 60)"
            " returning id",
            [begin, begin + timedelta(minutes=1), outcome],
        ).fetchall()
        written.execute(
            "insert into dbt_meta.node_runs (run_id, unique_id, name, resource_type, status, seconds, failures, message)"
            " values (%s, 'test.gitmart.t', 'looks_well', 'test', %s, 1, 2, 'Got 2 results')",
            [run, status],
        )
    written.execute("set local role gitmart_read")

    def shown(title: str) -> list[dict[str, object]]:
        return answer(
            written, RUNS.sql(title, now - timedelta(days=1), now, {"schema": "analytics"})
        ).as_dicts()  # fmt: skip

    assert [(row["Test"], row["Failures"], row["Changes"]) for row in shown("Flaky tests")] == [("looks_well", 1, 2)]
    [wrong] = shown("What went wrong")
    assert (wrong["Node"], wrong["Status"], wrong["Rows"], wrong["Message"]) == (
        "looks_well",
        "fail",
        2,
        "Got 2 results",
    )
    assert shown("Runs that did not end well") == [{"failed": 1}]
    assert [row["Outcome"] for row in shown("Runs of dbt")].count("DataFailed") == 1
    earlier = RUNS.sql("Runs of dbt", now - timedelta(days=9), now - timedelta(days=2), {"schema": "analytics"})
    assert answer(written, earlier).rows == []
