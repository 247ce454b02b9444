"""dbt's documentation as one page."""

from __future__ import annotations

from pathlib import Path

import dbt.task.docs
import pytest

from gitmart.transform.site import docs_page

MANIFEST, CATALOG = '"MANIFEST.JSON INLINE DATA"', '"CATALOG.JSON INLINE DATA"'
ARTIFACTS = {"manifest.json": b'{"a": "</script>"}', "catalog.json": b"{}", "sources.json": b"[]"}


@pytest.mark.parametrize("before", [0, 1, 65530, 65536, 200_000], ids="{} bytes before".format)
def test_each_mark_is_replaced_wherever_it_stands(before: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    page = tmp_path / "index.html"
    page.write_text(f"{'x' * before}<{CATALOG}, {MANIFEST}>, again {MANIFEST}", encoding="utf-8")
    monkeypatch.setattr(dbt.task.docs, "DOCS_INDEX_FILE_PATH", str(page))

    made = b"".join(docs_page(ARTIFACTS)).decode()

    manifest = '{"a": "<\\/script>"}'
    assert made == f"{'x' * before}<{{}}, {manifest}>, again {manifest}"


def test_dbts_own_page_has_the_marks() -> None:
    page = Path(dbt.task.docs.DOCS_INDEX_FILE_PATH).read_text(encoding="utf-8")

    assert (page.count(MANIFEST), page.count(CATALOG)) == (1, 1)


def test_the_page_asks_for_no_address_that_is_still_to_be_filled_in() -> None:
    made = b"".join(docs_page(ARTIFACTS))

    assert b' xlink:href="{{' not in made
    assert b"${require" not in made
    assert made.count(b' ng-attr-href="{{') == 4


@pytest.mark.parametrize("missing", ["manifest.json", "catalog.json"])
def test_there_is_no_page_without_both(missing: str) -> None:
    assert list(docs_page({name: file for name, file in ARTIFACTS.items() if name != missing})) == []
