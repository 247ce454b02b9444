"""How figures and moments are written on a page."""

from __future__ import annotations

from datetime import UTC, date, datetime

from markupsafe import Markup

from gitmart.contract.outcomes import MEANINGS, Outcome


def number(value: float | None) -> str:
    """Return a count with groups of three digits; a dash for none."""
    return "–" if value is None else f"{value:,}"


def percent(part: float | None) -> str:
    """Return a part of 1 in percent: whole ones, but no part that is there as 0 and none that lacks as 100."""
    if part is None:
        return "–"
    if 0 < part < 0.01:
        return "< 1%"
    if 0.99 < part < 1:
        return "> 99%"
    return f"{100 * part:.0f}%"


def decimal(value: float | None) -> str:
    """Return a figure with two places; a dash for none."""
    return "–" if value is None else f"{value:.2f}"


def counted(count: int, one: str, many: str | None = None) -> str:
    """Return a count with its noun: 1 commit, 2 commits."""
    return f"{count:,} {one if count == 1 else many or one + 's'}"


def meaning(outcome: str | None) -> str:
    """Return what the outcome of a run stands for, in a sentence; nothing of one that this version does not know."""
    return MEANINGS[Outcome(outcome)].summary if outcome in set(Outcome) else ""


def merges_among(count: int, counted_in: bool) -> str:
    """Return how many of some commits are merges; `counted_in`: whether merges count at all."""
    if not counted_in:
        return "merges left out"
    if count == 0:
        return "no merge among them"
    return f"{count:,} of them " + ("a merge" if count == 1 else "merges")


def day(value: date | datetime | None) -> str:
    """Return a UTC day as 2024-05-06; a dash for none."""
    if value is None:
        return "–"
    if isinstance(value, datetime):
        value = day_of(value)
    return value.isoformat()


def moment(value: datetime | None) -> str:
    """Return a moment to the minute, in UTC; a dash for none."""
    return "–" if value is None else f"{value.astimezone(UTC):%Y-%m-%d %H:%M} UTC"


def when(value: datetime | date) -> Markup:
    """Return a moment or a UTC day as an element; the script adds how long ago that was."""
    words = moment(value) if isinstance(value, datetime) else day(value)
    return Markup('<time datetime="{}">{}</time>').format(value.isoformat(), words)


def day_of(value: datetime) -> date:
    """Return the UTC day of a moment."""
    return value.astimezone(UTC).date()


def duration(seconds: float | None) -> str:
    """Return how long something took: 0.4 s, 12 s, 3 min 20 s, 1 h 5 min; a dash for none."""
    if seconds is None:
        return "–"
    if seconds < 10:
        return f"{seconds:.1f} s"
    whole = round(seconds)
    if whole < 60:
        return f"{whole} s"
    if whole < 3600:
        return f"{whole // 60} min {whole % 60} s"
    return f"{whole // 3600} h {whole % 3600 // 60} min"
