"""Figures over time and by day and hour, as several pages show them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import date, timedelta

from gitmart.api.pages.calls import Call
from gitmart.api.pages.charts.calendar import WEEKS, Calendar, calendar
from gitmart.api.pages.charts.columns import Columns, columns
from gitmart.api.pages.charts.hours import WEEKDAYS, Dot, hour_dots
from gitmart.api.pages.charts.periods import Period, filled, name, periods, x_axis
from gitmart.api.pages.charts.scales import Tick
from gitmart.api.pages.figures import Figure, Table, partial_bands
from gitmart.api.pages.words import counted, percent
from gitmart.api.queries.hours import HourRow
from gitmart.api.queries.trends import Granularity, TrendRow

MOST_COLUMNS = 400
LONGEST = {"day": 1, "week": 7, "month": 31, "quarter": 92, "year": 366}  # days of a period
YEAR = timedelta(days=7 * WEEKS)
LEAST_FOR_A_SHARE = 20  # commits


@dataclass(frozen=True, slots=True)
class Span:
    """The time of a chart: its periods, and what they are."""

    periods: Sequence[Period]
    granularity: Granularity
    last: date  # after it nothing is known, or nothing was asked for
    is_cut: bool  # earlier periods are left out

    @property
    def notes(self) -> list[str]:
        """What one must know of the periods not to be misled."""
        notes = []
        if self.is_cut:
            notes.append(
                f"Shown are the last {MOST_COLUMNS} {self.granularity.value}s; the CSV has all. "
                "Longer columns show more time."
            )
        first, latest = self.periods[0], self.periods[-1]
        if not latest.is_whole:
            called = _capital(name(latest.start, self.granularity))
            until = "was not over" if self.granularity is Granularity.DAY else f"counts up to {self.last} alone"
            notes.append(f"Shaded: {called} {until}; do not read its column as a fall.")
        if latest is not first and not first.is_whole:
            called = _capital(name(first.start, self.granularity))
            notes.append(f"Shaded: {called} does not count from its first day on.")
        return notes


def span(first: date, last: date, granularity: Granularity, *, starts_whole: bool, is_over: bool) -> Span:
    """
    Return the time from a day to another, the latest 400 periods of it at most.

    `starts_whole`: before the first day there is nothing, so that its period is whole all the same.
    `is_over`: the last day is known to its end.
    """
    earliest = _days_before(last, MOST_COLUMNS * LONGEST[granularity.value])
    of = periods(max(first, earliest), last, granularity)
    if starts_whole or first < earliest:
        of[0] = replace(of[0], is_whole=of[0].end <= last)
    if not is_over:
        of[-1] = replace(of[-1], is_whole=False)
    shown = of[-MOST_COLUMNS:]
    return Span(shown, granularity, last, is_cut=len(shown) < len(of) or first < earliest)


def _days_before(day: date, days: int) -> date:
    return day - timedelta(days=days) if days < day.toordinal() else date.min


def _capital(words: str) -> str:
    return words[0].upper() + words[1:]


@dataclass(frozen=True, slots=True)
class ColumnChart:
    """A figure of columns with its drawing."""

    figure: Figure
    plot: Columns
    x_axis: list[Tick]
    legend: Sequence[str]
    partial: list[tuple[float, float]]


def commits_chart(of: Span, rows: Sequence[TrendRow], call: Call, *, undated: int) -> ColumnChart:
    """Return the commits over time. `undated` commits count in the total and have no place in time."""
    commits = filled(of.periods, {row.period_start: row.commits for row in rows})
    unit = of.granularity.value
    notes = list(of.notes)
    if undated:
        notes.append(
            f"{counted(undated, 'commit has', 'commits have')} no believable date and no column; the total has them."
        )
    says = f"{counted(sum(commits), 'commit')} in {counted(len(commits), unit)}"
    says += most_of(of, commits)
    return ColumnChart(
        Figure(
            "commits",
            f"Commits per {unit}",
            f"{says}.",
            (
                f"Each column is the number of commits of a {unit}. Periods without commits are there, with nothing.",
                "A commit says that something was changed, not how much work it was nor how good it is.",
            ),
            Table(
                (unit, "commits"),
                [(_called(period, of), f"{count:,}") for period, count in zip(of.periods, commits, strict=True)],
            ),
            notes,
            metrics=("Commits",),
            api=call.api,
            csv=call.csv,
        ),
        columns([commits]),
        x_axis(of.periods, of.granularity),
        ("commits",),
        partial_bands(of.periods),
    )


def most_of(of: Span, values: Sequence[int], what: str = "") -> str:
    """Return in words where the highest column is; how high it is if there are several. `what` are its units."""
    most = max(values)
    if list(values).count(most) > 1:
        return f"; at most {most:,}{what} in a {of.granularity.value}"
    before = {Granularity.DAY: "on", Granularity.WEEK: "in the"}.get(of.granularity, "in")
    return f"; most{what} {before} {name(of.periods[values.index(most)].start, of.granularity)}: {most:,}"


def people_chart(of: Span, rows: Sequence[TrendRow], call: Call) -> ColumnChart:
    """Return who worked, over time: new ones on top of those who had been there before."""
    returning = filled(of.periods, {row.period_start: row.returning_contributors for row in rows})
    new = filled(of.periods, {row.period_start: row.new_contributors for row in rows})
    unit = of.granularity.value
    both = [old + fresh for old, fresh in zip(returning, new, strict=True)]
    says = f"{counted(sum(new), 'person', 'people')} had their first commit in this time"
    says += most_of(of, both, " people")
    return ColumnChart(
        Figure(
            "people",
            f"People per {unit}",
            f"{says}.",
            (
                (
                    f"Each column is the number of people with at least one commit in the {unit}. "
                    "New is whose first commit that counts lies in it; all others had one before."
                ),
                "Whoever works in several periods is in each of them, so columns do not add up to a number of people.",
            ),
            Table(
                (unit, "returning", "new"),
                [
                    (_called(period, of), f"{old:,}", f"{fresh:,}")
                    for period, old, fresh in zip(of.periods, returning, new, strict=True)
                ],
            ),
            of.notes,
            metrics=("Contributors", "New contributors", "Returning contributors"),
            api=call.api,
            csv=call.csv,
        ),
        columns([returning, new]),
        x_axis(of.periods, of.granularity),
        ("had a commit before", "new (striped, on top)"),
        partial_bands(of.periods),
    )


def _called(period: Period, of: Span) -> str:
    return name(period.start, of.granularity) + ("" if period.is_whole else " (in part)")


@dataclass(frozen=True, slots=True)
class CalendarChart:
    """A figure of a year of days."""

    figure: Figure
    plot: Calendar


def calendar_chart(rows: Sequence[TrendRow], last: date, call: Call) -> CalendarChart:
    """Return the commits of each day of the 53 weeks that end with a day's."""
    commits = {row.period_start: row.commits for row in rows}
    plot = calendar(commits, last)
    first = plot.days[0].day
    active = [day for day in plot.days if day.commits]
    total = sum(day.commits for day in active)
    if active:
        busiest = max(active, key=lambda day: day.commits)
        says = (
            f"{counted(total, 'commit')} on {counted(len(active), 'day')} from {first} to {last}; "
            f"most on {busiest.day}: {busiest.commits:,}."
        )
    else:
        says = f"No commit from {first} to {last}."
    return CalendarChart(
        Figure(
            "calendar",
            "Days of a year",
            says,
            (
                (
                    "Each square is a day in UTC, each column a week from Monday to Sunday. The darker ones had more "
                    "commits: the steps are chosen so that about equally many days with commits fall into each."
                ),
            ),
            Table(("day", "commits"), [(day.day.isoformat(), f"{day.commits:,}") for day in reversed(active)]),
            metrics=("Active days",),
            api=call.api,
            csv=call.csv,
        ),
        plot,
    )


@dataclass(frozen=True, slots=True)
class HoursChart:
    """A figure of the hours of a week."""

    figure: Figure
    dots: list[Dot]


def hours_chart(rows: Sequence[HourRow], call: Call) -> HoursChart:
    """Return the commits by weekday and hour of the author's own clock."""
    commits = {(row.weekday, row.hour_of_day): row.commits for row in rows}
    total = sum(commits.values())
    outside = sum(row.commits for row in rows if row.is_outside_work_hours)
    if total:
        most = max(commits.values())
        busiest = [place for place, count in commits.items() if count == most]
        says = f"{counted(total, 'commit')} with a date"
        if len(busiest) == 1 and total > 1:
            [(weekday, hour)] = busiest
            says += f"; most on {WEEKDAYS[weekday - 1]} from {hour}:00 to {hour + 1}:00: {most:,}"
        # A part of a handful would be read as a habit.
        share = f" ({percent(outside / total)})" if total >= LEAST_FOR_A_SHARE else ""
        says += f". {outside:,} of them{share} on Saturday, Sunday, before 9:00 or from 18:00 on."
    else:
        says = "No commit with a date."
    return HoursChart(
        Figure(
            "hours",
            "Hours of the week",
            says,
            (
                (
                    "The area of a dot is the number of commits of an hour, on the clock of the author's own time zone as "
                    "it stands in the commit. Many servers and bots write UTC, and a rebase may change the hour."
                ),
                "Always by the author's date.",
            ),
            Table(
                ("weekday and hour on the author's clock", "commits"),
                [
                    (f"{WEEKDAYS[weekday - 1]} {hour}:00", f"{count:,}")
                    for (weekday, hour), count in sorted(commits.items())
                ],
            ),
            ("The hours are those of commits, not of work.",),
            metrics=("Activity dates and times", "Outside work hours"),
            api=call.api,
            csv=call.csv,
        ),
        hour_dots(commits),
    )
