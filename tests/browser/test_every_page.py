"""What holds for all pages: usable by everybody, in the dark and on a telephone, and without script."""

from __future__ import annotations

import pytest
from axe_playwright_python.sync_playwright import Axe
from tests.browser.conftest import Visit, picture

pytestmark = [pytest.mark.slow, pytest.mark.xdist_group("sample")]

LARGEST = 300_000  # bytes, before compression
NARROW = {"viewport": {"width": 360, "height": 740}}
DARK = {"color_scheme": "dark"}
PAGES = {
    "overview": "/",
    "overview-nothing-found": "/?q=no+such+repository",
    "repository": "/repositories/{garden}",
    "repository-chosen": "/repositories/{garden}?merges=false&bots=false&since=2022-06-01&granularity=week",
    "repository-organisations": "/repositories/{garden}?of_whom=organization&measure=lines&refs=all",
    "repository-empty": "/repositories/{empty}",
    "repository-hostile": "/repositories/{hostile}",
    "files": "/repositories/{garden}/files",
    "people": "/contributors",
    "people-of-repository": "/contributors?repository={garden}&sort=name",
    "person": "/contributors/{ada}",
    "compare-nothing": "/compare",
    "compare": "/compare?repository={garden}&repository={shed}",
    "runs": "/runs",
    "not-found": "/repositories/999999",
}


@pytest.fixture(params=PAGES)
def name(request: pytest.FixtureRequest) -> str:
    """Name of a page."""
    return str(request.param)


@pytest.fixture
def path(name: str, ids: dict[str, int], ada: int) -> str:
    """Its address."""
    return PAGES[name].format(**ids, ada=ada)


def test_a_page_is_for_everybody(name: str, path: str, visit: Visit) -> None:
    status = 404 if name == "not-found" else 200
    for mode, options in (("light", {}), ("dark", DARK), ("narrow", NARROW)):
        page = visit(path, status=status, **options)
        picture(page, f"{name}-{mode}")
        assert page.locator("h1").count() == 1
        assert len(page.content().encode()) < LARGEST
        # Each rule once with all that is folded away in sight, in both colour schemes.
        page.evaluate("document.querySelectorAll('details').forEach(details => details.open = true)")
        assert page.evaluate("document.documentElement.scrollWidth") <= page.viewport_size["width"]  # type: ignore[index]
        if mode != "narrow":
            found = Axe().run(page)
            assert found.violations_count == 0, found.generate_report()


def test_what_pages_share_is_small_and_kept_for_good(visit: Visit) -> None:
    page = visit("/")
    for place, attribute, most in (("script", "src", 10_000), ("link[rel=stylesheet]", "href", 30_000)):
        answer = page.request.get(page.locator(place).get_attribute(attribute) or "")
        assert len(answer.body()) < most
        assert "immutable" in answer.headers["cache-control"]


def test_the_same_stands_there_without_script(name: str, path: str, visit: Visit) -> None:
    status = 404 if name == "not-found" else 200
    with_script = visit(path, status=status)
    without = visit(path, status=status, java_script_enabled=False)
    # What comes after the rest of a page is on a page of its own, to which a link leads.
    for place in ("h1", ".stats dd", "table:not([data-part] *)"):
        shown = with_script.locator(f"{place}").evaluate_all(
            "all => all.map(one => { one.querySelectorAll('.ago').forEach(ago => ago.remove()); return one.textContent })"
        )
        assert without.locator(place).all_text_contents() == shown
