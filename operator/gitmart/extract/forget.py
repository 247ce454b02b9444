"""
Forgetting a person: in one transaction their hashes come, and they go from every row.

Whoever loads meanwhile waits at its merge, or is waited for, and looks at the hashes anew before it stores anything.
"""

from __future__ import annotations

import re
import secrets
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass, replace

import psycopg

from gitmart.extract import decisions
from gitmart.extract.contributors import renew_keys
from gitmart.extract.decisions import Identity, listed, threshold
from gitmart.extract.erasure import Counts, erase
from gitmart.extract.errors import InputError
from gitmart.extract.forgotten import TELLING, Forgotten, Hash, hashes_of, pair, read_forgotten, tag
from gitmart.extract.identity_rules import MEANINGS, Rule, forgotten_person, keys_of, noreply
from gitmart.extract.settle import lock_identities, settle_all
from gitmart.extract.staging import SCHEMA, drop_dead
from gitmart.warehouse.locks import FORGET_LOCK, Connection

NO_REPOSITORY = 0

LOGINS = """
select username from public.contributors where id = any(%(ids)s) and username is not null
union select login from public.contributor_accounts where contributor_id = any(%(ids)s) and login is not null
"""

# What is somebody else's as well, who is not forgotten: whoever has no part in any commit is nobody yet.
SHARED_KEYS = """
select key from public.identity_keys as k
where key = any(%(keys)s) and contributor_id <> all(%(ids)s) and (
    exists (select from public.commits where contributor_id = k.contributor_id)
    or exists (select from public.commit_trailers where contributor_id = k.contributor_id)
)
"""

# Who is a committer alone is tied to nobody, but what is hashed of the others finds them too.
ACTIVE = """
select distinct coalesce(canonical_id, id) from public.contributors as c
where coalesce(canonical_id, id) = any(%(people)s) and (
    exists (select from public.commits where contributor_id = c.id)
    or exists (select from public.commit_trailers where contributor_id = c.id)
)
"""

SHARED_LOGINS = """
select lower(username) from public.contributors where lower(username) = any(%(logins)s) and id <> all(%(ids)s)
"""

REMEMBER = """
insert into public.forgotten (hash, kind, person, words)
select * from unnest(%s::bytea[], %s::text[], %s::text[], %s::smallint[]) on conflict (hash) do nothing
"""

# Texts of people that dbt has built: whatever schema it is in.
BUILT = """
select distinct n.nspname || '.' || c.relname
from pg_attribute as a join pg_class as c on c.oid = a.attrelid join pg_namespace as n on n.oid = c.relnamespace
where a.attname in ('contributor_name', 'email', 'username', 'profile_url') and not a.attisdropped
    and c.relkind in ('r', 'm', 'p') and n.nspname not in ('public', 'information_schema', %s) and n.nspname !~ '^pg_'
order by 1
"""


@dataclass(frozen=True, slots=True)
class Person:
    """Who is to be forgotten: rows of the warehouse, and an identity that has none yet."""

    told: str  # as the user named them
    identities: Sequence[Identity] = ()
    unseen: tuple[str, str] | None = None
    is_forgotten: bool = False  # nothing of them is left to forget


@dataclass(frozen=True, slots=True)
class Erased:
    """What was erased, and what still holds it."""

    rows: Counts
    namesakes: list[int]  # contributors of the same name who stay
    shared: int  # keys that are others' as well
    built: list[str]  # tables that dbt has built


def find(connection: Connection, wanted: str, *, unseen: bool = False) -> Person:
    """
    Return who is meant, as `decisions.find_person` does; with `unseen` also one whom the warehouse does not know.

    Raise InputError when it may be several people or is nobody, and for bots and assistants.
    """
    forgotten = read_forgotten(connection)
    exact = re.fullmatch(r"(.*?) ?<(.*)>", wanted, re.DOTALL)
    name, email = (exact[1], exact[2]) if exact else ("", wanted)
    try:
        person = _find(connection, wanted)
    except InputError:
        if forgotten and (forgotten.person_of(name, email) or (not exact and forgotten.named(wanted))):
            return Person(wanted, is_forgotten=True)
        if not unseen:
            raise
        if "@" not in email:
            raise InputError(
                f"{wanted!r} is nobody in the warehouse; --unseen takes an e-mail or 'Name <e-mail>'"
            ) from None
        return Person(wanted, unseen=(name, email))
    if person.kind != "human":
        raise InputError(
            f"{person} is no person but a {person.kind}; if it is one: gitmart identities kind {person.id} human"
        )
    identities = listed(connection, person=person.id)
    left = [each for each in identities if forgotten_person(each.email) is None]
    return Person(str(person), identities, is_forgotten=not left)


def _find(connection: Connection, wanted: str) -> Identity:
    """Return who stands for the person, if only one of those who may be meant has a part in any commit."""
    people = {each.person for each in decisions.find(connection, wanted)}
    active = _texts(connection, ACTIVE, {"people": list(people)}) if len(people) > 1 else set()
    return decisions.find_person(connection, active.pop() if len(active) == 1 else wanted)


def forget(connection: Connection, person: Person) -> Erased:
    """Forget the person for good, in the transaction of the caller, and return what was erased."""
    connection.execute("set local work_mem = '64MB'")
    connection.execute("select pg_advisory_xact_lock(%s, %s)", [FORGET_LOCK.kind, FORGET_LOCK.key])
    lock_identities(connection)
    _drop_staging(connection)
    renew_keys(connection)
    hashes, shared = _hashes(connection, _as_of_now(connection, person))
    connection.execute(REMEMBER, [[each[place] for each in hashes] for place in range(4)])
    forgotten = read_forgotten(connection)
    rows = erase(connection, forgotten)
    settle_all(connection)  # pseudonyms of a person are one person, and lines of mailmaps are gone
    built = [str(row[0]) for row in connection.execute(BUILT, [SCHEMA])]
    return Erased(rows, _namesakes(connection, forgotten), shared, built)


def _as_of_now(connection: Connection, person: Person) -> Person:
    """Return the person with the identities they have by now: a run may have merged since the user was asked."""
    if not person.identities:
        return person
    [(root,)] = connection.execute(
        "select coalesce(canonical_id, id) from public.contributors where id = %s", [person.identities[0].id]
    ).fetchall()
    return replace(person, identities=listed(connection, person=int(str(root))))


def _drop_staging(connection: Connection) -> None:
    """Drop what runs that died have left; only the role that made it may."""
    with suppress(psycopg.errors.InsufficientPrivilege), connection.transaction():
        drop_dead(connection, NO_REPOSITORY)


def _key(connection: Connection) -> bytes:
    connection.execute(
        "insert into public.forgotten_key (key) values (%s) on conflict do nothing", [secrets.token_bytes(32)]
    )
    [(key,)] = connection.execute("select key from public.forgotten_key").fetchall()
    assert isinstance(key, bytes)  # noqa: S101 # what the column holds
    return key


def _hashes(connection: Connection, person: Person) -> tuple[list[Hash], int]:
    """Return what the person shall be recognised by, and how many keys are left out since others have them too."""
    key, ids = _key(connection), [each.id for each in person.identities]
    known = [(each.name, each.email) for each in person.identities if forgotten_person(each.email) is None]
    people = known if person.unseen is None else [person.unseen]
    earlier = [found for each in person.identities if (found := forgotten_person(each.email)) is not None]
    who = min(earlier) if earlier else tag(key, "person", pair(*people[0]))
    least = threshold(connection)
    keys = {
        each
        for identity in people
        for each in keys_of(*identity)
        if each.rule in TELLING and (each.rule is Rule.EMAIL or MEANINGS[each.rule].confidence >= least)
    }
    shared = _texts(connection, SHARED_KEYS, {"keys": [each.text for each in keys], "ids": ids})
    accounts = {account.username for _, email in people if (account := noreply(email)) is not None}
    logins = {each.lower() for each in _texts(connection, LOGINS, {"ids": ids}) | accounts}
    logins -= _texts(connection, SHARED_LOGINS, {"logins": list(logins), "ids": ids})
    return [*hashes_of(key, who, people, logins, (each for each in keys if each.text not in shared))], len(shared)


def _namesakes(connection: Connection, forgotten: Forgotten) -> list[int]:
    rows = connection.execute("select id, name from public.contributors order by id").fetchall()
    return [int(str(number)) for number, name in rows if forgotten.text(str(name)) != name]


def _texts(connection: Connection, query: str, given: dict[str, object]) -> set[str]:
    return {str(row[0]) for row in connection.execute(query.encode(), given)}
