"""Files and directories over HTTP."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Query, Request
from fastapi.responses import Response
from pydantic import Field

from gitmart.api.queries import files
from gitmart.api.routes.answers import known, table, table_of
from gitmart.api.routes.dependencies import ReaderOfProcess
from gitmart.api.routes.parameters import Id, Listed
from gitmart.api.switches import Switches

router = APIRouter(prefix="/analytics", tags=["files"])


class HotspotsQuery(Switches, Listed):
    """Parameters of hotspots."""

    repository: Id = Field(description="Id of a repository, as in dim_repository.", examples=[1])
    depth: int | None = Field(
        None, ge=0, le=100, description="Directories, at most so many levels deep; without it files."
    )


@router.get(
    "/hotspots", summary="Files and directories that change most", responses=table_of(files.HotspotRow, paged=True)
)
async def hotspots(request: Request, asked: Annotated[HotspotsQuery, Query()], reader: ReaderOfProcess) -> Response:
    """By commits that change them. Merges change none, whatever `merges` says."""
    await known(reader, repository=asked.repository)
    page = await files.hotspots(reader, asked.repository, asked, depth=asked.depth, paging=asked.paging)
    return await table(request, asked, files.HotspotRow, page)
