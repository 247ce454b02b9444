"""Repositories side by side, by the same measures under the same switches."""

from __future__ import annotations

from collections.abc import Sequence

from pydantic import Field

from gitmart.api.queries import hours, repositories
from gitmart.api.reader import Reader
from gitmart.api.switches import Switches

MOST = 10  # repositories


class ComparedRepository(repositories.RepositorySummary):
    """A repository beside others: its summary, and how evenly its commits come."""

    burstiness: float | None = Field(
        description="From -1 (as a clock) by 0 (at random) towards 1; by author date, whatever dates says.",
        examples=[0.1],
    )


async def comparison(
    reader: Reader, ids: Sequence[int], switches: Switches
) -> tuple[list[ComparedRepository], list[int]]:
    """Return what is to be compared in the order of the ids, and the ids that no repository has."""
    compared: list[ComparedRepository] = []
    unknown: list[int] = []
    for repository in ids:
        summary = await repositories.summary(reader, repository, switches)
        if summary is None:
            unknown.append(repository)
            continue
        evenness = await hours.burstiness(reader, switches, repository=repository)
        compared.append(ComparedRepository(**summary.model_dump(), burstiness=evenness.burstiness))
    return compared, unknown
