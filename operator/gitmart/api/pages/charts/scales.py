"""Axes: round numbers for their marks."""

from __future__ import annotations

from dataclasses import dataclass
from math import ceil, floor, log10


@dataclass(frozen=True, slots=True)
class Tick:
    """A mark on an axis: its place in percent, and what stands there. Minor ones are left out on narrow screens."""

    at: float
    text: str
    is_minor: bool = False


def nice_step(maximum: float, most: int) -> int:
    """Return the least of 1, 2, 5, 10, 20, … of which at most so many steps reach the maximum."""
    if maximum <= most:
        return 1
    power = 10 ** max(floor(log10(maximum / most)), 0)
    steps = [factor * power for factor in (1, 2, 5, 10)]
    return next(int(step) for step in steps if ceil(maximum / step) <= most)


def count_ticks(maximum: int, most: int = 5) -> list[int]:
    """Return the marks of an axis of counts, from 0 to the first that is not below the maximum; [0, 1] of none."""
    step = nice_step(maximum, most)
    return list(range(0, max(ceil(maximum / step), 1) * step + 1, step))


def short(number: int) -> str:
    """Return a count as it stands on an axis: 950, 1.5k, 20k, 3M."""
    for size, letter in ((10**9, "G"), (10**6, "M"), (10**3, "k")):
        if abs(number) >= size:
            return f"{number / size:.3g}{letter}"
    return str(number)


def y_axis(ticks: list[int]) -> list[Tick]:
    """Return the marks of an upright axis: the last tick is its top."""
    return [Tick(100 - 100 * tick / ticks[-1], short(tick)) for tick in ticks]
