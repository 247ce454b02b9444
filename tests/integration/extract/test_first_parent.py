"""Merges have no counts of their own; what they bring to their first parent stands apart, if it is asked for."""

from __future__ import annotations

import functools
from collections.abc import Callable
from typing import Any

import pytest

from gitmart.extract import source

Check = Callable[[Any], None]
KEPT = frozenset({"first_parent_counts"})


def _merge(repo: Any, tree_of: str, *branches: str) -> str:
    """Merge with the content of that revision."""
    repo.git("read-tree", "-u", "--reset", tree_of)
    made: str = repo.merge(*branches)
    return made


def _history(repo: Any) -> dict[str, str]:
    """Make merges of all kinds and return their hashes by what is odd about them."""
    text = "".join(f"line {number}\n" for number in range(40))
    repo.write("file", text)
    repo.write("moves", text * 2)
    repo.write("binary", b"\0one")
    repo.commit("base")
    for name in ("left", "right"):
        repo.git("checkout", "-q", "-b", name, "main")
        repo.write(name, f"{name}\n" * 3)
        repo.commit(name)
    repo.git("checkout", "-q", "left")
    repo.git("mv", "moves", "moved")
    repo.write("binary", b"\0two")
    repo.write(b"caf\xe9\tline\nfeed", "odd\n")
    repo.write("file", text.replace("line 7\n", ""))
    repo.commit("kinds of changes")
    repo.git("checkout", "-q", "main")
    repo.write("main", "main\n")
    repo.commit("main")
    tree = repo.git("merge-tree", "--write-tree", "main", "left")
    merges = {"ordinary": _merge(repo, tree, "left")}
    merges["ours"] = _merge(repo, "HEAD", "right")
    repo.write("resolved", "neither parent has it\n")
    merges["evil"] = repo.merge("left")
    merges["octopus"] = _merge(repo, "right", "left", "right")
    repo.git("checkout", "-q", "right")
    merges["the other way around"] = _merge(repo, tree, "main")
    merges["twice the same parent"] = _merge(repo, "left", "HEAD", "HEAD")
    repo.git("checkout", "-q", "main")
    return merges


COUNTS = """
    select lines_added, lines_deleted, files_changed, first_parent_lines_added, first_parent_lines_deleted,
        first_parent_files_changed
    from commits where commit_hash = %s"""


def test_each_merge_has_what_git_says_against_its_first_parent_and_loses_it_when_nobody_asks(
    repository: Any, extraction: Any, fresh_extraction: Any, assert_equals_git: Check
) -> None:
    merges = _history(repository)
    extraction(repository)
    assert_equals_git(repository)  # all NULL
    extraction.kept = KEPT

    totals = extraction(repository)

    assert (totals.new_commits, totals.quarantined) == (0, 1)  # the odd path, once: in the commit that made it
    assert "what is kept of a commit changed" in str(extraction.facts["fetchReason"])
    assert_equals_git(repository)
    # A binary file and a pure move count no lines; the odd path and `left` have four, and one line of `file` went.
    assert extraction.warehouse.query(COUNTS, merges["ordinary"]) == [(0, 0, 0, 4, 1, 5)]
    assert extraction.warehouse.query(COUNTS, merges["ours"]) == [(0, 0, 0, 0, 0, 0)]
    assert extraction.warehouse.query(COUNTS, merges["evil"]) == [(0, 0, 0, 1, 0, 1)]
    assert extraction.warehouse.query(COUNTS, repository.git("rev-parse", "left~1")) == [(3, 0, 1, None, None, None)]
    fresh_extraction.kept = KEPT
    fresh_extraction(repository)
    assert extraction.natural(repository) == fresh_extraction.natural(repository)
    extraction.kept = frozenset()
    extraction(repository)
    assert_equals_git(repository)


def test_merges_of_very_many_files_are_counted_piece_by_piece(
    repository: Any, extraction: Any, assert_equals_git: Check, monkeypatch: pytest.MonkeyPatch
) -> None:
    _history(repository)
    monkeypatch.setattr(source, "split_records", functools.partial(source.split_records, limit=10))
    monkeypatch.setattr(source, "READ_SIZE", 50)
    extraction.kept = KEPT

    extraction(repository)

    assert_equals_git(repository)
