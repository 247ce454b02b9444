"""The first page, compared with the marts."""

from __future__ import annotations

import re

import pytest
from tests.browser.conftest import Visit
from tests.browser.reading import figure, number, rows
from tests.conftest import Warehouse
from tests.sample_warehouse import HOSTILE

pytestmark = [pytest.mark.slow, pytest.mark.xdist_group("sample")]


def test_the_list_is_what_the_mart_says(visit: Visit, sample_warehouse: Warehouse) -> None:
    page = visit("/?sort=commits")

    expected = sample_warehouse.query(
        "select repository_name, commits, commits_last_90_days, absence_factor, contributors"
        " from analytics.repository_summary order by commits desc"
    )
    shown = rows(page, "table.overview")
    assert len(shown) == len(expected) == 4
    for cells, (name, commits, recent, factor, people) in zip(shown, expected, strict=True):
        assert cells[0].startswith(str(name))
        assert number(cells[5]) == commits
        assert number(cells[4].split()[0]) == recent
        assert cells[6].startswith("–" if factor is None else f"{factor} of {people} ")
    assert number(figure(page, "Repositories")) == 4
    assert number(figure(page, "Commits")) == sum(int(str(row[1])) for row in expected)
    [(everybody,)] = sample_warehouse.query("select count(*) from analytics.contributor_summary where commits > 0")
    assert number(figure(page, "People")) == everybody


def test_activity_of_the_last_thirteen_months_and_the_trend_are_drawn(
    visit: Visit, sample_warehouse: Warehouse
) -> None:
    """The sample lies in the past, so for this test the marts say that they were built then."""
    [(built,)] = sample_warehouse.query("select max(summarized_on) from analytics.repository_summary")
    sample_warehouse.query("update analytics.repository_summary set summarized_on = '2023-12-20'")
    try:
        page = visit("/?q=garden&sort=name")
    finally:
        sample_warehouse.query("update analytics.repository_summary set summarized_on = %s", built)

    commits = "from analytics.fct_commits join analytics.dim_repository using (repository_id)"
    commits += " where repository_name = 'garden' and in_default_branch and commit_day"
    months = sample_warehouse.query(
        f"select count(*) {commits} between '2022-12-01' and '2023-12-20' group by date_trunc('month', commit_day)"
    )
    counts = [int(str(count)) for (count,) in months]
    line = page.locator("table.overview tbody tr .sparkline")
    assert line.locator("rect.s0").count() == len(counts) == 13
    assert line.locator("rect.partial").count() == 1  # December, on the 20th
    assert rows(page, "table.overview")[0][3] == f"at most {max(counts)}"
    assert (
        line.get_attribute("aria-label") == f"{sum(counts)} commits in 13 months, {max(counts)} in the month with most"
    )
    [(before,)] = sample_warehouse.query(
        f"select count(*) {commits} between date '2023-12-20' - 179 and date '2023-12-20' - 90"
    )
    # The figure of the last 90 days is built, and so of the build's own day: 0.
    assert rows(page, "table.overview")[0][4] == f"0 ▼ down from {before} in the 90 before"


def test_a_bot_that_is_the_most_active_one_is_called_a_bot(visit: Visit, sample_warehouse: Warehouse) -> None:
    change = (
        "update analytics.fct_repository_contributors as c set contributor_kind = %s from analytics.dim_repository as r"
        " where r.repository_id = c.repository_id and repository_name = 'shed' and commit_rank = 1"
    )
    sample_warehouse.query(change, "bot")
    try:
        page = visit("/?q=SHED&sort=checked")
    finally:
        sample_warehouse.query(change, "human")
    [cells] = rows(page, "table.overview")
    assert "the most active one, a bot, made" in cells[6]
    [cells] = rows(visit("/?q=shed&sort=checked"), "table.overview")
    assert "the most active one made" in cells[6]


def test_what_was_not_read_is_not_told_as_a_fall(visit: Visit, sample_warehouse: Warehouse) -> None:
    kept = sample_warehouse.query(
        "select repository_id, summarized_on, last_processed_at, state from analytics.repository_summary"
    )
    recent = dict(
        sample_warehouse.query("select repository_name, commits_last_90_days from analytics.repository_summary")
    )
    sample_warehouse.query(
        "update analytics.repository_summary set summarized_on = '2023-12-20',"
        " state = case when repository_name = 'empty' then 'pending' else state end,"
        " last_processed_at = case repository_name when 'garden' then timestamptz '2023-10-01 12:00+00'"
        " when 'empty' then null when 'shed' then '2023-12-19 12:00+00' else '2023-09-21 12:00+00' end"
    )
    try:
        page = visit("/?sort=name&reverse=true")
    finally:
        for key, built, read, state in kept:
            sample_warehouse.query(
                "update analytics.repository_summary set summarized_on = %s, last_processed_at = %s, state = %s"
                " where repository_id = %s",
                built, read, state, key,
            )  # fmt: skip

    shown = {cells[0].split()[0]: cells for cells in rows(page, "table.overview")}
    assert shown["garden"][4] == f"{recent['garden']} known up to 2023-10-01 alone"
    assert shown["<script>alert(1)<∕script>"][4] == "– known up to 2023-09-21 alone"
    assert "▼ down from" in shown["shed"][4]  # read the day before the build
    assert (shown["empty"][2:6]) == ["not known", "–", "–", "–"]
    lines = page.locator("table.overview tbody tr .sparkline")
    unknown = sorted(
        (line.locator(".partial").count(), "known after 2023-10-01" in (line.get_attribute("aria-label") or ""))
        for line in lines.all()
    )
    assert unknown == [(1, False), (3, True), (4, False)]  # December; from October on; from September on


def test_the_list_is_searched_and_sorted_by_its_address(visit: Visit) -> None:
    page = visit("/")
    page.get_by_label("Name or address contains").fill("ARD")
    page.get_by_label("Sort by").select_option("Name")
    page.get_by_label("Sort by").focus()
    page.keyboard.press("Tab")
    page.keyboard.press("Enter")
    page.wait_for_url(re.compile(r"/\?q=ARD&sort=name$"))

    assert page.locator("table.overview tbody th a").all_text_contents() == ["garden"]
    page.get_by_role("link", name="All commits", exact=True).click()
    page.wait_for_url("**sort=commits**")
    assert page.get_by_role("columnheader", name="All commits", exact=True).get_attribute("aria-sort") == "descending"


def test_a_hostile_name_is_a_name(visit: Visit, ids: dict[str, int]) -> None:
    shown = HOSTILE.replace("/", "∕")
    page = visit("/")
    page.get_by_role("link", name=shown).click()
    page.wait_for_url(f"**/repositories/{ids['hostile']}")
    assert page.locator("h1").text_content() == shown
    assert page.title() == f"{shown} · gitmart"
    assert page.locator("main script").count() == 0
    assert page.locator("main i").count() == 0
