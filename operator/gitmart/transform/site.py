"""dbt's documentation as one page: `dbt docs generate --static`, but without holding it in memory."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import Path

_MARKS = {"manifest.json": b'"MANIFEST.JSON INLINE DATA"', "catalog.json": b'"CATALOG.JSON INLINE DATA"'}  # dbt's own


def docs_page(artifacts: Mapping[str, bytes]) -> Iterator[bytes]:
    """
    Yield, piece by piece, the page that shows a manifest and a catalog; nothing if one of them is not there.

    The page asks nobody for anything: all it needs is in it.
    """
    if not artifacts.keys() >= _MARKS.keys():
        return
    from dbt.task.docs import DOCS_INDEX_FILE_PATH  # dbt is heavy, and there already where a page is made

    rest = Path(DOCS_INDEX_FILE_PATH).read_bytes()
    for name in sorted(_MARKS, key=lambda name: rest.find(_MARKS[name])):
        before, mark, after = rest.partition(_MARKS[name])
        yield before
        if mark:
            # A description that ends a script would end the page's own: in JSON a / may be escaped.
            yield artifacts[name].replace(b"</", b"<\\/")
        rest = after
    yield rest
