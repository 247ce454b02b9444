"""All repositories at once, as built: what to look at first."""

from __future__ import annotations

from datetime import date, datetime
from enum import StrEnum
from typing import LiteralString

from pydantic import BaseModel, Field

from gitmart.api.reader import Reader

MONTHS = 13  # of activity, the present one among them, so that a month stands beside that of the year before


class Sort(StrEnum):
    """By what repositories are sorted."""

    NAME = "name"
    COMMITS = "commits"
    RECENT = "recent"
    CONTRIBUTORS = "contributors"
    ABSENCE_FACTOR = "absence_factor"
    LAST_COMMIT = "last_commit"
    CHECKED = "checked"


class Overview(BaseModel):
    """A repository in the list of all."""

    repository_id: int
    repository_name: str
    url: str
    state: str = Field(description="pending, in_progress, completed or failed, when the marts were built.")
    last_processed_at: datetime | None
    commits: int
    contributors: int
    absence_factor: int | None
    largest_share: float | None = Field(description="Part of the commits that the most active person made, 0 to 1.")
    largest_kind: str | None = Field(description="What the most active person is: human, bot or assistant.")
    last_commit_at: datetime | None
    commits_last_90_days: int
    commits_90_days_before: int = Field(description="Of the 90 days before the last 90.")
    summarized_on: date
    months: dict[date, int] = Field(description="Commits by first day of the month, of the last 13 months.")


class Totals(BaseModel):
    """Of all repositories. A commit that several hold counts in each."""

    repositories: int
    commits: int
    contributors: int
    commits_last_90_days: int
    failed: int = Field(description="Repositories whose last extraction failed.")


class Overviews(BaseModel):
    """A page of the list, and how many repositories were found in all."""

    found: int
    repositories: list[Overview]


async def totals(reader: Reader) -> Totals:
    """Return the sums over all repositories."""
    row = await reader.row(
        "select count(*) as repositories, coalesce(sum(commits), 0) as commits,"
        " coalesce(sum(commits_last_90_days), 0) as commits_last_90_days,"
        " count(*) filter (where state = 'failed') as failed,"
        " (select count(*) from {schema}.contributor_summary where commits > 0) as contributors"
        " from {schema}.repository_summary"
    )
    return Totals.model_validate(row)


async def overview(
    reader: Reader, *, q: str | None, sort: Sort, descending: bool, limit: int, offset: int
) -> Overviews:
    """Return the repositories whose name or address holds a text, sorted, and what they did in the last 13 months."""
    parameters = {"q": q, "limit": limit, "offset": offset, "months": MONTHS - 1}
    direction: LiteralString = " desc" if descending else " asc"
    order: LiteralString = (
        " order by " + _SORTED[sort] + direction + " nulls last, lower(repository_name), repository_id"
    )
    rows = await reader.rows(_OVERVIEW.replace("/* order */", order), parameters)
    found = rows[0]["found"] if rows else 0
    return Overviews(
        found=found, repositories=[Overview.model_validate(row) for row in rows if row["repository_id"] is not None]
    )


_SORTED: dict[Sort, LiteralString] = {
    Sort.NAME: "lower(repository_name)",
    Sort.COMMITS: "commits",
    Sort.RECENT: "commits_last_90_days",
    Sort.CONTRIBUTORS: "contributors",
    Sort.ABSENCE_FACTOR: "absence_factor",
    Sort.LAST_COMMIT: "last_commit_at",
    Sort.CHECKED: "last_processed_at",
}

# The marts have no indexes for this, so each is read once for all repositories of the page.
_OVERVIEW: LiteralString = """
with found as (
    select * from {schema}.repository_summary
    where
        cast(%(q)s as text) is null
        or position(lower(cast(%(q)s as text)) in lower(repository_name || ' ' || url)) > 0
),
chosen as (
    select *, row_number() over (/* order */) as place from found /* order */ limit %(limit)s offset %(offset)s
),
activity as (
    select
        activity.repository_id,
        sum(activity.commits) filter (where activity.granularity = 'day') as commits_90_days_before,
        jsonb_object_agg(activity.period_start, activity.commits)
            filter (where activity.granularity = 'month') as months
    from {schema}.fct_repository_activity as activity
    inner join chosen on activity.repository_id = chosen.repository_id
    where
        activity.granularity = 'day'
        and activity.period_start between chosen.summarized_on - 179 and chosen.summarized_on - 90
        or activity.granularity = 'month'
        and activity.period_start
        between date_trunc('month', chosen.summarized_on) - make_interval(months => %(months)s)
        and chosen.summarized_on
    group by activity.repository_id
),
first as (
    select repository_id, commit_share as largest_share, contributor_kind as largest_kind
    from {schema}.fct_repository_contributors
    where commit_rank = 1 and repository_id in (select repository_id from chosen)
)
select
    (select count(*) from found) as found,
    chosen.*,
    first.largest_share,
    first.largest_kind,
    coalesce(activity.commits_90_days_before, 0) as commits_90_days_before,
    coalesce(activity.months, '{{}}') as months
from (select 1) as once
left join chosen on true
left join activity on chosen.repository_id = activity.repository_id
left join first on chosen.repository_id = first.repository_id
order by chosen.place
"""
