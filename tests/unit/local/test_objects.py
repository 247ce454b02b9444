"""Apply does what the API server does."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from gitmart.local.exits import StateError
from gitmart.local.objects import Objects, merged
from gitmart.resources.repository import Repository, RepositoryStatus

T0 = datetime(2026, 1, 1, tzinfo=UTC)
LATER = datetime(2026, 1, 2, tzinfo=UTC)


def a_manifest(url: str = "file:///srv/git/a", **spec: Any) -> Repository:
    document = {"apiVersion": "gitmart.dev/v1alpha1", "kind": "Repository", "metadata": {"name": "one"}}
    return Repository.parse({**document, "spec": {"url": url, **spec}}, allow_file_urls=True)


def known() -> Repository:
    status = RepositoryStatus(state="completed", commits=3)
    return merged(a_manifest(), None, T0).model_copy(update={"status": status})


def test_a_new_object_gets_a_uid_and_its_time() -> None:
    first, second = (merged(a_manifest(), None, T0).metadata for _ in range(2))

    assert (first.generation, first.creation_timestamp, first.namespace) == (1, T0, "default")
    assert first.uid
    assert first.uid != second.uid


def test_the_same_spec_keeps_generation_and_status() -> None:
    again = merged(a_manifest(), known(), LATER)

    assert again.metadata.model_copy(update={"uid": None}) == known().metadata.model_copy(update={"uid": None})
    assert again.status == known().status


def test_a_default_written_out_is_no_change() -> None:
    assert merged(a_manifest(timeout="60m"), known(), LATER).metadata.generation == 1


def test_another_spec_raises_the_generation_and_keeps_the_status() -> None:
    before = known()
    changed = merged(a_manifest(suspend=True), before, LATER)

    assert (changed.metadata.generation, changed.metadata.uid) == (2, before.metadata.uid)
    assert changed.status == before.status


def test_another_url_is_a_change_as_any_other() -> None:
    before = known()
    changed = merged(a_manifest("file:///srv/git/b"), before, LATER)

    assert (changed.metadata.generation, changed.metadata.uid) == (2, before.metadata.uid)
    assert changed.status == before.status


def test_a_status_in_a_manifest_counts_for_nothing() -> None:
    written = a_manifest().model_copy(update={"status": RepositoryStatus(commits=99)})

    assert merged(written, None, T0).status == RepositoryStatus()


def test_what_is_saved_is_read_again(tmp_path: Path) -> None:
    objects = Objects(tmp_path)
    [applied] = objects.apply([a_manifest()], T0)

    assert objects.all(Repository) == [applied]


def test_a_damaged_file_is_named(tmp_path: Path) -> None:
    Objects(tmp_path).apply([a_manifest()], T0)
    file = tmp_path / "repositories" / "default" / "one.json"
    file.write_text(file.read_text(encoding="utf-8").replace("file:///srv/git/a", "nowhere"), encoding="utf-8")

    with pytest.raises(StateError, match=r"one\.json is damaged \(.*must start with https://.*\): delete it"):
        Objects(tmp_path).all(Repository)
