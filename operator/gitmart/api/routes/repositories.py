"""Repositories over HTTP."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Query, Request
from fastapi.responses import Response
from pydantic import Field

from gitmart.api.problems import not_found
from gitmart.api.queries import comparison, contributors, releases, repositories
from gitmart.api.routes.answers import known, object_of, table, table_of
from gitmart.api.routes.dependencies import ReaderOfProcess
from gitmart.api.routes.parameters import Id, Listed, OfRepository, Ordered, RepositoryPath, Searched, Tabular
from gitmart.api.switches import Days, Switches, SwitchesQuery

router = APIRouter(prefix="/analytics", tags=["repositories"])


class RepositoriesQuery(Listed, Ordered, Searched):
    """Parameters of the list of repositories."""

    sort: repositories.RepositorySort = Field(repositories.RepositorySort.NAME, description="What it is sorted by.")


class ComparisonQuery(Switches, Tabular):
    """Parameters of a comparison."""

    repository: list[Id] = Field(
        min_length=1, max_length=comparison.MOST, description="Ids of the repositories.", examples=[[1, 2]]
    )


class BranchesQuery(Listed, OfRepository):
    """Parameters of the list of branches."""


class ReleasesQuery(Days, Listed, OfRepository):
    """Parameters of the list of releases."""


@router.get("/repositories", summary="All repositories", responses=table_of(repositories.RepositoryRow, paged=True))
async def list_repositories(
    request: Request, asked: Annotated[RepositoriesQuery, Query()], reader: ReaderOfProcess
) -> Response:
    """
    The figures are those of mart repository_summary: default switches, as of the last build.

    Names are sorted ascending, all else descending, unless `order` says otherwise; what is null comes last.
    """
    page = await repositories.listing(
        reader, search=asked.search, sort=asked.sort, descending=asked.descending, paging=asked.paging
    )
    return await table(request, asked, repositories.RepositoryRow, page)


@router.get(
    "/repository/{repository}/summary",
    summary="The figures of a repository",
    responses=object_of(repositories.RepositorySummary, "The figures."),
)
async def repository_summary(
    repository: RepositoryPath, switches: SwitchesQuery, reader: ReaderOfProcess
) -> repositories.RepositorySummary:
    """What counts is chosen by the switches."""
    found = await repositories.summary(reader, repository, switches)
    if found is None:
        raise not_found("repository", "repository", repository)
    return found


@router.get(
    "/repository/{repository}/leaderboard",
    summary="The people of a repository, those with most commits first",
    responses=table_of(contributors.LeaderboardRow, paged=True),
)
async def leaderboard(
    request: Request, repository: RepositoryPath, asked: Annotated[Listed, Query()], reader: ReaderOfProcess
) -> Response:
    """
    As mart fct_repository_contributors has it: default switches, as of the last build.

    /analytics/contributors with a repository counts under other switches.
    """
    await known(reader, repository=repository)
    page = await contributors.leaderboard(reader, repository, asked.paging)
    return await table(request, asked, contributors.LeaderboardRow, page)


@router.get(
    "/comparison",
    summary="Repositories side by side",
    responses=table_of(comparison.ComparedRepository),
)
async def compare(request: Request, asked: Annotated[ComparisonQuery, Query()], reader: ReaderOfProcess) -> Response:
    """The same measures under the same switches, in the order of the ids; of an id that is given twice, once."""
    compared, unknown = await comparison.comparison(reader, list(dict.fromkeys(asked.repository)), asked)
    if unknown:
        raise not_found("repository", "repository", unknown[0])
    return await table(request, asked, comparison.ComparedRepository, compared)


@router.get("/branches", summary="Branches", responses=table_of(releases.BranchRow, paged=True))
async def branches(request: Request, asked: Annotated[BranchesQuery, Query()], reader: ReaderOfProcess) -> Response:
    """Those of the last extraction, with the latest commit first."""
    await known(reader, repository=asked.repository)
    page = await releases.branches(reader, repository=asked.repository, paging=asked.paging)
    return await table(request, asked, releases.BranchRow, page)


@router.get("/releases", summary="Releases", responses=table_of(releases.ReleaseRow, paged=True))
async def list_releases(
    request: Request, asked: Annotated[ReleasesQuery, Query()], reader: ReaderOfProcess
) -> Response:
    """
    Tags that lead to a commit, the latest first, dated by their commits.

    Those without a day come last, and not at all where since or until is given.
    """
    await known(reader, repository=asked.repository)
    page = await releases.releases(reader, asked, repository=asked.repository, paging=asked.paging)
    return await table(request, asked, releases.ReleaseRow, page)
