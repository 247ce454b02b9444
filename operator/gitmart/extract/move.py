"""
Whose rows a run brings up to date when the address of a repository was changed.

The row of the address itself, if it has commits: nothing is ever merged. Else the row of the former address goes on
under the new one if the two histories share a root commit, or if it has no commits that could differ; else the new
address gets a row of its own, and the former one stays as it is. Which it is can only be told from the new history,
and the row gets its new address in the very transaction that brings this history: whatever fails changes nothing.
"""

from __future__ import annotations

from dataclasses import dataclass

import psycopg

from gitmart.contract.outcomes import Outcome
from gitmart.contract.repository_url import RepositoryUrl
from gitmart.extract.errors import ExtractError
from gitmart.extract.history import History
from gitmart.extract.purge import delete_rows
from gitmart.warehouse.locks import Connection

_BY_KEY = """
select r.id, r.url, r.url_key, exists (select from public.commits as c where c.repository_id = r.id)
from public.repositories as r where r.url_key = %s
"""

# An extraction may have given the row its next address without anybody having heard of it.
_BY_FORMER_KEY = """
select r.id, r.url, r.url_key, exists (select from public.commits as c where c.repository_id = r.id)
from public.repository_urls as u join public.repositories as r on r.id = u.repository_id
where u.url_key = %s order by u.until desc limit 1
"""

_KEEP_ADDRESS = """
insert into public.repository_urls (repository_id, until_run, since, until, url, url_key)
select r.id, %(run)s,
    coalesce((select max(u.until) from public.repository_urls as u where u.repository_id = r.id), r.created_at),
    clock_timestamp(), r.url, r.url_key
from public.repositories as r where r.id = %(repository)s
"""

_TAKE_ADDRESS = """
update public.repositories set url = %(url)s, url_key = %(key)s, host = %(host)s, name = %(name)s
where id = %(repository)s
"""


@dataclass(frozen=True, slots=True)
class Row:
    """A row of `repositories`."""

    id: int
    url: str
    url_key: str
    has_commits: bool


@dataclass(frozen=True, slots=True)
class Move:
    """The row of the former address, and the one without commits that the new address has already, if there is one."""

    former: Row
    own: Row | None

    @property
    def ids(self) -> list[int]:
        """The rows to lock, in the order in which everybody locks them."""
        return sorted(row.id for row in (self.former, self.own) if row is not None)


def find_move(connection: Connection, url: RepositoryUrl, previous: RepositoryUrl | None) -> Move | None:
    """Return the move from `previous` to `url`; None when the rows are those of `url`, whatever was before."""
    if previous is None:
        return None
    own = _row(connection, _BY_KEY, url)
    if own is not None and own.has_commits:
        return None
    former = _row(connection, _BY_KEY, previous)
    if former is None or former == own:
        former = _row(connection, _BY_FORMER_KEY, previous)
    if former is None or former == own or (own is not None and not former.has_commits):
        return None
    return Move(former, own)


def shares_root(connection: Connection, move: Move, history: History) -> bool:
    """Whether the history is that of the former row. One without commits is as good as any; `history` must be whole."""
    if not move.former.has_commits:
        return True
    tips = b"".join(tip + b"\n" for tip in history.tips)
    roots = history.git.run("rev-list", "--max-parents=0", "--stdin", stdin=tips).split() if tips else []
    row = connection.execute(
        """select exists (select from public.commits
           where repository_id = %s and parent_count = 0 and commit_hash = any(%s))""",
        [move.former.id, [root.decode() for root in roots]],
    ).fetchone()
    return row is not None and row[0] is True


def take_address(connection: Connection, move: Move, url: RepositoryUrl, run: int) -> None:
    """Give the former row the new address, within the transaction of the run; raise ExtractError (Locked)."""
    given = {"repository": move.former.id, "run": run}
    if move.own is not None:
        delete_rows(connection, move.own.id)  # it has no commits, and all that it told of the address is told anew
    connection.execute(_KEEP_ADDRESS, given)
    try:
        connection.execute(
            _TAKE_ADDRESS,
            {**given, "url": str(url), "key": url.key, "host": url.host or "localhost", "name": url.name},
        )
    except psycopg.errors.UniqueViolation:
        raise ExtractError(f"another run has just begun with {url}: start again", Outcome.LOCKED) from None


def _row(connection: Connection, statement: str, url: RepositoryUrl) -> Row | None:
    found = connection.execute(statement.encode(), [url.key]).fetchone()
    return None if found is None else Row(int(str(found[0])), str(found[1]), str(found[2]), found[3] is True)
