"""The query parameters of several routes. Each route has one model of all of its own, so that others are refused."""

from __future__ import annotations

from enum import StrEnum
from typing import Annotated

from fastapi import Path
from pydantic import BaseModel, BeforeValidator, Field

from gitmart.api.queries.paging import BIGINT, MOST_ROWS, Paging, storable
from gitmart.api.routes.formats import Format
from gitmart.api.switches import Choice

INTEGER = 2**31 - 1  # the greatest integer of PostgreSQL
CENTURY = 36_525  # days
Id = Annotated[int, Field(ge=1, le=BIGINT)]
RepositoryPath = Annotated[
    int, Path(ge=1, le=BIGINT, description="Id of a repository, as in dim_repository.", examples=[1])
]
ContributorPath = Annotated[
    int, Path(ge=1, le=BIGINT, description="Id of a person, as in dim_contributor.", examples=[7])
]


class Tabular(Choice):
    """A table."""

    format: Format | None = Field(
        None, description="How the table is written; without it, what the header Accept asks for, else JSON."
    )


class Listed(Tabular):
    """A table in pages."""

    limit: int = Field(100, ge=1, le=MOST_ROWS, description="Rows of a page at most.")
    cursor: Annotated[str, Field(max_length=4096, pattern=r"^[A-Za-z0-9_-]+=*$")] | None = Field(
        None,
        description="next_cursor of the page before, with all other parameters as they were.",
    )

    @property
    def paging(self) -> Paging:
        """Which page is asked for."""
        return Paging(self.limit, self.cursor)


class OfRepository(Choice):
    """Of one repository, or of all."""

    repository: Id | None = Field(
        None, description="Id of a repository, as in dim_repository; without it all.", examples=[1]
    )


class OfContributor(Choice):
    """Of one person, or of all."""

    contributor: Id | None = Field(
        None, description="Id of a person, as in dim_contributor; without it all.", examples=[7]
    )


def _storable(text: object) -> object:
    return storable(text) if isinstance(text, str) else text


class Searched(BaseModel):
    """What is looked for by a part of its name."""

    search: (
        Annotated[str, Field(min_length=1, max_length=200, pattern=r"^[^\x00]+$"), BeforeValidator(_storable)] | None
    ) = Field(None, description="Part of the name, in small or capital letters.", examples=["gard"])


class Direction(StrEnum):
    """Which way a list is sorted."""

    ASCENDING = "asc"
    DESCENDING = "desc"


class Ordered(Choice):
    """A list that is sorted either way."""

    order: Direction | None = Field(
        None, description="asc or desc; without it names ascending, all else descending. Null comes last either way."
    )

    @property
    def descending(self) -> bool | None:
        """Whether it is sorted descending; None: as is usual for what it is sorted by."""
        return None if self.order is None else self.order is Direction.DESCENDING
