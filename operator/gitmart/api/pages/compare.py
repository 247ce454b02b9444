"""Repositories side by side."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass, replace
from datetime import date

from fastapi import APIRouter, Request
from fastapi.responses import HTMLResponse
from pydantic import Field

from gitmart.api.pages import choices
from gitmart.api.pages.answer import html
from gitmart.api.pages.calls import Call, call
from gitmart.api.pages.charts.columns import Columns, columns
from gitmart.api.pages.charts.periods import filled, x_axis
from gitmart.api.pages.charts.scales import Tick, count_ticks
from gitmart.api.pages.dependencies import ReaderOfPage
from gitmart.api.pages.figures import partial_bands
from gitmart.api.pages.repository import last_known
from gitmart.api.pages.series import Span, most_of, span
from gitmart.api.pages.state import chosen, link
from gitmart.api.pages.words import counted
from gitmart.api.problems import not_found
from gitmart.api.queries import comparison, repositories, trends
from gitmart.api.queries.comparison import ComparedRepository
from gitmart.api.queries.paging import Paging

MOST_OFFERED = 1000  # repositories to choose from

router = APIRouter(include_in_schema=False)


class CompareView(choices.SeriesView):
    """Which repositories are compared."""

    repository: list[int] | None = Field(None, max_length=comparison.MOST)

    @property
    def ids(self) -> list[int]:
        """The repositories, each once, in the order in which they were named."""
        return list(dict.fromkeys(self.repository or ()))

    def without(self, repository: int) -> str:
        """Return the address without a repository."""
        others = [each for each in self.ids if each != repository]
        return link("/compare", self.model_copy(update={"repository": others or None}))

    @property
    def beside(self) -> list[tuple[str, str]]:
        """What the form of the switches keeps."""
        return [("repository", str(each)) for each in self.ids]


@dataclass(frozen=True, slots=True)
class Beside:
    """A repository among others: its commits over time, by the scale of all."""

    about: ComparedRepository
    says: str
    note: str | None  # what is not known of it, while of another it is
    plot: Columns
    x_axis: list[Tick]
    partial: list[tuple[float, float]]
    call: Call


@router.get("/compare")
async def compare_page(request: Request, reader: ReaderOfPage) -> HTMLResponse:
    """Repositories by the same measures, under the same switches."""
    view = chosen(CompareView, request.query_params)
    offered, (compared, unknown) = await asyncio.gather(
        repositories.listing(reader, paging=Paging(MOST_OFFERED)), comparison.comparison(reader, view.ids, view)
    )
    if unknown:
        raise not_found("repository", "repository", unknown[0])
    drawn, unit, notes = await _drawn(reader, view, compared)
    known = max((last_known(each) for each in compared if each.last_processed_at), default=date.min)
    return html(
        request,
        "compare.html",
        view=view,
        choices=choices.choices(view),
        classes=choices.classes(view),
        says=choices.says(view),
        offered=[each for each in offered.rows if each.repository_id not in view.ids],
        compared=compared,
        drawn=drawn,
        unit=unit,
        times=choices.times("/compare", view, known),
        is_of_one_age=len({each.first_commit_day for each in compared}) == 1,
        notes=notes,
        most=comparison.MOST,
        call=call("comparison", view, repository=view.ids),
    )


async def _drawn(
    reader: ReaderOfPage, view: CompareView, compared: list[ComparedRepository]
) -> tuple[list[Beside], str, list[str]]:
    """Return the charts of one scale and one time, how long their periods are, and what one must know of these."""
    begins = [each.first_commit_day for each in compared if each.first_commit_day]
    if not begins:
        return [], "", []
    known = {each.repository_id: last_known(each) for each in compared}
    last = min(view.until or date.max, max(known.values()))
    first = view.since or min(begins)
    if first > last:
        return [], "", []
    granularity = view.granularity_for(first, last)
    all_rows = await asyncio.gather(
        *(trends.trends(reader, granularity, view, repository=each.repository_id) for each in compared)
    )
    of = span(first, last, granularity, starts_whole=view.since is None, is_over=last < max(known.values()))
    commits = [filled(of.periods, {row.period_start: row.commits for row in rows}) for rows in all_rows]
    ticks = count_ticks(max(max(each) for each in commits), 3)
    drawn = [
        _beside(view, about, of, values, ticks, known[about.repository_id])
        for about, values in zip(compared, commits, strict=True)
    ]
    return drawn, granularity.value, of.notes


def _beside(
    view: CompareView, about: ComparedRepository, of: Span, commits: list[int], ticks: list[int], known: date
) -> Beside:
    unit = of.granularity.value
    note = None
    if about.last_processed_at is None:
        note = "It has not been read so far: nothing is known of it."
    elif known < of.last:
        note = f"It is known up to {known} alone: what is shaded after that may lack commits; do not read it as a fall."
    says = "No commit."
    if sum(commits):
        says = f"{counted(sum(commits), 'commit')}, the first on {about.first_commit_day}{most_of(of, commits)}."
    return Beside(
        about,
        says,
        note,
        columns([commits], ticks),
        x_axis(of.periods, of.granularity),
        partial_bands([replace(each, is_whole=each.is_whole and each.end <= known) for each in of.periods]),
        call("trends", view, granularity=unit, repository=about.repository_id),
    )
