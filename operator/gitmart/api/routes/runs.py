"""Extractions, runs of dbt and freshness over HTTP."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Path, Query, Request
from fastapi.responses import Response
from pydantic import Field

from gitmart.api.problems import not_found
from gitmart.api.queries import extractions, runs
from gitmart.api.queries.paging import BIGINT
from gitmart.api.routes.answers import known, object_of, table, table_of
from gitmart.api.routes.dependencies import ReaderOfProcess, Uncached
from gitmart.api.routes.parameters import Listed, OfRepository, Tabular

router = APIRouter(prefix="/analytics", tags=["runs"], dependencies=[Uncached])

RunPath = Annotated[int, Path(ge=1, le=BIGINT, description="Id of a run, as in dbt_meta.runs.", examples=[12])]


class NodesQuery(Listed):
    """Parameters of the nodes of a run."""

    status: Annotated[str, Field(pattern=r"^[a-z -]{1,32}$")] | None = Field(
        None, description="Of this status alone.", examples=["success"]
    )
    resource_type: Annotated[str, Field(pattern=r"^[a-z_]{1,32}$")] | None = Field(
        None, description="Of this type alone.", examples=["model"]
    )


class OfRepositoryQuery(Listed, OfRepository):
    """Parameters of what is told by repository."""


@router.get("/runs", summary="Runs of dbt", responses=table_of(runs.RunRow, paged=True))
async def list_runs(request: Request, asked: Annotated[Listed, Query()], reader: ReaderOfProcess) -> Response:
    """Those into the schema that is served, the latest first."""
    return await table(request, asked, runs.RunRow, await runs.runs(reader, asked.paging))


@router.get("/runs/{run}", summary="A run of dbt", responses=object_of(runs.RunRow, "The run."))
async def one_run(run: RunPath, reader: ReaderOfProcess) -> runs.RunRow:
    """A run into the schema that is served."""
    found = await runs.run(reader, run)
    if found is None:
        raise not_found("run", "run", run)
    return found


@router.get("/runs/{run}/nodes", summary="What became of each node", responses=table_of(runs.NodeRow, paged=True))
async def nodes(
    request: Request, run: RunPath, asked: Annotated[NodesQuery, Query()], reader: ReaderOfProcess
) -> Response:
    """Models, tests and functions of a run, the slowest first."""
    if await runs.run(reader, run) is None:
        raise not_found("run", "run", run)
    page = await runs.nodes(reader, run, status=asked.status, resource_type=asked.resource_type, paging=asked.paging)
    return await table(request, asked, runs.NodeRow, page)


@router.get("/freshness", summary="How fresh the raw tables were", responses=table_of(runs.FreshnessRow))
async def freshness(request: Request, asked: Annotated[Tabular, Query()], reader: ReaderOfProcess) -> Response:
    """Of each source, when a run of dbt last looked."""
    return await table(request, asked, runs.FreshnessRow, await runs.freshness(reader))


@router.get("/extractions", summary="Extractions", responses=table_of(extractions.ExtractionRow, paged=True))
async def list_extractions(
    request: Request, asked: Annotated[OfRepositoryQuery, Query()], reader: ReaderOfProcess
) -> Response:
    """Those that went well, the last first; the marts may not have what they brought yet."""
    await known(reader, repository=asked.repository)
    page = await extractions.listing(reader, repository=asked.repository, paging=asked.paging)
    return await table(request, asked, extractions.ExtractionRow, page)


@router.get(
    "/quarantine", summary="What stands in quarantine", responses=table_of(extractions.QuarantineRow, paged=True)
)
async def quarantine(
    request: Request, asked: Annotated[OfRepositoryQuery, Query()], reader: ReaderOfProcess
) -> Response:
    """How many values could not be stored as they are, by repository, field and reason; the values are not told."""
    await known(reader, repository=asked.repository)
    page = await extractions.quarantine(reader, repository=asked.repository, paging=asked.paging)
    return await table(request, asked, extractions.QuarantineRow, page)
