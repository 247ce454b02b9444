"""A Repository's status, step by step."""

from __future__ import annotations

import pytest

from gitmart.controller import repository
from gitmart.resources.repository import Repository, RepositoryStatus

from .objects import SECOND, T0, a_repository, a_run

GOOD = a_run(
    commits=7, contributors=2, branches=3, head="abc", refsDigest="d1", newCommits=5, removedCommits=1, bytesFetched=9
)


def with_status(resource: Repository, status: RepositoryStatus, generation: int = 1) -> Repository:
    metadata = resource.metadata.model_copy(update={"generation": generation})
    return resource.model_copy(update={"status": status, "metadata": metadata})


def ready(status: RepositoryStatus) -> tuple[str, str]:
    condition = next(condition for condition in status.conditions if condition.type == "Ready")
    return condition.status, condition.reason


def test_a_new_repository_is_pending_and_of_it_nothing_is_known() -> None:
    status = repository.seen(a_repository(), T0)

    assert (status.state, status.observed_generation, ready(status)) == ("pending", 1, ("Unknown", "NewGeneration"))


def test_a_good_run_gives_the_totals() -> None:
    status = repository.ended(a_repository(), GOOD)

    assert (status.state, status.commits, status.contributors, status.branches) == ("completed", 7, 2, 3)
    assert (status.head, status.refs_digest, status.last_check_time) == ("abc", "d1", T0 + 10 * SECOND)
    assert status.last_extraction is not None
    assert (status.last_extraction.new_commits, status.last_extraction.removed_commits) == (5, 1)
    assert status.last_extraction.duration == 10 * SECOND
    assert ready(status) == ("True", "Succeeded")


@pytest.mark.parametrize(
    ("told", "kept"),
    [("incremental", "incremental"), ("cached", "cached"), ("full", "full"), ("some", None), (7, None), (None, None)],
)
def test_how_the_host_was_read_is_told_if_it_is_a_known_word(told: object, kept: str | None) -> None:
    run = a_run(fetch=told, fetchReason="the host knows no filters", cacheProblem="the cache is full")
    last = repository.ended(a_repository(), run).last_extraction

    assert last is not None
    assert (last.fetch, last.fetch_reason) == (kept, "the host knows no filters")
    assert last.cache_problem == "the cache is full"


LOOK = {
    "outcome": "RateLimited", "message": "wait", "checkedAt": "2026-01-01T00:00:00+00:00",
    "nextTime": "2026-01-01T01:00:00+00:00", "requests": 7, "pending": 3,
}  # fmt: skip


def asking() -> Repository:
    document = a_repository(url="https://github.com/o/r").to_dict()
    return Repository.parse({**document, "spec": {**document["spec"], "metadata": {}}})


def test_how_the_look_at_the_api_went_is_told_and_changes_no_condition() -> None:
    resource = asking()
    status = repository.ended(resource, a_run(metadata=LOOK))

    assert status.metadata is not None
    assert (status.metadata.outcome, status.metadata.pending) == ("RateLimited", 3)
    assert status.conditions == repository.ended(resource, a_run()).conditions
    assert RepositoryStatus.model_validate_json(status.model_dump_json(by_alias=True)) == status


@pytest.mark.parametrize(
    "told", [None, "", [], {}, {"outcome": 5}, {**LOOK, "pending": -1}, {**LOOK, "checkedAt": "x"}]
)
def test_what_is_no_look_leaves_the_last_one(told: object) -> None:
    resource = asking()
    known = with_status(resource, repository.ended(resource, a_run(metadata=LOOK)))

    assert repository.ended(known, a_run(metadata=told)).metadata == known.status.metadata
    assert repository.ended(known, a_run("NotFound", 66)).metadata == known.status.metadata
    assert repository.ended(resource, a_run(metadata=told)).metadata is None


def test_without_metadata_in_the_spec_none_is_told() -> None:
    known = with_status(a_repository(), repository.ended(asking(), a_run(metadata=LOOK)))

    assert repository.ended(known, a_run(metadata=LOOK)).metadata is None


@pytest.mark.parametrize(("minutes", "due"), [(59, False), (60, True)])
def test_the_api_is_due_when_the_last_look_said(minutes: int, due: bool) -> None:
    resource, now = asking(), T0 + minutes * 60 * SECOND
    known = with_status(resource, repository.ended(resource, a_run(metadata=LOOK)))

    assert repository.metadata_is_due(known, now) is due
    assert repository.metadata_is_due(resource, now)
    assert not repository.metadata_is_due(a_repository(), now)


def test_a_failed_run_keeps_the_totals_of_the_last_good_one() -> None:
    good = with_status(a_repository(), repository.ended(a_repository(), GOOD))
    status = repository.ended(good, a_run("HostUnreachable", 68))

    assert (status.state, status.commits, status.last_check_time) == ("failed", 7, T0 + 10 * SECOND)
    assert (status.consecutive_failures, ready(status)) == (1, ("False", "HostUnreachable"))
    assert status.last_extraction is not None
    assert status.last_extraction.outcome == "HostUnreachable"


def test_failures_are_counted_until_a_good_run() -> None:
    resource = a_repository()
    for _ in range(2):
        resource = with_status(resource, repository.ended(resource, a_run(None, 137)))
    cancelled = with_status(resource, repository.ended(resource, a_run("Cancelled", 80)))

    assert resource.status.consecutive_failures == 2
    assert cancelled.status.consecutive_failures == 2
    assert repository.ended(cancelled, GOOD).consecutive_failures == 0


def test_a_running_extraction_changes_no_condition() -> None:
    good = with_status(a_repository(), repository.ended(a_repository(), GOOD))

    assert repository.running(good) == good.status.model_copy(update={"state": "in_progress"})


def test_a_killed_extraction_does_not_run_for_ever() -> None:
    killed = with_status(a_repository(), repository.running(a_repository()))

    assert repository.interrupted(killed).state == "failed"
    assert repository.interrupted(a_repository()) == a_repository().status


def test_an_edited_spec_is_unknown_again() -> None:
    good = with_status(a_repository(), repository.ended(a_repository(), GOOD), generation=2)

    assert ready(repository.seen(good, T0)) == ("Unknown", "NewGeneration")
    assert repository.seen(with_status(good, good.status, generation=1), T0) == good.status


def test_suspend_leaves_a_good_repository_ready() -> None:
    good = with_status(a_repository(), repository.ended(a_repository(), GOOD))

    assert ready(repository.suspended(good, T0)) == ("True", "Succeeded")
    assert ready(repository.suspended(a_repository(), T0)) == ("Unknown", "Suspended")


@pytest.mark.parametrize(
    ("first", "second"),
    [
        pytest.param("https://git.example.org/a", "https://GIT.example.org/a.git", id="spelt-differently"),
        pytest.param("ssh://git@git.example.org/a", "ssh://git.example.org:22/a/", id="ssh"),
    ],
)
def test_of_two_repositories_with_one_address_the_oldest_works(first: str, second: str) -> None:
    older = a_repository("zz", first)
    younger = a_repository("aa", second, creationTimestamp="2026-01-01T00:00:01Z")

    assert list(repository.working_of([younger, older]).values()) == [older]
    status = repository.duplicate(younger, older, T0)
    assert ready(status) == ("False", "DuplicateURL")
    assert "default/zz" in status.conditions[0].message


def test_a_status_survives_its_json() -> None:
    known = with_status(a_repository(), repository.ended(a_repository(), GOOD))

    assert Repository.parse(known.to_dict()).status == known.status
