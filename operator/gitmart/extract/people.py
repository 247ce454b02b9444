"""
Which identities are one person: a pure function of what ties them now, whatever came before.

Nothing here is remembered from run to run. Whoever calls it hands over every identity that is tied to any of the
others, and gets the merges that hold, and for each identity the one that stands for the person.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import NamedTuple

from gitmart.extract.agents import Kind, kind_of
from gitmart.extract.identity_rules import MEANINGS, Key, Rule, full_name, is_personal, noreply


@dataclass(frozen=True, slots=True)
class Member:
    """An identity: the row's id, and what git recorded."""

    id: int
    name: str
    email: str
    keys: tuple[Key, ...] = ()


class Merge(NamedTuple):
    """Two identities of one person by one rule. `repository` is the one whose mailmap says so; `to` is the better known."""

    from_id: int
    to_id: int
    rule: Rule
    repository: int | None = None


@dataclass(frozen=True, slots=True)
class Ties:
    """What somebody has said of identities. The user's words outrank every rule."""

    said: Mapping[Merge, str]  # by mailmaps and by users -> the evidence
    splits: Collection[int] = ()  # whom no rule and no mailmap may tie to others
    kinds: Mapping[int, Kind] | None = None  # what users said that an identity is
    threshold: float = 0.0


@dataclass(frozen=True, slots=True)
class People:
    """Merges -> evidence; identity -> the one that stands for the person; identity -> its kind."""

    merges: dict[Merge, str]
    roots: dict[int, int]
    kinds: dict[int, Kind]


def people_of(members: Iterable[Member], ties: Ties) -> People:
    """Return who is who."""
    known = {member.id: member for member in members}
    merges = {merge: evidence for merge, evidence in ties.said.items() if _may(merge, ties)}
    proper = {merge.to_id: _rank(merge.rule) for merge in sorted(merges, key=lambda m: -_rank(m.rule))}
    for merge in merges:
        if merge.rule is Rule.USER:
            proper.pop(merge.from_id, None)  # somebody said who stands for this one

    def order(identity: int) -> tuple[object, ...]:
        return proper.get(identity, len(Rule)), *_order(known[identity])

    free = [member for number, member in known.items() if number not in set(ties.splits)]
    for key, group in _groups(free):
        if MEANINGS[key.rule].confidence < ties.threshold or len(group) < 2:
            continue
        first, *others = sorted(group, key=order)
        for other in others:
            merges[Merge(other, first, key.rule)] = key.text.replace("\n", ", ")
    roots = _roots(known, merges, order)
    return People(merges, roots, _kinds(known, roots, ties.kinds or {}))


def _may(merge: Merge, ties: Ties) -> bool:
    if merge.rule is Rule.USER:
        return True
    is_split = merge.from_id in ties.splits or merge.to_id in ties.splits
    return not is_split and MEANINGS[merge.rule].confidence >= ties.threshold


def _rank(rule: Rule) -> int:
    return list(Rule).index(rule)


def _order(member: Member) -> tuple[object, ...]:
    """Return what the better identities come first by: what people see first, then anything that never changes."""
    is_plain = is_personal(member.email) and noreply(member.email) is None
    return not is_plain, full_name(member.name) is None, member.email, member.name


def _groups(members: Iterable[Member]) -> Iterator[tuple[Key, list[int]]]:
    groups: defaultdict[Key, list[int]] = defaultdict(list)
    numbers: defaultdict[Key, set[str]] = defaultdict(set)
    for member in members:
        account = noreply(member.email)
        for key in member.keys:
            groups[key].append(member.id)
            if key.rule is Rule.USERNAME and account is not None and account.number is not None:
                numbers[key].add(account.number)
    for key, group in groups.items():
        if len(numbers[key]) < 2:  # a user name that two accounts have borne was given away
            yield key, group


def _roots(
    known: Mapping[int, Member], merges: Iterable[Merge], order: Callable[[int], tuple[object, ...]]
) -> dict[int, int]:
    parent = {number: number for number in known}

    def find(number: int) -> int:
        while parent[number] != number:
            parent[number] = parent[parent[number]]
            number = parent[number]
        return number

    for merge in merges:
        parent[find(merge.from_id)] = find(merge.to_id)
    groups: defaultdict[int, list[int]] = defaultdict(list)
    for number in known:
        groups[find(number)].append(number)
    firsts = {group: min(numbers, key=order) for group, numbers in groups.items()}
    return {number: firsts[find(number)] for number in known}


def _kinds(known: Mapping[int, Member], roots: Mapping[int, int], said: Mapping[int, Kind]) -> dict[int, Kind]:
    """What somebody said of an identity counts for the person; of two such words, the later one (the last of `said`)."""
    of_people = {roots[number]: kind for number, kind in said.items() if number in roots}
    return {
        number: of_people.get(root) or kind_of(known[number].name, known[number].email)
        for number, root in roots.items()
    }
