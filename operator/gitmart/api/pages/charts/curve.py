"""The concentration curve: which part of the work the most active so many made."""

from __future__ import annotations

import itertools
from collections.abc import Sequence
from dataclasses import dataclass

EACH = 50  # of the most active, each has a point of its own
_ROUNDING = 1e-9


@dataclass(frozen=True, slots=True)
class Point:
    """A place on the plot in percent from its upper left corner."""

    x: float
    y: float


@dataclass(frozen=True, slots=True)
class Curve:
    """The curve from its lower left corner to the upper right, and where the first half of the work is made."""

    points: list[Point]
    half: Point | None

    @property
    def path(self) -> str:
        """As the data of an SVG path in a box of 100 by 100."""
        return "M" + "L".join(f"{point.x:.2f} {point.y:.2f}" for point in self.points)


def concentration_curve(lorenz: Sequence[tuple[float, float]], holders: int, absence_factor: int | None) -> Curve:
    """
    Return a Lorenz curve, which begins with the least active, as one that begins with the most active.

    `lorenz`: parts of the people and of their work, counted up from the least active, without (0, 0).
    Where it passes one half, the absence factor can be read: so many of `holders` people.
    """
    points = [Point(100 * (1 - people), 100 * amount) for people, amount in reversed([(0.0, 0.0), *lorenz])]
    points = [points[at] for at in thinned([point.x for point in points])]
    if not lorenz or absence_factor is None:
        return Curve(points, None)
    x = 100 * absence_factor / holders
    # A line between two points lies below the curve, but so many made half at least.
    half = Point(x, min(_height_at(points, x), 50.0))
    before = [point for point in points if point.x < x]
    return Curve([*before, half, *(point for point in points[len(before) :] if point.x > x)], half)


def thinned(places: Sequence[float]) -> list[int]:
    """
    Return which points are drawn, by their rising places from 0 to 100.

    It is the first 51, since the curve is steep there, the last, and one of each hundredth of the others.
    """
    kept: list[int] = []
    for at, place in enumerate(places):
        if at <= EACH or at == len(places) - 1 or place - places[kept[-1]] >= 1 - _ROUNDING:
            kept.append(at)
    return kept


def _height_at(points: Sequence[Point], x: float) -> float:
    """Return the height of the curve at a place, along the line between its neighbours."""
    for left, right in itertools.pairwise(points):
        if left.x <= x <= right.x:
            part = (x - left.x) / (right.x - left.x) if right.x > left.x else 1
            return left.y + part * (right.y - left.y)
    return points[-1].y
