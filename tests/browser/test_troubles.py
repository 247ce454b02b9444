"""What pages say when there is nothing to say it of."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from playwright.sync_api import Page
from tests.browser.conftest import picture
from tests.conftest import Warehouse
from tests.integration.api.serving import served

pytestmark = [pytest.mark.slow, pytest.mark.xdist_group("sample")]


def test_a_warehouse_that_is_down_is_told(open_page: Callable[..., Page]) -> None:
    with served("postgresql://gitmart_read@127.0.0.1:1/gitmart") as address:
        page = open_page(address, "/", 503)
        assert page.locator("h1").text_content() == "The warehouse does not answer"
        picture(page, "warehouse-down")


def test_marts_that_are_not_there_yet_are_told(open_page: Callable[..., Page], warehouse: Warehouse) -> None:
    with served(warehouse.url("gitmart_read")) as address:
        page = open_page(address, "/", 503)
        assert page.locator("h1").text_content() == "There are no marts yet"
        assert "gitmart transform" in page.locator("main code").all_text_contents()
        picture(page, "no-marts")


@pytest.mark.parametrize(
    ("path", "status", "says"),
    [
        pytest.param("/repositories/999999", 404, "there is no repository 999999", id="unknown"),
        pytest.param("/repositories/garden", 422, "repository", id="no-id"),
        pytest.param("/contributors/999999", 404, "there is no contributor 999999", id="nobody"),
        pytest.param("/runs/999999", 404, "there is no run 999999", id="no-run"),
        pytest.param("/nothing-of-ours", 404, "Not Found", id="no-page"),
        pytest.param("/repositories/1?since=yesterday", 422, "since is not a day: write YYYY-MM-DD", id="no-day"),
        pytest.param("/repositories/1?mergs=false", 422, "mergs", id="mistyped"),
        pytest.param("/?page=0", 422, "page", id="no-page-of-the-list"),
        pytest.param("/contributors?cursor=%3Cscript%3E", 422, "cursor", id="no-cursor"),
        pytest.param("/?q=a%00b", 422, "NUL", id="no-text"),
    ],
)
def test_what_cannot_be_shown_is_told_on_a_page(
    path: str, status: int, says: str, address: str, open_page: Callable[..., Page]
) -> None:
    page = open_page(address, path, status)
    assert says in (page.locator("main").text_content() or "")
    assert page.get_by_role("link", name="Go to the overview").is_visible()
