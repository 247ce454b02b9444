"""dbt's documentation as one page: `dbt docs generate --static`, but without holding it in memory."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import Path

_MARKS = {"manifest.json": b'"MANIFEST.JSON INLINE DATA"', "catalog.json": b'"CATALOG.JSON INLINE DATA"'}  # dbt's own
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
    """Yield a page, and where a mark stands the name of the artifact that belongs there."""
    longest = max(map(len, _MARKS.values()))
    with page.open("rb") as file:
        rest = b""
        while read := file.read(_AT_ONCE):
            rest += read
            while found := [(rest.find(mark), name) for name, mark in _MARKS.items() if mark in rest]:
                place, name = min(found)
                yield from (rest[:place], name)
                rest = rest[place + len(_MARKS[name]) :]
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
