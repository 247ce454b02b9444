"""Files and directories: which change most."""

from __future__ import annotations

from datetime import date

from pydantic import BaseModel, Field

from gitmart.api.queries.paging import FIRST, Order, Page, Paging, page
from gitmart.api.reader import Reader
from gitmart.api.switches import Switches, named


class HotspotRow(BaseModel):
    """A file or a directory with at least one commit that counts; merges change none."""

    path: str = Field(
        description="As it was after the commit; a directory ends in /, the root is ./", examples=["beds/bed1.py"]
    )
    file_class: str | None = Field(description="Null for directories.", examples=["source"])
    commits: int = Field(examples=[60])
    lines_added: int = Field(examples=[420])
    lines_deleted: int = Field(examples=[120])
    contributors: int = Field(description="People who changed it.", examples=[5])
    first_day: date | None = Field(description="Null without a commit that has a date.", examples=["2022-01-01"])
    last_day: date | None = Field(description="Null without a commit that has a date.", examples=["2023-12-21"])
    recent_churn: float = Field(
        description="Lines added and deleted, one that is 90 days old counting half.", examples=[3.25]
    )


async def hotspots(
    reader: Reader, repository: int, switches: Switches, *, depth: int | None = None, paging: Paging = FIRST
) -> Page[HotspotRow]:
    """
    Return the files of a repository, or with a depth its directories so deep at most, those with most commits first.

    The switch `merges` says nothing here: merges change no file.
    """
    return await page(
        reader,
        HotspotRow,
        "select * from {schema}.file_hotspots(repository => %(repository)s, depth => cast(%(depth)s as integer), "
        + named(without=("merges",))
        + ")",
        switches.arguments("merges") | {"repository": repository, "depth": depth},
        Order("commits", "bigint", "path", "text", descending=True),
        paging,
    )
