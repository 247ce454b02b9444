"""What changes while a page is looked at, as parts of pages that the script puts in place."""

from __future__ import annotations

import asyncio

from fastapi import APIRouter, Request
from fastapi.responses import HTMLResponse

from gitmart.api.pages.answer import html
from gitmart.api.pages.dependencies import Id, ReaderOfPage
from gitmart.api.problems import not_found
from gitmart.api.queries import extractions
from gitmart.api.queries.builds import standing

EXTRACTIONS = 5  # that are shown

router = APIRouter(prefix="/live", include_in_schema=False)


@router.get("/builds")
async def builds(request: Request, reader: ReaderOfPage) -> HTMLResponse:
    """How the builds of the marts stand."""
    running, stand = await asyncio.gather(extractions.in_progress(reader), standing(reader))
    return html(request, "live_builds.html", live=True, builds=stand, running=running)


@router.get("/repositories/{repository}")
async def quality(request: Request, repository: Id, reader: ReaderOfPage) -> HTMLResponse:
    """How the extractions of a repository stand, and what its data are worth."""
    stand, builds = await asyncio.gather(
        extractions.standing(reader, repository, EXTRACTIONS),
        standing(reader),
    )
    if stand is None:
        raise not_found("repository", "repository", repository)
    return html(request, "live_quality.html", live=True, quality=stand, builds=builds)
