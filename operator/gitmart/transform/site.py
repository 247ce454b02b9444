"""dbt's documentation as one page: `dbt docs generate --static`, but without holding it in memory."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import Path

_MARKS = {"manifest.json": b'"MANIFEST.JSON INLINE DATA"', "catalog.json": b'"CATALOG.JSON INLINE DATA"'}  # dbt's own
# Addresses that the page of dbt 1.11 and 1.12 asks for as they stand, before its own script fills them in (two for
# each line of its menu), and one that dbt's build has left unfilled.
_UNFILLED = {
    b'<use xlink:href="{{': b'<use ng-attr-href="{{',
    b"${require('./assets/favicons/favicon.ico')}": b"data:,",
}
_AT_ONCE = 1 << 16  # bytes of the page


def docs_page(artifacts: Mapping[str, bytes]) -> Iterator[bytes | memoryview]:
    """
    Yield, piece by piece, the page that shows a manifest and a catalog; nothing if one of them is not there.

    The page asks nobody for anything: all it needs is in it.
    """
    if not artifacts.keys() >= _MARKS.keys():
        return
    from dbt.task.docs import DOCS_INDEX_FILE_PATH  # dbt is heavy, and there already where a page is made

    for piece in _pieces(Path(DOCS_INDEX_FILE_PATH)):
        yield from [piece] if isinstance(piece, bytes) else _within_a_script(artifacts[piece])


def _pieces(page: Path) -> Iterator[bytes | str]:
    """Yield a page with its addresses mended, and where a mark stands the name of the artifact that belongs there."""
    marks: dict[bytes, bytes | str] = {**{mark: name for name, mark in _MARKS.items()}, **_UNFILLED}
    longest = max(map(len, marks))
    with page.open("rb") as file:
        rest = b""
        while read := file.read(_AT_ONCE):
            rest += read
            while found := [(rest.find(mark), mark) for mark in marks if mark in rest]:
                place, mark = min(found)
                yield from (rest[:place], marks[mark])
                rest = rest[place + len(mark) :]
            yield rest[:-longest]
            rest = rest[-longest:]
        yield rest


def _within_a_script(json: bytes) -> Iterator[bytes | memoryview]:
    """Yield a JSON text as one in which nothing ends the script that it stands in: a / may be escaped."""
    view, start = memoryview(json), 0
    while (place := json.find(b"</", start)) >= 0:
        yield view[start:place]
        yield b"<\\/"
        start = place + 2
    yield view[start:]
