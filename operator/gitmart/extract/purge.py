"""
Removing a repository from the warehouse: every row of it, in one transaction.

Contributors stay: they belong to all repositories, and an extraction that is under way may have inserted
some before their commits. Whoever has no commits is invisible in staging, so the marts equal a full refresh.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import LiteralString

from psycopg import sql

from gitmart.contract.outcomes import Outcome
from gitmart.contract.repository_url import url_key
from gitmart.extract.errors import ExtractError, InputError
from gitmart.extract.identify import members_of
from gitmart.extract.settle import lock_identities, settle
from gitmart.extract.staging import drop_dead
from gitmart.warehouse.locks import Connection, repository_lock, try_lock

MOST_LISTED = 20  # repositories in a message

# Children of commits have no index by repository, so they are found by their commits.
_OF_COMMITS = ("commit_parents", "commit_files", "commit_trailers")
# The last one is what the others refer to.
_OF_REPOSITORY = (
    "commits", "removed_commits", "refs", "quarantine", "repository_contributors", "repository_topics",
    "repository_languages", "repository_snapshots", "host_answers", "repository_metadata", "mailmap_entries",
    "identity_merges", "repository_urls", "extraction_runs",
)  # fmt: skip
_MATCHING = "select id, url from public.repositories where url_key = %s or name = %s or id = %s order by url"
_ANY = "select id, url from public.repositories order by url limit %s"

TABLES = (*_OF_COMMITS, *_OF_REPOSITORY, "repositories")


@dataclass(frozen=True, slots=True)
class Known:
    """A repository of the warehouse."""

    id: int
    url: str
    commits: int

    def __str__(self) -> str:
        return f"{self.id}: {self.url}"


def find(connection: Connection, wanted: str) -> Known:
    """Return the repository of that address, name or id; raise InputError naming what there is."""
    try:
        key = url_key(wanted) if "://" in wanted else None
    except ValueError as error:  # the text may hold a password
        raise InputError(f"REPOSITORY {error}") from None
    number = int(wanted) if wanted.isascii() and wanted.isdigit() and len(wanted) < 19 else None
    matches = _repositories(connection, _MATCHING, key, wanted, number)
    if not matches:
        there = _repositories(connection, _ANY, MOST_LISTED)
        listed = "; ".join(str(each) for each in there) or "none"
        raise InputError(f"no repository has the address, name or id {wanted!r}; there are: {listed}")
    if len(matches) > 1:
        listed = "; ".join(str(each) for each in matches[:MOST_LISTED])
        raise InputError(f"{wanted!r} means {len(matches)} repositories, name one by its address: {listed}")
    [match] = matches
    commits = connection.execute("select count(*) from public.commits where repository_id = %s", [match.id]).fetchone()
    return Known(match.id, match.url, int(str(commits[0])) if commits else 0)


def purge(connection: Connection, repository: Known) -> dict[str, int]:
    """
    Delete the repository and return the number of rows by table.

    Raise ExtractError (Locked) while a run of it is under way. The connection is in autocommit mode.
    """
    if not try_lock(connection, repository_lock(repository.id)):
        raise ExtractError(f"a run of {repository.url} is under way: try again when it has ended", Outcome.LOCKED)
    drop_dead(connection, repository.id)
    with connection.transaction():
        return delete_rows(connection, repository.id)


def delete_rows(connection: Connection, repository_id: int) -> dict[str, int]:
    """Delete every row of a repository, within the caller's transaction and lock; return the number by table."""
    given = {"repository": repository_id}
    counts = {}
    lock_identities(connection)
    people = members_of(connection, repository_id)
    for table in _OF_COMMITS:
        statement = sql.SQL(
            "delete from public.{} as child using public.commits as c"
            " where c.repository_id = %(repository)s and child.commit_id = c.id"
        )
        counts[table] = connection.execute(statement.format(sql.Identifier(table)), given).rowcount
    for table in _OF_REPOSITORY:
        statement = sql.SQL("delete from public.{} where repository_id = %(repository)s")
        counts[table] = connection.execute(statement.format(sql.Identifier(table)), given).rowcount
    settle(connection, people)  # what its mailmap said, and who wrote here alone, ties nobody any more
    counts["repositories"] = connection.execute(
        "delete from public.repositories where id = %(repository)s", given
    ).rowcount
    return counts


def _repositories(connection: Connection, statement: LiteralString, *values: object) -> list[Known]:
    rows = connection.execute(statement, values)
    return [Known(int(str(row[0])), str(row[1]), 0) for row in rows]
