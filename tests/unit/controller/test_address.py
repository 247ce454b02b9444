"""Which address the warehouse knows a Repository by."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from gitmart.controller.address import previous_url
from gitmart.controller.conditions import Situation, Verdict
from gitmart.controller.repository import ended, identity_of
from gitmart.resources.repository import Repository

from .objects import a_repository, a_run

A, B, C = (f"https://git.example.org/{name}" for name in "abc")


def extracted(url: str = A, *runs: Any, now_at: str = B) -> Repository:
    """Return a Repository whose runs ended as said, with the address it has by now."""
    repository = a_repository(url=url)
    for run in runs or (a_run(url=url, refsDigest="d1"),):
        repository = repository.model_copy(update={"status": ended(repository, run)})
    return edited(repository, now_at)


def edited(repository: Repository, url: str) -> Repository:
    metadata = repository.metadata.model_copy(update={"generation": 2})
    return repository.model_copy(update={"spec": a_repository(url=url).spec, "metadata": metadata})


def taken(_: object) -> bool:
    return True


def free(_: object) -> bool:
    return False


LOST = a_run(None, 0)
LOST_FIRST = replace(LOST, url=A, generation=0)  # edited since
REFUSED = Verdict(Situation.RETRYING, "PodRefused", "no pod was ever made")


@pytest.mark.parametrize(
    ("repository", "expected"),
    [
        pytest.param(a_repository(url=B), None, id="never extracted"),
        pytest.param(extracted(A, a_run("NotFound", 66)), None, id="never well"),
        pytest.param(extracted(A, LOST_FIRST), A, id="the first left no word, and may have stored rows"),
        pytest.param(extracted(A, LOST_FIRST, replace(LOST, url=B), now_at=A), A, id="the first two left no word"),
        pytest.param(extracted(A, replace(LOST_FIRST, never_started=REFUSED)), None, id="the first never ran"),
        pytest.param(extracted(A, a_run(url=A), replace(LOST, url=B), now_at=C), A, id="a later one left no word"),
        pytest.param(extracted(A, now_at=A), None, id="unchanged"),
        pytest.param(extracted(A, now_at=f"{A}.git"), None, id="spelt otherwise"),
        pytest.param(extracted(A), A, id="changed"),
        pytest.param(extracted(A, a_run(url=A), a_run("NotFound", 66, url=B)), A, id="changed, and not there yet"),
        pytest.param(extracted(A, a_run(url=B)), None, id="changed while it ran, which the result tells"),
        pytest.param(extracted(A, a_run(url=B), now_at=A), B, id="changed back while it ran"),
        pytest.param(extracted(A, a_run(url="https://git.example.org/a…")), A, id="a result cut short"),
        pytest.param(extracted(A, a_run()), A, id="a result without it"),
        pytest.param(extracted(A, a_run(url=A), LOST, now_at=A), A, id="who knows where the rows are"),
        pytest.param(extracted(A, a_run(url=A), LOST, now_at=C), A, id="who knows, and changed again"),
    ],
)
def test_the_rows_of_the_last_good_address_go_on(repository: Repository, expected: str | None) -> None:
    assert previous_url(repository, free) == expected


def test_rows_whose_address_another_repository_has_by_now_are_left_alone() -> None:
    asked: list[object] = []

    assert previous_url(extracted(A), lambda address: asked.append(address) or True) is None  # type: ignore[func-returns-value]
    assert asked == [identity_of(a_repository(url=A))]
    assert previous_url(extracted(A, now_at=A), taken) is None


def test_a_run_for_an_older_generation_says_nothing_of_the_address_in_the_spec() -> None:
    repository = extracted(A, now_at=B)

    assert ended(repository, replace(a_run(), generation=1)).url == A
    assert ended(repository, replace(a_run(), generation=2)).url == B
    assert ended(repository, replace(a_run("Timeout", 72, url=B), generation=2)).url == A
