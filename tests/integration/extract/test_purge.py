"""`gitmart purge`: nothing of the repository stays, nothing of another one goes."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from gitmart.extract.purge import TABLES
from gitmart.warehouse.connections import connect
from gitmart.warehouse.locks import repository_lock, try_lock

# What hosts' APIs told of each repository.
METADATA = """
insert into repository_snapshots (repository_id, taken_on, taken_at, last_seen_at, run_number, provider, host_id)
    select id, now(), now(), now(), 1, 'github', id from repositories;
insert into repository_topics select id, 1, repository_id, 'git' from repository_snapshots;
insert into repository_languages select id, 'Python', repository_id, 1, 1 from repository_snapshots;
insert into host_answers select id, 'repository', '', '', '', '' from repositories;
insert into repository_metadata (repository_id, provider, api_url, attempted_at, outcome, message, requests, pending,
    next_at) select id, 'github', '', now(), 'Succeeded', '', 3, 0, now() from repositories;
"""

Purge = Callable[..., subprocess.CompletedProcess[str]]


@pytest.fixture
def run_purge(warehouse: Any) -> Purge:
    def run(*words: str, role: str = "gitmart_extract", stdin: Any = subprocess.DEVNULL) -> Any:
        return subprocess.run(
            [sys.executable, "-m", "gitmart", "purge", *words],
            env={**os.environ, "GITMART_WAREHOUSE_URL": warehouse.url(role)},
            stdin=stdin, capture_output=True, text=True, check=False,
        )  # fmt: skip

    return run


@pytest.fixture
def two(make_repository: Any, extraction: Any) -> tuple[Any, Any]:
    """Two repositories of one history in the warehouse, each with something in every table."""
    first, second = make_repository("group/first"), make_repository("other/second")
    for repository in (first, second):
        repository.write(b"odd \xff", "x\n")
        repository.write(".mailmap", "Proper One <proper@example.org> <one@example.org>\n")
        repository.commit(b"odd \xff\n\nAcked-by: Two <two@example.org>\n", "One \ufffd <one@example.org>")
        repository.git("branch", "kept")
        repository.commit("soon gone")
        former = make_repository(f"former/{repository.path.name}")
        former.git("fetch", "-q", str(repository.path), "main", "kept")
        former.git("reset", "-q", "--hard", "FETCH_HEAD")
        extraction(former)
        repository.git("reset", "-q", "--hard", "kept")
        repository.commit("instead")
        extraction(repository, previous=former)
    extraction.warehouse.query(METADATA)
    return first, second


def _rows(warehouse: Any) -> dict[str, list[tuple[object, ...]]]:
    # Merges by other rules than a mailmap are of no repository.
    of = {"identity_merges": "where repository_id is not null"}
    return {table: warehouse.query(f"select * from {table} {of.get(table, '')} order by 1, 2, 3") for table in TABLES}


def test_it_knows_every_table_with_a_repository(warehouse: Any) -> None:
    found = warehouse.query(
        "select table_name from information_schema.columns where table_schema = 'public' and column_name = %s",
        "repository_id",
    )

    assert {name for (name,) in found} | {"repositories"} == set(TABLES)


@pytest.mark.parametrize("role", ["gitmart_extract", "gitmart_owner"])
def test_nothing_of_it_stays_and_everything_of_another(
    role: str, two: tuple[Any, Any], run_purge: Purge, warehouse: Any, extraction: Any
) -> None:
    first, second = two
    before, kept = _rows(warehouse), extraction.natural(second)
    assert all(before.values()), "each table has rows to lose"

    done = run_purge(first.url, "--yes", role=role)

    assert done.returncode == 0, done.stderr
    assert [line.split()[0] for line in done.stdout.splitlines()] == list(TABLES)
    counted = {line.split()[0]: int(line.split()[1]) for line in done.stdout.splitlines()}
    after = _rows(warehouse)
    assert counted == {table: len(before[table]) - len(after[table]) for table in TABLES}
    assert {table: len(rows) * 2 for table, rows in after.items()} == {
        table: len(rows) for table, rows in before.items()
    }
    assert extraction.natural(second) == kept


def test_a_purged_repository_is_read_again_from_the_start(
    two: tuple[Any, Any], run_purge: Purge, extraction: Any
) -> None:
    first, _ = two
    before = extraction.natural(first)
    run_purge(first.url, "--yes")

    totals = extraction(first)

    assert (totals.run_number, totals.new_commits) == (1, totals.commits)
    assert extraction.natural(first) == before


@pytest.mark.parametrize("wanted", ["name", "id", "address"])
def test_it_may_be_named_in_three_ways(wanted: str, two: tuple[Any, Any], run_purge: Purge, warehouse: Any) -> None:
    [(number,)] = warehouse.query("select id from repositories where name = 'first'")
    word = {"name": "first", "id": str(number), "address": two[0].url + "/"}[wanted]

    done = run_purge(word, "--yes")

    assert done.returncode == 0, done.stderr
    assert warehouse.query("select name from repositories") == [("second",)]


def test_what_is_meant_must_be_clear(two: tuple[Any, Any], run_purge: Purge, warehouse: Any) -> None:
    before = _rows(warehouse)
    warehouse.query("update repositories set name = 'twin'")

    ambiguous = run_purge("twin", "--yes")
    unknown = run_purge("nothing", "--yes")
    secret = run_purge("https://user:canary@git.example.org/a", "--yes")
    unasked = run_purge(two[0].url)

    assert {done.returncode for done in (ambiguous, unknown, secret, unasked)} == {64}
    for repository in two:
        assert repository.url in ambiguous.stderr
        assert repository.url in unknown.stderr
    assert "means 2 repositories" in ambiguous.stderr
    assert "canary" not in secret.stderr
    assert "add --yes" in unasked.stderr
    warehouse.query("update repositories set name = reverse(split_part(reverse(url), '/', 1))")
    assert _rows(warehouse) == before


@pytest.mark.parametrize(("answer", "code"), [("yes\n", 0), ("y\n", 64), ("\n", 64)])
def test_a_person_is_asked(answer: str, code: int, two: tuple[Any, Any], run_purge: Purge, warehouse: Any) -> None:
    import pty

    keyboard, terminal = pty.openpty()
    try:
        os.write(keyboard, answer.encode())
        done = run_purge(two[0].url, stdin=terminal)
    finally:
        os.close(keyboard)
        os.close(terminal)

    assert done.returncode == code, done.stderr
    assert f"Delete {two[0].url} with 2 commits from the warehouse?" in done.stdout
    assert len(warehouse.query("select 1 from repositories")) == (1 if code == 0 else 2)


def test_a_run_under_way_is_not_disturbed(two: tuple[Any, Any], run_purge: Purge, warehouse: Any) -> None:
    before = _rows(warehouse)
    [(number,)] = warehouse.query("select id from repositories where name = 'first'")
    with connect(warehouse.url("gitmart_extract"), application_name="test", autocommit=True) as connection:
        assert try_lock(connection, repository_lock(int(str(number))))

        done = run_purge("first", "--yes")

    assert done.returncode == 75
    assert "under way" in done.stderr
    assert _rows(warehouse) == before


def test_the_statement_of_the_docs_removes_people_without_commits(
    two: tuple[Any, Any], run_purge: Purge, warehouse: Any, extraction: Any
) -> None:
    page = (Path(__file__).parents[3] / "docs" / "warehouse.md").read_text(encoding="utf-8")
    _, _, rest = page.partition("```sql\n")
    second = extraction.natural(two[1])
    run_purge("first", "--yes")

    warehouse.query(rest.partition("```")[0])

    assert extraction.natural(two[1]) == second
    assert warehouse.query("select count(*) > 0 from contributors") == [(True,)]
    run_purge("second", "--yes")
    warehouse.query(rest.partition("```")[0])
    assert warehouse.query("select count(*) from contributors") == [(0,)]
