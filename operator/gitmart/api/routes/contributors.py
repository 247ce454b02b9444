"""People over HTTP."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Query, Request
from fastapi.responses import Response
from pydantic import Field

from gitmart.api.problems import invalid_parameter, not_found
from gitmart.api.queries import contributors, engagement, organizations, trends
from gitmart.api.routes.answers import known, object_of, table, table_of
from gitmart.api.routes.dependencies import ReaderOfProcess
from gitmart.api.routes.parameters import (
    CENTURY,
    INTEGER,
    ContributorPath,
    Listed,
    OfContributor,
    OfRepository,
    Ordered,
    Searched,
    Tabular,
)
from gitmart.api.switches import CommitterSwitches, Switches, SwitchesQuery

router = APIRouter(prefix="/analytics", tags=["contributors"])


class ContributorsQuery(Switches, Listed, Ordered, Searched, OfRepository):
    """Parameters of the list of people."""

    sort: contributors.ContributorSort = Field(
        contributors.ContributorSort.COMMITS, description="What it is sorted by."
    )


class CommittersQuery(CommitterSwitches, Listed, OfRepository):
    """Parameters of the list of committers."""


class EngagementQuery(Switches, Listed, OfRepository, OfContributor):
    """Parameters of who is active."""

    drifting_days: int | None = Field(
        None, ge=0, le=CENTURY, description="Days without a commit after which somebody is drifting."
    )
    away_days: int | None = Field(
        None, ge=0, le=CENTURY, description="Days without a commit after which somebody is away."
    )
    window_days: int | None = Field(None, ge=0, le=CENTURY, description="Length of the window of workload.")
    full_time_days: int | None = Field(
        None, ge=1, le=CENTURY, description="Active days in the window from which on somebody works full time."
    )
    occasional_commits: int | None = Field(
        None, ge=0, le=INTEGER, description="Commits below which somebody is occasional."
    )
    occasional_gap_days: int | None = Field(
        None, ge=0, le=CENTURY, description="Days between two active days beyond which somebody is occasional."
    )

    @property
    def thresholds(self) -> engagement.Thresholds:
        """Where the lines are drawn."""
        return engagement.Thresholds(
            self.drifting_days,
            self.away_days,
            self.window_days,
            self.full_time_days,
            self.occasional_commits,
            self.occasional_gap_days,
        )


class LevelsQuery(Switches, Tabular, OfRepository):
    """Parameters of the levels."""

    levels: list[Annotated[int, Field(ge=1, le=INTEGER)]] | None = Field(
        None, max_length=20, description="Commits that each level takes, in rising order.", examples=[[1, 10, 100]]
    )


class FlowQuery(Switches, Tabular, OfRepository):
    """Parameters of who comes and goes."""

    granularity: trends.Granularity = Field(trends.Granularity.MONTH, description="How long a period is.")


class RepositoriesQuery(Switches, Tabular):
    """Parameters of the repositories of a person."""


class OrganizationsQuery(Switches, Tabular, OfRepository):
    """Parameters of the list of organisations."""


@router.get("/contributors", summary="People", responses=table_of(contributors.ContributorRow, paged=True))
async def list_contributors(
    request: Request, asked: Annotated[ContributorsQuery, Query()], reader: ReaderOfProcess
) -> Response:
    """
    Those with at least one commit that counts, in a repository or in all.

    `search` looks into names and addresses of mail.
    """
    await known(reader, repository=asked.repository)
    page = await contributors.listing(
        reader,
        asked,
        repository=asked.repository,
        search=asked.search,
        sort=asked.sort,
        descending=asked.descending,
        paging=asked.paging,
    )
    return await table(request, asked, contributors.ContributorRow, page)


@router.get(
    "/contributor/{contributor}/summary",
    summary="The figures of a person",
    responses=object_of(contributors.ContributorSummary, "The figures, in all and by repository."),
)
async def contributor_summary(
    contributor: ContributorPath, switches: SwitchesQuery, reader: ReaderOfProcess
) -> contributors.ContributorSummary:
    """A commit that several repositories hold counts in each, unless count_once is everywhere."""
    found = await contributors.summary(reader, contributor, switches)
    if found is None:
        raise not_found("contributor", "contributor", contributor)
    return found


@router.get(
    "/contributor/{contributor}/repositories",
    summary="What a person did in each repository",
    responses=table_of(contributors.RepositoryOfContributor),
)
async def contributor_repositories(
    request: Request,
    contributor: ContributorPath,
    asked: Annotated[RepositoriesQuery, Query()],
    reader: ReaderOfProcess,
) -> Response:
    """Those with most commits first. A commit that several hold counts in each, unless count_once is everywhere."""
    await known(reader, contributor=contributor)
    rows = await contributors.repositories(reader, contributor, asked)
    return await table(request, asked, contributors.RepositoryOfContributor, rows)


@router.get(
    "/committers",
    summary="Who committed, which need not be who wrote",
    responses=table_of(contributors.CommitterRow, paged=True),
)
async def committers(request: Request, asked: Annotated[CommittersQuery, Query()], reader: ReaderOfProcess) -> Response:
    """Committer dates count here, unless `dates` says otherwise; `bots` is about commits that a bot committed."""
    await known(reader, repository=asked.repository)
    page = await contributors.committers(reader, asked, repository=asked.repository, paging=asked.paging)
    return await table(request, asked, contributors.CommitterRow, page)


@router.get(
    "/engagement",
    summary="Who is active, drifting or away",
    responses=table_of(engagement.EngagementRow, paged=True),
)
async def list_engagement(
    request: Request, asked: Annotated[EngagementQuery, Query()], reader: ReaderOfProcess
) -> Response:
    """As of the day `until`; without it, of today in UTC."""
    request.state.uncached = asked.until is None  # today moves while the marts do not
    await known(reader, repository=asked.repository, contributor=asked.contributor)
    page = await engagement.engagement(
        reader,
        asked,
        repository=asked.repository,
        contributor=asked.contributor,
        thresholds=asked.thresholds,
        paging=asked.paging,
    )
    return await table(request, asked, engagement.EngagementRow, page)


@router.get("/levels", summary="How many people made at least so many commits", responses=table_of(engagement.LevelRow))
async def levels(request: Request, asked: Annotated[LevelsQuery, Query()], reader: ReaderOfProcess) -> Response:
    """From one level to the next people are converted."""
    if asked.levels is not None and asked.levels != sorted(set(asked.levels)):
        raise invalid_parameter(
            "levels", "is not in rising order: allowed are numbers each greater than the one before"
        )
    await known(reader, repository=asked.repository)
    rows = await engagement.levels(reader, asked, repository=asked.repository, at_least=asked.levels)
    return await table(request, asked, engagement.LevelRow, rows)


@router.get("/flow", summary="Who comes, stays, comes back and goes", responses=table_of(trends.FlowRow))
async def flow(request: Request, asked: Annotated[FlowQuery, Query()], reader: ReaderOfProcess) -> Response:
    """Periods without commits have a row here: everybody of the one before is lost in them."""
    await known(reader, repository=asked.repository)
    rows = await trends.flow(reader, asked.granularity, asked, repository=asked.repository)
    return await table(request, asked, trends.FlowRow, rows)


@router.get("/organizations", summary="Organisations", responses=table_of(organizations.OrganizationRow))
async def list_organizations(
    request: Request, asked: Annotated[OrganizationsQuery, Query()], reader: ReaderOfProcess
) -> Response:
    """As far as the domain of an address of mail tells them; the row without one is everybody else."""
    await known(reader, repository=asked.repository)
    rows = await organizations.organizations(reader, asked, repository=asked.repository)
    return await table(request, asked, organizations.OrganizationRow, rows)
