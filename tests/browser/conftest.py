"""
A browser for each module of tests and one server for all, on the sample warehouse.

Whatever a test does: a page asks nobody else for anything, breaks no rule of its policy, and writes nothing to the
console. Pictures of pages lie in build/screenshots/ afterwards.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import Browser, BrowserContext, ConsoleMessage, Page, sync_playwright
from tests.browser.chromium import REQUIRED, NoBrowserError, executable
from tests.conftest import Warehouse
from tests.integration.api.serving import OPEN, served

PICTURES = Path(__file__).parents[2] / "build" / "screenshots"
UNBOUND = (*OPEN, "--rate-limit", "0")  # these tests ask more often than a person
Visit = Callable[..., Page]


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    """
    Chromium. Skips with the reason if there is none, or fails where one is required.

    It ends with the module: as long as Playwright runs, so does an event loop, beside which tests of other modules
    in the same process could run none.
    """
    try:
        program = executable()
    except NoBrowserError as error:
        if os.environ.get(REQUIRED) == "1":
            pytest.fail(str(error), pytrace=False)
        pytest.skip(str(error))
    # Chromium has no sandbox for root, as whom containers run; it opens nothing but pages of ours.
    flags = ["--no-sandbox"] if os.geteuid() == 0 else []
    with sync_playwright() as playwright:
        started = playwright.chromium.launch(executable_path=program, args=flags)
        yield started
        started.close()


@pytest.fixture(scope="session")
def address(sample_warehouse: Warehouse) -> Iterator[str]:
    """The address of the dashboard."""
    with served(sample_warehouse.url("gitmart_read"), *UNBOUND) as address:
        yield address


@pytest.fixture
def open_page(browser: Browser) -> Iterator[Callable[..., Page]]:
    """Return a function that opens a page of a server; what it does beside showing itself fails the test."""
    contexts: list[BrowserContext] = []
    wrong: list[str] = []

    def open_it(address: str, path: str, status: int = 200, **options: Any) -> Page:
        # Downloads are not pages, and a test that wants one says so.
        context = browser.new_context(base_url=address, **{"viewport": {"width": 1200, "height": 900}, **options})
        contexts.append(context)
        page = context.new_page()

        def on_console(message: ConsoleMessage) -> None:
            if message.type in ("error", "warning") and f"status of {status} " not in message.text:
                wrong.append(message.text)

        page.on("console", on_console)
        page.on("pageerror", lambda error: wrong.append(f"error of the script: {error}"))
        page.on("dialog", lambda dialog: wrong.append(f"dialog: {dialog.message}"))
        page.on(
            "request",
            lambda request: (
                None if request.url.startswith((f"{address}/", "data:")) else wrong.append(f"asks {request.url}")
            ),
        )
        answer = page.goto(path)
        assert answer is not None
        assert answer.status == status
        return page

    yield open_it
    for context in contexts:
        context.close()
    assert wrong == []


@pytest.fixture
def visit(open_page: Callable[..., Page], address: str) -> Visit:
    """Return a function that opens a page of the dashboard."""

    def open_it(path: str, **options: Any) -> Page:
        return open_page(address, path, **options)

    return open_it


@pytest.fixture(scope="session")
def ids(sample_warehouse: Warehouse) -> dict[str, int]:
    """The ids of repositories by name; of the one with a hostile name as `hostile`."""
    rows = sample_warehouse.query("select repository_name, repository_id from analytics.dim_repository")
    return {"hostile" if "script" in str(name) else str(name): int(str(key)) for name, key in rows}


@pytest.fixture(scope="session")
def ada(sample_warehouse: Warehouse) -> int:
    """The id of a person with many commits."""
    [(key,)] = sample_warehouse.query(
        "select contributor_id from analytics.dim_contributor where contributor_name = 'Ada Gardener'"
    )
    return int(str(key))


def picture(page: Page, name: str) -> None:
    """Keep how the page looks."""
    PICTURES.mkdir(parents=True, exist_ok=True)
    page.screenshot(path=PICTURES / f"{name}.png", full_page=True)
