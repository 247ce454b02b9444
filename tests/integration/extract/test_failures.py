"""What goes wrong removes nothing, leaves nothing behind, and says what a person can do."""

from __future__ import annotations

import threading
from typing import Any

import psycopg
import pytest

from gitmart.contract.outcomes import Outcome
from gitmart.contract.signals import Stopped
from gitmart.extract import merge as merging
from gitmart.extract import run as running
from gitmart.extract.errors import ExtractError
from gitmart.warehouse.locks import repository_lock


def _grow(repository: Any, count: int = 3) -> None:
    for number in range(count):
        repository.write(f"file{number}", f"{repository.clock}\n")
        repository.commit(f"commit {number}", author=f"Author {number} <{number}@example.org>")


def _staging(extraction: Any) -> list[tuple[object, ...]]:
    rows: list[tuple[object, ...]] = extraction.warehouse.query(
        "select tablename from pg_tables where schemaname = 'gitmart_staging'"
    )
    return rows


def test_a_failed_fetch_removes_no_commit(repository: Any, extraction: Any) -> None:
    _grow(repository)
    extraction(repository)
    before = extraction.rows()
    repository.git_dir.rename(repository.path / "moved-away")

    with pytest.raises(ExtractError) as failure:
        extraction(repository)

    assert failure.value.outcome is Outcome.NOT_FOUND
    assert extraction.rows() == before
    assert extraction.warehouse.query("select state from repositories") == [("failed",)]


def test_missing_objects_end_the_run_and_change_nothing(repository: Any, extraction: Any) -> None:
    _grow(repository)
    extraction(repository)
    before = extraction.rows()
    _grow(repository)
    blob = repository.git("rev-parse", "HEAD:file1")
    (repository.git_dir / "objects" / blob[:2] / blob[2:]).unlink()

    with pytest.raises(ExtractError) as failure:
        extraction(repository)

    assert failure.value.outcome is Outcome.REPOSITORY_DAMAGED
    assert extraction.rows() == before
    assert _staging(extraction) == []


def test_a_shallow_source_is_refused(repository: Any, make_repository: Any, extraction: Any) -> None:
    _grow(repository)
    shallow = make_repository("shallow")
    shallow.git("fetch", "-q", "--depth=1", f"file://{repository.path}", "main:main", "--update-head-ok")

    with pytest.raises(ExtractError, match="shallow") as failure:
        extraction(shallow)

    assert failure.value.outcome is Outcome.REPOSITORY_DAMAGED
    assert extraction.warehouse.query("select count(*) from commits") == [(0,)]


def test_a_merge_that_counts_wrong_is_rolled_back(
    repository: Any, extraction: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    _grow(repository)
    monkeypatch.setattr(merging, "COMMITS", merging.COMMITS + "limit 2")

    with pytest.raises(merging.MergeError, match="3 commits were expected, 2 were merged"):
        extraction(repository)

    assert extraction.warehouse.query("select count(*) from commits") == [(0,)]
    assert extraction.warehouse.query("select count(*) from extraction_runs") == [(0,)]
    assert _staging(extraction) == []


def test_one_extraction_of_a_repository_at_a_time(repository: Any, extraction: Any) -> None:
    _grow(repository)
    extraction(repository)
    lock = repository_lock(1)
    with psycopg.connect(extraction.warehouse.url("gitmart_extract"), autocommit=True) as other:
        other.execute("select pg_advisory_lock(%s, %s)", [lock.kind, lock.key])

        with pytest.raises(ExtractError) as failure:
            extraction(repository)

    assert failure.value.outcome is Outcome.LOCKED
    assert extraction(repository).run_number == 2


def test_the_next_run_of_anybody_drops_staging_tables_of_the_dead(
    repository: Any, make_repository: Any, extraction: Any
) -> None:
    _grow(repository)
    extraction(repository)
    living = repository_lock(77)
    with psycopg.connect(extraction.warehouse.url("gitmart_extract"), autocommit=True) as other:
        other.execute("create unlogged table gitmart_staging.r1_0123abcd_commits (id bigint)")
        other.execute("create unlogged table gitmart_staging.r77_0123abcd_commits (id bigint)")
        other.execute("select pg_advisory_lock(%s, %s)", [living.kind, living.key])
        another = make_repository("another")
        _grow(another)

        extraction(another)

        assert _staging(extraction) == [("r77_0123abcd_commits",)]


def test_the_next_run_of_the_same_repository_drops_its_staging_tables(repository: Any, extraction: Any) -> None:
    _grow(repository)
    extraction(repository)
    extraction.warehouse.query("create unlogged table gitmart_staging.r1_0123abcd_commits (id bigint)")
    extraction.warehouse.query("alter table gitmart_staging.r1_0123abcd_commits owner to gitmart_extract")

    extraction(repository)

    assert _staging(extraction) == []


def test_a_state_left_by_a_dead_run_is_corrected(repository: Any, extraction: Any) -> None:
    _grow(repository)
    extraction(repository)
    extraction.warehouse.query("update repositories set state = 'in_progress'")

    extraction(repository)

    assert extraction.warehouse.query("select state from repositories") == [("completed",)]


def test_two_repositories_that_share_every_author_load_at_once(make_repository: Any, extraction: Any) -> None:
    repositories = [make_repository(name) for name in ("one", "two", "three")]
    for index, repository in enumerate(repositories):
        order = range(200) if index % 2 else range(199, -1, -1)
        raw = b"".join(
            b"commit refs/heads/main\nauthor Author %d <%d@example.org> %d +0000\n"
            b"committer Author %d <%d@example.org> %d +0000\ndata 1\nm\n"
            % (number, number, 1_700_000_000 + index, number, number, 1_700_000_000 + index)
            for number in order
        )
        repository.git("fast-import", "--quiet", "--force", stdin=raw)
    failures: list[BaseException] = []

    def run(repository: Any) -> None:
        try:
            extraction(repository)
        except BaseException as error:  # shown below
            failures.append(error)

    threads = [threading.Thread(target=run, args=[repository]) for repository in repositories]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    assert failures == []
    assert extraction.warehouse.query("select count(*) from commits") == [(600,)]
    assert extraction.warehouse.query("select count(*) from contributors") == [(200,)]


def test_readers_see_a_run_whole_or_not_at_all(
    repository: Any, extraction: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    _grow(repository)
    extraction(repository)
    repository.git("reset", "-q", "--hard", "HEAD~1")
    _grow(repository, 2)
    seen: list[object] = []
    keep_books = merging._keep_books

    def look_then_keep(*words: Any) -> None:
        # All of the run's rows are written, nothing is committed: another session still sees the run before.
        seen.extend(
            extraction.warehouse.query(
                """select (select count(*) from commits), (select count(*) from removed_commits),
                   (select sum(commit_count) from repository_contributors), (select max(changed_run) from refs)"""
            )
        )
        keep_books(*words)

    monkeypatch.setattr(merging, "_keep_books", look_then_keep)

    extraction(repository)

    assert seen == [(3, 0, 3, 1)]
    assert extraction.warehouse.query("select count(*) from commits") == [(4,)]


def test_a_stop_after_the_commit_does_not_unsay_it(
    repository: Any, extraction: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    _grow(repository)

    def stop(*words: Any) -> None:
        raise Stopped("asked to stop", Outcome.CANCELLED)

    monkeypatch.setattr(running, "first_quarantined", stop)

    with pytest.raises(Stopped):
        extraction(repository)

    assert extraction.warehouse.query("select count(*) from commits") == [(3,)]
    assert extraction.warehouse.query("select state from repositories") == [("completed",)]
