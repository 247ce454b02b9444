"""The page of a repository."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass
from datetime import UTC, date, timedelta
from typing import Any

from fastapi import APIRouter, Request
from fastapi.responses import HTMLResponse

from gitmart.api.pages import choices
from gitmart.api.pages.answer import html
from gitmart.api.pages.calls import call
from gitmart.api.pages.charts.curve import Curve, concentration_curve, thinned
from gitmart.api.pages.dependencies import Id, ReaderOfPage
from gitmart.api.pages.figures import Figure, Table
from gitmart.api.pages.live import EXTRACTIONS
from gitmart.api.pages.series import YEAR, calendar_chart, commits_chart, hours_chart, people_chart, span
from gitmart.api.pages.state import chosen
from gitmart.api.pages.words import counted, decimal, percent
from gitmart.api.problems import not_found
from gitmart.api.queries import concentration, contributors, extractions, hours, repositories, trends
from gitmart.api.queries.builds import standing
from gitmart.api.queries.paging import MOST_ROWS, Paging
from gitmart.api.switches import CommitSwitches

TOP = 10  # people
CURVE_POINTS = 2000  # up to so many people the curve is exact; what is drawn of it is thinned

router = APIRouter(include_in_schema=False)


@router.get("/repositories/{repository}")
async def repository_page(request: Request, repository: Id, reader: ReaderOfPage) -> HTMLResponse:
    """What happened in a repository, who did it, and on how few it rests."""
    view = chosen(choices.RepositoryView, request.query_params)
    summary = await repositories.summary(reader, repository, view)
    if summary is None:
        raise not_found("repository", "repository", repository)
    quality, builds = await asyncio.gather(extractions.standing(reader, repository, EXTRACTIONS), standing(reader))
    known = last_known(summary)
    last = min(view.until or known, known)
    first = view.since or summary.first_commit_day
    shown: dict[str, Any] = {"view": view, "choices": choices.choices(view), "classes": choices.classes(view)}
    shown |= {"says": choices.says(view), "summary": summary, "action": f"/repositories/{repository}"}
    shown["chosen"] = view.model_dump(mode="json", exclude_defaults=True, include=set(view.NAMES))
    shown |= {"quality": quality, "builds": builds}
    shown["times"] = choices.times(f"/repositories/{repository}", view, known) if summary.last_processed_at else []
    if not summary.commits or first is None or first > last:
        return html(request, "repository.html", charts=None, **shown)
    granularity = view.granularity_for(first, last)
    year = view.model_copy(update={"since": max(first, last - YEAR), "until": last})
    commit_switches = CommitSwitches(**view.model_dump(include=set(CommitSwitches.model_fields)))
    rows, days, times, curve, people = await asyncio.gather(
        trends.trends(reader, granularity, view, repository=repository),
        trends.trends(reader, trends.Granularity.DAY, year, repository=repository),
        hours.hours(reader, commit_switches, repository=repository),
        concentration.curve(
            reader, view, repository=repository, measure=view.measure, of_whom=view.of_whom, points=CURVE_POINTS
        ),
        contributors.listing(reader, view, repository=repository, paging=Paging(TOP)),
    )
    held = await concentration.concentration(
        reader, view, repository=repository, measure=view.measure, of_whom=view.of_whom
    )
    of = span(first, last, granularity, starts_whole=view.since is None, is_over=last < known)
    by_period = call("trends", view, granularity=granularity.value, repository=repository)
    by_day = call("trends", year, granularity="day", repository=repository)
    by_hour = call("hours", view, ("classes", "dates"), repository=repository)
    undated = summary.commits - sum(row.commits for row in rows)
    return html(
        request,
        "repository.html",
        charts={
            "commits": commits_chart(of, rows, by_period, undated=undated),
            "people": people_chart(of, rows, by_period),
            "concentration": concentration_chart(view, held, curve, summary),
            "calendar": calendar_chart(days, last, by_day),
            "hours": hours_chart(times, by_hour),
        },
        people=people.rows,
        namesakes=contributors.namesakes(people.rows),
        people_call=call("contributors", view, repository=repository, limit=MOST_ROWS),
        **shown,
    )


def last_known(about: repositories.RepositorySummary) -> date:
    """Return the last day of which anything is known: that of the last extraction, or of a later commit."""
    days = [about.last_processed_at.astimezone(UTC).date()] if about.last_processed_at else []
    days += [about.last_commit_day] if about.last_commit_day else []
    return max(days, default=date.min + timedelta(days=1))


@dataclass(frozen=True, slots=True)
class ConcentrationChart:
    """The curve and what is read from it."""

    figure: Figure
    plot: Curve
    half: str
    holders: str
    measure: str


def concentration_chart(
    view: choices.RepositoryView,
    held: concentration.Concentration,
    points: list[concentration.CurvePoint],
    summary: repositories.RepositorySummary,
) -> ConcentrationChart:
    """Return on how few the work rests."""
    is_of_people = view.of_whom is concentration.Holder.CONTRIBUTOR
    one, many = ("person", "people") if is_of_people else ("organisation", "organisations")
    is_of_commits = view.measure is concentration.Measure.COMMITS
    measure = "commits" if is_of_commits else "changed lines"
    notes = []
    if not is_of_people:
        everything = summary.commits if is_of_commits else summary.lines_added + summary.lines_deleted
        notes.append(
            f"{held.total:,} of {everything:,} {measure} are of organisations, as far as domains of addresses tell them; "
            "the others are not in this chart."
        )
        measure += " of organisations"
    if view.since is None:
        notes.append("Whoever left long ago counts, too: choose a shorter time above to see on how few it rests now.")
    if held.absence_factor is None:
        half, says = "", f"There are no {measure} to be shared."
    elif held.holders == 1:
        half, says = "", f"One {one} made all {measure}."
    else:
        half = f"{counted(held.absence_factor, one, many)}: half or more"
        says = (
            f"{held.absence_factor:,} of {counted(held.holders, one, many)} made half of the {measure} "
            f"({'absence' if is_of_people else 'elephant'} factor {held.absence_factor:,}); "
            f"the most active one made {percent(held.largest_share)}. "
            f"Gini coefficient {decimal(held.gini_coefficient)}: 0 is all alike, near 1 is one alone."
        )
    made = call(
        "lorenz-curve",
        view,
        repository=summary.repository_id,
        measure=None if is_of_commits else view.measure.value,
        of_whom=None if is_of_people else view.of_whom.value,
    )
    return ConcentrationChart(
        Figure(
            "concentration",
            "On how few it rests",
            says,
            (
                (
                    f"From left to right stand the {many}, the most active first; the curve says which share of all "
                    f"{measure} they made together. The steeper it begins, the fewer did most of it. On the dashed line "
                    f"all would have made equally many."
                ),
                "A small absence factor is a risk if these few leave; it is no judgement of them or of the others.",
            ),
            Table(
                (f"most active {many}", f"share of the {many}", f"share of the {measure}"),
                _from_most_active(points),
            ),
            notes,
            metrics=("Absence factor (bus factor)", "Gini coefficient", "Largest share")
            if is_of_people
            else ("Elephant factor", "Gini coefficient"),
            api=made.api,
            csv=made.csv,
        ),
        concentration_curve(
            [(point.holder_share, point.amount_share) for point in points], held.holders, held.absence_factor
        ),
        half,
        many,
        measure,
    )


def _from_most_active(points: list[concentration.CurvePoint]) -> list[tuple[str, str, str]]:
    """Return the points of the curve that are drawn: counted up from the most active."""
    if not points:
        return []
    everybody = points[-1].holders
    left_out = [(0, 0.0, 0.0), *((point.holders, point.holder_share, point.amount_share) for point in points[:-1])]
    rows = [
        (f"{everybody - holders:,}", percent(1 - people), percent(1 - amount))
        for holders, people, amount in reversed(left_out)
    ]
    # The drawing has a point at 0 besides.
    drawn = thinned([0.0, *(100 * (1 - people) for _, people, _ in reversed(left_out))])
    return [rows[at - 1] for at in drawn[1:]]
