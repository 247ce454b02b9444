"""Columns over time: one or several series on top of each other."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from gitmart.api.pages.charts.scales import Tick, count_ticks, y_axis

GAP = 0.2  # part of a column's place that is left free


@dataclass(frozen=True, slots=True)
class Bar:
    """A rectangle, in percent of the plot."""

    x: float
    y: float
    width: float
    height: float


@dataclass(frozen=True, slots=True)
class Columns:
    """A plot of columns: the bars of each series (without those of 0), and the marks at the left."""

    series: list[list[Bar]]
    y_axis: list[Tick]


def columns(series: Sequence[Sequence[int]], ticks: list[int] | None = None) -> Columns:
    """
    Return series of equal length as columns, the first at the bottom.

    The axis begins at 0 and ends at the last of the ticks, by default at a round number above the highest column.
    """
    totals = [sum(values) for values in zip(*series, strict=True)]
    ticks = ticks or count_ticks(max(totals, default=0))
    place = 100 / max(len(totals), 1)
    floors = [0] * len(totals)
    drawn = []
    for values in series:
        bars = []
        for at, value in enumerate(values):
            if value:
                height = 100 * value / ticks[-1]
                y = 100 - 100 * floors[at] / ticks[-1] - height
                bars.append(Bar(place * (at + GAP / 2), y, place * (1 - GAP), height))
            floors[at] += value
        drawn.append(bars)
    return Columns(drawn, y_axis(ticks))


def sparkline(values: Sequence[int]) -> list[Bar]:
    """Return small columns without axes, the highest of which fills the plot; a 0 leaves a gap."""
    return columns([values], [0, max(1, *values)] if values else [0, 1]).series[0]
