"""What happened when: activity by period, and who came, stayed and went."""

from __future__ import annotations

from datetime import date
from enum import StrEnum

from pydantic import BaseModel, Field

from gitmart.api.reader import Reader
from gitmart.api.switches import Switches, named


class Granularity(StrEnum):
    """How long a period is. Weeks begin on Monday."""

    DAY = "day"
    WEEK = "week"
    MONTH = "month"
    QUARTER = "quarter"
    YEAR = "year"


class TrendRow(BaseModel):
    """A period with at least one commit that counts; those without have no row."""

    period_start: date = Field(description="First day of the period.", examples=["2022-03-01"])
    commits: int = Field(examples=[14])
    merge_commits: int = Field(examples=[1])
    lines_added: int = Field(examples=[310])
    lines_deleted: int = Field(examples=[96])
    files_changed: int = Field(description="Summed over commits.", examples=[28])
    active_days: int = Field(description="Days of the period with a commit.", examples=[9])
    contributors: int = Field(examples=[5])
    new_contributors: int = Field(description="Those whose first commit lies in the period.", examples=[1])
    returning_contributors: int = Field(description="Those whose first commit is earlier.", examples=[4])


class FlowRow(BaseModel):
    """A period, also without commits. The last one may not be over yet."""

    period_start: date = Field(description="First day of the period.", examples=["2022-03-01"])
    contributors: int = Field(description="New, retained or resurrected ones.", examples=[5])
    new_contributors: int = Field(description="Those whose first commit lies in the period.", examples=[1])
    retained_contributors: int = Field(description="Those of the period before, too.", examples=[3])
    resurrected_contributors: int = Field(description="Not new, and not there in the period before.", examples=[1])
    churned_contributors: int = Field(description="Those of the period before who are not in this one.", examples=[2])
    retention: float | None = Field(
        description="Retained ÷ contributors of the period before; null without any.", examples=[0.6]
    )


async def trends(
    reader: Reader,
    granularity: Granularity,
    switches: Switches,
    *,
    repository: int | None = None,
    contributor: int | None = None,
) -> list[TrendRow]:
    """Return the activity of all, of a repository, of a person, or of a person in a repository, by period."""
    rows = await reader.rows(
        "select * from {schema}.activity_by_period(%(granularity)s, repository => cast(%(repository)s as bigint),"
        " contributor => cast(%(contributor)s as bigint), " + named() + ")",
        switches.arguments() | {"granularity": granularity.value, "repository": repository, "contributor": contributor},
    )
    return [TrendRow.model_validate(row) for row in rows]


async def flow(
    reader: Reader, granularity: Granularity, switches: Switches, *, repository: int | None = None
) -> list[FlowRow]:
    """Return who came, stayed, came back and went, by period."""
    rows = await reader.rows(
        "select * from {schema}.contributor_flow(%(granularity)s, repository => cast(%(repository)s as bigint), "
        + named()
        + ")",
        switches.arguments() | {"granularity": granularity.value, "repository": repository},
    )
    return [FlowRow.model_validate(row) for row in rows]
