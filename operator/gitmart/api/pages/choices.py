"""The switches as people choose them: the form, and a sentence that says what was chosen."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date, timedelta
from enum import StrEnum
from typing import Any

from pydantic import Field

from gitmart.api.pages.state import link
from gitmart.api.queries.concentration import Holder, Measure
from gitmart.api.queries.trends import Granularity
from gitmart.api.switches import CountOnce, DateKind, Refs, Switches
from gitmart.contract.file_classes import FileClass


class SeriesView(Switches):
    """What a page with series shows: the switches, and how long a period is; None: as fits the time."""

    granularity: Granularity | None = Field(None)

    def granularity_for(self, first: date, last: date) -> Granularity:
        """Return the chosen length of a period, or one by which the time is some 10 to 120 periods."""
        if self.granularity is not None:
            return self.granularity
        for most, granularity in _FITTING:
            if last - first <= most:
                return granularity
        return Granularity.YEAR


class RepositoryView(SeriesView):
    """What the page of a repository shows: of concentration also what is measured, and of whom."""

    measure: Measure = Measure.COMMITS
    of_whom: Holder = Holder.CONTRIBUTOR


_FITTING = (
    (timedelta(days=62), Granularity.DAY),
    (timedelta(days=500), Granularity.WEEK),
    (timedelta(days=3653), Granularity.MONTH),
    (timedelta(days=36525), Granularity.QUARTER),
)


@dataclass(frozen=True, slots=True)
class Option:
    """An option of a choice: its value in the address ("" for the default that has none), its words, if it is chosen."""

    value: str
    words: str
    is_chosen: bool


@dataclass(frozen=True, slots=True)
class Choice:
    """A choice of one."""

    name: str
    label: str
    options: list[Option]


def choices(view: Switches) -> list[Choice]:
    """Return what can be chosen of one, in the order of the form."""
    made = []
    if isinstance(view, SeriesView):
        made.append(_choice("granularity", "Columns are", view.granularity, _PERIODS))
    made += [
        _choice("merges", "Merges", view.merges, {True: "count", False: "do not count"}),
        _choice("bots", "Bots and assistants", view.bots, {True: "count", False: "do not count"}),
        _choice("refs", "Commits of", view.refs, {Refs.DEFAULT_BRANCH: "the default branch", Refs.ALL: "all branches"}),
        _choice("dates", "Date of", view.dates, {DateKind.AUTHORED: "the author", DateKind.COMMITTED: "the committer"}),
        _choice("count_once", "A copied change", view.count_once, _COPIES),
    ]
    if isinstance(view, RepositoryView):
        made += [
            _choice("measure", "Concentration of", view.measure, {each: each.value for each in Measure}),
            _choice("of_whom", "… among", view.of_whom, _HOLDERS),
        ]
    return made


@dataclass(frozen=True, slots=True)
class Time:
    """A time to choose with a click: its words, the address of the page of that time, whether it is shown."""

    words: str
    address: str
    is_chosen: bool


def times(path: str, view: Switches, known: date) -> list[Time]:
    """
    Return all time, the last year and the last 90 days of a page with all else that was chosen.

    They end with the last day of which anything is known; there are none if it is one of the calendar's first.
    """
    if known < date.min + timedelta(days=366):
        return []
    made = []
    for words, days in _TIMES:
        since = known - timedelta(days=days - 1) if days else None
        begins = {"since": since, "until": None}
        if "cursor" in type(view).model_fields:
            begins["cursor"] = None
        address = link(path, view.model_copy(update=begins))
        made.append(Time(words, address, view.until is None and view.since == since))
    return made


def classes(view: Switches) -> list[Option]:
    """Return the classes of files, of which any may be chosen."""
    return [Option(each.value, each.value, view.classes is not None and each in view.classes) for each in FileClass]


def says(view: Switches) -> str:
    """Return what counts, in a sentence."""
    counted = {(True, True): "with merges, bots and assistants", (True, False): "with merges, of people alone"}
    counted |= {
        (False, True): "without merges, of bots and assistants, too",
        (False, False): "without merges, of people alone",
    }
    parts = [
        "Commits of the default branch" if view.refs is Refs.DEFAULT_BRANCH else "Commits of all branches and tags",
        counted[view.merges, view.bots],
        "by the author's date" if view.dates is DateKind.AUTHORED else "by the committer's date",
        _time(view.since, view.until),
    ]
    if view.count_once:
        parts.append(f"copied changes: {_COPIES[view.count_once]}")
    if view.classes is not None:
        parts.append(f"lines of {', '.join(view.classes)} files")
    return ", ".join(parts) + "."


def _time(since: date | None, until: date | None) -> str:
    if since and until:
        return f"from {since} to {until}"
    if since:
        return f"since {since}"
    return f"until {until}" if until else "of all time"


_TIMES = (("all time", None), ("the last 365 days", 365), ("the last 90 days", 90))
_PERIODS: dict[Granularity | None, str] = {
    None: "chosen to fit",
    **{each: f"{each.value}s" for each in Granularity},
}
_COPIES: dict[CountOnce | None, str] = {
    None: "as the project says",
    CountOnce.NEVER: "counts each time",
    CountOnce.PER_REPOSITORY: "counts once per repository",
    CountOnce.EVERYWHERE: "counts once in all",
}
_HOLDERS = {Holder.CONTRIBUTOR: "people", Holder.ORGANIZATION: "organisations"}


def _choice(name: str, label: str, chosen: object, options: dict[Any, str]) -> Choice:
    return Choice(name, label, [Option(_value(value), words, value == chosen) for value, words in options.items()])


def _value(value: object) -> str:
    if value is None:
        return ""
    if isinstance(value, bool):
        return str(value).lower()
    return value.value if isinstance(value, StrEnum) else str(value)
