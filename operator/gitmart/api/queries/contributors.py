"""People: their figures, where they work, and who comes first."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from datetime import date, datetime
from enum import StrEnum
from typing import LiteralString

from pydantic import BaseModel, Field

from gitmart.api.queries.paging import FIRST, Order, Page, Paging, page
from gitmart.api.reader import Reader
from gitmart.api.switches import CommitterSwitches, Switches, named


class Person(BaseModel):
    """A person."""

    contributor_id: int = Field(examples=[7])
    contributor_name: str = Field(examples=["Ada Gardener"])
    contributor_kind: str = Field(description="human, bot or assistant.", examples=["human"])


class Figures(BaseModel):
    """What counts of a person's commits, under the switches of the request."""

    commits: int = Field(examples=[48])
    merge_commits: int = Field(examples=[2])
    lines_added: int = Field(examples=[1203])
    lines_deleted: int = Field(examples=[411])
    files_changed: int = Field(description="Summed over commits.", examples=[97])
    active_days: int = Field(description="UTC days with a commit, in whatever repository.", examples=[40])
    first_day: date | None = Field(description="Null without a commit that has a date.", examples=["2022-01-01"])
    last_day: date | None = Field(description="Null without a commit that has a date.", examples=["2023-12-21"])


class ContributorRow(Figures, Person):
    """A person with at least one commit that counts."""

    commit_share: float = Field(description="Part of all commits that count, 0 to 1.", examples=[0.4])


class RepositoryName(BaseModel):
    """A repository."""

    repository_id: int = Field(examples=[1])
    repository_name: str = Field(examples=["garden"])


class RepositoryOfContributor(Figures, RepositoryName):
    """What a person did in a repository."""


class AboutPerson(Person):
    """A person, and where to reach them."""

    email: str = Field(examples=["ada@garden.example"])
    username: str | None = Field(description="Account name, only where it is certain.", examples=["ada"])
    profile_url: str | None = Field(description="Page of the account.", examples=["https://example.com/ada"])
    identities: int = Field(description="Recorded pairs of name and address that are this person's.", examples=[2])


class ContributorSummary(Figures, AboutPerson):
    """A person, and their figures under the switches of the request, in all and by repository."""

    repositories: list[RepositoryOfContributor] = Field(description="Those with most commits first.")


class LeaderboardRow(BaseModel):
    """A person of a repository, as mart fct_repository_contributors has them: default switches, as of its build."""

    repository_id: int = Field(examples=[1])
    contributor_id: int = Field(examples=[7])
    contributor_name: str = Field(examples=["Ada Gardener"])
    contributor_kind: str = Field(description="human, bot or assistant.", examples=["human"])
    commit_rank: int = Field(description="Place in the repository by commits, from 1.", examples=[1])
    commits: int = Field(examples=[48])
    commit_share: float | None = Field(description="0 to 1; null without a commit in HEAD.", examples=[0.4])
    merge_commits: int = Field(examples=[2])
    lines_added: int = Field(examples=[1203])
    lines_deleted: int = Field(examples=[411])
    active_days: int = Field(examples=[40])
    first_commit_at: datetime | None = Field(examples=["2022-01-01T07:00:00Z"])
    last_commit_at: datetime | None = Field(examples=["2023-12-21T05:00:00Z"])
    commits_last_30_days: int = Field(description="Up to the day of the build.", examples=[0])
    commits_last_90_days: int = Field(description="Up to the day of the build.", examples=[3])
    all_refs_commits: int = Field(description="Of any selected branch or tag.", examples=[50])


class CommitterRow(BaseModel):
    """A person who committed at least one commit that counts."""

    contributor_id: int = Field(examples=[7])
    committer_name: str = Field(examples=["Ada Gardener"])
    committer_kind: str = Field(description="human, bot or assistant.", examples=["human"])
    commits: int = Field(examples=[60])
    commits_of_others: int = Field(description="Those that somebody else wrote.", examples=[12])
    first_day: date | None = Field(examples=["2022-01-01"])
    last_day: date | None = Field(examples=["2023-12-21"])


class ContributorSort(StrEnum):
    """What a list of people can be sorted by."""

    COMMITS = "commits"
    LINES_ADDED = "lines_added"
    LINES_DELETED = "lines_deleted"
    ACTIVE_DAYS = "active_days"
    FIRST_DAY = "first_day"
    LAST_DAY = "last_day"
    NAME = "name"


def namesakes(people: Sequence[Person]) -> set[str]:
    """Return the names that several of these people have: perhaps one person whose addresses nothing joins."""
    return {name for name, times in Counter(each.contributor_name for each in people).items() if times > 1}


async def exists(reader: Reader, contributor: int) -> bool:
    """Return whether the marts know the person."""
    query: LiteralString = "select 1 from {schema}.dim_contributor where contributor_id = %(contributor)s"
    return await reader.row(query, {"contributor": contributor}) is not None


async def summary(reader: Reader, contributor: int, switches: Switches) -> ContributorSummary | None:
    """Return a person and their figures; None when there is nobody of that id."""
    parameters = switches.arguments() | {"contributor": contributor}
    about = await reader.row(
        "select contributor_id, contributor_name, contributor_kind, email, username, profile_url, identities"
        " from {schema}.dim_contributor where contributor_id = %(contributor)s",
        parameters,
    )
    if about is None:
        return None
    figures = await reader.row(
        "select * from {schema}.contributor_activity(contributor => %(contributor)s, " + named() + ")", parameters
    )
    return ContributorSummary.model_validate(
        {**_NOTHING, **(figures or {}), **about, "repositories": await repositories(reader, contributor, switches)},
    )


async def repositories(reader: Reader, contributor: int, switches: Switches) -> list[RepositoryOfContributor]:
    """Return what a person did in each repository, those with most commits first."""
    rows = await reader.rows(
        "select * from {schema}.repository_activity(contributor => %(contributor)s, " + named() + ")",
        switches.arguments() | {"contributor": contributor},
    )
    return [RepositoryOfContributor.model_validate(row) for row in rows]


async def listing(
    reader: Reader,
    switches: Switches,
    *,
    repository: int | None = None,
    search: str | None = None,
    sort: ContributorSort = ContributorSort.COMMITS,
    descending: bool | None = None,
    paging: Paging = FIRST,
) -> Page[ContributorRow]:
    """
    Return people with at least one commit that counts, those of a repository alone if it is given.

    `search` is a part of their name or address of mail, in small or capital letters. Names are sorted ascending,
    figures and days descending, unless `descending` says so.
    """
    parameters = switches.arguments() | {"repository": repository, "search": search}
    column, kind = _SORTS[sort]
    order = Order(
        column,
        kind,
        "contributor_id",
        descending=sort is not ContributorSort.NAME if descending is None else descending,
    )
    return await page(reader, ContributorRow, _LISTING, parameters, order, paging)


async def leaderboard(reader: Reader, repository: int, paging: Paging = FIRST) -> Page[LeaderboardRow]:
    """Return the people of a repository, those with most commits first, as they were at the last build."""
    return await page(
        reader,
        LeaderboardRow,
        "select * from {schema}.fct_repository_contributors where repository_id = %(repository)s",
        {"repository": repository},
        Order("commit_rank", "bigint", "contributor_id"),
        paging,
    )


async def committers(
    reader: Reader, switches: CommitterSwitches, *, repository: int | None = None, paging: Paging = FIRST
) -> Page[CommitterRow]:
    """Return who committed what counts, those with most commits first."""
    return await page(
        reader,
        CommitterRow,
        "select * from {schema}.committer_activity(repository => cast(%(repository)s as bigint), "
        + named(of=CommitterSwitches)
        + ")",
        switches.arguments() | {"repository": repository},
        Order("commits", "bigint", "contributor_id", descending=True),
        paging,
    )


_NOTHING = dict.fromkeys(Figures.model_fields, 0) | {"first_day": None, "last_day": None}
_SORTS: dict[ContributorSort, tuple[LiteralString, LiteralString]] = {
    ContributorSort.COMMITS: ("commits", "bigint"),
    ContributorSort.LINES_ADDED: ("lines_added", "bigint"),
    ContributorSort.LINES_DELETED: ("lines_deleted", "bigint"),
    ContributorSort.ACTIVE_DAYS: ("active_days", "bigint"),
    ContributorSort.FIRST_DAY: ("first_day", "date"),
    ContributorSort.LAST_DAY: ("last_day", "date"),
    ContributorSort.NAME: ("contributor_name", "text"),
}
_LISTING: LiteralString = (
    """
    select active.*
    from (
        select *, cast(commits / sum(commits) over () as numeric(7, 6)) as commit_share
        from {schema}.contributor_activity(repository => cast(%(repository)s as bigint), """
    + named()
    + """)
    ) as active
    inner join {schema}.dim_contributor as people on active.contributor_id = people.contributor_id
    where
        cast(%(search)s as text) is null
        or position(lower(%(search)s) in lower(people.contributor_name)) > 0
        or position(lower(%(search)s) in lower(people.email)) > 0"""
)
