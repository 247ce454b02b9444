"""
The switches: what counts, chosen when a number is read. They have the names and the meaning of docs/metrics.md.

They are the same query parameters everywhere, and go to the warehouse's functions as arguments of the same names.
"""

from __future__ import annotations

from collections.abc import Collection
from datetime import date
from enum import StrEnum
from typing import Annotated, Any, ClassVar, LiteralString

from fastapi import Query
from pydantic import BaseModel, ConfigDict, Field

from gitmart.contract.file_classes import FileClass


class DateKind(StrEnum):
    """Which of a commit's two dates counts."""

    AUTHORED = "authored"
    COMMITTED = "committed"


class Refs(StrEnum):
    """Which commits count."""

    DEFAULT_BRANCH = "default_branch"
    ALL = "all"


class CountOnce(StrEnum):
    """Whether a change that was copied counts once."""

    NEVER = "never"
    PER_REPOSITORY = "per_repository"
    EVERYWHERE = "everywhere"


class Switches(BaseModel):
    """The switches of a request. What is None is the default of the warehouse's functions."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    since: date | None = Field(None, description="First UTC day that counts.")
    until: date | None = Field(None, description="Last UTC day that counts.")
    merges: bool = Field(default=True, description="Whether merges count.")
    bots: bool = Field(default=True, description="Whether commits by bots and coding assistants count.")
    classes: list[FileClass] | None = Field(
        None, description="Whose lines and files count; without it those of the classes that the project counts."
    )
    dates: DateKind = Field(DateKind.AUTHORED, description="Which of a commit's two dates counts.")
    refs: Refs = Field(Refs.DEFAULT_BRANCH, description="Commits of the default branch, or of all selected refs.")
    count_once: CountOnce | None = Field(
        None, description="Whether a change that was copied counts once; without it as the project says."
    )

    NAMES: ClassVar = ("since", "until", "merges", "bots", "classes", "dates", "refs", "count_once")

    def arguments(self, *without: str) -> dict[str, Any]:
        """Return the parameters of a query, but for those a function does not have."""
        return {name: value for name, value in self.model_dump(mode="json").items() if name not in without}


SwitchesQuery = Annotated[Switches, Query()]


def named(*, without: Collection[str] = ()) -> LiteralString:
    """
    Return the switches as named arguments of a function, in SQL: `since => %(since)s, …`.

    The types are told, since PostgreSQL cannot tell that of a parameter that is NULL.
    """
    kinds: dict[LiteralString, LiteralString] = {
        "since": "date", "until": "date", "merges": "boolean", "bots": "boolean", "classes": "text[]",
        "dates": "text", "refs": "text", "count_once": "text",
    }  # fmt: skip
    words: list[LiteralString] = [
        name + " => cast(%(" + name + ")s as " + kind + ")" for name, kind in kinds.items() if name not in without
    ]
    return ", ".join(words)
