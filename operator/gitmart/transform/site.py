"""dbt's documentation as one page: `dbt docs generate --static`, but without holding it three times in memory."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

_MARKS = {"manifest.json": '"MANIFEST.JSON INLINE DATA"', "catalog.json": '"CATALOG.JSON INLINE DATA"'}  # dbt's own


def docs_page(artifacts: Mapping[str, str]) -> str | None:
    """
    Return the page that shows a manifest and a catalog; None if one of them is not there.

    The page asks nobody for anything: all it needs is in it.
    """
    if not artifacts.keys() >= _MARKS.keys():
        return None
    from dbt.task.docs import DOCS_INDEX_FILE_PATH  # dbt is heavy, and there already where a page is made

    page = Path(DOCS_INDEX_FILE_PATH).read_text(encoding="utf-8")
    for name, mark in _MARKS.items():
        # A description that ends a script would end the page's own: in JSON a / may be escaped.
        page = page.replace(mark, artifacts[name].replace("</", "<\\/"), 1)
    return page
