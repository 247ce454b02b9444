"""A dashboard that asks who comes: in by a token, and out again."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest
from playwright.sync_api import Page
from tests.browser.conftest import picture
from tests.conftest import Warehouse
from tests.integration.api.serving import served

pytestmark = [pytest.mark.slow, pytest.mark.xdist_group("sample")]

TOKEN = "only-for-this-test-0"


def test_a_person_signs_in_sees_what_they_came_for_and_signs_out(
    open_page: Callable[..., Page], sample_warehouse: Warehouse, ids: dict[str, int], tmp_path: Path
) -> None:
    tokens = tmp_path / "tokens"
    tokens.write_text(f"{TOKEN}\n")
    with served(sample_warehouse.url("gitmart_read"), "--tokens-file", str(tokens)) as address:
        page = open_page(address, f"/repositories/{ids['garden']}?bots=false")
        assert page.title() == "Sign in – gitmart"
        picture(page, "sign-in")
        page.get_by_label("Token").fill(TOKEN)
        page.get_by_role("button", name="Sign in").click()
        page.wait_for_url(f"**/repositories/{ids['garden']}?bots=false")
        assert page.locator("h1").text_content() == "garden"
        # What comes after the page, and what is live, is for who signed in, too.
        page.locator("#files-table").wait_for()
        page.get_by_role("button", name="Sign out").click()
        page.wait_for_url("**/sign-in")
        page.goto("/")
        assert page.title() == "Sign in – gitmart"
