"""Rows that another version made, or other options, are replaced by a run that reads all commits anew."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

Check = Callable[[Any], None]

OLDER = "update extraction_runs set rows_digest = %s"
# What another version may have left of a commit.
OTHER_ROWS = """
update commits set commit_message = 'other', lines_added = 7;
delete from commit_files;
delete from commit_parents;
delete from commit_trailers;
insert into quarantine (repository_id, commit_hash, field, raw, reason, changed_run)
select repository_id, commit_hash, 'message', 'x', 'of another version', 1 from commits;
"""


def _history(repository: Any) -> None:
    repository.write("file", "one\n")
    repository.commit("one")
    repository.git("branch", "side")
    repository.write("file", "one\ntwo\n")
    repository.commit("two\n\nCo-authored-by: Two <two@example.org>\n")


@pytest.mark.parametrize("digest", [None, "0" * 32])
def test_rows_of_another_version_are_replaced(
    digest: str | None, repository: Any, extraction: Any, fresh_extraction: Any, assert_equals_git: Check
) -> None:
    _history(repository)
    extraction(repository)
    extraction.warehouse.query(OTHER_ROWS)
    extraction.warehouse.query(OLDER, digest)

    totals = extraction(repository)

    assert (totals.new_commits, totals.removed_commits, totals.quarantined) == (0, 0, 0)
    assert extraction.facts["fetch"] == "full"
    assert "what is kept of a commit changed" in str(extraction.facts["fetchReason"])
    assert_equals_git(repository)
    fresh_extraction(repository)
    assert extraction.natural(repository) == fresh_extraction.natural(repository)
    assert extraction.warehouse.query("select distinct changed_run from commits") == [(2,)]
    assert extraction(repository).run_number == 3
    assert extraction.facts.get("fetchReason") is None


def test_what_came_and_went_meanwhile_is_told_apart_from_what_is_read_anew(
    repository: Any, extraction: Any, assert_equals_git: Check
) -> None:
    _history(repository)
    gone = repository.commit("three")
    extraction(repository)
    extraction.warehouse.query(OLDER, None)
    repository.git("reset", "-q", "--hard", "HEAD~1")
    repository.git("checkout", "-q", "side")
    repository.commit("beside")

    totals = extraction(repository)

    assert (totals.new_commits, totals.removed_commits, totals.commits) == (1, 1, 3)
    assert extraction.warehouse.query("select commit_hash from removed_commits") == [(gone,)]
    assert_equals_git(repository)


def test_another_repository_keeps_its_rows(
    repository: Any, make_repository: Any, extraction: Any, assert_equals_git: Check
) -> None:
    _history(repository)
    other = make_repository("fork")
    other.git("pull", "-q", str(repository.path), "main")
    extraction(repository)
    extraction(other)
    rows = "select * from commits where repository_id = 2 order by id"
    before = extraction.warehouse.query(rows)
    extraction.warehouse.query(OLDER + " where repository_id = 1", None)

    extraction(repository)

    assert extraction.warehouse.query(rows) == before
    assert_equals_git(repository)
    assert_equals_git(other)
