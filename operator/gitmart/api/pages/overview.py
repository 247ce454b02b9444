"""The first page: all repositories."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass, replace
from datetime import date, timedelta

from fastapi import APIRouter, Request
from fastapi.responses import HTMLResponse
from pydantic import BaseModel, ConfigDict, Field

from gitmart.api.pages.answer import html
from gitmart.api.pages.calls import call
from gitmart.api.pages.charts.columns import Bar, sparkline
from gitmart.api.pages.charts.periods import filled, periods
from gitmart.api.pages.dependencies import ReaderOfPage, Sought
from gitmart.api.pages.figures import partial_bands
from gitmart.api.pages.state import chosen, link
from gitmart.api.pages.words import counted, day_of
from gitmart.api.queries import overview as queries
from gitmart.api.queries.builds import standing
from gitmart.api.queries.paging import MOST_ROWS
from gitmart.api.queries.trends import Granularity
from gitmart.api.switches import Switches

PAGE_SIZE = 25
CURRENT = timedelta(days=1)  # what was read the day before a build is as good as of its day
RECENT = timedelta(days=90)
MOST_PAGES = 10_000  # PostgreSQL counts rows that are passed over
# What people expect of a first click: names upwards, figures downwards.
UPWARDS = {queries.Sort.NAME, queries.Sort.ABSENCE_FACTOR}

router = APIRouter(include_in_schema=False)


class Listing(BaseModel):
    """What is looked for, and which part of it is shown."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    q: Sought = None
    sort: queries.Sort = queries.Sort.RECENT
    reverse: bool = False
    page: int = Field(1, ge=1, le=MOST_PAGES)

    @property
    def descending(self) -> bool:
        """Whether the greatest come first."""
        return (self.sort not in UPWARDS) ^ self.reverse

    def sorted_by(self, sort: queries.Sort) -> str:
        """Return the address of the list sorted so; of the present one, the other way round."""
        reverse = not self.reverse if sort is self.sort else False
        return link("/", self.model_copy(update={"sort": sort, "reverse": reverse, "page": 1}))

    def at(self, page: int) -> str:
        """Return the address of another page of the list."""
        return link("/", self.model_copy(update={"page": page}))


@router.get("/")
async def overview(request: Request, reader: ReaderOfPage) -> HTMLResponse:
    """All repositories, 25 to a page."""
    listing = chosen(Listing, request.query_params)
    totals, found, builds = await asyncio.gather(
        queries.totals(reader),
        queries.overview(
            reader,
            q=listing.q,
            sort=listing.sort,
            descending=listing.descending,
            limit=PAGE_SIZE,
            offset=(listing.page - 1) * PAGE_SIZE,
        ),
        standing(reader),
    )
    return html(
        request,
        "overview.html",
        listing=listing,
        sorts=queries.Sort,
        totals=totals,
        found=found.found,
        rows=[Row(each, *_activity(each)) for each in found.repositories],
        last_page=max(-(-found.found // PAGE_SIZE), 1),
        builds=builds,
        call=call("repositories", Switches(), search=listing.q, limit=MOST_ROWS),
    )


def _activity(repository: queries.Overview) -> tuple[list[Bar], list[tuple[float, float]], str, str, date | None]:
    """Return the bars of the months, those not known whole, what both say, the scale, and where knowledge ends."""
    today = repository.summarized_on
    last = day_of(repository.last_processed_at) if repository.last_processed_at else date.min
    known_until = last if last < today - CURRENT else None
    months = periods(_months_before(today, queries.MONTHS - 1), today, Granularity.MONTH)
    if known_until:
        months = [replace(month, is_whole=month.is_whole and month.end <= known_until) for month in months]
    commits = filled(months, repository.months)
    says = f"{counted(sum(commits), 'commit')} in 13 months, {max(commits):,} in the month with most"
    if known_until:
        says += f"; nothing is known after {known_until}"
    return (
        sparkline(commits),
        partial_bands(months),
        says,
        f"at most {max(commits):,}" if any(commits) else "none",
        known_until,
    )


@dataclass(frozen=True, slots=True)
class Row:
    """A repository in the list with its months; `known_until` if that is days before the build that counted them."""

    about: queries.Overview
    bars: list[Bar]
    partial: list[tuple[float, float]]
    says: str
    scale: str
    known_until: date | None

    @property
    def is_recent_known(self) -> bool:
        """Whether anything is known of the last 90 days."""
        return self.known_until is None or self.known_until > self.about.summarized_on - RECENT


def _months_before(day: date, months: int) -> date:
    """Return the first day of the month that lies so many months before a day's."""
    years, month = divmod(day.year * 12 + day.month - 1 - months, 12)
    return date(years, month + 1, 1)
