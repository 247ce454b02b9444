"""How extractions stand now, which is later than the marts: views of dbt_meta on the raw tables."""

from __future__ import annotations

from datetime import datetime

from pydantic import BaseModel, Field

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
