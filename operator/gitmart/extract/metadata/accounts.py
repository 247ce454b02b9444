"""
Whom a host takes contributors for.

One row per contributor and host, also when the host knows nobody, so that nobody is asked for twice. A
contributor's `username` comes from the address of mail when that tells it; only who has none there is asked for.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime

from gitmart.extract.identity_rules import forgotten_person
from gitmart.extract.metadata.due import KNOWN_AGAIN, UNKNOWN_AGAIN
from gitmart.extract.metadata.facts import Account, CommitAccounts
from gitmart.warehouse.locks import Connection

PUBLIC_HOST = "github.com"  # whose login is the person's `username` if several hosts know them

WANTED = """
with sides as (
    select contributor_id as id, 'author' as side, count(*) as commits, max(id) as commit_id
    from public.commits where repository_id = %(repository)s group by contributor_id
    union all
    select committer_id, 'committer', count(*), max(id)
    from public.commits where repository_id = %(repository)s group by committer_id
),
people as (
    select distinct on (id) id, side, commits, commit_id from sides order by id, side
)
select people.id, people.side, c.commit_hash, p.email
from people
join public.commits as c on c.id = people.commit_id
join public.contributors as p on p.id = people.id
left join public.contributor_accounts as a on a.contributor_id = people.id and a.host = %(host)s
where case
    when a.contributor_id is null then p.username is null
    when a.login is null then a.checked_at < %(unknown_since)s
    else a.checked_at < %(known_since)s
end
-- Whom nobody was asked for first, then who has made most.
order by a.contributor_id is not null, people.commits desc, people.id
"""

KEEP = """
insert into public.contributor_accounts
    (contributor_id, host, provider, login, account_id, profile_url, source, commit_hash, checked_at)
values (%(contributor)s, %(host)s, %(provider)s, %(login)s, %(account)s, %(profile)s, %(side)s, %(commit)s, %(now)s)
on conflict (contributor_id, host) do update
set provider = excluded.provider, login = excluded.login, account_id = excluded.account_id,
    profile_url = excluded.profile_url, source = excluded.source, commit_hash = excluded.commit_hash,
    checked_at = excluded.checked_at
"""

# A username that no host told comes from the address of mail and stays.
NAME = """
with best as (
    select login, profile_url from public.contributor_accounts
    where contributor_id = %(contributor)s and login is not null
    order by host = %(public)s desc, host limit 1
)
update public.contributors as p
set username = (select login from best), profile_url = (select profile_url from best)
where p.id = %(contributor)s and (p.username is null or p.username = any(%(told)s))
    and (p.username, p.profile_url)
        is distinct from ((select login from best), (select profile_url from best))
"""


@dataclass(frozen=True, slots=True)
class Wanted:
    """A contributor to be asked for, and one commit of theirs; `side` is author or committer."""

    id: int
    side: str
    commit_hash: str


@dataclass(frozen=True, slots=True)
class Place:
    """Where contributors are asked for."""

    repository_id: int
    host: str
    provider: str


def read_wanted(connection: Connection, place: Place, now: datetime) -> dict[int, Wanted]:
    """Return who is to be asked for, by id, in the order in which to ask."""
    rows = connection.execute(
        WANTED,
        {
            "repository": place.repository_id,
            "host": place.host,
            "unknown_since": now - UNKNOWN_AGAIN,
            "known_since": now - KNOWN_AGAIN,
        },
    )
    return {
        int(str(row[0])): Wanted(int(str(row[0])), str(row[1]), str(row[2]))
        for row in rows
        if forgotten_person(str(row[3])) is None
    }


def keep(
    connection: Connection,
    place: Place,
    asked: Wanted,
    wanted: dict[int, Wanted],
    told: Iterable[CommitAccounts],
    now: datetime,
) -> int:
    """
    Keep what an answer says of those who are wanted, take them out of `wanted`, and return how many the host knows.

    Whoever was asked for is kept as unknown if the answer does not speak of them.
    """
    commits = {each.commit_hash: each for each in told}
    rows = connection.execute(
        """select commit_hash, contributor_id, committer_id from public.commits
           where repository_id = %s and commit_hash = any(%s) order by id""",
        [place.repository_id, list(commits)],
    ).fetchall()
    found: dict[int, tuple[Wanted, Account | None]] = {}
    for name, author_id, committer_id in rows:
        each = commits[str(name)]
        for identity, side, account in (
            (author_id, "author", each.author),
            (committer_id, "committer", each.committer),
        ):
            number = int(str(identity))
            if number in wanted and number not in found:
                found[number] = (Wanted(number, side, str(name)), account)
    found.setdefault(asked.id, (asked, None))
    for number, (person, account) in sorted(found.items()):
        _keep(connection, place, person, account, now)
        del wanted[number]
    return sum(account is not None for _, account in found.values())


def _keep(connection: Connection, place: Place, person: Wanted, account: Account | None, now: datetime) -> None:
    """Keep one account, in a transaction of its own: other extractions may want the same person's row."""
    given = {
        "contributor": person.id,
        "host": place.host,
        "provider": place.provider,
        "login": account.login if account else None,
        "account": account.account_id if account else None,
        "profile": account.profile_url if account else None,
        "side": person.side,
        "commit": person.commit_hash,
        "now": now,
        "public": PUBLIC_HOST,
    }
    with connection.transaction():
        # Whoever else keeps an account of the person waits here, and then sees this one.
        known = connection.execute(
            "select email from public.contributors where id = %s for no key update", [person.id]
        ).fetchone()
        if known is None or forgotten_person(str(known[0])) is not None:  # since they were chosen to be asked for
            return
        rows = connection.execute(
            "select login from public.contributor_accounts where contributor_id = %s and login is not null", [person.id]
        )
        told = [str(row[0]) for row in rows]
        connection.execute(KEEP, given)
        connection.execute(NAME, given | {"told": told})
