"""Days: the commits of one. How many there are on each day are `trends` by day."""

from __future__ import annotations

from datetime import date, datetime

from pydantic import BaseModel, Field

from gitmart.api.queries.paging import FIRST, Order, Page, Paging, page
from gitmart.api.reader import Reader
from gitmart.api.switches import DaySwitches, named


class CommitRow(BaseModel):
    """A commit that counts."""

    repository_id: int = Field(examples=[1])
    commit_hash: str = Field(examples=["9c1185a5c5e9fc54612808977ee8f548b2258d31"])
    contributor_id: int = Field(description="Who wrote it.", examples=[7])
    contributor_name: str = Field(examples=["Ada Gardener"])
    contributor_kind: str = Field(description="human, bot or assistant.", examples=["human"])
    counted_at: datetime = Field(
        description="The date that counts: of author or committer.", examples=["2022-03-14T09:00:00Z"]
    )
    counted_on: date = Field(description="Its UTC day.", examples=["2022-03-14"])
    is_merge: bool = Field(examples=[False])
    in_default_branch: bool = Field(examples=[True])
    lines_added: int = Field(examples=[12])
    lines_deleted: int = Field(examples=[4])
    files_changed: int = Field(examples=[2])


async def commits(
    reader: Reader,
    repository: int,
    day: date,
    switches: DaySwitches,
    *,
    contributor: int | None = None,
    paging: Paging = FIRST,
) -> Page[CommitRow]:
    """Return the commits of a repository on a UTC day, the latest first; `since` and `until` of switches are ignored."""
    return await page(
        reader,
        CommitRow,
        "select * from {schema}.counted_commits(repository => %(repository)s,"
        " contributor => cast(%(contributor)s as bigint), since => cast(%(day)s as date),"
        " until => cast(%(day)s as date), " + named(of=DaySwitches) + ")",
        switches.arguments("since", "until")
        | {"repository": repository, "contributor": contributor, "day": day.isoformat()},
        Order("counted_at", "timestamptz", "commit_hash", "text", descending=True),
        paging,
    )
