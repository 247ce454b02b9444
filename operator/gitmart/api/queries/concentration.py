"""On how few the work rests."""

from __future__ import annotations

from enum import StrEnum
from typing import Any, LiteralString

from pydantic import BaseModel, Field

from gitmart.api.reader import Reader
from gitmart.api.switches import Switches, named


class Measure(StrEnum):
    """What is measured of each holder."""

    COMMITS = "commits"
    LINES = "lines"


class Holder(StrEnum):
    """Of whom it is measured. An organisation is the domain of an address of mail."""

    CONTRIBUTOR = "contributor"
    ORGANIZATION = "organization"


class Concentration(BaseModel):
    """On how few the work rests; as function `concentration` of the marts."""

    holders: int = Field(description="People or organisations that made any of what is measured.", examples=[8])
    total: int = Field(description="All that is measured.", examples=[120])
    absence_factor: int | None = Field(description="Fewest who made half of it; null without any.", examples=[2])
    gini_coefficient: float | None = Field(
        description="From 0 (all alike) towards 1, uncorrected; null without any.", examples=[0.41]
    )
    corrected_gini_coefficient: float | None = Field(
        description="Times n ÷ (n − 1); null with fewer than two holders.", examples=[0.47]
    )
    largest_share: float | None = Field(
        description="Part of the most active one, 0 to 1; null without any.", examples=[0.4]
    )


class CurvePoint(BaseModel):
    """A point of the Lorenz curve: what the least active holders made together. It begins at 0, 0."""

    holders: int = Field(description="How many, counted from the least active one.", examples=[4])
    holder_share: float = Field(description="Part of all holders, 0 to 1.", examples=[0.5])
    amount: int = Field(description="What these made together.", examples=[18])
    amount_share: float = Field(description="Part of all that is measured, 0 to 1.", examples=[0.15])


async def concentration(
    reader: Reader,
    switches: Switches,
    *,
    repository: int | None = None,
    measure: Measure = Measure.COMMITS,
    of_whom: Holder = Holder.CONTRIBUTOR,
) -> Concentration:
    """Return how concentrated the work is, in a repository or in all."""
    [figures] = await reader.rows(
        "select * from {schema}.concentration(" + _CHOSEN + ")",
        _parameters(switches, repository, measure, of_whom),
    )
    return Concentration.model_validate(figures)


async def curve(
    reader: Reader,
    switches: Switches,
    *,
    repository: int | None = None,
    measure: Measure = Measure.COMMITS,
    of_whom: Holder = Holder.CONTRIBUTOR,
    points: int = 100,
) -> list[CurvePoint]:
    """Return the Lorenz curve in at most so many points, from the least active holder to all."""
    rows = await reader.rows(
        "select * from {schema}.lorenz_curve(points => %(points)s, " + _CHOSEN + ")",
        _parameters(switches, repository, measure, of_whom) | {"points": points},
    )
    return [CurvePoint.model_validate(row) for row in rows]


_CHOSEN: LiteralString = (
    "repository => cast(%(repository)s as bigint), measure => %(measure)s, of_whom => %(of_whom)s, " + named()
)


def _parameters(switches: Switches, repository: int | None, measure: Measure, of_whom: Holder) -> dict[str, Any]:
    return switches.arguments() | {"repository": repository, "measure": measure.value, "of_whom": of_whom.value}
