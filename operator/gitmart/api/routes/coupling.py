"""Files that change together, over HTTP."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Query, Request
from fastapi.responses import Response
from pydantic import Field

from gitmart.api.queries import coupling
from gitmart.api.routes.answers import known, table, table_of
from gitmart.api.routes.dependencies import ReaderOfProcess
from gitmart.api.routes.parameters import INTEGER, Id, Listed
from gitmart.api.switches import FileSwitches

router = APIRouter(prefix="/analytics", tags=["files"])


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


@router.get("/coupling", summary="Files that change together", responses=table_of(coupling.CouplingRow, paged=True))
async def list_coupling(
    request: Request, asked: Annotated[CouplingQuery, Query()], reader: ReaderOfProcess
) -> Response:
    """Those that change together most often first. That they do does not say that one depends on the other."""
    await known(reader, repository=asked.repository)
    page = await coupling.coupling(
        reader,
        asked.repository,
        asked,
        coupled_with=asked.coupled_with,
        at_least_together=asked.at_least_together,
        most_files=asked.most_files,
        paging=asked.paging,
    )
    return await table(request, asked, coupling.CouplingRow, page)
