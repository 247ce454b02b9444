"""
From staging into the raw tables, in one transaction that readers see whole or not at all.

Contributors come before, in short transactions of their own: they are shared by all repositories, so they must not
stay locked for long. Every statement works on sets and on natural keys.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass

from psycopg import sql
from psycopg.types.json import Jsonb

from gitmart.extract.changes import Execute
from gitmart.extract.identify import Mailmaps, leaving, settle_run
from gitmart.extract.refs import Refs
from gitmart.extract.settle import ByRun
from gitmart.extract.staging import Staging
from gitmart.warehouse.locks import Connection


class MergeError(RuntimeError):
    """What was merged is not what was counted: a bug, and nothing was committed."""


@dataclass(frozen=True, slots=True)
class RunFacts:
    """What the books of a run hold besides what the database itself can count."""

    started_at: float  # seconds since the epoch
    bytes_fetched: int
    seconds: dict[str, float]
    git_version: str
    gitmart_version: str
    rows_digest: str  # see `Shape.rows`
    class_rules_digest: str  # see `default_classes.rules_digest`
    classes_digest: str  # of these and the attributes
    attributes: bytes  # see `Attributes.pack`


@dataclass(frozen=True, slots=True)
class Totals:
    """The repository after the run, and what the run changed."""

    run_number: int
    new_commits: int
    removed_commits: int
    commits: int
    contributors: int
    branches: int
    tags: int
    quarantined: int


REMOVE = """
with gone as (
    delete from public.commits as c
    where c.id in (select commit_id from {gone})
    returning c.id, c.commit_hash, c.contributor_id, c.commit_date, c.committed_at
), gone_parents as (
    delete from public.commit_parents as p using gone where p.commit_id = gone.id
), gone_files as (
    delete from public.commit_files as f using gone where f.commit_id = gone.id
), gone_trailers as (
    delete from public.commit_trailers as t using gone where t.commit_id = gone.id
), gone_quarantine as (
    delete from public.quarantine as q using gone
    where q.repository_id = %(repository)s and q.commit_hash = gone.commit_hash
)
insert into public.removed_commits
    (repository_id, commit_hash, removed_run, contributor_id, commit_date, committed_at, reason)
select %(repository)s, commit_hash, %(run)s, contributor_id, commit_date, committed_at, 'unreachable'
from gone
"""

# What is read anew comes back in the same transaction.
CLEAR = """
with cleared as (
    delete from public.commits where repository_id = %(repository)s returning id, commit_hash
), cleared_parents as (
    delete from public.commit_parents as p using cleared where p.commit_id = cleared.id
), cleared_files as (
    delete from public.commit_files as f using cleared where f.commit_id = cleared.id
), cleared_trailers as (
    delete from public.commit_trailers as t using cleared where t.commit_id = cleared.id
)
delete from public.quarantine where repository_id = %(repository)s and commit_hash is not null
"""

# A commit that stays, but came into the default branch or left it.
MOVE = """
update public.commits as c
set in_default_branch = not c.in_default_branch, changed_run = %(run)s
where c.id in (select commit_id from {moved})
"""

# A path that is of another class now. What is summed up by class changes with it, so its commits change too.
RECLASS = """
with changed as (
    update public.commit_files as f set class = s.class::"char", changed_run = %(run)s
    from public.commits as c, {classes} as s
    where c.repository_id = %(repository)s and f.commit_id = c.id
        and f.path = s.path and f.class <> s.class::"char"
    returning f.commit_id
)
update public.commits as c set changed_run = %(run)s where c.id in (select commit_id from changed)
"""

COMMITS = """
insert into public.commits (
    id, repository_id, contributor_id, committer_id, commit_hash, commit_date, committed_at, commit_message,
    lines_added, lines_deleted, changed_run, files_changed, parent_count,
    commit_date_offset_minutes, committed_at_offset_minutes, in_default_branch,
    first_parent_lines_added, first_parent_lines_deleted, first_parent_files_changed, patch_id
)
select
    s.id, %(repository)s, author.contributor_id, committer.contributor_id, s.commit_hash,
    to_timestamp(s.authored), to_timestamp(s.committed), s.message,
    s.lines_added, s.lines_deleted, %(run)s, s.files_changed, s.parent_count,
    s.author_offset, s.committer_offset, side.commit_hash is null,
    s.first_parent_lines_added, s.first_parent_lines_deleted, s.first_parent_files_changed, patch.patch_id
from {commits} as s
join {identities} as author on author.number = s.author
join {identities} as committer on committer.number = s.committer
left join {side} as side on side.commit_hash = s.commit_hash
left join {patch_ids} as patch on patch.commit_hash = s.commit_hash
"""

PARENTS = """
insert into public.commit_parents (commit_id, position, repository_id, changed_run, parent_hash)
select commit_id, position, %(repository)s, %(run)s, parent_hash from {parents}
"""

FILES = """
insert into public.commit_files
    (commit_id, position, status, repository_id, changed_run, added, deleted, path, old_path, class)
select
    commit_id, position, status::"char", %(repository)s, %(run)s, added, deleted, path, old_path, class::"char"
from {files}
"""

TRAILERS = """
insert into public.commit_trailers (commit_id, position, repository_id, changed_run, key, kind, value, contributor_id)
select t.commit_id, t.position, %(repository)s, %(run)s, t.key, t.kind, t.value, who.contributor_id
from {trailers} as t
left join {identities} as who on who.number = t.identity
"""

# Refs are read anew by every run, commits only once.
QUARANTINE_GONE = """
delete from public.quarantine as q
where q.repository_id = %(repository)s and q.commit_hash is null
    and not exists (select from {quarantine} as s where s.commit_hash is null and (s.field, s.raw) = (q.field, q.raw))
"""

QUARANTINE = """
insert into public.quarantine (repository_id, commit_hash, field, raw, reason, changed_run)
select %(repository)s, commit_hash, field, raw, reason, %(run)s from {quarantine} as s
where commit_hash is not null or not exists (
    select from public.quarantine as q
    where q.repository_id = %(repository)s and q.commit_hash is null and (q.field, q.raw) = (s.field, s.raw)
)
"""

REFS_GONE = """
delete from public.refs as r
where r.repository_id = %(repository)s
    and not exists (select from {refs} as s where s.name = r.name)
"""

REFS = """
insert into public.refs (repository_id, name, kind, object_hash, commit_hash, changed_run)
select %(repository)s, name, kind, object_hash, commit_hash, %(run)s from {refs} as s
where not exists (
    select from public.refs as r
    where r.repository_id = %(repository)s and r.name = s.name
        and r.object_hash = s.object_hash and r.commit_hash is not distinct from s.commit_hash
)
on conflict (repository_id, name_hash) do update
set object_hash = excluded.object_hash, commit_hash = excluded.commit_hash, changed_run = excluded.changed_run
"""

LEADERBOARD_GONE = """
delete from public.repository_contributors as rc
where rc.repository_id = %(repository)s and not exists (
    select from public.commits as c
    where c.contributor_id = rc.contributor_id and c.repository_id = rc.repository_id and c.in_default_branch
)
"""

LEADERBOARD = """
insert into public.repository_contributors as rc
    (repository_id, contributor_id, commit_count, first_commit_date, last_commit_date, changed_run)
select repository_id, contributor_id, count(*), min(commit_date), max(commit_date), %(run)s
from public.commits
where repository_id = %(repository)s and in_default_branch
group by repository_id, contributor_id
on conflict (repository_id, contributor_id) do update
set commit_count = excluded.commit_count, first_commit_date = excluded.first_commit_date,
    last_commit_date = excluded.last_commit_date, changed_run = excluded.changed_run
where (rc.commit_count, rc.first_commit_date, rc.last_commit_date)
    is distinct from (excluded.commit_count, excluded.first_commit_date, excluded.last_commit_date)
"""

FILLING = (
    PARENTS, FILES, TRAILERS, QUARANTINE_GONE, QUARANTINE, REFS_GONE, REFS, LEADERBOARD_GONE, LEADERBOARD,
)  # fmt: skip

TOTALS = """
select
    (select count(*) from public.commits where repository_id = %(repository)s),
    (select count(distinct contributor_id) from public.commits where repository_id = %(repository)s),
    (select count(*) from public.refs where repository_id = %(repository)s and kind = 'branch'),
    (select count(*) from public.refs where repository_id = %(repository)s and kind = 'tag'),
    (select count(*) from public.quarantine where repository_id = %(repository)s)
"""

BOOKS = """
insert into public.extraction_runs (
    repository_id, run_number, started_at, finished_at, default_branch, head, refs_digest,
    commits, contributors, branches, tags, new_commits, removed_commits, quarantined,
    bytes_fetched, seconds, git_version, gitmart_version, rows_digest, class_rules_digest, classes_digest
) values (
    %(repository)s, %(run)s, to_timestamp(%(started)s), clock_timestamp(), %(default_branch)s, %(head)s, %(digest)s,
    %(commits)s, %(contributors)s, %(branches)s, %(tags)s, %(new)s, %(removed)s, %(quarantined)s,
    %(bytes)s, %(seconds)s, %(git)s, %(gitmart)s, %(rows)s, %(class_rules)s, %(classes)s
)
"""

DONE = """
update public.repositories
set state = 'completed', state_message = null, default_branch = %(default_branch)s, attributes = %(attributes)s,
    last_processed_at = clock_timestamp(), updated_at = clock_timestamp()
where id = %(repository)s
"""


def merge(
    connection: Connection,
    staging: Staging,
    *,
    repository_id: int,
    compare: Callable[[Execute], None] | None,
    refs: Refs,
    expected: int,
    facts: RunFacts,
    anew: bool,
    mailmaps: Mailmaps,
    besides: Callable[[int], None] | None = None,
    committing: Callable[[], None],
) -> Totals:
    """
    Bring the repository's rows to what staging holds, and commit.

    The caller holds the repository's lock on this very connection, so that nobody merges who has lost
    it. `compare` finds which of the warehouse's commits are gone or changed sides (see `changes.py`); None
    when the warehouse has none. `expected` is the number of commits in staging; any other ends in MergeError
    and a rollback. With `anew` staging has all commits, and they take the place of the warehouse's.
    `besides` does what else shall commit with the run, whose number it is told.
    """
    with connection.transaction():
        connection.execute("set local work_mem = '64MB'")
        run = _next_run(connection, repository_id)
        given: dict[str, object] = {"repository": repository_id, "run": run}

        def execute(statement: str, more: Mapping[str, object] = {}) -> int:
            return connection.execute(_on(statement, staging), {**given, **more}).rowcount

        removed = replaced = 0
        left: set[int] = set()
        if compare is not None:
            compare(execute)
            left = leaving(connection, staging, repository_id, anew=anew)
            removed = execute(REMOVE)
            if anew:
                replaced = _count_commits(connection, given)
                execute(CLEAR)
            else:
                execute(MOVE)
                execute(RECLASS)
        if (inserted := execute(COMMITS)) != expected:
            raise MergeError(f"{expected} commits were expected, {inserted} were merged")
        for statement in FILLING:
            execute(statement)
        totals = Totals(run, inserted - replaced, removed, *_totals(connection, given))
        _keep_books(connection, given, refs, totals, facts)
        settle_run(connection, staging, ByRun(repository_id, run), mailmaps, left)
        if besides is not None:
            besides(run)
        committing()
    return totals


def _on(statement: str, staging: Staging) -> sql.Composed:
    return sql.SQL(statement).format(**staging.tables)


def _next_run(connection: Connection, repository_id: int) -> int:
    row = connection.execute(
        "select coalesce(max(run_number), 0) + 1 from public.extraction_runs where repository_id = %s", [repository_id]
    ).fetchone()
    return int(str(row[0])) if row else 1


def _count_commits(connection: Connection, given: dict[str, object]) -> int:
    row = connection.execute(
        "select count(*) from public.commits where repository_id = %(repository)s", given
    ).fetchone()
    return int(str(row[0])) if row else 0


def _totals(connection: Connection, given: dict[str, object]) -> tuple[int, ...]:
    row = connection.execute(TOTALS, given).fetchone()
    return tuple(int(str(value)) for value in row or ())


def _keep_books(connection: Connection, given: dict[str, object], refs: Refs, totals: Totals, facts: RunFacts) -> None:
    branch = short_name(refs)
    connection.execute(
        BOOKS,
        given
        | {
            "started": facts.started_at,
            "default_branch": branch,
            "head": refs.head.decode() if refs.head else None,
            "digest": refs.digest,
            "commits": totals.commits,
            "contributors": totals.contributors,
            "branches": totals.branches,
            "tags": totals.tags,
            "new": totals.new_commits,
            "removed": totals.removed_commits,
            "quarantined": totals.quarantined,
            "bytes": facts.bytes_fetched,
            "seconds": Jsonb(facts.seconds),
            "git": facts.git_version,
            "gitmart": facts.gitmart_version,
            "rows": facts.rows_digest,
            "class_rules": facts.class_rules_digest,
            "classes": facts.classes_digest,
        },
    )
    connection.execute(DONE, given | {"default_branch": branch, "attributes": facts.attributes})


def first_quarantined(connection: Connection, repository_id: int, limit: int = 5) -> list[str]:
    """Return a line each for the newest values in quarantine: the commit, what of it, and why."""
    rows = connection.execute(
        """select concat_ws(' ', left(commit_hash, 12), field || ':', reason) from public.quarantine
           where repository_id = %s order by changed_run desc, id limit %s""",
        [repository_id, limit],
    )
    return [str(row[0]) for row in rows]


def short_name(refs: Refs) -> str | None:
    """Return the default branch's name without refs/heads/, cleaned as names in the warehouse are."""
    if refs.default_branch is None:
        return None
    return refs.default_branch.removeprefix(b"refs/heads/").decode("utf-8", "backslashreplace")
