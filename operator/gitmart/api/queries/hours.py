"""When people work, and how evenly."""

from __future__ import annotations

from enum import StrEnum

from pydantic import BaseModel, Field

from gitmart.api.reader import Reader
from gitmart.api.switches import CommitSwitches, named


class Clock(StrEnum):
    """Whose clock tells the hour: the one that the commit was made by, or UTC."""

    AUTHOR = "author"
    UTC = "utc"


class HourRow(BaseModel):
    """An hour of the week with at least one commit that counts; by author date."""

    weekday: int = Field(description="1, Monday, to 7, Sunday.", ge=1, le=7, examples=[3])
    hour_of_day: int = Field(description="0 to 23.", ge=0, le=23, examples=[14])
    commits: int = Field(examples=[5])
    is_outside_work_hours: bool = Field(description="On Saturday or Sunday, too.", examples=[False])


class Burstiness(BaseModel):
    """How unevenly commits come, by author date."""

    commits: int = Field(examples=[120])
    burstiness: float | None = Field(
        description="From -1 (as a clock) by 0 (at random) towards 1; null with fewer than two commits.", examples=[0.1]
    )
    weeks: int = Field(description="From the first to the last with a commit.", examples=[103])
    commits_per_week: float | None = Field(description="Null without any.", examples=[1.165])
    fano_factor: float | None = Field(
        description="Variance ÷ mean of the commits of a week: 1 at random; null without any.", examples=[0.3]
    )


async def hours(
    reader: Reader,
    switches: CommitSwitches,
    *,
    repository: int | None = None,
    contributor: int | None = None,
    clock: Clock = Clock.AUTHOR,
    from_hour: int = 9,
    to_hour: int = 18,
) -> list[HourRow]:
    """Return the commits by weekday and hour. Work begins at `from_hour`, 0 to 24, and is over at `to_hour`."""
    rows = await reader.rows(
        "select * from {schema}.activity_hours(repository => cast(%(repository)s as bigint),"
        " contributor => cast(%(contributor)s as bigint), clock => %(clock)s, from_hour => %(from_hour)s,"
        " to_hour => %(to_hour)s, " + named(of=CommitSwitches) + ")",
        switches.arguments("classes", "dates")
        | {
            "repository": repository,
            "contributor": contributor,
            "clock": clock.value,
            "from_hour": from_hour,
            "to_hour": to_hour,
        },
    )
    return [HourRow.model_validate(row) for row in rows]


async def burstiness(
    reader: Reader, switches: CommitSwitches, *, repository: int | None = None, contributor: int | None = None
) -> Burstiness:
    """Return how unevenly commits come."""
    [figures] = await reader.rows(
        "select * from {schema}.burstiness(repository => cast(%(repository)s as bigint),"
        " contributor => cast(%(contributor)s as bigint), " + named(of=CommitSwitches) + ")",
        switches.arguments("classes", "dates") | {"repository": repository, "contributor": contributor},
    )
    return Burstiness.model_validate(figures)
