"""Weekdays and hours: a dot for each hour of a week, whose area is its commits."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from math import sqrt

WEEKDAYS = ("Mon", "Tue", "Wed", "Thu", "Fri", "Sat", "Sun")
GREATEST = 0.46  # radius of the largest dot; a cell is 1 by 1


@dataclass(frozen=True, slots=True)
class Dot:
    """An hour of a weekday (0 is Monday) with a commit."""

    weekday: int
    hour: int
    commits: int
    radius: float


def hour_dots(commits: Mapping[tuple[int, int], int]) -> list[Dot]:
    """Return the dots of (weekday from 1, Monday; hour) and commits; the hour with most has the largest."""
    most = max(commits.values(), default=0)
    return [
        Dot(weekday - 1, hour, count, GREATEST * sqrt(count / most))
        for (weekday, hour), count in sorted(commits.items())
        if count
    ]
