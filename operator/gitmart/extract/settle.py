"""
Who is who, settled in the warehouse for all identities that anything tied to those that changed.

The end is that of settling everybody: what holds follows from who has commits now, from the mailmaps as they are
now, and from what users decided (`people.py`). So it does not matter in which order runs and decisions came.

Whoever calls this holds the lock of identities until the transaction ends, so that two runs that merge the same
people do so one after the other, each seeing what the other did.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection, Iterable
from dataclasses import dataclass, field
from typing import NamedTuple, cast

from gitmart.extract.agents import Kind
from gitmart.extract.contributors import Person, ids_of, insert, renew_keys
from gitmart.extract.identity_rules import MEANINGS, Key, Rule
from gitmart.extract.mailmap import Entry, Mailmap
from gitmart.extract.people import Member, Merge, People, Ties, people_of
from gitmart.warehouse.locks import IDENTITY_LOCK, Connection

ALL = "select id from public.contributors"

# Who is tied to any of these by what holds now or held until now.
NEAR = """
select canonical_id from public.contributors where id = any(%(ids)s) and canonical_id is not null
union select c.id from public.contributors as c where c.canonical_id = any(%(ids)s)
union select other.contributor_id from public.identity_keys as own join public.identity_keys as other on other.key = own.key
    where own.contributor_id = any(%(ids)s)
union select to_id from public.identity_merges where from_id = any(%(ids)s) and undone_at is null
union select from_id from public.identity_merges where to_id = any(%(ids)s) and undone_at is null
union select into_id from public.identity_decisions where contributor_id = any(%(ids)s) and into_id is not null
union select contributor_id from public.identity_decisions where into_id = any(%(ids)s)
"""

# Somebody wrote, or is named in a trailer of, a commit that is there now.
ACTIVE = """
select id from public.contributors as c
where id = any(%(ids)s) and (
    exists (select from public.commits where contributor_id = c.id)
    or exists (select from public.commit_trailers where contributor_id = c.id)
)
"""

# A mailmap speaks of those alone who have a part in its own repository.
MAILMAPS = """
select c.id, c.name, c.email, e.repository_id, e.source, e.version, e.line, e.new_name, e.new_email, e.old_name, e.old_email
from public.contributors as c
join public.mailmap_entries as e on lower(e.old_email collate "C") = lower(c.email collate "C")
where c.id = any(%(ids)s) and (
    exists (select from public.commits where contributor_id = c.id and repository_id = e.repository_id)
    or exists (select from public.commit_trailers where contributor_id = c.id and repository_id = e.repository_id)
)
order by c.id, e.repository_id, e.source, e.line
"""

MEMBERS = """
select c.id, c.name, c.email, coalesce(array_agg(k.rule order by k.rule) filter (where k.rule is not null), '{}'),
    coalesce(array_agg(k.key order by k.rule) filter (where k.rule is not null), '{}')
from public.contributors as c left join public.identity_keys as k on k.contributor_id = c.id
where c.id = any(%(ids)s) group by c.id
"""

DECISIONS = """
select id, action, contributor_id, into_id, kind, reason from public.identity_decisions
where undone_at is null and (contributor_id = any(%(ids)s) or into_id = any(%(ids)s)) order by id
"""

LIVE = """
select id, from_id, to_id, rule, repository_id, evidence from public.identity_merges
where undone_at is null and (from_id = any(%(ids)s) or to_id = any(%(ids)s))
"""

WITHDRAW = """
update public.identity_merges
set undone_at = now(), undone_by = case when from_id = any(%(splits)s) or to_id = any(%(splits)s) or rule = 'user' then 'user'
    else 'withdrawn' end,
    run_repository_id = %(repository)s, changed_run = %(run)s
where id = any(%(merges)s)
"""

RECORD = """
insert into public.identity_merges (from_id, to_id, rule, confidence, evidence, repository_id, run_repository_id, changed_run)
select from_id, to_id, rule, confidence, evidence, of_repository, %(repository)s, %(run)s
from unnest(%(from)s::bigint[], %(to)s::bigint[], %(rule)s::text[], %(confidence)s::numeric[], %(evidence)s::text[],
    %(of)s::bigint[]) as found (from_id, to_id, rule, confidence, evidence, of_repository)
"""

EVIDENCE = """
update public.identity_merges as m set evidence = found.evidence, run_repository_id = %(repository)s, changed_run = %(run)s
from unnest(%(merges)s::bigint[], %(evidence)s::text[]) as found (id, evidence) where m.id = found.id
"""

STAND = """
update public.contributors as c set canonical_id = nullif(found.root, c.id), kind = found.kind
from unnest(%(ids)s::bigint[], %(roots)s::bigint[], %(kinds)s::text[]) as found (id, root, kind)
where c.id = found.id and (c.canonical_id, c.kind) is distinct from (nullif(found.root, c.id), found.kind)
"""

Ids = Collection[int]


class ByRun(NamedTuple):
    """The run that changes something; of a command both are None."""

    repository: int | None = None
    run: int | None = None


BY_COMMAND = ByRun()


def lock_identities(connection: Connection) -> None:
    """Wait for whoever else settles, and keep others out until the transaction ends."""
    connection.execute("select pg_advisory_xact_lock(%s, %s)", [IDENTITY_LOCK.kind, IDENTITY_LOCK.key])


def settle(connection: Connection, changed: Ids, by: ByRun = BY_COMMAND) -> None:
    """Settle who these are, and everybody who is tied to them or was. `lock_identities` was called."""
    if renew_keys(connection):
        changed = _ids(connection, ALL)
    found = _Circle(connection)
    found.grow(changed)
    if not found.ids:
        return
    people, splits = found.people()
    _record(connection, found.ids, people, splits, by)
    numbers = list(found.ids)
    connection.execute(
        STAND,
        {
            "ids": numbers,
            # Who has no part in any commit, nor stands for anybody, is nobody's any more.
            "roots": [people.roots.get(number, number) for number in numbers],
            "kinds": [people.kinds[number] for number in numbers],
        },
    )


def settle_all(connection: Connection) -> None:
    """Settle everybody. `lock_identities` was called."""
    settle(connection, _ids(connection, ALL))


@dataclass(slots=True)
class _Circle:
    """Identities with all that are tied to them, and what mailmaps say of them."""

    connection: Connection
    ids: set[int] = field(default_factory=set)
    said: dict[Merge, str] = field(default_factory=dict)

    def grow(self, ids: Ids) -> None:
        """Add these and whoever is tied to them."""
        fresh = set(ids)
        while fresh:
            self.ids |= fresh
            near = _ids(self.connection, NEAR, fresh) | self._map(fresh)
            fresh = near - self.ids

    def _map(self, ids: Ids) -> set[int]:
        """Take down what mailmaps say of these, and return whom they are mapped to."""
        mapped = dict(_mapped(self.connection, ids))
        wanted = {person for person, _ in mapped.values()}
        known = ids_of(self.connection, wanted) if wanted else {}
        if missing := sorted(wanted - known.keys()):
            insert(self.connection, missing)
            known |= ids_of(self.connection, missing)
        for (number, repository, rule), (person, evidence) in mapped.items():
            if known[person] != number:
                self.said[Merge(number, known[person], rule, repository)] = evidence
        return {merge.to_id for merge in self.said}

    def people(self) -> tuple[People, set[int]]:
        """Return who is who, and who was split off."""
        decided = _decisions(self.connection, self.ids)
        said = decided.merges | {
            merge: told
            for merge, told in self.said.items()
            if merge.from_id not in decided.splits and merge.to_id not in decided.splits
        }
        active = _ids(self.connection, ACTIVE, self.ids)
        active |= {merge.from_id for merge in said} | {merge.to_id for merge in said}
        members = {member.id: member for member in _members(self.connection, self.ids)}
        row = self.connection.execute("select threshold from public.identity_settings").fetchone()
        threshold = float(str(row[0])) if row else 0.0
        ties = Ties(said, decided.splits, decided.kinds, threshold)
        people = people_of([m for m in members.values() if m.id in active], ties)
        idle = people_of([m for m in members.values() if m.id not in active], Ties({}, (), decided.kinds, 2.0))
        return People(people.merges, people.roots | idle.roots, people.kinds | idle.kinds), decided.splits


@dataclass(slots=True)
class _Decided:
    merges: dict[Merge, str] = field(default_factory=dict)
    splits: set[int] = field(default_factory=set)
    kinds: dict[int, Kind] = field(default_factory=dict)


def _decisions(connection: Connection, ids: Ids) -> _Decided:
    decided = _Decided()
    for number, action, contributor, into, kind, reason in connection.execute(DECISIONS, {"ids": list(ids)}):
        who = int(str(contributor))
        if action == "merge":
            evidence = f"decision {number}" + (f": {reason}" if reason else "")
            decided.merges[Merge(who, int(str(into)), Rule.USER)] = evidence
        elif action == "split":
            decided.splits.add(who)
        else:
            decided.kinds.pop(who, None)  # the latest comes last
            decided.kinds[who] = cast(Kind, kind)
    return decided


def _mapped(connection: Connection, ids: Ids) -> Iterable[tuple[tuple[int, int, Rule], tuple[Person, str]]]:
    """Yield what the mailmaps of each repository say of each of these, and where."""
    lines: defaultdict[tuple[int, int], list[tuple[object, ...]]] = defaultdict(list)
    for row in connection.execute(MAILMAPS, {"ids": list(ids)}):
        lines[int(str(row[0])), int(str(row[3]))].append(row)
    for (number, repository), rows in lines.items():
        # The user's lines come after the repository's, so they win; their places in the list tell them apart.
        entries = [
            Entry(place, _raw(row[7]), _raw(row[8]), _raw(row[9]), str(row[10]).encode())
            for place, row in enumerate(rows)
        ]
        name, email = str(rows[0][1]), str(rows[0][2])
        if (found := Mailmap(entries).map(name.encode(), email.encode())) is not None:
            telling = [rows[place] for place in found.lines]
            rule = Rule.USER_MAILMAP if any(row[4] == "user" for row in telling) else Rule.MAILMAP
            evidence = ", ".join(f"{_NAMES[str(row[4])]} {str(row[5])[:12]} line {row[6]}" for row in telling)
            yield (number, repository, rule), ((found.name.decode(), found.email.decode()), evidence)


_NAMES = {"repository": ".mailmap", "user": "the user's mailmap"}


def _members(connection: Connection, ids: Ids) -> Iterable[Member]:
    for number, name, email, rules, keys in connection.execute(MEMBERS, {"ids": list(ids)}):
        pairs = zip(cast(list[str], rules), cast(list[str], keys), strict=True)
        yield Member(int(str(number)), str(name), str(email), tuple(Key(Rule(rule), key) for rule, key in pairs))


def _record(connection: Connection, ids: Ids, people: People, splits: Ids, by: ByRun) -> None:
    """Write down which merges hold now that did not, and which do not any more."""
    live: dict[Merge, tuple[int, str]] = {}
    for number, from_id, to_id, rule, repository, evidence in connection.execute(LIVE, {"ids": list(ids)}):
        of = None if repository is None else int(str(repository))
        live[Merge(int(str(from_id)), int(str(to_id)), Rule(str(rule)), of)] = (int(str(number)), str(evidence))
    given: dict[str, object] = {"repository": by.repository, "run": by.run}
    gone = [number for merge, (number, _) in live.items() if merge not in people.merges]
    if gone:
        connection.execute(WITHDRAW, {**given, "merges": gone, "splits": list(splits)})
    new = sorted((merge for merge in people.merges if merge not in live), key=lambda m: (m.from_id, m.to_id, m.rule))
    if new:
        connection.execute(RECORD, {
            **given,
            "from": [merge.from_id for merge in new], "to": [merge.to_id for merge in new],
            "rule": [merge.rule.value for merge in new], "of": [merge.repository for merge in new],
            "confidence": [MEANINGS[merge.rule].confidence for merge in new],
            "evidence": [people.merges[merge] for merge in new],
        })  # fmt: skip
    other = {live[merge][0]: told for merge, told in people.merges.items() if merge in live and live[merge][1] != told}
    if other:
        connection.execute(EVIDENCE, {**given, "merges": list(other), "evidence": list(other.values())})


def _ids(connection: Connection, query: str, ids: Ids = ()) -> set[int]:
    return {int(str(row[0])) for row in connection.execute(query.encode(), {"ids": list(ids)})}


def _raw(value: object) -> bytes | None:
    return None if value is None else str(value).encode()
