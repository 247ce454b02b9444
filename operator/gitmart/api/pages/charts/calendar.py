"""A year of days, a column per week from Monday to Sunday."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date, timedelta

from gitmart.api.pages.charts.scales import Tick

WEEKS = 53
LEVELS = 4


@dataclass(frozen=True, slots=True)
class Day:
    """A day in the calendar: its column, its row from 0, its commits and their level from 0 (none) to 4."""

    day: date
    column: int
    row: int
    commits: int
    level: int


@dataclass(frozen=True, slots=True)
class Calendar:
    """The days, what begins where above them, and the ranges of commits that the levels 1 to 4 stand for."""

    days: list[Day]
    months: list[Tick]
    levels: list[tuple[int, int | None]]  # None: and more


def calendar(commits: Mapping[date, int], last: date) -> Calendar:
    """Return the 53 weeks that end with a day's. Days that are not there have no commit."""
    first = last - timedelta(days=last.weekday() + 7 * (WEEKS - 1))
    shown = [first + timedelta(days=offset) for offset in range((last - first).days + 1)]
    bounds = level_bounds([commits[day] for day in shown if commits.get(day)])
    days = [
        Day(day, at // 7, at % 7, commits.get(day, 0), sum(commits.get(day, 0) >= bound for bound in bounds))
        for at, day in enumerate(shown)
    ]
    months = [
        Tick(100 * (each.column + 1) / WEEKS if each.row else 100 * each.column / WEEKS, f"{each.day:%b}")
        for each in days
        if each.day.day == 1 and each.column < WEEKS - 2
    ]
    months = [Tick(tick.at, tick.text, is_minor=bool(number % 3)) for number, tick in enumerate(months)]
    ends = [bound - 1 for bound in bounds[1:]]
    return Calendar(days, months, list(zip(bounds, [*ends, None], strict=True)) if bounds else [])


def level_bounds(counts: Sequence[int]) -> list[int]:
    """Return the least count of each level: four of equally many days as far as counts differ; fewer if they do not."""
    if not counts:
        return []
    ordered = sorted(counts)
    bounds: list[int] = []
    for level in range(LEVELS):
        bound = 1 if level == 0 else ordered[len(ordered) * level // LEVELS]
        if not bounds or bound > bounds[-1]:
            bounds.append(bound)
    return bounds
