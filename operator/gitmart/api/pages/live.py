"""What changes while a page is looked at, as parts of pages that the script puts in place."""

from __future__ import annotations

from fastapi import APIRouter, Request
from fastapi.responses import HTMLResponse

from gitmart.api.pages.answer import html
from gitmart.api.pages.dependencies import ReaderOfPage
from gitmart.api.queries.builds import standing

router = APIRouter(prefix="/live", include_in_schema=False)


@router.get("/builds")
async def builds(request: Request, reader: ReaderOfPage) -> HTMLResponse:
    """How the builds of the marts stand."""
    return html(request, "live_builds.html", live=True, builds=await standing(reader))
