"""
Rows of contributors: one per exact (name, e-mail), with what can be told of it alone.

They are shared by all repositories, so they are inserted before anything else, sorted, in short transactions of
their own: two extractions that bring the same people take their locks in the same order, and hold them briefly.
"""

from __future__ import annotations

import time
from collections.abc import Collection, Iterable, Sequence
from itertools import islice

import psycopg

from gitmart.extract.identity_rules import RULES_VERSION, describe
from gitmart.warehouse.locks import Connection

Person = tuple[str, str]  # name, e-mail

DEADLOCK_TRIES = 10
AT_ONCE = 5_000  # rows

INSERT = """
insert into public.contributors (name, email, username, profile_url, kind)
select name, email, username, profile_url, kind
from unnest(%s::text[], %s::text[], %s::text[], %s::text[], %s::text[]) as met (name, email, username, profile_url, kind)
where not exists (
    select from public.contributors as known
    where known.identity_hash = public.gitmart_digest(met.name || chr(10) || met.email)
)
order by name collate "C", email collate "C"
on conflict (identity_hash) do nothing
returning id, name, email
"""

KEYS = """
insert into public.identity_keys (contributor_id, rule, key)
select * from unnest(%s::bigint[], %s::text[], %s::text[])
"""

# What the address does not tell, a host may have told.
DESCRIBE = """
update public.contributors as c
set username = coalesce(met.username, c.username), profile_url = coalesce(met.profile_url, c.profile_url)
from unnest(%s::bigint[], %s::text[], %s::text[]) as met (id, username, profile_url)
where c.id = met.id and met.username is not null
    and (c.username, c.profile_url) is distinct from (met.username, met.profile_url)
"""

IDS = """
select met.name, met.email, known.id
from unnest(%s::text[], %s::text[]) as met (name, email)
join public.contributors as known
    on known.identity_hash = public.gitmart_digest(met.name || chr(10) || met.email)
"""


def add_contributors(connection: Connection, people: Collection[Person]) -> None:
    """Add those whom nobody knows; the connection is in autocommit mode."""
    rest = iter(sorted(set(people), key=lambda person: (person[0].encode(), person[1].encode())))
    while some := list(islice(rest, AT_ONCE)):
        for attempt in range(1, DEADLOCK_TRIES + 1):
            try:
                with connection.transaction():
                    insert(connection, some)
                break
            except psycopg.errors.DeadlockDetected:
                if attempt == DEADLOCK_TRIES:
                    raise
                time.sleep(0.05 * attempt)


def insert(connection: Connection, people: Sequence[Person]) -> None:
    """Insert those whom nobody knows, with their keys, in the transaction that is open."""
    told = [describe(name, email) for name, email in people]
    added = connection.execute(
        INSERT,
        [
            [name for name, _ in people],
            [email for _, email in people],
            [each.username for each in told],
            [each.profile_url for each in told],
            [each.kind for each in told],
        ],
    )
    key_rows(connection, [(int(str(row[0])), str(row[1]), str(row[2])) for row in added])


def ids_of(connection: Connection, people: Iterable[Person]) -> dict[Person, int]:
    """Return the ids of those that have a row."""
    asked = list(set(people))
    rows = connection.execute(IDS, [[name for name, _ in asked], [email for _, email in asked]])
    return {(str(row[0]), str(row[1])): int(str(row[2])) for row in rows}


def renew_keys(connection: Connection) -> bool:
    """
    Derive the keys of all contributors anew if an older version of the rules made them; return whether it did.

    The caller holds the lock of identities, in a transaction.
    """
    row = connection.execute("select rules_version from public.identity_settings").fetchone()
    if row is not None and int(str(row[0])) >= RULES_VERSION:
        return False
    connection.execute("delete from public.identity_keys")
    everybody = [(int(str(r[0])), str(r[1]), str(r[2])) for r in
                 connection.execute("select id, name, email from public.contributors order by id")]  # fmt: skip
    rest = iter(everybody)
    while some := list(islice(rest, AT_ONCE)):
        key_rows(connection, some)
        told = [describe(name, email) for _, name, email in some]
        connection.execute(
            DESCRIBE, [[who[0] for who in some], [t.username for t in told], [t.profile_url for t in told]]
        )
    connection.execute("update public.identity_settings set rules_version = %s", [RULES_VERSION])
    return True


def key_rows(connection: Connection, rows: Iterable[tuple[int, str, str]]) -> None:
    """Insert the keys of contributors: id, name, e-mail."""
    keys = [(number, key) for number, name, email in rows for key in describe(name, email).keys]
    if keys:
        connection.execute(
            KEYS, [[number for number, _ in keys], [key.rule.value for _, key in keys], [key.text for _, key in keys]]
        )
