"""What happened when, over HTTP: trends, hours, the commits of a day, releases by period, concentration."""

from __future__ import annotations

from enum import StrEnum
from typing import Annotated

from fastapi import APIRouter, Query, Request
from fastapi.responses import Response
from pydantic import ConfigDict, Field

from gitmart.api.queries import concentration, days, hours, releases, trends
from gitmart.api.routes.answers import known, object_of, table, table_of
from gitmart.api.routes.dependencies import ReaderOfProcess
from gitmart.api.routes.parameters import Id, Listed, OfContributor, OfRepository, Tabular
from gitmart.api.switches import CommitSwitches, Day, Days, DaySwitches, Switches

router = APIRouter(prefix="/analytics", tags=["activity"])

_PERIOD = Field(trends.Granularity.MONTH, description="How long a period is; weeks begin on Monday.")


class TrendMetric(StrEnum):
    """The columns of trends besides the period."""

    COMMITS = "commits"
    MERGE_COMMITS = "merge_commits"
    LINES_ADDED = "lines_added"
    LINES_DELETED = "lines_deleted"
    FILES_CHANGED = "files_changed"
    ACTIVE_DAYS = "active_days"
    CONTRIBUTORS = "contributors"
    NEW_CONTRIBUTORS = "new_contributors"
    RETURNING_CONTRIBUTORS = "returning_contributors"


class ChosenTrends(trends.TrendRow):
    """A period with at least one commit that counts; what `metric` does not name is left out."""

    model_config = ConfigDict(json_schema_extra={"required": ["period_start"]})


class TrendsQuery(Switches, Tabular, OfRepository, OfContributor):
    """Parameters of trends."""

    granularity: trends.Granularity = _PERIOD
    metric: list[TrendMetric] | None = Field(None, description="Columns that are wanted; without it all.")


class HoursQuery(CommitSwitches, Tabular, OfRepository, OfContributor):
    """Parameters of hours."""

    clock: hours.Clock = Field(hours.Clock.AUTHOR, description="The clock the commit was made by, or UTC.")
    from_hour: int = Field(9, ge=0, le=24, description="First hour of work.")
    to_hour: int = Field(18, ge=0, le=24, description="Hour at which work is over.")


class BurstinessQuery(CommitSwitches, OfRepository, OfContributor):
    """Parameters of burstiness."""


class CommitsQuery(DaySwitches, Listed, OfContributor):
    """Parameters of the commits of a day."""

    repository: Id = Field(description="Id of a repository, as in dim_repository.", examples=[1])
    day: Day = Field(description="A UTC day.", examples=["2022-03-14"])


class ConcentrationQuery(Switches, OfRepository):
    """Parameters of concentration."""

    measure: concentration.Measure = Field(
        concentration.Measure.COMMITS, description="What is measured: commits, or lines added and deleted."
    )
    of_whom: concentration.Holder = Field(
        concentration.Holder.CONTRIBUTOR, description="Of people, or of organisations."
    )


class CurveQuery(ConcentrationQuery, Tabular):
    """Parameters of the curve."""

    points: int = Field(100, ge=1, le=10_000, description="Points at most.")


class FrequencyQuery(Days, Tabular, OfRepository):
    """Parameters of releases by period."""

    granularity: trends.Granularity = _PERIOD


@router.get("/trends", summary="Activity by period", responses=table_of(ChosenTrends))
async def list_trends(request: Request, asked: Annotated[TrendsQuery, Query()], reader: ReaderOfProcess) -> Response:
    """
    Of all, of a repository, of a person, or of a person in a repository.

    Periods without commits have no row. `since` and `until` say from when to when, as everywhere.
    """
    await known(reader, repository=asked.repository, contributor=asked.contributor)
    rows = await trends.trends(
        reader, asked.granularity, asked, repository=asked.repository, contributor=asked.contributor
    )
    only = None if asked.metric is None else {"period_start", *asked.metric}
    return await table(request, asked, trends.TrendRow, rows, only=only)


@router.get("/hours", summary="Commits by weekday and hour", responses=table_of(hours.HourRow))
async def list_hours(request: Request, asked: Annotated[HoursQuery, Query()], reader: ReaderOfProcess) -> Response:
    """By author date; hours without commits have no row."""
    await known(reader, repository=asked.repository, contributor=asked.contributor)
    rows = await hours.hours(
        reader,
        asked,
        repository=asked.repository,
        contributor=asked.contributor,
        clock=asked.clock,
        from_hour=asked.from_hour,
        to_hour=asked.to_hour,
    )
    return await table(request, asked, hours.HourRow, rows)


@router.get(
    "/burstiness",
    summary="How unevenly commits come",
    responses=object_of(hours.Burstiness, "The figures."),
)
async def burstiness(asked: Annotated[BurstinessQuery, Query()], reader: ReaderOfProcess) -> hours.Burstiness:
    """By author date."""
    await known(reader, repository=asked.repository, contributor=asked.contributor)
    return await hours.burstiness(reader, asked, repository=asked.repository, contributor=asked.contributor)


@router.get("/commits", summary="The commits of a day", responses=table_of(days.CommitRow, paged=True))
async def list_commits(request: Request, asked: Annotated[CommitsQuery, Query()], reader: ReaderOfProcess) -> Response:
    """The latest first. How many there are on each day are the trends by day."""
    await known(reader, repository=asked.repository, contributor=asked.contributor)
    page = await days.commits(
        reader, asked.repository, asked.day, asked, contributor=asked.contributor, paging=asked.paging
    )
    return await table(request, asked, days.CommitRow, page)


@router.get(
    "/concentration",
    summary="On how few the work rests",
    responses=object_of(concentration.Concentration, "The figures."),
)
async def show_concentration(
    asked: Annotated[ConcentrationQuery, Query()], reader: ReaderOfProcess
) -> concentration.Concentration:
    """Absence factor and Gini coefficient of a repository, or of all; of organisations the elephant factor."""
    await known(reader, repository=asked.repository)
    return await concentration.concentration(
        reader, asked, repository=asked.repository, measure=asked.measure, of_whom=asked.of_whom
    )


@router.get("/lorenz-curve", summary="The curve of concentration", responses=table_of(concentration.CurvePoint))
async def lorenz_curve(request: Request, asked: Annotated[CurveQuery, Query()], reader: ReaderOfProcess) -> Response:
    """Which part the least active part of people made; the Gini coefficient is twice the area up to the diagonal."""
    await known(reader, repository=asked.repository)
    points = await concentration.curve(
        reader, asked, repository=asked.repository, measure=asked.measure, of_whom=asked.of_whom, points=asked.points
    )
    return await table(request, asked, concentration.CurvePoint, points)


@router.get("/release-frequency", summary="Releases by period", responses=table_of(releases.ReleaseFrequencyRow))
async def release_frequency(
    request: Request, asked: Annotated[FrequencyQuery, Query()], reader: ReaderOfProcess
) -> Response:
    """By the type that their names tell."""
    await known(reader, repository=asked.repository)
    rows = await releases.frequency(reader, asked.granularity, asked, repository=asked.repository)
    return await table(request, asked, releases.ReleaseFrequencyRow, rows)
