"""Runs of dbt, and how fresh what they read was: schema dbt_meta, for the schema of the marts that are served."""

from __future__ import annotations

from datetime import datetime
from typing import LiteralString

from pydantic import BaseModel, Field

from gitmart.api.queries.paging import FIRST, Order, Page, Paging, page
from gitmart.api.reader import Reader


class RunRow(BaseModel):
    """A run of dbt. Counts are null until it has ended, and where dbt came to no result."""

    run_id: int = Field(examples=[12])
    started_at: datetime = Field(examples=["2024-01-02T03:00:00Z"])
    finished_at: datetime | None = Field(description="Null while it runs.", examples=["2024-01-02T03:00:21Z"])
    outcome: str | None = Field(description="Null while it runs; else as in docs/outcomes.md.", examples=["Succeeded"])
    message: str | None = Field(examples=["310 nodes built and tested"])
    full_refresh: bool = Field(examples=[False])
    dbt_version: str | None = Field(examples=["1.12.0"])
    gitmart_version: str = Field(examples=["0.1.0"])
    elapsed_seconds: float | None = Field(examples=[18.4])
    nodes: int | None = Field(description="Models, tests and functions.", examples=[310])
    succeeded: int | None = Field(description="Built.", examples=[45])
    passed: int | None = Field(description="Tests that passed.", examples=[264])
    warned: int | None = Field(examples=[1])
    failed: int | None = Field(description="Tests that failed.", examples=[0])
    errored: int | None = Field(examples=[0])
    skipped: int | None = Field(examples=[0])
    replicated_until: datetime | None = Field(
        description="Until when a replica had all of its source; null elsewhere.", examples=["2024-01-02T02:59:58Z"]
    )


class FreshnessRow(BaseModel):
    """How old the newest row of a raw table was when the last run with an answer looked."""

    source: str = Field(examples=["raw.repositories"])
    status: str = Field(description="pass, warn, error or runtime error.", examples=["pass"])
    max_loaded_at: datetime | None = Field(examples=["2024-01-02T02:55:00Z"])
    age_seconds: float | None = Field(description="When it was looked at.", examples=[300.0])
    message: str | None = Field(description="Where it could not be told.", examples=["the table is empty"])
    run_id: int = Field(description="The run that looked.", examples=[12])
    looked_at: datetime = Field(description="Begin of that run.", examples=["2024-01-02T03:00:00Z"])


class NodeRow(BaseModel):
    """What became of a model, test or function in a run."""

    unique_id: str = Field(examples=["model.gitmart.fct_commits"])
    name: str = Field(examples=["fct_commits"])
    resource_type: str = Field(examples=["model"])
    status: str = Field(examples=["success"])
    seconds: float = Field(examples=[1.25])
    rows_affected: int | None = Field(examples=[120])
    failures: int | None = Field(description="Of a test: rows that it found.", examples=[0])
    message: str | None = Field(examples=["INSERT 0 120"])


async def runs(reader: Reader, paging: Paging = FIRST) -> Page[RunRow]:
    """Return the runs into the schema, the latest first."""
    return await page(
        reader,
        RunRow,
        _RUNS + " where target_schema = %(target)s",
        {"target": reader.schema},
        Order("run_id", "bigint", "run_id", descending=True),
        paging,
    )


async def run(reader: Reader, run_id: int) -> RunRow | None:
    """Return one run into the schema; None when there is none of that id."""
    found = await reader.row(
        _RUNS + " where target_schema = %(target)s and id = %(run)s", {"target": reader.schema, "run": run_id}
    )
    return None if found is None else RunRow.model_validate(found)


async def nodes(
    reader: Reader, run_id: int, *, status: str | None = None, resource_type: str | None = None, paging: Paging = FIRST
) -> Page[NodeRow]:
    """Return the nodes of a run, the slowest first; those of a status or a type alone if it is given."""
    return await page(
        reader,
        NodeRow,
        _NODES,
        {"target": reader.schema, "run": run_id, "status": status, "resource_type": resource_type},
        Order("seconds", "double precision", "unique_id", "text", descending=True),
        paging,
    )


async def freshness(reader: Reader) -> list[FreshnessRow]:
    """Return how fresh each source was when it was last looked at, by name."""
    rows = await reader.rows(_FRESHNESS, {"target": reader.schema})
    return [FreshnessRow.model_validate(row) for row in rows]


_RUNS: LiteralString = "select *, id as run_id from dbt_meta.runs"
_NODES: LiteralString = """
    select nodes.*
    from dbt_meta.node_runs as nodes
    inner join dbt_meta.runs as runs on nodes.run_id = runs.id
    where
        runs.target_schema = %(target)s
        and runs.id = %(run)s
        and (cast(%(status)s as text) is null or nodes.status = %(status)s)
        and (cast(%(resource_type)s as text) is null or nodes.resource_type = %(resource_type)s)"""
_FRESHNESS: LiteralString = """
    select distinct on (fresh.source) fresh.*, runs.started_at as looked_at
    from dbt_meta.source_freshness as fresh
    inner join dbt_meta.runs as runs on fresh.run_id = runs.id
    where runs.target_schema = %(target)s
    order by fresh.source, fresh.run_id desc"""


class SlowModelRow(BaseModel):
    """How long a model takes, over all runs that are kept."""

    name: str
    runs: int
    median_seconds: float
    max_seconds: float
    last_seconds: float


async def slowest_models(reader: Reader, limit: int) -> list[SlowModelRow]:
    """Return the models that take longest, by the median of their runs."""
    rows = await reader.rows(
        "select * from dbt_meta.slowest_models where target_schema = %(target)s"
        " order by median_seconds desc, name limit %(limit)s",
        {"target": reader.schema, "limit": limit},
    )
    return [SlowModelRow.model_validate(row) for row in rows]


class Docs(BaseModel):
    """dbt's documentation of the last good run: one HTML page, compressed (gzip)."""

    run_id: int
    gzip: bytes


async def docs_run(reader: Reader) -> int | None:
    """Return the run whose documentation there is; None without any."""
    row = await reader.row(
        "select run_id from dbt_meta.docs where target_schema = %(target)s", {"target": reader.schema}
    )
    return None if row is None else int(row["run_id"])


async def docs(reader: Reader) -> Docs | None:
    """Return the documentation; None without any."""
    row = await reader.row(
        "select run_id, gzip from dbt_meta.docs where target_schema = %(target)s", {"target": reader.schema}
    )
    return None if row is None else Docs.model_validate(row)
