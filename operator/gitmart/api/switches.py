"""
The switches: what counts, chosen when a number is read. They have the names and the meaning of docs/metrics.md.

They are the same query parameters everywhere, and go to the warehouse's functions as arguments of the same names.
"""

from __future__ import annotations

import re
from collections.abc import Collection
from datetime import date
from enum import StrEnum
from typing import Annotated, Any, ClassVar, LiteralString

from fastapi import Query
from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, ValidationInfo, field_validator

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


_DAY = re.compile(r"[0-9]{4}-[0-9]{2}-[0-9]{2}")


def _written_as_day(value: object) -> object:
    # Pydantic takes seconds since 1970 and instants for dates, too.
    if isinstance(value, str) and not _DAY.fullmatch(value):
        raise ValueError("is not a day: write YYYY-MM-DD, from 0001-01-01 to 9999-12-31")
    return value


Day = Annotated[date, BeforeValidator(_written_as_day)]


def _written_as_flag(value: object) -> object:
    if isinstance(value, str) and value not in {"true", "false"}:
        raise ValueError("is neither true nor false: allowed are true, false")
    return value


Flag = Annotated[bool, BeforeValidator(_written_as_flag)]


class Choice(BaseModel):
    """Some of the switches. What is None is the default of the warehouse's functions."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    NAMES: ClassVar = ("since", "until", "merges", "bots", "classes", "dates", "refs", "count_once")

    def arguments(self, *without: str) -> dict[str, Any]:
        """Return the parameters of a query, but for those a function does not have."""
        values = self.model_dump(mode="json", include=set(self.NAMES))
        return {name: value for name, value in values.items() if name not in without}


class Days(Choice):
    """From when until when."""

    since: Day | None = Field(None, description="First UTC day that counts.", examples=["2022-01-01"])
    until: Day | None = Field(None, description="Last UTC day that counts.", examples=["2023-12-31"])

    @field_validator("until")
    @classmethod
    def _not_before_since(cls, until: date | None, others: ValidationInfo) -> date | None:
        since = others.data.get("since")
        if since is not None and until is not None and until < since:
            raise ValueError(f"is before since, which is {since}: allowed is that day or a later one")
        return until


class WhoseCommits(Choice):
    """Which commits count, merges apart."""

    bots: Flag = Field(default=True, description="Whether commits by bots and coding assistants count.")
    refs: Refs = Field(Refs.DEFAULT_BRANCH, description="Commits of the default branch, or of all selected refs.")
    count_once: CountOnce | None = Field(
        None, description="Whether a change that was copied counts once; without it as the project says."
    )


class WhichCommits(WhoseCommits):
    """Which commits count."""

    merges: Flag = Field(default=True, description="Whether merges count.")


class WhichLines(Choice):
    """Which of a commit's lines count, and when."""

    classes: list[FileClass] | None = Field(
        None, description="Whose lines and files count; without it those of the classes that the project counts."
    )
    dates: DateKind = Field(DateKind.AUTHORED, description="Which of a commit's two dates counts.")


class CommitSwitches(Days, WhichCommits):
    """The switches of what goes by the author date of commits, and knows no lines."""


class CommitterSwitches(CommitSwitches):
    """The switches of what is counted by committers."""

    dates: DateKind = Field(DateKind.COMMITTED, description="Which of a commit's two dates counts.")


class DaySwitches(WhichCommits, WhichLines):
    """The switches of what is said of one day."""


class FileSwitches(Days, WhoseCommits, WhichLines):
    """The switches of what is said of files: merges change none."""


class Switches(CommitSwitches, DaySwitches):
    """All switches."""


SwitchesQuery = Annotated[Switches, Query()]


def named(*, of: type[Choice] = Switches, without: Collection[str] = ()) -> LiteralString:
    """
    Return the switches as named arguments of a function, in SQL: `since => %(since)s, …`.

    The types are told, since PostgreSQL cannot tell that of a parameter that is NULL.
    """
    kinds: dict[LiteralString, LiteralString] = {
        "since": "date", "until": "date", "merges": "boolean", "bots": "boolean", "classes": "text[]",
        "dates": "text", "refs": "text", "count_once": "text",
    }  # fmt: skip
    words: list[LiteralString] = [
        name + " => cast(%(" + name + ")s as " + kind + ")"
        for name, kind in kinds.items()
        if name in of.model_fields and name not in without
    ]
    return ", ".join(words)
