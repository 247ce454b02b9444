"""
What users say of identities, and what they are told of them. The user's word outranks every rule, and stays.

All of it works on the warehouse as it is; nothing is extracted again.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass

from gitmart.extract.agents import Kind
from gitmart.extract.errors import InputError
from gitmart.extract.settle import lock_identities, settle, settle_all
from gitmart.warehouse.locks import Connection

MOST_LISTED = 20  # identities in a message

FIND = """
select id, name, email, coalesce(canonical_id, id), kind from public.contributors
where id = %(number)s or (name = %(name)s and email = %(email)s)
    or lower(email) = lower(%(text)s) or lower(name) = lower(%(text)s) or lower(username) = lower(%(text)s)
order by name, email
"""

# People with more than one identity, or all; whoever stands for the person first.
LISTED = """
select c.id, c.name, c.email, coalesce(c.canonical_id, c.id), c.kind
from public.contributors as c
join public.contributors as person on person.id = coalesce(c.canonical_id, c.id)
where (%(person)s::bigint is null or person.id = %(person)s)
    and (%(kind)s::text is null or person.kind = %(kind)s)
    and (
        not %(merged)s or c.canonical_id is not null
        or exists (select from public.contributors as other where other.canonical_id = c.id)
    )
order by lower(person.name), person.id, c.canonical_id nulls first, c.name, c.email
"""

REASONS = """
select m.from_id, m.to_id, m.rule, m.confidence, m.evidence, r.url, m.created_at, m.undone_at, m.undone_by
from public.identity_merges as m left join public.repositories as r on r.id = m.repository_id
where (%(ids)s::bigint[] is null or m.from_id = any(%(ids)s) or m.to_id = any(%(ids)s))
    and (%(undone)s or m.undone_at is null)
order by coalesce(m.undone_at, m.created_at), m.id
"""

DECIDED = """
select d.id, d.action, d.contributor_id, d.into_id, d.kind, d.reason, d.decided_by, d.created_at, d.undone_at
from public.identity_decisions as d
where %(ids)s::bigint[] is null or d.contributor_id = any(%(ids)s) or d.into_id = any(%(ids)s)
order by d.id
"""

DECIDE = """
insert into public.identity_decisions (action, contributor_id, into_id, kind, reason)
values (%(action)s, %(who)s, %(into)s, %(kind)s, %(reason)s)
returning id
"""

# A later word takes the place of an earlier one that says the same thing, or the opposite.
TAKE_BACK = """
update public.identity_decisions set undone_at = now()
where undone_at is null and (
    (action = 'merge' and %(action)s = 'split' and %(who)s in (contributor_id, into_id))
    or (action = 'merge' and %(action)s = 'merge' and contributor_id = %(who)s)
    or (action <> 'merge' and action = %(action)s and contributor_id = %(who)s)
)
"""


@dataclass(frozen=True, slots=True)
class Identity:
    """A contributor; `person` is the id of the one that stands for the person."""

    id: int
    name: str
    email: str
    person: int
    kind: str

    def __str__(self) -> str:
        return f"{self.name} <{self.email}>"


@dataclass(frozen=True, slots=True)
class Reason:
    """A merge that holds or held. Times are ISO dates; `undone` says since when it does not hold, and why."""

    from_id: int
    to_id: int
    rule: str
    confidence: float
    evidence: str
    repository: str | None
    since: str
    undone: str | None


@dataclass(frozen=True, slots=True)
class Decision:
    """Something a user said."""

    id: int
    action: str
    who: int
    into: int | None
    kind: str | None
    reason: str | None
    by: str
    since: str
    undone: str | None


def find(connection: Connection, wanted: str) -> list[Identity]:
    """Return the identities of that id, `Name <e-mail>`, e-mail, name or user name; raise InputError if there is none."""
    exact = re.fullmatch(r"(.*?) ?<(.*)>", wanted, re.DOTALL)
    number = int(wanted) if wanted.isascii() and wanted.isdigit() and len(wanted) < 19 else None
    given = {
        "number": number,
        "name": exact[1] if exact else None,
        "email": exact[2] if exact else None,
        "text": wanted,
    }
    found = _identities(connection, FIND, given)
    if not found:
        raise InputError(f"no identity has the id, name, e-mail or user name {wanted!r}")
    return found


def find_one(connection: Connection, wanted: str) -> Identity:
    """Return the one identity that is meant; raise InputError naming those there are."""
    found = find(connection, wanted)
    if len(found) > 1:
        listed = "; ".join(f"{each.id}: {each}" for each in found[:MOST_LISTED])
        raise InputError(f"{wanted!r} means {len(found)} identities, name one by its id: {listed}")
    return found[0]


def find_person(connection: Connection, wanted: str) -> Identity:
    """Return who stands for the person that is meant; raise InputError when it may be several people."""
    found = find(connection, wanted)
    people = {each.person for each in found}
    if len(people) > 1:
        listed = "; ".join(f"{each.id}: {each}" for each in found[:MOST_LISTED])
        raise InputError(f"{wanted!r} means {len(people)} people, name one by an id: {listed}")
    [person] = _identities(connection, FIND, {"number": people.pop(), "name": None, "email": None, "text": None})
    return person


def listed(
    connection: Connection, *, person: int | None = None, kind: Kind | None = None, merged: bool = False
) -> list[Identity]:
    """Return identities by person, whoever stands for it first; `merged` leaves out people with one identity."""
    return _identities(connection, LISTED, {"person": person, "kind": kind, "merged": merged})


def reasons(connection: Connection, ids: Sequence[int] | None, *, undone: bool = False) -> list[Reason]:
    """Return the merges that hold between these identities (None: all), with `undone` those that did as well."""
    rows = connection.execute(REASONS, {"ids": None if ids is None else list(ids), "undone": undone})
    return [
        Reason(
            int(str(row[0])), int(str(row[1])), str(row[2]), float(str(row[3])), str(row[4]), _text(row[5]),
            str(row[6]), None if row[7] is None else f"{row[7]} ({row[8]})",
        )
        for row in rows
    ]  # fmt: skip


def decisions(connection: Connection, ids: Sequence[int] | None) -> list[Decision]:
    """Return what users said of these identities (None: of all)."""
    rows = connection.execute(DECIDED, {"ids": None if ids is None else list(ids)})
    return [
        Decision(
            int(str(row[0])), str(row[1]), int(str(row[2])), None if row[3] is None else int(str(row[3])), _text(row[4]),
            _text(row[5]), str(row[6]), str(row[7]), _text(row[8]),
        )
        for row in rows
    ]  # fmt: skip


def merge(connection: Connection, who: Identity, into: Identity, reason: str | None) -> int:
    """Make one person of the two, for whom `into` stands; return the decision's id. Raise InputError for one identity."""
    if who.id == into.id:
        raise InputError(f"{who} is one identity: name two")
    return _decide(connection, "merge", who.id, into=into.id, reason=reason)


def split(connection: Connection, who: Identity, reason: str | None) -> int:
    """Let the identity stand alone, whatever rules and mailmaps say; return the decision's id."""
    return _decide(connection, "split", who.id, reason=reason)


def set_kind(connection: Connection, who: Identity, kind: Kind, reason: str | None) -> int:
    """Say what the person is; return the decision's id."""
    return _decide(connection, "kind", who.id, kind=kind, reason=reason)


def undo(connection: Connection, decision: int) -> None:
    """Take a decision back, so that the rules say again; raise InputError when there is none in force of that id."""
    with connection.transaction():
        lock_identities(connection)
        done = connection.execute(
            "update public.identity_decisions set undone_at = now() where id = %s and undone_at is null", [decision]
        )
        if done.rowcount == 0:
            raise InputError(f"no decision {decision} is in force: `gitmart identities history` lists them")
        settle_all(connection)  # mailmaps may speak of whoever it concerns without anything else that tells


def threshold(connection: Connection) -> float:
    """Return the confidence below which rules merge nobody."""
    row = connection.execute("select threshold from public.identity_settings").fetchone()
    return float(str(row[0])) if row else 0.0


def set_threshold(connection: Connection, value: float) -> None:
    """Set it, and settle everybody by it."""
    with connection.transaction():
        lock_identities(connection)
        connection.execute("update public.identity_settings set threshold = %s", [value])
        settle_all(connection)


def _decide(
    connection: Connection,
    action: str,
    who: int,
    *,
    into: int | None = None,
    kind: Kind | None = None,
    reason: str | None = None,
) -> int:
    given = {"action": action, "who": who, "into": into, "kind": kind, "reason": reason}
    with connection.transaction():
        lock_identities(connection)
        connection.execute(TAKE_BACK, given)
        row = connection.execute(DECIDE, given).fetchone()
        settle(connection, [who] if into is None else [who, into])
    return int(str(row[0])) if row else 0


def _identities(connection: Connection, query: str, given: dict[str, object]) -> list[Identity]:
    rows = connection.execute(query.encode(), given)
    return [Identity(int(str(r[0])), str(r[1]), str(r[2]), int(str(r[3])), str(r[4])) for r in rows]


def _text(value: object) -> str | None:
    return None if value is None else str(value)
