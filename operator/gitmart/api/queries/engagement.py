"""How people come to take part, and whether they still do."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from datetime import date
from typing import LiteralString

from pydantic import BaseModel, Field

from gitmart.api.queries.contributors import Person
from gitmart.api.queries.paging import FIRST, Order, Page, Paging, page
from gitmart.api.reader import Reader
from gitmart.api.switches import Switches, named


@dataclass(frozen=True, slots=True)
class Thresholds:
    """Where the lines are drawn; None: as function `contributor_engagement` draws them. Days and commits."""

    drifting_days: int | None = None
    away_days: int | None = None
    window_days: int | None = None
    full_time_days: int | None = None
    occasional_commits: int | None = None
    occasional_gap_days: int | None = None


USUAL = Thresholds()


class EngagementRow(Person):
    """A person with a commit that counts, as of the day `until`; without it, today in UTC."""

    commits: int = Field(examples=[48])
    active_days: int = Field(examples=[40])
    active_days_in_window: int = Field(description="In the last window_days.", examples=[2])
    first_day: date = Field(examples=["2022-01-01"])
    last_day: date = Field(examples=["2023-12-21"])
    days_since_last: int = Field(examples=[12])
    longest_gap_days: int | None = Field(
        description="Between two active days; null with fewer than two.", examples=[60]
    )
    engagement: str = Field(description="active, drifting or away.", examples=["active"])
    workload: str = Field(description="full_time, part_time or none.", examples=["part_time"])
    is_occasional: bool = Field(examples=[False])


class LevelRow(BaseModel):
    """A number of commits, and how many people reached it."""

    level: int = Field(description="From 1.", examples=[2])
    at_least_commits: int = Field(examples=[5])
    contributors: int = Field(examples=[6])
    conversion_rate: float | None = Field(
        description="Part of those of the level before; null at the first and where there are none.", examples=[0.75]
    )


async def engagement(
    reader: Reader,
    switches: Switches,
    *,
    repository: int | None = None,
    contributor: int | None = None,
    thresholds: Thresholds = USUAL,
    paging: Paging = FIRST,
) -> Page[EngagementRow]:
    """Return who is active, drifting or away, those with most commits first."""
    return await page(
        reader,
        EngagementRow,
        _ENGAGEMENT,
        switches.arguments() | {"repository": repository, "contributor": contributor} | asdict(thresholds),
        Order("commits", "bigint", "contributor_id", descending=True),
        paging,
    )


async def levels(
    reader: Reader, switches: Switches, *, repository: int | None = None, at_least: Sequence[int] | None = None
) -> list[LevelRow]:
    """Return how many people made at least so many commits; None: as function `contributor_levels` has them."""
    rows = await reader.rows(
        "select * from {schema}.contributor_levels(repository => cast(%(repository)s as bigint),"
        " levels => cast(%(levels)s as integer[]), " + named() + ")",
        switches.arguments() | {"repository": repository, "levels": None if at_least is None else list(at_least)},
    )
    return [LevelRow.model_validate(row) for row in rows]


_ENGAGEMENT: LiteralString = (
    """
    select * from {schema}.contributor_engagement(
        repository => cast(%(repository)s as bigint),
        contributor => cast(%(contributor)s as bigint),
        drifting_days => cast(%(drifting_days)s as integer),
        away_days => cast(%(away_days)s as integer),
        window_days => cast(%(window_days)s as integer),
        full_time_days => cast(%(full_time_days)s as integer),
        occasional_commits => cast(%(occasional_commits)s as integer),
        occasional_gap_days => cast(%(occasional_gap_days)s as integer), """
    + named()
    + ")"
)
