"""A run brings only what changed, and the end is that of a fresh extraction (invariants 3 and 5)."""

from __future__ import annotations

import random
from collections.abc import Callable
from typing import Any

import pytest

DAY = 86_400  # seconds

Check = Callable[[Any], None]


def _grow(repository: Any, count: int = 3) -> None:
    for number in range(count):
        repository.write("file.txt", f"{repository.clock} {number}\n")
        repository.commit(f"commit {number}", author=f"Author {number % 2} <{number % 2}@example.org>")


def test_a_second_run_changes_nothing(repository: Any, extraction: Any) -> None:
    _grow(repository)
    extraction(repository)
    before = extraction.rows()

    totals = extraction(repository)

    assert (totals.run_number, totals.new_commits, totals.removed_commits) == (2, 0, 0)
    assert extraction.rows() == before


def test_a_run_without_news_burns_no_ids(repository: Any, extraction: Any) -> None:
    _grow(repository)
    extraction(repository)
    sequences = (
        "select schemaname, sequencename, last_value from pg_sequences where schemaname = 'public' order by 1, 2"
    )
    before = extraction.warehouse.query(sequences)

    extraction(repository)

    assert extraction.warehouse.query(sequences) == before


def test_new_commits_are_added_and_carry_their_run(repository: Any, extraction: Any, assert_equals_git: Check) -> None:
    _grow(repository)
    extraction(repository)
    _grow(repository, 2)

    totals = extraction(repository)

    assert (totals.new_commits, totals.removed_commits, totals.commits) == (2, 0, 5)
    assert_equals_git(repository)
    runs = "select changed_run, count(*) from commits group by 1 order by 1"
    assert extraction.warehouse.query(runs) == [(1, 3), (2, 2)]


def test_a_force_push_moves_commits_to_removed_commits(
    repository: Any, extraction: Any, assert_equals_git: Check
) -> None:
    _grow(repository, 4)
    gone = repository.git("rev-parse", "HEAD", "HEAD~1").split()
    extraction(repository)
    repository.git("reset", "-q", "--hard", "HEAD~2")
    _grow(repository, 1)

    totals = extraction(repository)

    assert (totals.new_commits, totals.removed_commits) == (1, 2)
    assert_equals_git(repository)
    removed = extraction.warehouse.query("select commit_hash, removed_run, reason from removed_commits")
    assert sorted(removed) == sorted((name, 2, "unreachable") for name in gone)
    orphans = """select count(*) from (select commit_id from commit_files union all select commit_id from commit_parents
                 union all select commit_id from commit_trailers) as child where not exists (select from commits where id = child.commit_id)"""
    assert extraction.warehouse.query(orphans) == [(0,)]


def test_a_commit_that_comes_back_is_extracted_anew(repository: Any, extraction: Any, assert_equals_git: Check) -> None:
    _grow(repository)
    kept = repository.git("rev-parse", "HEAD")
    extraction(repository)
    repository.git("reset", "-q", "--hard", "HEAD~1")
    extraction(repository)
    repository.git("reset", "-q", "--hard", kept)

    totals = extraction(repository)

    assert (totals.new_commits, totals.removed_commits) == (1, 0)
    assert_equals_git(repository)
    assert extraction.warehouse.query("select commit_hash, removed_run from removed_commits") == [(kept, 2)]
    assert extraction.warehouse.query("select changed_run from commits where commit_hash = %s", kept) == [(3,)]


def test_a_deleted_branch_takes_its_commits_along(repository: Any, extraction: Any, assert_equals_git: Check) -> None:
    _grow(repository)
    repository.git("checkout", "-q", "-b", "side")
    _grow(repository, 2)
    repository.git("checkout", "-q", "main")
    extraction(repository)
    repository.git("branch", "-q", "-D", "side")

    totals = extraction(repository)

    assert (totals.removed_commits, totals.branches) == (2, 1)
    assert_equals_git(repository)


def test_commits_change_sides_when_the_default_branch_does(
    repository: Any, extraction: Any, assert_equals_git: Check
) -> None:
    _grow(repository)
    repository.git("checkout", "-q", "-b", "side", "HEAD~1")
    _grow(repository, 2)
    repository.git("checkout", "-q", "main")
    extraction(repository)
    assert extraction.warehouse.query("select default_branch from repositories") == [("main",)]
    repository.git("checkout", "-q", "side")

    totals = extraction(repository)

    assert (totals.new_commits, totals.removed_commits) == (0, 0)
    assert_equals_git(repository)
    changed = "select count(*) from commits where changed_run = 2"
    assert extraction.warehouse.query(changed) == [(3,)]  # one left, two came
    assert extraction.warehouse.query("select default_branch from repositories") == [("side",)]


def test_a_repository_that_lost_all_branches_is_empty(repository: Any, extraction: Any) -> None:
    _grow(repository)
    extraction(repository)
    repository.git("update-ref", "-d", "refs/heads/main")

    totals = extraction(repository)

    assert (totals.commits, totals.removed_commits) == (0, 3)
    assert extraction.warehouse.query("select count(*) from repository_contributors") == [(0,)]


def test_a_ref_in_quarantine_stands_there_once_and_as_long_as_it_is(
    repository: Any, extraction: Any, assert_equals_git: Check
) -> None:
    _grow(repository)
    repository.git("update-ref", b"refs/heads/caf\xe9", "HEAD")
    extraction(repository)
    before = extraction.rows()

    extraction(repository)

    assert extraction.rows() == before
    assert_equals_git(repository)
    repository.git("update-ref", "-d", b"refs/heads/caf\xe9")
    assert extraction(repository).quarantined == 0


def test_selected_branches_alone_count(repository: Any, extraction: Any) -> None:
    _grow(repository)
    repository.git("tag", "kept-by-a-tag")
    for name in ("release/1", "release/2", "feature"):
        repository.git("checkout", "-q", "-b", name, "main~1")
        _grow(repository, 1)
    reached = repository.git("rev-list", "--count", "release/1")

    totals = extraction(repository, include=("release/*",), exclude=("release/2",))

    assert (totals.commits, totals.branches, totals.tags) == (int(reached), 1, 0)
    assert extraction.warehouse.query("select name from refs") == [("refs/heads/release/1",)]
    # HEAD is at `feature` here: what both branches share counts as the default branch's.
    assert extraction.warehouse.query("select count(*) from commits where not in_default_branch") == [(1,)]


def test_forks_share_commits_without_sharing_rows(
    repository: Any, make_repository: Any, extraction: Any, assert_equals_git: Check
) -> None:
    _grow(repository)
    fork = make_repository("fork")
    fork.git("pull", "-q", str(repository.path), "main")
    _grow(fork, 1)

    extraction(repository)
    extraction(fork)

    assert extraction.warehouse.query("select count(*), count(distinct commit_hash) from commits") == [(7, 4)]
    assert_equals_git(repository)
    assert_equals_git(fork)


def _random_step(repository: Any, chance: random.Random) -> None:
    branches = repository.git("for-each-ref", "--format=%(refname:short)", "refs/heads").splitlines()
    here = repository.git("symbolic-ref", "--short", "HEAD")
    repository.clock += chance.choice((0, 0, DAY, 20 * DAY, -30 * DAY))  # what is fetched goes by dates, which may lie
    match chance.choice(("grow", "grow", "branch", "switch", "merge", "reset", "delete", "tag", "amend", "orphan")):
        case "grow":
            _grow(repository, chance.randint(1, 3))
        case "branch":
            repository.git("checkout", "-q", "-b", f"b{chance.getrandbits(32)}")
            _grow(repository, 1)
        case "switch":
            repository.git("checkout", "-q", "-f", chance.choice(branches))
        case "merge":
            repository.merge(chance.choice(branches))
        case "reset":
            if int(repository.git("rev-list", "--count", "--first-parent", "HEAD")) > 2:
                repository.git("reset", "-q", "--hard", "HEAD~1")
        case "delete":
            for name in branches[:1]:
                if name != here:
                    repository.git("branch", "-q", "-D", name)
        case "tag":
            repository.git("tag", "-f", f"t{chance.randint(0, 3)}")
        case "amend":
            repository.commit(f"amended {repository.clock}", "Author 0 <0@example.org>", "--amend", "--reset-author")
        case "orphan":
            repository.git("checkout", "-q", "--orphan", f"o{chance.getrandbits(32)}")
            _grow(repository, 1)


@pytest.mark.parametrize("seed", range(4))
def test_any_sequence_of_runs_equals_a_fresh_extraction(
    seed: int, repository: Any, extraction: Any, fresh_extraction: Any, assert_equals_git: Check
) -> None:
    chance = random.Random(seed)
    repository.git("config", "uploadpack.allowFilter", str(seed % 2 == 0))
    _grow(repository)
    for _ in range(6):
        for _ in range(chance.randint(1, 3)):
            _random_step(repository, chance)
        extraction(repository)
        assert_equals_git(repository)

    fresh_extraction(repository)

    assert extraction.natural(repository) == fresh_extraction.natural(repository)
