"""What a repository may cost: beyond it nothing changes, nothing is counted, and nothing is tried another way."""

from __future__ import annotations

import os
from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest

from gitmart.contract.outcomes import Outcome
from gitmart.extract.errors import ExtractError
from gitmart.extract.settings import Limits
from gitmart.extract.source import DiffTree

Extract = Callable[..., dict[str, object]]


def grow(repo: Any, count: int, size: int = 100) -> None:
    """Make commits with a file each that nothing makes smaller, of so many bytes."""
    first = repo.clock
    repo.clock += count
    lines = [b"reset refs/heads/main\nfrom refs/heads/main^0\n"] if repo.git("for-each-ref", "refs/heads/main") else []
    for date in range(first, first + count):
        content = os.urandom(size // 2).hex().encode()
        lines.append(
            b"commit refs/heads/main\nauthor A <a@example.org> %d +0000\ncommitter A <a@example.org> %d +0000\n"
            b"data 1\nm\nM 100644 inline file%d\ndata %d\n%b\n" % (date, date, date, len(content), content)
        )
    repo.git("fast-import", "--quiet", "--force", stdin=b"".join(lines))


def limited(extraction: Any, repository: Any, **limits: Any) -> None:
    extraction(repository, limits=Limits(**limits))


@pytest.fixture
def no_counting(monkeypatch: pytest.MonkeyPatch) -> None:
    """Fail as soon as a line would be counted."""

    def count(*_: Any) -> None:
        raise AssertionError("lines were counted")

    monkeypatch.setattr(DiffTree, "commits", count)


def test_a_first_run_takes_as_many_commits_as_are_allowed(repository: Any, extraction: Any) -> None:
    grow(repository, 5)

    limited(extraction, repository, commits=5)

    assert extraction.warehouse.query("select count(*) from commits") == [(5,)]


def test_a_longer_history_is_refused_before_any_line_is_counted(
    repository: Any, extraction: Any, no_counting: None
) -> None:
    grow(repository, 6)

    with pytest.raises(ExtractError, match=r"has 6 commits, more than the 5 that limits\.commits") as failure:
        limited(extraction, repository, commits=5)

    assert failure.value.outcome is Outcome.LIMIT_EXCEEDED
    assert extraction.warehouse.query("select count(*) from commits") == [(0,)]
    assert extraction.warehouse.query("select state from repositories") == [("failed",)]


def test_what_is_new_counts_with_what_is_there(repository: Any, extraction: Any, monkeypatch: Any) -> None:
    repository.git("config", "uploadpack.allowFilter", "true")
    grow(repository, 5)
    extraction(repository)
    before = extraction.rows()
    grow(repository, 2)

    limited(extraction, repository, commits=7)
    assert extraction.facts["fetch"] == "incremental"
    after = extraction.rows()
    grow(repository, 1)
    with pytest.raises(ExtractError, match="has 8 commits, more than the 7 that") as failure:
        limited(extraction, repository, commits=7)

    assert failure.value.outcome is Outcome.LIMIT_EXCEEDED
    assert extraction.facts["fetch"] == "incremental"  # and nothing was tried another way
    assert before != after
    assert extraction.rows() == after


def test_commits_that_go_make_room_for_those_that_come(
    repository: Any, extraction: Any, assert_equals_git: Any
) -> None:
    repository.git("config", "uploadpack.allowFilter", "true")
    grow(repository, 6)
    repository.git("branch", "stays", "main~4")
    extraction(repository)
    repository.git("update-ref", "refs/heads/main", "main~3")
    grow(repository, 3)

    limited(extraction, repository, commits=6)

    assert extraction.facts["fetch"] == "incremental"
    assert_equals_git(repository)
    grow(repository, 1)
    with pytest.raises(ExtractError, match="has 7 commits, more than the 6 that"):
        limited(extraction, repository, commits=6)


@pytest.mark.parametrize("incremental", [False, True], ids=["clone", "incremental"])
def test_what_is_fetched_stays_within_its_bytes(
    incremental: bool, live: Any, host: Any, run_extract: Extract, warehouse: Any
) -> None:
    url, repository = live
    allowed = (f"--url={url}", "--allow-private-addresses")
    if incremental:
        grow(repository, 2)
        assert run_extract(*allowed)["outcome"] == "Succeeded"
    before = warehouse.query("select * from commits order by 1"), warehouse.query("select * from refs order by 1")
    grow(repository, 40, 100_000)
    host.asked.clear()

    result = run_extract(*allowed, "--limit-bytes=1Mi")

    assert (result["exit"], result["outcome"]) == (85, "LimitExceeded"), result
    assert "more than the 1Mi that limits.bytes (--limit-bytes) allows" in str(result["message"])
    assert result["fetch"] == ("incremental" if incremental else "full")
    # What it has, the commits, the contents: no clone after a limit was the cause.
    assert sum("info/refs" in path for path in host.asked) == (3 if incremental else 1)
    assert (
        warehouse.query("select * from commits order by 1"),
        warehouse.query("select * from refs order by 1"),
    ) == before
    assert run_extract(*allowed, "--limit-bytes=64Mi")["outcome"] == "Succeeded"


@pytest.fixture
def live(repository: Any, host: Any) -> tuple[str, Any]:
    """The address of a repository at an HTTPS host that knows filters, and the repository."""
    repository.git("config", "uploadpack.allowFilter", "true")
    return host.serve(repository), repository


@pytest.mark.parametrize("incremental", [False, True], ids=["clone", "incremental"])
def test_a_fetch_that_takes_too_long_is_a_timeout(incremental: bool, repository: Any, extraction: Any) -> None:
    repository.git("config", "uploadpack.allowFilter", "true")
    grow(repository, 2)
    if incremental:
        extraction(repository)
    before = extraction.rows()
    grow(repository, 1)

    with pytest.raises(ExtractError, match=r"not fetched within the 1s that limits.time \(--limit-time\)") as failure:
        limited(extraction, repository, time=timedelta(seconds=1), since=0)  # it began long ago

    assert failure.value.outcome is Outcome.TIMEOUT
    assert extraction.rows() == before


def test_files_of_git_cannot_grow_beyond_the_limit_between_two_looks(
    repository: Any, extraction: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    from gitmart.extract import talk

    grow(repository, 40, 100_000)
    monkeypatch.setattr(talk, "LOOK_EVERY", 3600)
    largest: list[int] = []
    written = talk.written_bytes
    monkeypatch.setattr(talk, "written_bytes", lambda folder: largest.append(written(folder)) or largest[-1])

    with pytest.raises(ExtractError, match="more than the 1Mi") as failure:
        limited(extraction, repository, bytes=1 << 20)

    assert failure.value.outcome is Outcome.LIMIT_EXCEEDED
    assert largest == [] or largest[-1] < 2 << 20


@pytest.mark.parametrize(
    ("option", "says"),
    [
        ("--limit-bytes=0", "is no size: write bytes, or such as 500Mi or 8Gi"),
        ("--limit-bytes=5GB", "is no size: write bytes, or such as 500Mi or 8Gi"),
        ("--limit-commits=0", "must be a whole number from 1 to 1000000000"),
        ("--limit-commits=-5", "must be a whole number from 1 to 1000000000"),
        ("--limit-time=0s", "must be longer than 0s"),
    ],
)
def test_a_limit_that_is_none_is_named(option: str, says: str, run_extract: Extract) -> None:
    result = run_extract("--url=https://git.invalid/a", option)

    assert result["exit"] == 64
    assert says in str(result["printed"])
    assert option.partition("=")[0] in str(result["printed"])
