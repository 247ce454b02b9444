"""
Periods of a chart: all from the first to the last, since a row is missing where nothing happened.

A period that is not known whole, because it is not over or the time that was asked for cuts it, is told as such.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date, timedelta

from gitmart.api.pages.charts.scales import Tick
from gitmart.api.queries.trends import Granularity

MOST_LABELS = 8
DAY = timedelta(days=1)


@dataclass(frozen=True, slots=True)
class Period:
    """A period by its first and last day; `is_whole` unless a part of it is not known or was not asked for."""

    start: date
    end: date
    is_whole: bool


def start_of(day: date, granularity: Granularity) -> date:
    """Return the first day of the period that a day lies in; weeks begin on Monday."""
    match granularity:
        case Granularity.DAY:
            return day
        case Granularity.WEEK:
            return day - timedelta(days=day.weekday())
        case Granularity.MONTH:
            return day.replace(day=1)
        case Granularity.QUARTER:
            return day.replace(month=(day.month - 1) // 3 * 3 + 1, day=1)
        case Granularity.YEAR:
            return day.replace(month=1, day=1)


def next_start(start: date, granularity: Granularity) -> date:
    """Return the first day of the next period. Raise OverflowError or ValueError beyond the year 9999."""
    match granularity:
        case Granularity.DAY:
            return start + DAY
        case Granularity.WEEK:
            return start + 7 * DAY
        case Granularity.MONTH | Granularity.QUARTER | Granularity.YEAR:
            months = {Granularity.MONTH: 1, Granularity.QUARTER: 3, Granularity.YEAR: 12}[granularity]
            years, month = divmod(start.month - 1 + months, 12)
            return date(start.year + years, month + 1, 1)


def periods(first: date, last: date, granularity: Granularity) -> list[Period]:
    """Return the periods from a day to another, of which nothing before the first and after the last is known."""
    made: list[Period] = []
    start = start_of(first, granularity)
    while start <= last:
        try:
            following = next_start(start, granularity)
        except (OverflowError, ValueError):  # no calendar goes further
            made.append(Period(start, date.max, is_whole=False))
            break
        end = following - DAY
        made.append(Period(start, end, is_whole=start >= first and end <= last))
        start = following
    return made


def filled(of: Sequence[Period], counts: Mapping[date, int]) -> list[int]:
    """Return the count of each period by its first day: 0 where there is none."""
    return [counts.get(period.start, 0) for period in of]


def name(start: date, granularity: Granularity) -> str:
    """Return what a period is called: 2024, Q2 2024, May 2024, week of 2024-05-06, 2024-05-06."""
    match granularity:
        case Granularity.YEAR:
            return str(start.year)
        case Granularity.QUARTER:
            return f"Q{(start.month + 2) // 3} {start.year}"
        case Granularity.MONTH:
            return f"{start:%b} {start.year}"
        case Granularity.WEEK:
            return f"week of {start.isoformat()}"
        case Granularity.DAY:
            return start.isoformat()


def x_axis(of: Sequence[Period], granularity: Granularity) -> list[Tick]:
    """Return the marks below columns, at most eight: years where there are some, else months, else the periods."""
    years = [at for at, period in enumerate(of) if at and period.start.year != of[at - 1].start.year]
    months = [at for at, period in enumerate(of) if at and period.start.month != of[at - 1].start.month]
    if granularity is Granularity.YEAR or not (len(years) > 1 or len(months) > 1):
        chosen = [(at, name(period.start, granularity).removeprefix("week of ")) for at, period in enumerate(of)]
    elif len(years) > 1:
        chosen = [(at, str(of[at].start.year)) for at in years]
    else:
        chosen = [(at, f"{of[at].start:%b} {of[at].start.year}") for at in months]
    every = -(-len(chosen) // MOST_LABELS)
    return [
        Tick(100 * (at + 0.5) / len(of), text, is_minor=bool(number % 2))
        for number, (at, text) in enumerate(chosen[::every])
    ]
