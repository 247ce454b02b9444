"""The first page, compared with the marts."""

from __future__ import annotations

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


def test_activity_of_the_last_thirteen_months_is_drawn(visit: Visit, sample_warehouse: Warehouse) -> None:
    page = visit("/?sort=name")

    [(months, most)] = sample_warehouse.query(
        "select count(*), coalesce(max(commits), 0) from analytics.fct_repository_activity as activity"
        " join analytics.repository_summary using (repository_id)"
        " where granularity = 'month' and repository_name = 'garden'"
        " and period_start >= date_trunc('month', summarized_on) - interval '12 months'"
    )
    line = page.locator("table.overview tbody tr", has_text="garden").locator(".sparkline")
    assert line.locator("rect").count() == months
    assert f"{most} in the month with most" in (line.get_attribute("aria-label") or "")


def test_the_list_is_searched_and_sorted_by_its_address(visit: Visit) -> None:
    page = visit("/")
    page.get_by_label("Name or address contains").fill("ARD")
    page.get_by_label("Sort by").select_option("Name")
    page.keyboard.press("Tab")
    page.keyboard.press("Enter")
    page.wait_for_url("**/?q=ARD&sort=name")

    assert page.locator("table.overview tbody th a").all_text_contents() == ["garden"]
    page.get_by_role("link", name="All commits").click()
    page.wait_for_url("**sort=commits**")
    assert page.get_by_role("columnheader", name="All commits").get_attribute("aria-sort") == "descending"


def test_a_hostile_name_is_a_name(visit: Visit, ids: dict[str, int]) -> None:
    shown = HOSTILE.replace("/", "∕")
    page = visit("/")
    page.get_by_role("link", name=shown).click()
    page.wait_for_url(f"**/repositories/{ids['hostile']}")
    assert page.locator("h1").text_content() == shown
    assert page.title() == f"{shown} · gitmart"
    assert page.locator("main script").count() == 0
    assert page.locator("main i").count() == 0
