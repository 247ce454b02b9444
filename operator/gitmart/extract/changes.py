"""
Which of the warehouse's commits are gone, and which came into the default branch or left it.

Two ways to the same answer, both of them sets in staging tables: from git's list of all that can be reached,
or, when git has only what is new, by walking the graph in the warehouse from where the new commits and the
refs touch it. The walk stops at what it need not look behind: as long as the old HEAD can be reached from the
new one, whatever was in the default branch still is.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Protocol

from gitmart.extract.refs import Refs


class Execute(Protocol):
    """Runs a statement in the merge's transaction."""

    def __call__(self, statement: str, more: Mapping[str, object] = {}) -> int:
        """
        Return the number of rows; staging tables are named in braces.

        `repository` and `run` are among the parameters, `more` are further ones.
        """


GONE_BY_LIST = """
insert into {gone}
select c.id from public.commits as c
where c.repository_id = %(repository)s
    and not exists (select from {reachable} as r where r.commit_hash = c.commit_hash)
"""

MOVED_BY_LIST = """
insert into {moved}
select c.id from public.commits as c
where c.repository_id = %(repository)s
    and c.in_default_branch = exists (select from {side} as s where s.commit_hash = c.commit_hash)
"""

# Where a walk starts: known commits that new ones have as parents, or that a ref leads to.
FROM_ALL = """
select parent_hash from {parents} union all select commit_hash from {refs}
"""

FROM_HEAD = """
select p.parent_hash from {parents} as p join {commits} as s on s.id = p.commit_id
where not exists (select from {side} as side where side.commit_hash = s.commit_hash)
union all select %(head)s::text
"""

# `offset 0` keeps the planner from turning the steps around: each is two look-ups in an index, however
# little it knows of the tables.
WALK = """
with recursive walk (id) as (
    select c.id from public.commits as c
    where c.repository_id = %(repository)s and c.commit_hash in ({starts})
        and not (c.in_default_branch and %(stays)s)
    union
    select parent.id
    from walk
    cross join lateral (
        select p.parent_hash from public.commit_parents as p where p.commit_id = walk.id offset 0
    ) as edge
    cross join lateral (
        select c.id from public.commits as c
        where c.repository_id = %(repository)s and c.commit_hash = edge.parent_hash
            and not (c.in_default_branch and %(stays)s)
        offset 0
    ) as parent
)
insert into {into} select id from walk
"""


def _walk(into: str, starts: str) -> str:
    return WALK.replace("{into}", into).replace("{starts}", starts)


WALK_DEFAULT = _walk("{in_default}", FROM_HEAD)
WALK_ALL = _walk("{reached}", FROM_ALL)

# The way from the new HEAD to the old one leads through commits that were not in the default branch: one that
# was can be reached from the old HEAD, and would lead back to it. So the walk that stops at those has either
# met the old HEAD, or nothing ever meets it.
MEETS_OLD_HEAD = """
select where %(old_head)s::text is null
    or %(old_head)s in ({starts})
    or exists (
        select from {in_default} as met
        join public.commit_parents as p on p.commit_id = met.commit_id
        where p.parent_hash = %(old_head)s
    )
""".replace("{starts}", FROM_HEAD)

GONE_BY_WALK = """
insert into {gone}
select c.id from public.commits as c
where c.repository_id = %(repository)s and not (c.in_default_branch and %(stays)s)
    and not exists (select from {reached} as r where r.commit_id = c.id)
"""

MOVED_BY_WALK = """
insert into {moved}
select c.id from public.commits as c
where c.repository_id = %(repository)s and not (c.in_default_branch and %(stays)s)
    and c.in_default_branch <> exists (select from {in_default} as d where d.commit_id = c.id)
"""


@dataclass(frozen=True, slots=True)
class ByList:
    """Staging lists all that can be reached (`reachable`), and all of it that the default branch has not (`side`)."""

    def __call__(self, execute: Execute) -> None:
        """Fill `gone` and `moved`."""
        execute(GONE_BY_LIST)
        execute(MOVED_BY_LIST)


@dataclass(frozen=True, slots=True)
class ByWalk:
    """Staging has the new commits and refs alone; `side` lists those new commits that the default branch has not."""

    refs: Refs
    old_head: bytes | None  # the commit of HEAD at the last run

    def __call__(self, execute: Execute) -> None:
        """Fill `gone` and `moved`."""
        heads: dict[str, object] = {"head": _text(self.refs.head), "old_head": _text(self.old_head)}
        execute(WALK_DEFAULT, {**heads, "stays": True})
        stays = execute(MEETS_OLD_HEAD, heads) > 0
        if not stays:
            execute("truncate {in_default}")
            execute(WALK_DEFAULT, {**heads, "stays": False})
        execute("analyze {in_default}")
        execute(MOVED_BY_WALK, {"stays": stays})
        # HEAD may be at a commit that no ref leads to any more; then what it reaches may be gone.
        stays = stays and self.refs.head in self.refs.tips
        execute(WALK_ALL, {"stays": stays})
        execute("analyze {reached}")
        execute(GONE_BY_WALK, {"stays": stays})


def _text(commit_hash: bytes | None) -> str | None:
    return None if commit_hash is None else commit_hash.decode()
