"""What belongs to a chart: what it says, how it is counted, its numbers, and where a program gets them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from gitmart.api.pages.charts.periods import Period


@dataclass(frozen=True, slots=True)
class Table:
    """The numbers of a chart, already in words; the first cell of a row says what it is about."""

    header: Sequence[str]
    rows: Sequence[Sequence[str]]


@dataclass(frozen=True, slots=True)
class Figure:
    """
    All but the drawing.

    `says` is the chart in a sentence, for everybody and for those who cannot see it. `how` are sentences on what was
    counted, `notes` what one must know not to be misled, `metrics` what the catalogue of metrics calls what is shown.
    `csv` and `api` are addresses of the same numbers.
    """

    id: str
    title: str
    says: str
    how: Sequence[str]
    table: Table | None = None
    notes: Sequence[str] = ()
    metrics: Sequence[str] = ()
    csv: str | None = None
    api: str | None = None


def partial_bands(of: Sequence[Period]) -> list[tuple[float, float]]:
    """Return left edge and width, in percent, of each period that is not known whole."""
    return [(100 * at / len(of), 100 / len(of)) for at, period in enumerate(of) if not period.is_whole]
