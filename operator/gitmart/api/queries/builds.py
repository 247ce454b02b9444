"""How the builds of the marts stand: what dbt_meta remembers of runs."""

from __future__ import annotations

from datetime import datetime

from pydantic import BaseModel, Field

from gitmart.api.reader import Reader


class Build(BaseModel):
    """A run of dbt into the schema of the marts."""

    id: int
    started_at: datetime
    finished_at: datetime | None = Field(description="Null: it runs, or was killed and no later run has noticed.")
    outcome: str | None
    passed: int | None = Field(description="Tests that passed; null until it has ended.")
    warned: int | None
    failed: int | None
    errored: int | None


class Standing(BaseModel):
    """The last run, and the last good one."""

    last: Build | None
    last_good: Build | None


async def standing(reader: Reader) -> Standing:
    """Return how the builds stand."""
    row = await reader.row(
        "select"
        " (select to_jsonb(r) from dbt_meta.runs as r where target_schema = %(schema)s"
        " order by started_at desc limit 1) as last,"
        " (select to_jsonb(r) from dbt_meta.runs as r where target_schema = %(schema)s and outcome = 'Succeeded'"
        " order by started_at desc limit 1) as last_good",
        {"schema": reader.schema},
    )
    return Standing.model_validate(row)
