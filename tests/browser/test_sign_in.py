"""A dashboard that asks who comes: in by a token or at a provider, and out again."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest
import trustme
from playwright.sync_api import Browser, Page
from tests.browser.conftest import picture
from tests.conftest import Warehouse
from tests.integration.api.issuing import Provider, providing
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


def test_a_person_signs_in_at_a_provider(
    browser: Browser, sample_warehouse: Warehouse, ids: dict[str, int], tmp_path: Path
) -> None:
    """The provider is at another site, so the cookie of the way there has to come along from it."""
    authority = trustme.CA()
    authority.cert_pem.write_to_path(str(tmp_path / "provider.pem"))
    for name, content in {"tokens": TOKEN, "secret": Provider.secret}.items():
        (tmp_path / name).write_text(f"{content}\n")
    with providing(authority) as provider:
        provider.asks = True
        words = (
            f"--tokens-file={tmp_path / 'tokens'}", f"--oidc-issuer={provider.address}", "--oidc-audience=gitmart",
            f"--oidc-ca-file={tmp_path / 'provider.pem'}", f"--oidc-client-id={provider.id}",
            f"--oidc-client-secret-file={tmp_path / 'secret'}",
        )  # fmt: skip
        with served(sample_warehouse.url("gitmart_read"), *words) as address:
            context = browser.new_context(base_url=address, ignore_https_errors=True)
            try:
                page = context.new_page()
                wrong: list[str] = []
                page.on("console", lambda message: wrong.append(message.text))
                page.goto(f"/repositories/{ids['garden']}?bots=false")
                picture(page, "sign-in-at-a-provider")
                assert page.get_by_label("Token").is_visible(), "a token is another way"
                page.get_by_role("link", name=f"Sign in at 127.0.0.1:{provider.server_port}").click()
                page.get_by_role("button", name="I am Ada").click()
                page.wait_for_url(f"**/repositories/{ids['garden']}?bots=false")
                assert page.locator("h1").text_content() == "garden"
                page.locator("#files-table").wait_for()
                assert wrong == []
                names = {each["name"]: each for each in context.cookies(address)}
                assert set(names) == {"gitmart_session"}
                assert (names["gitmart_session"]["httpOnly"], names["gitmart_session"]["sameSite"]) == (True, "Lax")

                page.get_by_role("button", name="Sign out").click()
                page.wait_for_url("**/sign-in")
                assert context.cookies(address) == []
                provider.error = "access_denied"
                page.get_by_role("link", name="Sign in at").click()
                page.get_by_role("button", name="I am Ada").click()
                page.get_by_role("alert").wait_for()
                assert page.get_by_role("alert").text_content() == "The provider did not let you in."
                picture(page, "sign-in-refused-by-a-provider")
            finally:
                context.close()
