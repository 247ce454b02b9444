"""dbt's own documentation with lineage, as the last good run made it: one page that asks nobody for anything."""

from __future__ import annotations

import gzip

from fastapi import APIRouter, Request
from fastapi.responses import Response

from gitmart.api.pages.answer import HEADERS, html
from gitmart.api.pages.dependencies import ReaderOfPage
from gitmart.api.queries import runs

# The page has scripts of its own and compiles templates. It is shut off instead: of an origin of its own, with nobody
# to send anything to, whatever a dbt project writes into its descriptions.
POLICY = (
    "default-src 'none'; script-src 'unsafe-inline' 'unsafe-eval'; style-src 'unsafe-inline'; img-src data:; "
    "font-src data:; form-action 'none'; frame-ancestors 'none'; base-uri 'none'; sandbox allow-scripts"
)

router = APIRouter(include_in_schema=False)


@router.get("/docs/dbt")
async def dbt_docs(request: Request, reader: ReaderOfPage) -> Response:
    """Return the page as it is kept, compressed, unless the browser has it or cannot read that."""
    run = await runs.docs_run(reader)
    if run is None:
        return html(request, "no_docs.html", live=True)
    zipped = "gzip" in request.headers.get("accept-encoding", "")
    tag = f'"dbt-{run}{"" if zipped else "-plain"}"'
    headers = HEADERS | {
        "Content-Security-Policy": POLICY,
        "Cache-Control": "no-cache",
        "ETag": tag,
        "Vary": "Accept-Encoding",
    }
    if tag in request.headers.get("if-none-match", ""):
        return Response(status_code=304, headers=headers)
    docs = await runs.docs(reader)
    if docs is None:  # a run has taken it away in between
        return html(request, "no_docs.html", live=True)
    if zipped:
        headers["Content-Encoding"] = "gzip"
    content = docs.gzip if zipped else gzip.decompress(docs.gzip)
    return Response(content, media_type="text/html; charset=utf-8", headers=headers)
