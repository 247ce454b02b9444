"""Runs of dbt: how they ended, what took long, what failed, how fresh the sources were."""

from __future__ import annotations

import asyncio

from fastapi import APIRouter, Request
from fastapi.responses import HTMLResponse
from pydantic import BaseModel, ConfigDict, Field

from gitmart.api.pages.answer import html
from gitmart.api.pages.dependencies import Id, ReaderOfPage
from gitmart.api.pages.state import chosen, link
from gitmart.api.problems import not_found
from gitmart.api.queries import builds, extractions, runs
from gitmart.api.queries.paging import Paging

RUNS = 25  # to a page
SLOWEST = 10
MOST_FAILURES = 100
NOT_WELL = ("error", "fail", "warn", "skipped")

router = APIRouter(include_in_schema=False)


class RunsView(BaseModel):
    """Where the list begins."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    cursor: str | None = Field(None, max_length=2000)

    def at(self, cursor: str | None) -> str:
        """Return the address of another page of the list."""
        return link("/runs", self.model_copy(update={"cursor": cursor}))


@router.get("/runs")
async def runs_page(request: Request, reader: ReaderOfPage) -> HTMLResponse:
    """The runs, the latest first."""
    view = chosen(RunsView, request.query_params)
    page, slowest, freshness, standing, running = await asyncio.gather(
        runs.runs(reader, Paging(RUNS, view.cursor)),
        runs.slowest_models(reader, SLOWEST),
        runs.freshness(reader),
        builds.standing(reader),
        extractions.in_progress(reader),
    )
    return html(
        request,
        "runs.html",
        live=True,
        view=view,
        page=page,
        slowest=slowest,
        freshness=freshness,
        builds=standing,
        running=running,
    )


@router.get("/runs/{run}")
async def run_page(request: Request, run: Id, reader: ReaderOfPage) -> HTMLResponse:
    """What became of each model and test of a run."""
    about = await runs.run(reader, run)
    if about is None:
        raise not_found("run", "run", run)
    slowest, *not_well = await asyncio.gather(
        runs.nodes(reader, run, paging=Paging(SLOWEST)),
        *(runs.nodes(reader, run, status=status, paging=Paging(MOST_FAILURES)) for status in NOT_WELL),
    )
    failures = [node for page in not_well for node in page.rows]
    longest = max((node.seconds for node in slowest.rows), default=0.0)
    return html(
        request,
        "run.html",
        live=True,
        run=about,
        slowest=slowest.rows,
        longest=longest,
        failures=failures,
        is_cut=any(page.next_cursor for page in not_well),
    )
