"""Files that change together."""

from __future__ import annotations

from typing import LiteralString

from pydantic import BaseModel, Field

from gitmart.api.queries.paging import FIRST, Order, Page, Paging, page
from gitmart.api.reader import Reader
from gitmart.api.switches import FileSwitches, Switches, named


class CouplingRow(BaseModel):
    """Two files of a repository that commits change together. Paths are as they were after the commit."""

    path: str = Field(description="The one that comes first; with coupled_with that.", examples=["beds/bed1.py"])
    other_path: str = Field(examples=["tests/test_bed1.py"])
    commits_together: int = Field(description="Commits that change both.", examples=[7])
    commits: int = Field(description="Commits that change path.", examples=[13])
    other_commits: int = Field(description="Commits that change other_path.", examples=[8])
    confidence: float = Field(description="Together ÷ those of the file with fewer.", examples=[0.875])
    jaccard: float = Field(description="Together ÷ those that change either.", examples=[0.5])


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
