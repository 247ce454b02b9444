"""Files and directories: which change most, and which change together."""

from __future__ import annotations

from datetime import date
from enum import StrEnum
from typing import LiteralString

from pydantic import BaseModel, Field

from gitmart.api.queries.paging import FIRST, Order, Page, Paging, page
from gitmart.api.reader import Reader
from gitmart.api.switches import FileSwitches, Switches, named


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
        description="Lines added and deleted, one that is half_life_days old counting half.", examples=[3.25]
    )


class CouplingRow(BaseModel):
    """Two files of a repository that commits change together. Paths are as they were after the commit."""

    path: str = Field(description="The one that comes first; with coupled_with that.", examples=["beds/bed1.py"])
    other_path: str = Field(examples=["tests/test_bed1.py"])
    commits_together: int = Field(description="Commits that change both.", examples=[7])
    commits: int = Field(description="Commits that change path.", examples=[13])
    other_commits: int = Field(description="Commits that change other_path.", examples=[8])
    confidence: float = Field(description="Together ÷ those of the file with fewer.", examples=[0.875])
    jaccard: float = Field(description="Together ÷ those that change either.", examples=[0.5])


class HotspotSort(StrEnum):
    """What hotspots can be sorted by, the most first."""

    COMMITS = "commits"
    RECENT_CHURN = "recent_churn"
    LINES_ADDED = "lines_added"
    LINES_DELETED = "lines_deleted"
    CONTRIBUTORS = "contributors"


async def hotspots(
    reader: Reader,
    repository: int,
    switches: FileSwitches | Switches,
    *,
    depth: int | None = None,
    half_life_days: int | None = None,
    sort: HotspotSort = HotspotSort.COMMITS,
    paging: Paging = FIRST,
) -> Page[HotspotRow]:
    """
    Return the files of a repository, or with a depth its directories so deep at most, those with most first.

    The switch `merges` says nothing here: merges change no file. `half_life_days` is that of `recent_churn`, as of the
    day `until`, or of today in UTC; None: as function `file_hotspots` has it.
    """
    return await page(
        reader,
        HotspotRow,
        "select * from {schema}.file_hotspots(repository => %(repository)s, depth => cast(%(depth)s as integer),"
        " half_life_days => cast(%(half_life_days)s as integer), " + named(of=FileSwitches) + ")",
        switches.arguments("merges") | {"repository": repository, "depth": depth, "half_life_days": half_life_days},
        Order(*_SORTS[sort], "path", "text", descending=True),
        paging,
    )


async def coupling(
    reader: Reader,
    repository: int,
    switches: FileSwitches | Switches,
    *,
    coupled_with: str | None = None,
    at_least_together: int | None = None,
    most_files: int | None = None,
    paging: Paging = FIRST,
) -> Page[CouplingRow]:
    """
    Return pairs of files of a repository, those that change together most often first.

    `coupled_with` is the path of a file, for its pairs alone. `at_least_together` are commits that must change both,
    `most_files` files beyond which a commit does not count; None: as function `file_coupling` has them.
    """
    return await page(
        reader,
        CouplingRow,
        _COUPLING,
        switches.arguments("merges")
        | {
            "repository": repository,
            "coupled_with": coupled_with,
            "at_least_together": at_least_together,
            "most_files": most_files,
        },
        Order("commits_together", "bigint", "pair", "text", descending=True),
        paging,
    )


_SORTS: dict[HotspotSort, tuple[LiteralString, LiteralString]] = {
    HotspotSort.COMMITS: ("commits", "bigint"),
    HotspotSort.RECENT_CHURN: ("recent_churn", "numeric"),
    HotspotSort.LINES_ADDED: ("lines_added", "bigint"),
    HotspotSort.LINES_DELETED: ("lines_deleted", "bigint"),
    HotspotSort.CONTRIBUTORS: ("contributors", "bigint"),
}
# The length tells where the one path ends, so that no two pairs have one key.
_COUPLING: LiteralString = (
    """
    select *, length(path) || ':' || path || other_path as pair
    from {schema}.file_coupling(
        repository => %(repository)s,
        coupled_with => cast(%(coupled_with)s as text),
        at_least_together => cast(%(at_least_together)s as integer),
        most_files => cast(%(most_files)s as integer), """
    + named(of=FileSwitches)
    + ")"
)
