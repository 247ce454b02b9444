"""Views for BI tools outlive the tables they read, whatever a build does with those."""

from __future__ import annotations

import threading
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager

import psycopg
import pytest
from tests.integration.dbt.conftest import VIEWS, Dbt, Marts, Raw, commit_hash


@pytest.fixture
def history(raw: Raw) -> int:
    """A repository with two commits that count and one that does not."""
    repository, one, two = raw.repository("tools"), raw.person("one"), raw.person("two", "bot")
    with raw.run(repository) as run:
        run.add("a", one, "2024-01-31 12:00+00", paths=("src/a.py", "README"))
        run.add("b", two, "2024-02-01 12:00+00")
        run.add("side", two, "2024-02-02 12:00+00", in_default_branch=False)
        run.point("tags/v1.0.0", commit_hash("a"))
    return repository


def identities(marts: Marts) -> dict[str, int]:
    """Return what PostgreSQL knows the views by: another number is another view."""
    return dict(
        marts.query(
            "select relname::text, oid::bigint from pg_class"
            " where relnamespace = 'analytics'::regnamespace and relkind = 'v' and relname like 'bi%%'"
        )
    )


@contextmanager
def reading(url: str, relations: list[str]) -> Iterator[Counter[tuple[str, str]]]:
    """Read again and again, each relation in a session of its own; give how often which number of rows or error was met."""
    found: Counter[tuple[str, str]] = Counter()
    done = threading.Event()

    def read(relation: str) -> None:
        with psycopg.connect(url, autocommit=True) as reader:
            while not done.wait(0.002):
                try:
                    rows = reader.execute(f"select * from analytics.{relation}".encode()).rowcount
                    found[relation, str(rows)] += 1
                except psycopg.Error as error:
                    found[relation, repr(error)] += 1

    readers = [threading.Thread(target=read, args=[relation]) for relation in relations]
    for reader in readers:
        reader.start()
    try:
        yield found
    finally:
        done.set()
        for reader in readers:
            reader.join()


def test_a_view_stays_whatever_happens_to_its_tables(dbt: Dbt, raw: Raw, marts: Marts, history: int) -> None:
    """Somebody's own view on top of it stays as well, and so does what it was granted."""
    dbt.run()
    before = identities(marts)
    marts.query("create view analytics.own as select contributor_name, commits from analytics.bi_daily_commits")
    marts.query("grant select on analytics.own to gitmart_read")
    tables = marts.query("select 'analytics.fct_commits'::regclass::oid, 'analytics.dim_contributor'::regclass::oid")
    with raw.run(history) as run:
        run.add("c", raw.person("three"), "2024-03-01 12:00+00")

    dbt.run()
    incremental = marts.query("select count(*) from analytics.bi_commits")
    dbt.run("--full-refresh")

    assert sorted(before) == sorted(VIEWS)
    assert identities(marts) == before
    assert incremental == marts.query("select count(*) from analytics.bi_commits") == [(3,)]
    assert marts.query("select * from analytics.own order by 1") == [("one", 1), ("three", 1), ("two", 1)]
    assert not set(tables[0]) & set(
        marts.query("select 'analytics.fct_commits'::regclass::oid, 'analytics.dim_contributor'::regclass::oid")[0]
    )


def test_a_reader_of_a_view_never_meets_an_error(dbt: Dbt, raw: Raw, marts: Marts, history: int) -> None:
    dbt.run()

    with reading(marts.url, ["bi_commits", "bi_daily_commits", "bi_repositories", "bi_file_changes"]) as found:
        for _ in range(2):
            dbt.run("--full-refresh")

    assert set(found) == {
        ("bi_commits", "2"), ("bi_daily_commits", "2"), ("bi_repositories", "1"), ("bi_file_changes", "3"),
    }  # fmt: skip
    assert min(found.values()) > 100


def test_a_view_of_other_columns_is_made_anew(dbt: Dbt, marts: Marts, history: int) -> None:
    """As another version of gitmart had them, or of another kind."""
    dbt.run()
    for statement in (
        "drop function analytics.bi_commits() cascade",
        (
            "create function analytics.bi_commits() returns table (commit_hash text, other int) language sql stable"
            " as $$ select commit_hash, 1 from analytics.fct_commits $$"
        ),
        "create view analytics.bi_commits as select * from analytics.bi_commits()",
        "drop view analytics.bi_releases",
        "create table analytics.bi_releases (a int)",
        "drop function analytics.bi_daily_commits() cascade",
        "create view analytics.bi_daily_commits as select commits from analytics.fct_daily_commits",
        "alter view analytics.bi_commits owner to gitmart_transform",
        "alter view analytics.bi_daily_commits owner to gitmart_transform",
        "alter table analytics.bi_releases owner to gitmart_transform",
        "alter function analytics.bi_commits() owner to gitmart_transform",
    ):
        marts.query(statement)

    dbt.run("--select", "bi_commits", "bi_releases", "bi_daily_commits")

    assert marts.query("select repository_name, contributor_name from analytics.bi_commits order by 2") == [
        ("tools", "one"), ("tools", "two"),
    ]  # fmt: skip
    assert marts.query("select tag_name from analytics.bi_releases") == [("v1.0.0",)]
    assert marts.query("select sum(commits) from analytics.bi_daily_commits") == [(2,)]
    assert marts.query("select has_table_privilege('gitmart_read', 'analytics.bi_releases', 'select')") == [(True,)]
