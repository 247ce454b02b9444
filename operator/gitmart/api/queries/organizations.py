"""Organisations, as far as the domain of an address of mail tells them."""

from __future__ import annotations

from pydantic import BaseModel, Field

from gitmart.api.reader import Reader
from gitmart.api.switches import Switches, named


class OrganizationRow(BaseModel):
    """An organisation with a commit that counts, or everybody else together. Shares are of all people and commits."""

    organization: str | None = Field(
        description="Domain of the addresses; null for those who belong to none.", examples=["garden.example"]
    )
    contributors: int = Field(examples=[3])
    contributor_share: float = Field(description="0 to 1.", examples=[0.375])
    commits: int = Field(examples=[88])
    commit_share: float = Field(description="0 to 1.", examples=[0.733333])
    lines_added: int = Field(examples=[2200])
    lines_deleted: int = Field(examples=[800])


async def organizations(reader: Reader, switches: Switches, *, repository: int | None = None) -> list[OrganizationRow]:
    """Return the organisations, those with most commits first."""
    rows = await reader.rows(
        "select * from {schema}.organization_activity(repository => cast(%(repository)s as bigint), " + named() + ")",
        switches.arguments() | {"repository": repository},
    )
    return [OrganizationRow.model_validate(row) for row in rows]
