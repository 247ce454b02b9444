"""Files and directories over HTTP: which change most, and which together."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Query, Request
from fastapi.responses import Response
from pydantic import Field

from gitmart.api.queries import files
from gitmart.api.routes.answers import known, table, table_of
from gitmart.api.routes.dependencies import ReaderOfProcess
from gitmart.api.routes.parameters import CENTURY, INTEGER, Id, Listed
from gitmart.api.switches import FileSwitches

router = APIRouter(prefix="/analytics", tags=["files"])


class HotspotsQuery(FileSwitches, Listed):
    """Parameters of hotspots."""

    repository: Id = Field(description="Id of a repository, as in dim_repository.", examples=[1])
    depth: int | None = Field(
        None, ge=0, le=100, description="Directories, at most so many levels deep; without it files."
    )
    half_life_days: int | None = Field(
        None,
        ge=1,
        le=CENTURY,
        description="Days after which a changed line counts half in recent_churn; without it 90.",
    )
    sort: files.HotspotSort = Field(files.HotspotSort.COMMITS, description="What it is sorted by, the most first.")


class CouplingQuery(FileSwitches, Listed):
    """Parameters of coupling."""

    repository: Id = Field(description="Id of a repository, as in dim_repository.", examples=[1])
    coupled_with: Annotated[str, Field(min_length=1, max_length=4096, pattern=r"^[^\x00]+$")] | None = Field(
        None, description="Path of a file, for its pairs alone.", examples=["beds/bed1.py"]
    )
    at_least_together: int | None = Field(
        None, ge=1, le=INTEGER, description="Commits that must change both; without it 5."
    )
    most_files: int | None = Field(
        None, ge=2, le=1000, description="Files beyond which a commit does not count; without it 30."
    )


@router.get(
    "/hotspots", summary="Files and directories that change most", responses=table_of(files.HotspotRow, paged=True)
)
async def hotspots(request: Request, asked: Annotated[HotspotsQuery, Query()], reader: ReaderOfProcess) -> Response:
    """Merges change none. recent_churn is as of the day `until`; without it, of today in UTC."""
    request.state.uncached = asked.until is None  # today moves while the marts do not
    await known(reader, repository=asked.repository)
    page = await files.hotspots(
        reader,
        asked.repository,
        asked,
        depth=asked.depth,
        half_life_days=asked.half_life_days,
        sort=asked.sort,
        paging=asked.paging,
    )
    return await table(request, asked, files.HotspotRow, page)


@router.get("/coupling", summary="Files that change together", responses=table_of(files.CouplingRow, paged=True))
async def list_coupling(
    request: Request, asked: Annotated[CouplingQuery, Query()], reader: ReaderOfProcess
) -> Response:
    """Those that change together most often first. That they do does not say that one depends on the other."""
    await known(reader, repository=asked.repository)
    page = await files.coupling(
        reader,
        asked.repository,
        asked,
        coupled_with=asked.coupled_with,
        at_least_together=asked.at_least_together,
        most_files=asked.most_files,
        paging=asked.paging,
    )
    return await table(request, asked, files.CouplingRow, page)
