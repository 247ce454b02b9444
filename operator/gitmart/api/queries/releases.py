"""Releases and branches: the tags and branches of the last extraction."""

from __future__ import annotations

from datetime import date, datetime
from typing import LiteralString

from pydantic import BaseModel, Field

from gitmart.api.queries.paging import FIRST, Order, Page, Paging, page
from gitmart.api.queries.trends import Granularity
from gitmart.api.reader import Reader
from gitmart.api.switches import Days, named


class ReleaseRow(BaseModel):
    """A tag that leads to a commit."""

    repository_id: int = Field(examples=[1])
    release_id: int = Field(examples=[3])
    tag_name: str = Field(examples=["v1.3.0"])
    release_type: str = Field(
        description="major, minor, patch or pre_release, as its name tells; other.", examples=["minor"]
    )
    commit_hash: str = Field(examples=["9c1185a5c5e9fc54612808977ee8f548b2258d31"])
    in_default_branch: bool = Field(examples=[True])
    released_on: date | None = Field(
        description="UTC day of the commit's committer date; null if it has none.", examples=["2022-12-26"]
    )
    days_since_previous: int | None = Field(
        description="Days since the release before; null for the first.", examples=[180]
    )


class ReleaseFrequencyRow(BaseModel):
    """A period with at least one release."""

    period_start: date = Field(description="First day of the period.", examples=["2022-10-01"])
    releases: int = Field(examples=[2])
    major_releases: int = Field(examples=[0])
    minor_releases: int = Field(examples=[1])
    patch_releases: int = Field(examples=[1])
    pre_releases: int = Field(examples=[0])
    other_releases: int = Field(examples=[0])
    median_days_since_previous: float | None = Field(examples=[90.0])


class BranchRow(BaseModel):
    """A branch, and its last commit."""

    repository_id: int = Field(examples=[1])
    branch_id: int = Field(examples=[1])
    branch_name: str = Field(examples=["main"])
    is_default: bool = Field(description="Whether HEAD points to it.", examples=[True])
    is_merged: bool = Field(description="Whether its last commit is reachable from HEAD.", examples=[True])
    commit_hash: str = Field(examples=["9c1185a5c5e9fc54612808977ee8f548b2258d31"])
    contributor_id: int = Field(description="Who wrote that.", examples=[7])
    contributor_name: str = Field(examples=["Ada Gardener"])
    last_commit_at: datetime | None = Field(description="Its believed date.", examples=["2023-12-21T17:00:00Z"])


async def releases(
    reader: Reader, days: Days, *, repository: int | None = None, paging: Paging = FIRST
) -> Page[ReleaseRow]:
    """Return the releases of a time, the latest first; those without a day come last, and only if no day is asked."""
    return await page(
        reader,
        ReleaseRow,
        _RELEASES,
        days.arguments() | {"repository": repository},
        Order("released_on", "date", "release_id", descending=True),
        paging,
    )


async def frequency(
    reader: Reader, granularity: Granularity, days: Days, *, repository: int | None = None
) -> list[ReleaseFrequencyRow]:
    """Return how many releases there were in each period."""
    rows = await reader.rows(
        "select * from {schema}.release_frequency(%(granularity)s, repository => cast(%(repository)s as bigint), "
        + named(of=Days)
        + ")",
        days.arguments() | {"granularity": granularity.value, "repository": repository},
    )
    return [ReleaseFrequencyRow.model_validate(row) for row in rows]


async def branches(reader: Reader, *, repository: int | None = None, paging: Paging = FIRST) -> Page[BranchRow]:
    """Return the branches, those with the latest commit first."""
    return await page(
        reader,
        BranchRow,
        "select branches.*, people.contributor_name from {schema}.dim_branch as branches"
        " inner join {schema}.dim_contributor as people on branches.contributor_id = people.contributor_id"
        " where cast(%(repository)s as bigint) is null or branches.repository_id = %(repository)s",
        {"repository": repository},
        Order("last_commit_at", "timestamptz", "branch_id", descending=True),
        paging,
    )


_RELEASES: LiteralString = """
    select *
    from {schema}.fct_releases
    where
        (cast(%(repository)s as bigint) is null or repository_id = %(repository)s)
        and (cast(%(since)s as date) is null or released_on >= %(since)s)
        and (cast(%(until)s as date) is null or released_on <= %(until)s)"""
