"""How extractions stand now, which is later than the marts: views of dbt_meta on the raw tables."""

from __future__ import annotations

from datetime import datetime

from pydantic import BaseModel, Field

from gitmart.api.queries.paging import FIRST, Order, Page, Paging, page
from gitmart.api.reader import Reader


class Extraction(BaseModel):
    """A successful extraction of a repository."""

    run_number: int
    started_at: datetime
    finished_at: datetime
    new_commits: int
    removed_commits: int
    quarantined: int = Field(description="Values of the repository in quarantine afterwards.")


class Quarantined(BaseModel):
    """Values of a repository that could not be stored as they are."""

    field: str
    reason: str
    values: int


class ExtractionRow(BaseModel):
    """A successful extraction of a repository, in a list of those of several."""

    repository_id: int = Field(examples=[1])
    run_number: int = Field(description="Counts up within the repository.", examples=[4])
    started_at: datetime = Field(examples=["2024-01-02T02:55:00Z"])
    finished_at: datetime = Field(examples=["2024-01-02T02:55:09Z"])
    commits: int = Field(description="Of the repository, afterwards.", examples=[121])
    new_commits: int = Field(examples=[3])
    removed_commits: int = Field(description="That were no longer reachable.", examples=[0])
    quarantined: int = Field(description="Values of the repository in quarantine afterwards.", examples=[0])
    bytes_fetched: int = Field(examples=[51200])
    gitmart_version: str = Field(examples=["0.1.0"])


class QuarantineRow(BaseModel):
    """Values of a repository that could not be stored as they are."""

    repository_id: int = Field(examples=[1])
    field: str = Field(examples=["commit_date"])
    reason: str = Field(examples=["git has no valid date"])
    values: int = Field(description="How many.", examples=[2])


class Standing(BaseModel):
    """How the extractions of a repository stand."""

    state: str = Field(description="pending, in_progress, completed or failed.")
    updated_at: datetime = Field(description="When the state changed.")
    extractions: list[Extraction] = Field(description="The latest ones that went well, the last first.")
    quarantined: list[Quarantined]


async def standing(reader: Reader, repository: int, latest: int) -> Standing | None:
    """Return how the extractions of a repository stand; None when there is none of that id."""
    state = await reader.row(
        "select state, updated_at from dbt_meta.repository_states where repository_id = %(repository)s",
        {"repository": repository},
    )
    if state is None:
        return None
    extractions = await reader.rows(
        "select * from dbt_meta.extractions where repository_id = %(repository)s order by run_number desc limit %(latest)s",
        {"repository": repository, "latest": latest},
    )
    quarantined = await reader.rows(
        "select * from dbt_meta.quarantined where repository_id = %(repository)s order by values desc, field, reason",
        {"repository": repository},
    )
    return Standing.model_validate({**state, "extractions": extractions, "quarantined": quarantined})


async def in_progress(reader: Reader) -> int:
    """Return how many repositories are being extracted."""
    row = await reader.row("select count(*) as running from dbt_meta.repository_states where state = 'in_progress'")
    assert row is not None  # noqa: S101 # an aggregate has one
    return int(row["running"])


async def listing(reader: Reader, *, repository: int | None = None, paging: Paging = FIRST) -> Page[ExtractionRow]:
    """Return the extractions that went well, the last first."""
    return await page(
        reader,
        ExtractionRow,
        "select *, repository_id || '/' || run_number as extraction from dbt_meta.extractions"
        " where cast(%(repository)s as bigint) is null or repository_id = %(repository)s",
        {"repository": repository},
        Order("finished_at", "timestamptz", "extraction", "text", descending=True),
        paging,
    )


async def quarantine(reader: Reader, *, repository: int | None = None, paging: Paging = FIRST) -> Page[QuarantineRow]:
    """Return what stands in quarantine, counted by field and reason, the most first."""
    return await page(
        reader,
        QuarantineRow,
        "select *, repository_id || '/' || field || '/' || reason as kind from dbt_meta.quarantined"
        " where cast(%(repository)s as bigint) is null or repository_id = %(repository)s",
        {"repository": repository},
        Order("values", "bigint", "kind", "text", descending=True),
        paging,
    )
