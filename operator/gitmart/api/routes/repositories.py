"""Repositories over HTTP."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Path

from gitmart.api.problems import not_found
from gitmart.api.queries import repositories
from gitmart.api.routes.dependencies import ReaderOfProcess
from gitmart.api.switches import SwitchesQuery

MOST = 2**63 - 1  # a bigint

router = APIRouter(prefix="/analytics", tags=["repositories"])

RepositoryId = Annotated[int, Path(ge=1, le=MOST, description="Id of a repository, as in dim_repository.")]


@router.get("/repository/{repository}/summary", summary="The figures of a repository")
async def repository_summary(
    repository: RepositoryId, switches: SwitchesQuery, reader: ReaderOfProcess
) -> repositories.RepositorySummary:
    """What counts is chosen by the switches."""
    found = await repositories.summary(reader, repository, switches)
    if found is None:
        raise not_found("repository", "repository", repository)
    return found
