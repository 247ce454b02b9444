"""Raw tables without git: what an extraction would leave, written by SQL, fast and always the same."""

from __future__ import annotations

from dataclasses import dataclass

import psycopg

AUTHORS = 200

PEOPLE = """
insert into contributors (name, email)
select format('Author %%s', number), format('author-%%s@example.org', number)
from generate_series(1, %s) as number
on conflict do nothing
"""
REPOSITORY = """
insert into repositories (url, url_key, host, name, default_branch, state, last_processed_at)
values ('https://git.example/' || %(name)s, 'https://git.example/' || %(name)s, 'git.example', %(name)s, 'main',
    'completed', now())
returning id
"""
# Over ten years or a week after them: a few people with most of the commits, one commit in twenty a merge, one in ten
# on a side branch.
# All lines are in a commit's first file; half of the files are source.
ADD = """
with added as (
insert into commits (repository_id, contributor_id, committer_id, commit_hash, commit_date, committed_at,
    commit_message, lines_added, lines_deleted, files_changed, parent_count, in_default_branch, changed_run)
select
    %(repository)s, author, author, encode(sha256(format('%%s %%s %%s', %(repository)s, %(run)s, number)::bytea), 'hex'),
    moment, moment + interval '1 hour', 'Change number ' || number,
    number %% 97, number %% 31, 1 + number %% 7, case when number %% 20 = 0 then 2 else 1 end, number %% 10 <> 0, %(run)s
from (
    select
        number,
        1 + (power(number * 7919 %% 1000 / 1000.0, 3) * (%(authors)s - 1))::bigint as author,
        %(begin)s::timestamptz + number * 7919 %% %(minutes)s * interval '1 minute' as moment
    from generate_series(1, cast(%(commits)s as bigint)) as number
) as made
returning id, lines_added, lines_deleted, files_changed
)
insert into commit_files (commit_id, position, status, repository_id, changed_run, added, deleted, path, class)
select
    id, position, 'M', %(repository)s, %(run)s, case when position = 1 then lines_added else 0 end,
    case when position = 1 then lines_deleted else 0 end, format('folder%%s/file%%s', position, id %% 5000),
    substr('stdscsgv', (1 + (id + position) %% 8)::integer, 1)::"char"
from added cross join lateral generate_series(1, files_changed) as position
"""
# Each commit follows the one before.
PARENTS = """
insert into commit_parents (commit_id, position, repository_id, changed_run, parent_hash)
select id, 1, repository_id, changed_run, lag(commit_hash, 1, repeat('0', 64)) over (order by id)
from commits where repository_id = %(repository)s and changed_run = %(run)s
"""
REMOVE = """
with gone as (
    delete from commits where id in (
        select id from commits where repository_id = %(repository)s order by commit_hash limit %(removals)s
    ) returning *
), gone_files as (
    delete from commit_files as f using gone where f.commit_id = gone.id
)
insert into removed_commits
    (repository_id, commit_hash, removed_run, contributor_id, commit_date, committed_at, reason)
select repository_id, commit_hash, %(run)s, contributor_id, commit_date, committed_at, 'unreachable' from gone
"""
CLEAR_LEADERBOARD = "delete from repository_contributors where repository_id = %(repository)s"
FILL_LEADERBOARD = """
insert into repository_contributors
select repository_id, contributor_id, count(*), min(commit_date), max(commit_date), %(run)s
from commits where repository_id = %(repository)s and in_default_branch group by repository_id, contributor_id
"""
BOOK = """
insert into extraction_runs
select %(repository)s, %(run)s, now(), clock_timestamp(), 'main', null, '', count(*), count(distinct contributor_id),
    1, 0, %(commits)s, %(removals)s, 0, 0, '{}', '2.0', '0'
from commits where repository_id = %(repository)s
"""


@dataclass(frozen=True, slots=True)
class RawTables:
    """Writes raw tables through a connection of `gitmart_extract` that commits by itself."""

    connection: psycopg.Connection[tuple[object, ...]]

    def repository(self, name: str) -> int:
        """Insert a repository, and the people if they are missing; return its id."""
        self.connection.execute(PEOPLE, [AUTHORS])
        row = self.connection.execute(REPOSITORY, {"name": name}).fetchone()
        assert row is not None
        return int(str(row[0]))

    def extract(
        self, repository: int, *, commits: int, removals: int = 0, parents: bool = False, recent: bool = False
    ) -> None:
        """Add commits (with `parents` what each follows, too) and remove some, in one transaction, as a run does."""
        with self.connection.transaction():
            last = self.connection.execute(
                "select coalesce(max(run_number), 0) from extraction_runs where repository_id = %s", [repository]
            ).fetchone()
            assert last is not None
            facts = {
                "repository": repository,
                "run": int(str(last[0])) + 1,
                "commits": commits,
                "removals": removals,
                "begin": "2024-07-05 00:00+00" if recent else "2015-01-01 00:00+00",
                "minutes": 10_000 if recent else 5_000_000,
                "authors": AUTHORS,
            }
            for statement in (REMOVE, ADD, *((PARENTS,) if parents else ()), CLEAR_LEADERBOARD, FILL_LEADERBOARD, BOOK):
                self.connection.execute(statement, facts)
