"""People: the list, and the page of one."""

from __future__ import annotations

import asyncio
from datetime import date
from typing import Any

from fastapi import APIRouter, Request
from fastapi.responses import HTMLResponse
from pydantic import Field

from gitmart.api.pages import choices
from gitmart.api.pages.answer import html
from gitmart.api.pages.calls import call
from gitmart.api.pages.dependencies import Id, ReaderOfPage, Sought
from gitmart.api.pages.series import YEAR, calendar_chart, commits_chart, hours_chart, span
from gitmart.api.pages.state import chosen, link, parameters
from gitmart.api.pages.words import day_of
from gitmart.api.problems import not_found
from gitmart.api.queries import contributors, hours, organizations, repositories, trends
from gitmart.api.queries.builds import standing
from gitmart.api.queries.contributors import ContributorSort
from gitmart.api.queries.paging import BIGINT, MOST_ROWS, Paging
from gitmart.api.switches import CommitSwitches, Switches

PAGE_SIZE = 50
MOST_ORGANIZATIONS = 10

router = APIRouter(include_in_schema=False)


class PeopleView(Switches):
    """Which people are listed, and where the list begins."""

    repository: int | None = Field(None, ge=1, le=BIGINT)
    q: Sought = None
    sort: ContributorSort = ContributorSort.COMMITS
    cursor: str | None = Field(None, max_length=2000)

    def sorted_by(self, sort: ContributorSort) -> str:
        """Return the address of the list sorted so, from its beginning."""
        return link("/contributors", self.model_copy(update={"sort": sort, "cursor": None}))

    def at(self, cursor: str | None) -> str:
        """Return the address of another page of the list."""
        return link("/contributors", self.model_copy(update={"cursor": cursor}))

    @property
    def beside(self) -> list[tuple[str, str]]:
        """What the form of the switches keeps."""
        return parameters(self, (*Switches.NAMES, "cursor"))


@router.get("/contributors")
async def contributors_page(request: Request, reader: ReaderOfPage) -> HTMLResponse:
    """People with a commit that counts, 50 to a page."""
    view = chosen(PeopleView, request.query_params)
    about = None
    if view.repository is not None:
        about = await repositories.about(reader, view.repository)
        if about is None:
            raise not_found("repository", "repository", view.repository)
    page, theirs, builds = await asyncio.gather(
        contributors.listing(
            reader,
            view,
            repository=view.repository,
            search=view.q,
            sort=view.sort,
            paging=Paging(PAGE_SIZE, view.cursor),
        ),
        organizations.organizations(reader, view, repository=view.repository),
        standing(reader),
    )
    built = builds.last_good.started_at if builds.last_good else None
    read = about.last_processed_at if about else built
    made = call("contributors", view, repository=view.repository, search=view.q, sort=view.sort.value, limit=MOST_ROWS)
    return html(
        request,
        "contributors.html",
        view=view,
        sorts=ContributorSort,
        about=about,
        page=page,
        namesakes=contributors.namesakes(page.rows),
        organizations=theirs[:MOST_ORGANIZATIONS],
        has_more_organizations=len(theirs) > MOST_ORGANIZATIONS,
        organizations_call=call("organizations", view, repository=view.repository),
        call=made,
        times=choices.times("/contributors", view, day_of(read)) if read else [],
        choices=choices.choices(view),
        classes=choices.classes(view),
        says=choices.says(view),
    )


@router.get("/contributors/{contributor}")
async def contributor_page(request: Request, contributor: Id, reader: ReaderOfPage) -> HTMLResponse:
    """What a person did, where and when."""
    view = chosen(choices.SeriesView, request.query_params)
    summary = await contributors.summary(reader, contributor, view)
    if summary is None:
        raise not_found("contributor", "contributor", contributor)
    shown: dict[str, Any] = {
        "view": view,
        "choices": choices.choices(view),
        "classes": choices.classes(view),
        "says": choices.says(view),
        "summary": summary,
        "action": f"/contributors/{contributor}",
    }
    built = (await standing(reader)).last_good
    days_known = [day_of(built.started_at)] if built else []
    days_known += [summary.last_day] if summary.last_day else []
    known = max(days_known, default=date.min)
    shown["times"] = choices.times(shown["action"], view, known)
    last = min(view.until or known, known)
    first = view.since or summary.first_day
    if not summary.commits or first is None or first > last:
        return html(request, "contributor.html", charts=None, **shown)
    granularity = view.granularity_for(first, last)
    year = view.model_copy(update={"since": max(first, last - YEAR), "until": last})
    commit_switches = CommitSwitches(**view.model_dump(include=set(CommitSwitches.model_fields)))
    rows, days, times = await asyncio.gather(
        trends.trends(reader, granularity, view, contributor=contributor),
        trends.trends(reader, trends.Granularity.DAY, year, contributor=contributor),
        hours.hours(reader, commit_switches, contributor=contributor),
    )
    of = span(first, last, granularity, starts_whole=view.since is None, is_over=last < known)
    undated = summary.commits - sum(row.commits for row in rows)
    by_period = call("trends", view, granularity=granularity.value, contributor=contributor)
    by_day = call("trends", year, granularity="day", contributor=contributor)
    by_hour = call("hours", view, ("classes", "dates"), contributor=contributor)
    return html(
        request,
        "contributor.html",
        charts={
            "commits": commits_chart(of, rows, by_period, undated=undated),
            "calendar": calendar_chart(days, last, by_day),
            "hours": hours_chart(times, by_hour),
        },
        repositories_call=call(f"contributor/{contributor}/repositories", view),
        **shown,
    )
