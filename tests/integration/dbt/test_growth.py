"""What an incremental build reads depends on what has changed, not on how much else there is."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from tests.integration.dbt.conftest import Dbt, Marts, Raw

OTHERS = 500  # commits of each other repository
FEW, MANY = 3, 23  # other repositories

# With as many trailers and twice as many files; every other commit makes a change that one of another repository makes.
ADD = """
with added as (
    insert into commits (repository_id, contributor_id, committer_id, commit_hash, commit_date, committed_at,
        commit_message, lines_added, lines_deleted, files_changed, parent_count, in_default_branch, patch_id, changed_run)
    select %(repository)s, author, author, encode(sha256(format('%%s %%s', %(repository)s, number)::bytea), 'hex'), day, day,
        '', 2, 0, 2, 1, true,
        case when number %% 2 = 0 then format('patch %%s', number) else format('%%s %%s', %(repository)s, number) end, %(run)s
    from (
        select number, 1 + number %% 4 as author, timestamptz '2024-05-01 10:00+00' + number %% 10 * interval '1 day' as day
        from generate_series(1, %(commits)s) as number
    ) as made
    returning id, repository_id, contributor_id, changed_run
), files as (
    insert into commit_files (commit_id, position, status, repository_id, changed_run, added, deleted, path)
    select id, position, 'M', repository_id, changed_run, 1, 0, format('file%%s', position)
    from added cross join generate_series(1, 2) as position
)
insert into commit_trailers (commit_id, position, repository_id, changed_run, key, kind, value, contributor_id)
select id, 1, repository_id, changed_run, 'reviewed-by', 'reviewer', '', 1 + contributor_id %% 4 from added
returning 1
"""

# As many entries of indexes as rows of tables.
ROWS = """
select relname, cast(relid as bigint), seq_tup_read + coalesce(
    (select sum(idx_tup_read) from pg_stat_user_indexes as i where i.relid = t.relid), 0
) from pg_stat_user_tables as t
"""
# Of what there is a row for each commit or more; others are read whole, and have one for each person or day.
TABLES = {
    "commits", "commit_files", "commit_trailers", "fct_commits", "fct_contributions", "fct_file_changes",
    "int_commit_credits",
}  # fmt: skip


@pytest.fixture
def like_large_tables(marts: Marts, dbt_database: str) -> Iterator[None]:
    """PostgreSQL reads small tables whole though there is an index; here it reads them as it does large ones."""
    marts.query(f"alter database {dbt_database} set enable_seqscan = off")
    yield
    marts.query(f"alter database {dbt_database} reset enable_seqscan")


def fill(raw: Raw, name: str, commits: int) -> int:
    """Make a repository with so many commits of one run."""
    repository = raw.repository(name)
    with raw.run(repository) as run:
        raw.connection.execute(ADD, {"repository": repository, "run": run.number, "commits": commits})
    return repository


def rows_read(raw: Raw, marts: Marts) -> dict[tuple[str, int], int]:
    """Return how much anybody has read so far of each table; one that was made anew is another one."""
    raw.query("select pg_stat_force_next_flush() is null")
    raw.query("select 1")
    return {(name, number): read for name, number, read in marts.query(ROWS)}


def read_by_a_build(dbt: Dbt, raw: Raw, marts: Marts, happen: Callable[[], None]) -> dict[str, int]:
    """Let something happen, and build; return the rows that models read then, by table."""
    marts.query("vacuum analyze")
    happen()
    before = rows_read(raw, marts)
    dbt.run()
    read: dict[str, int] = {}
    for (name, relation), rows in rows_read(raw, marts).items():
        if name in TABLES:
            read[name] = read.get(name, 0) + int(rows - before.get((name, relation), 0))
    return read


@pytest.mark.slow
@pytest.mark.timeout(900)
@pytest.mark.usefixtures("like_large_tables")
def test_models_read_no_commits_of_repositories_without_news(dbt: Dbt, raw: Raw, marts: Marts) -> None:
    people = [raw.person(f"person {number}") for number in range(5)]
    changed = fill(raw, "changed", 200)

    def a_few_come_and_one_goes() -> None:
        with raw.run(changed) as run:
            run.remove(*raw.hashes(changed, f"patch_id like '{changed} %%'")[:1])
            for name in ("one", "two", "three"):
                # Others have made the same change, and before.
                run.add(f"{name} {run.number}", people[-1], "2024-06-01 10:00+00", patch=f"patch {10 * run.number}")
                run.credit(f"{name} {run.number}", "co_author", people[0])

    for number in range(FEW):
        fill(raw, f"other {number}", OTHERS)
    dbt.run()
    few = read_by_a_build(dbt, raw, marts, a_few_come_and_one_goes)
    for number in range(FEW, MANY):
        fill(raw, f"other {number}", OTHERS)
    dbt.run()

    many = read_by_a_build(dbt, raw, marts, a_few_come_and_one_goes)

    tenth = (MANY - FEW) * OTHERS / 10  # of what has come
    assert {name: (few[name], rows) for name, rows in many.items() if rows - few[name] > tenth} == {}
    assert set(few) == TABLES
    assert few["fct_commits"] > 0
