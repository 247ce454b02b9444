"""Repositories: what to look at first."""

from __future__ import annotations

from datetime import date, datetime
from typing import LiteralString

from pydantic import BaseModel, Field

from gitmart.api.reader import Reader
from gitmart.api.switches import Switches, named


class Concentration(BaseModel):
    """On how few the work rests; as function `concentration` of the marts."""

    holders: int = Field(description="People with any commit that counts.")
    absence_factor: int | None = Field(description="Fewest people who made half of the commits; null without any.")
    gini_coefficient: float | None = Field(description="From 0 (all alike) towards 1, uncorrected; null without any.")
    largest_share: float | None = Field(description="Part of the most active person, 0 to 1; null without any.")


class RepositorySummary(BaseModel):
    """A repository and its figures under the switches of the request."""

    repository_id: int
    repository_name: str
    url: str
    default_branch: str | None
    state: str = Field(description="pending, in_progress, completed or failed: how its last extraction stands.")
    last_processed_at: datetime | None
    commits: int
    contributors: int
    merge_commits: int
    lines_added: int
    lines_deleted: int
    first_commit_day: date | None
    last_commit_day: date | None
    concentration: Concentration


async def summary(reader: Reader, repository: int, switches: Switches) -> RepositorySummary | None:
    """Return the figures of a repository; None when there is none of that id."""
    parameters = switches.arguments() | {"repository": repository}
    about = await reader.row(
        "select repository_id, repository_name, url, default_branch, state, last_processed_at"
        " from {schema}.dim_repository where repository_id = %(repository)s",
        parameters,
    )
    if about is None:
        return None
    figures = await reader.row(_FIGURES, parameters)
    concentration = await reader.row(
        "select * from {schema}.concentration(repository => %(repository)s, " + named() + ")", parameters
    )
    return RepositorySummary.model_validate({**about, **(figures or {}), "concentration": concentration})


_FIGURES: LiteralString = (
    """
select
    coalesce(sum(commits), 0) as commits,
    count(*) as contributors,
    coalesce(sum(merge_commits), 0) as merge_commits,
    coalesce(sum(lines_added), 0) as lines_added,
    coalesce(sum(lines_deleted), 0) as lines_deleted,
    min(first_day) as first_commit_day,
    max(last_day) as last_commit_day
from {schema}.contributor_activity(repository => %(repository)s, """
    + named()
    + ")"
)
