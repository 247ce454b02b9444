"""Repositories: what to look at first, and which there are."""

from __future__ import annotations

from datetime import date, datetime
from enum import StrEnum
from typing import LiteralString

from pydantic import BaseModel, Field

from gitmart.api.queries.concentration import Concentration, concentration
from gitmart.api.queries.paging import FIRST, Order, Page, Paging, page
from gitmart.api.reader import Reader
from gitmart.api.switches import Switches, named


class About(BaseModel):
    """What a repository is."""

    repository_id: int = Field(examples=[1])
    repository_name: str = Field(description="Last part of the path.", examples=["garden"])
    url: str = Field(description="Address it is cloned from.", examples=["https://git.example.com/garden.git"])
    default_branch: str | None = Field(description="Branch HEAD points to.", examples=["main"])
    state: str = Field(
        description="pending, in_progress, completed or failed: how its last extraction stands.", examples=["completed"]
    )
    last_processed_at: datetime | None = Field(
        description="End of the last successful extraction; null before the first.", examples=["2024-01-02T03:04:05Z"]
    )


class RepositorySummary(About):
    """A repository and its figures under the switches of the request."""

    commits: int = Field(examples=[120])
    contributors: int = Field(description="People with a commit that counts.", examples=[8])
    merge_commits: int = Field(examples=[2])
    lines_added: int = Field(examples=[3120])
    lines_deleted: int = Field(examples=[1040])
    first_commit_day: date | None = Field(description="Null without a commit that has a date.", examples=["2022-01-01"])
    last_commit_day: date | None = Field(description="Null without a commit that has a date.", examples=["2023-12-21"])
    concentration: Concentration


class RepositoryRow(About):
    """A repository as mart repository_summary has it: default switches, as of its build."""

    commits: int = Field(examples=[120])
    contributors: int = Field(examples=[8])
    absence_factor: int | None = Field(
        description="Fewest people who made half of the commits; null without any.", examples=[2]
    )
    gini_coefficient: float | None = Field(
        description="From 0 (all alike) towards 1, uncorrected; null without any.", examples=[0.41]
    )
    merge_commits: int = Field(examples=[2])
    lines_added: int = Field(examples=[3120])
    lines_deleted: int = Field(examples=[1040])
    active_days: int = Field(examples=[119])
    first_commit_at: datetime | None = Field(examples=["2022-01-01T00:00:00Z"])
    last_commit_at: datetime | None = Field(examples=["2023-12-21T17:00:00Z"])
    commits_last_30_days: int = Field(description="Up to summarized_on.", examples=[4])
    commits_last_90_days: int = Field(description="Up to summarized_on.", examples=[15])
    all_refs_commits: int = Field(description="Of any selected branch or tag.", examples=[121])
    stars: int | None = Field(description="At its host; null without host metadata.", examples=[12])
    main_language: str | None = Field(description="At its host; null without host metadata.", examples=["Python"])
    license_spdx: str | None = Field(description="At its host; null without host metadata.", examples=["MIT"])
    summarized_on: date = Field(description="UTC day of the build.", examples=["2024-01-02"])


class RepositorySort(StrEnum):
    """What the list of repositories can be sorted by."""

    NAME = "name"
    COMMITS = "commits"
    CONTRIBUTORS = "contributors"
    ABSENCE_FACTOR = "absence_factor"
    GINI_COEFFICIENT = "gini_coefficient"
    LAST_COMMIT_AT = "last_commit_at"
    COMMITS_LAST_30_DAYS = "commits_last_30_days"
    COMMITS_LAST_90_DAYS = "commits_last_90_days"
    LAST_PROCESSED_AT = "last_processed_at"


async def exists(reader: Reader, repository: int) -> bool:
    """Return whether the marts have the repository."""
    query: LiteralString = "select 1 from {schema}.dim_repository where repository_id = %(repository)s"
    return await reader.row(query, {"repository": repository}) is not None


async def about(reader: Reader, repository: int) -> About | None:
    """Return what a repository is; None when there is none of that id."""
    found = await reader.row(
        "select repository_id, repository_name, url, default_branch, state, last_processed_at"
        " from {schema}.dim_repository where repository_id = %(repository)s",
        {"repository": repository},
    )
    return None if found is None else About.model_validate(found)


async def summary(reader: Reader, repository: int, switches: Switches) -> RepositorySummary | None:
    """Return the figures of a repository; None when there is none of that id."""
    parameters = switches.arguments() | {"repository": repository}
    known = await about(reader, repository)
    if known is None:
        return None
    figures = await reader.row(
        "select *, first_day as first_commit_day, last_day as last_commit_day"
        " from {schema}.repository_activity(repository => %(repository)s, " + named() + ")",
        parameters,
    )
    held = await concentration(reader, switches, repository=repository)
    return RepositorySummary.model_validate(
        {**_NOTHING, **(figures or {}), **known.model_dump(), "concentration": held}
    )


async def listing(
    reader: Reader,
    *,
    search: str | None = None,
    sort: RepositorySort = RepositorySort.NAME,
    descending: bool | None = None,
    paging: Paging = FIRST,
) -> Page[RepositoryRow]:
    """
    Return the repositories.

    `search` is a part of the name or the address, in small or capital letters. Names are sorted ascending, all else
    descending, unless `descending` says so.
    """
    column, kind = _SORTS[sort]
    if descending is None:
        descending = sort is not RepositorySort.NAME
    order = Order(column, kind, "repository_id", descending=descending)
    return await page(reader, RepositoryRow, _LISTING, {"search": search}, order, paging)


_NOTHING = {
    "commits": 0, "contributors": 0, "merge_commits": 0, "lines_added": 0, "lines_deleted": 0,
    "first_commit_day": None, "last_commit_day": None,
}  # fmt: skip
_SORTS: dict[RepositorySort, tuple[LiteralString, LiteralString]] = {
    RepositorySort.NAME: ("repository_name", "text"),
    RepositorySort.COMMITS: ("commits", "bigint"),
    RepositorySort.CONTRIBUTORS: ("contributors", "bigint"),
    RepositorySort.ABSENCE_FACTOR: ("absence_factor", "bigint"),
    RepositorySort.GINI_COEFFICIENT: ("gini_coefficient", "numeric"),
    RepositorySort.LAST_COMMIT_AT: ("last_commit_at", "timestamptz"),
    RepositorySort.COMMITS_LAST_30_DAYS: ("commits_last_30_days", "bigint"),
    RepositorySort.COMMITS_LAST_90_DAYS: ("commits_last_90_days", "bigint"),
    RepositorySort.LAST_PROCESSED_AT: ("last_processed_at", "timestamptz"),
}
_LISTING: LiteralString = """
    select *
    from {schema}.repository_summary
    where
        cast(%(search)s as text) is null
        or position(lower(%(search)s) in lower(repository_name)) > 0
        or position(lower(%(search)s) in lower(url)) > 0"""
