"""The pages of people, comparisons, runs and dbt's documentation, compared with SQL on the marts."""

from __future__ import annotations

import gzip

import httpx
import pytest
from playwright.sync_api import Browser
from tests.browser.conftest import Visit, picture
from tests.browser.reading import figure, number, rows
from tests.conftest import Warehouse

pytestmark = [pytest.mark.slow, pytest.mark.xdist_group("sample")]


def test_people_are_those_of_the_mart(visit: Visit, ids: dict[str, int], sample_warehouse: Warehouse) -> None:
    page = visit("/contributors")
    expected = sample_warehouse.query(
        "select contributor_name, commits, lines_added from analytics.contributor_summary where commits > 0"
    )
    shown = [
        (name, number(cells[1]), number(cells[4]))
        for name, cells in zip(
            page.locator("table.cards tbody th a").all_text_contents(), rows(page, "table.cards"), strict=True
        )
    ]
    assert sorted(shown) == sorted(expected)
    assert [commits for _, commits, _ in shown] == sorted((commits for _, commits, _ in shown), reverse=True)

    page.get_by_label("Name or address of mail contains").fill("tools.example")
    page.get_by_role("button", name="Show").click()
    page.wait_for_url("**q=tools.example**")
    assert sorted(page.locator("table.cards tbody th a").all_text_contents()) == ["Dee Waterer", "Eve Weeder"]

    of_shed = visit(f"/contributors?repository={ids['shed']}")
    assert of_shed.locator("h1").text_content() == "People of shed"
    assert sorted(of_shed.locator("table.cards tbody th a").all_text_contents()) == [
        "Dee Waterer", "Eve Weeder", "Flo Pruner",
    ]  # fmt: skip


def test_a_person_is_what_the_mart_says(visit: Visit, ada: int, sample_warehouse: Warehouse) -> None:
    page = visit(f"/contributors/{ada}?granularity=month")
    [(commits, days, added)] = sample_warehouse.query(
        "select commits, active_days, lines_added from analytics.contributor_summary where contributor_id = %s", ada
    )
    assert number(figure(page, "Commits")) == commits
    assert number(figure(page, "Active days")) == days
    assert number(figure(page, "Lines").lstrip("+")) == added
    assert sum(number(count) for _, count in rows(page, "#commits-table")) == commits
    assert [(cells[0], number(cells[1])) for cells in rows(page, "[aria-labelledby=where-title]")] == [
        ("garden", commits)
    ]


def test_where_a_person_worked_is_there_as_csv(visit: Visit, sample_warehouse: Warehouse) -> None:
    [(dee,)] = sample_warehouse.query(
        "select contributor_id from analytics.dim_contributor where contributor_name = 'Dee Waterer'"
    )
    page = visit(f"/contributors/{dee}?merges=false")
    shown = [(cells[0], cells[1], cells[2], cells[3]) for cells in rows(page, "[aria-labelledby=where-title]")]
    assert sorted(shown) == sorted(
        sample_warehouse.query(
            "select repository_name, count(*)::text, count(distinct commit_day)::text, max(commit_day)::text"
            " from analytics.fct_commits join analytics.dim_repository using (repository_id)"
            " where contributor_id = %s and in_default_branch and not is_merge group by 1",
            dee,
        )
    )
    assert len(shown) == 2
    csv = page.request.get(page.get_by_role("link", name="CSV of repositories").get_attribute("href") or "").text()
    header, *lines = [line.split(",") for line in csv.splitlines()]
    columns = [header.index(name) for name in ("repository_name", "commits", "active_days", "last_day")]
    assert [tuple(line[at] for at in columns) for line in lines] == shown


def test_organisations_are_those_of_sql(visit: Visit, ids: dict[str, int], sample_warehouse: Warehouse) -> None:
    page = visit(f"/contributors?repository={ids['garden']}&bots=false")
    expected = sample_warehouse.query(
        "select coalesce(split_part(email, '@', 2), ''), count(*)::text,"
        " round(100 * count(*) / sum(count(*)) over ()) || '%%', count(distinct contributor_id)::text"
        " from analytics.fct_commits join analytics.dim_contributor using (contributor_id)"
        " where repository_id = %s and in_default_branch and contributor_kind = 'human' group by 1",
        ids["garden"],
    )
    assert sorted(tuple(cells) for cells in rows(page, "#organizations-table")) == sorted(expected)
    assert page.request.get(page.get_by_role("link", name="CSV of organisations").get_attribute("href") or "").ok


def test_people_of_one_name_are_told_apart(visit: Visit, ada: int, sample_warehouse: Warehouse) -> None:
    sample_warehouse.query(
        "update analytics.dim_contributor set contributor_name = 'Bo Planter' where contributor_id = %s", ada
    )
    try:
        page = visit("/contributors?merges=false&bots=false")
    finally:
        sample_warehouse.query(
            "update analytics.dim_contributor set contributor_name = 'Ada Gardener' where contributor_id = %s", ada
        )
    told = [cells[0] for cells in rows(page, "table.cards") if "same name as another one here" in cells[0]]
    assert told == ["Bo Planter same name as another one here"] * 2


def test_a_repository_that_was_not_read_of_late_is_shaded_in_a_comparison(
    visit: Visit, ids: dict[str, int], sample_warehouse: Warehouse
) -> None:
    change = "update analytics.dim_repository set last_processed_at = %s where repository_id = %s"
    [(read,)] = sample_warehouse.query(
        "select last_processed_at from analytics.dim_repository where repository_id = %s", ids["shed"]
    )
    sample_warehouse.query(change, "2023-12-05T12:00:00Z", ids["shed"])
    try:
        page = visit(f"/compare?repository={ids['garden']}&repository={ids['shed']}&granularity=month&until=2024-03-31")
    finally:
        sample_warehouse.query(change, read, ids["shed"])
    assert page.locator(f"[data-plot=commits-{ids['garden']}] .partial").count() == 0
    assert page.locator(f"[data-plot=commits-{ids['shed']}] .partial").count() == 4  # December to March
    assert "It is known up to 2023-12-05 alone: what is shaded after that may lack commits" in (
        page.locator("main").text_content() or ""
    )
    measures = {cells[0]: cells[1:] for cells in rows(page, "#measures")}
    assert measures["Last read"][1] == "2023-12-05"
    assert "an older one had more time" in (page.locator("#measures .says").text_content() or "")


def test_comparison_is_what_the_marts_say(visit: Visit, ids: dict[str, int], sample_warehouse: Warehouse) -> None:
    page = visit("/compare")
    for name in ("garden", "shed"):
        page.locator("#add").select_option(str(ids[name]))
        page.get_by_role("button", name="Add").click()
        page.wait_for_url(f"**repository={ids[name]}")
    expected = {
        str(name): (number_, people, factor)
        for name, number_, people, factor in sample_warehouse.query(
            "select repository_name, commits, contributors, absence_factor from analytics.repository_summary"
        )
    }
    measures = {cells[0]: cells[1:] for cells in rows(page, "#measures")}
    for at, name in enumerate(("garden", "shed")):
        commits, people, factor = expected[name]
        assert number(measures["Commits"][at]) == commits
        assert number(measures["People"][at]) == people
        assert measures["Half of the commits by so many people, of all"][at] == f"{factor} of {people}"
    # One scale: the same axis, and columns that are as high as their numbers.
    axes = page.locator(".plot .y-axis").all_text_contents()
    assert len(axes) == 2
    assert axes[0].split() == axes[1].split()
    page.get_by_role("link", name="Take garden out").click()
    page.wait_for_url(f"**/compare?repository={ids['shed']}")


def test_runs_are_those_of_dbt_meta(visit: Visit, sample_warehouse: Warehouse) -> None:
    page = visit("/runs")
    [(run, built, passed)] = sample_warehouse.query(
        "select id, succeeded, passed from dbt_meta.runs where target_schema = 'analytics' and outcome = 'Succeeded'"
    )
    [cells] = rows(page, "[aria-labelledby=runs-title]")
    assert (cells[1], number(cells[3]), number(cells[4]), cells[5]) == ("Succeeded", built, passed, "0")
    slowest = sample_warehouse.query(
        "select name from dbt_meta.slowest_models order by median_seconds desc, name limit 10"
    )
    assert [row[0] for row in rows(page, "[aria-labelledby=slow-title]")] == [name for (name,) in slowest]
    sources = sample_warehouse.query("select source from dbt_meta.source_freshness order by 1")
    assert [row[0] for row in rows(page, "[aria-labelledby=fresh-title]")] == [source for (source,) in sources]

    page.locator("[aria-labelledby=runs-title] tbody a").click()
    page.wait_for_url(f"**/runs/{run}")
    nodes = sample_warehouse.query(
        "select name from dbt_meta.node_runs where run_id = %s order by seconds desc, unique_id limit 10", run
    )
    assert [row[0] for row in rows(page, "[aria-labelledby=slow-title]")] == [name for (name,) in nodes]
    assert page.get_by_text("No failure, no error, no warning.").is_visible()


def test_a_build_that_runs_or_fails_is_shown_without_reloading(visit: Visit, sample_warehouse: Warehouse) -> None:
    page = visit("/")
    live = page.locator("[data-live]")
    live.get_by_text("The last build went well").wait_for()
    [(run,)] = sample_warehouse.query(
        "insert into dbt_meta.runs (target_schema, started_at, gitmart_version, full_refresh, selected, excluded, threads)"
        " values ('analytics', now(), '0', false, '{}', '{}', 4) returning id"
    )
    try:
        live.get_by_text("A build runs since").wait_for()
        sample_warehouse.query(
            "update dbt_meta.runs set outcome = 'DataFailed', finished_at = now(), message = '1 test failed: <b>'"
            " where id = %s",
            run,
        )
        sample_warehouse.query(
            "insert into dbt_meta.node_runs (run_id, unique_id, name, resource_type, status, seconds, failures, message)"
            " values (%s, 'test.gitmart.one', 'one', 'test', 'fail', 0.5, 2, 'Got 2 results <img src=x>')",
            run,
        )
        live.get_by_role("link", name="The last build ended as DataFailed").click()
        page.wait_for_url(f"**/runs/{run}")
        [cells] = rows(page, "[aria-labelledby=failures-title]")
        assert cells == ["one test", "fail", "2", "Got 2 results <img src=x>"]
        assert "a model or a test of severity error failed" in (page.locator(".head").text_content() or "")
        picture(page, "run-failed")
    finally:
        sample_warehouse.query("delete from dbt_meta.runs where id = %s", run)


def test_dbts_documentation_is_the_page_of_the_last_good_run(address: str, sample_warehouse: Warehouse) -> None:
    [(kept,)] = sample_warehouse.query("select gzip from dbt_meta.docs where target_schema = 'analytics'")
    assert isinstance(kept, bytes)
    with httpx.Client(base_url=address, timeout=30) as client:
        with client.stream("GET", "/docs/dbt", headers={"Accept-Encoding": "gzip"}) as answer:
            assert answer.headers["content-encoding"] == "gzip"
            assert b"".join(answer.iter_raw()) == kept
        policy = answer.headers["content-security-policy"]
        assert "sandbox allow-scripts" in policy
        assert "connect-src" not in policy  # default-src 'none'
        again = client.get("/docs/dbt", headers={"If-None-Match": answer.headers["etag"]})
        assert (again.status_code, again.content) == (304, b"")
        plain = client.get("/docs/dbt", headers={"Accept-Encoding": "identity"})
        assert plain.content == gzip.decompress(kept)
        assert plain.headers["etag"] != answer.headers["etag"]


def test_dbts_documentation_works_although_it_may_ask_nobody(address: str, browser: Browser) -> None:
    context = browser.new_context(base_url=address)
    asked: list[str] = []
    said: list[str] = []
    page = context.new_page()
    page.on("requestfinished", lambda request: asked.append(request.url))
    page.on("console", lambda message: said.append(message.text))
    page.goto("/docs/dbt#!/model/model.gitmart.fct_commits")
    page.get_by_role("heading", name="fct_commits").first.wait_for()
    picture(page, "dbt-docs")
    assert {url.split("#")[0] for url in asked if not url.startswith(("data:", "blob:"))} == {f"{address}/docs/dbt"}
    assert said == []
    # The pictures of the menu, whose addresses the page's own script fills in, are drawn.
    widths = page.locator("use[href^='#icn-doc']").evaluate_all("all => all.map(use => use.getBBox().width)")
    assert sum(width > 0 for width in widths) >= 10
    context.close()


def test_without_a_good_run_there_is_no_documentation_and_that_is_told(
    visit: Visit, sample_warehouse: Warehouse
) -> None:
    sample_warehouse.query("update dbt_meta.docs set target_schema = 'elsewhere'")
    try:
        page = visit("/docs/dbt")
        assert page.locator("h1").text_content() == "There is no documentation yet"
        picture(page, "no-docs")
    finally:
        sample_warehouse.query("update dbt_meta.docs set target_schema = 'analytics'")
