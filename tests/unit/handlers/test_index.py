"""What is kept of the cluster, and the views that visits ask for."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from typing import Any

import pytest
from kopf._core.engines.indexing import OperatorIndexer  # Kopf's own, so that its odd mappings are what is tested

from gitmart.controller import dbtschedule, repository
from gitmart.handlers import index
from gitmart.handlers.index import DBTSCHEDULE, REPOSITORY, Claim, Indexes, Key
from gitmart.resources.dbtschedule import DbtSchedule
from gitmart.resources.repository import Repository


class World:
    """Kopf's indexes, filled as its watches do it."""

    def __init__(self) -> None:
        self.indexers = {
            name: OperatorIndexer() for name in ("repositories", "dbtschedules", "jobs", "pods", "cronjobs")
        }
        self.indexes = Indexes(**{name: indexer.index for name, indexer in self.indexers.items()})

    def see(self, plural: str, kept: Any, uid: str) -> None:
        if kept is not None:
            self.indexers[plural].replace((None, None, uid), kept)

    def lose(self, plural: str, uid: str) -> None:
        self.indexers[plural].discard((None, None, uid))


def a_repository(name: str = "one", namespace: str = "team", created: str = "2026-01-01T00:00:00Z", **more: Any) -> Any:
    return {
        "apiVersion": "gitmart.dev/v1alpha1",
        "kind": "Repository",
        "metadata": {
            "name": name, "namespace": namespace, "uid": f"{namespace}-{name}", "creationTimestamp": created,
            "resourceVersion": "7", "generation": 1, "managedFields": ["much"], "labels": more.pop("labels", {}),
        },
        "spec": {"url": "https://git.example.org/a.git"} | more.pop("spec", {}),
        "status": more,
    }  # fmt: skip


def a_job(name: str, active: bool = True, label: str = "gitmart.dev/repository") -> Any:
    ended = [] if active else [{"type": "Complete", "status": "True", "lastTransitionTime": "2026-01-01T00:01:00Z"}]
    return {
        "metadata": {
            "name": name, "namespace": "team", "uid": name, "resourceVersion": "9", "labels": {label: "one"},
            "annotations": {"gitmart.dev/git-host": "git.example.org"}, "creationTimestamp": "2026-01-01T00:00:00Z",
        },
        "status": {"conditions": ended},
    }  # fmt: skip


ONE = Key(REPOSITORY, "team", "one")


def test_a_resource_is_kept_as_it_was_but_for_what_nobody_reads() -> None:
    world = World()
    world.see("repositories", index.index_repository(a_repository(state="pending")), "1")

    stored = world.indexes.resource(ONE)
    assert stored is not None
    document = json.loads(stored.document)
    assert (stored.version, document["status"], document["metadata"]["name"]) == ("7", {"state": "pending"}, "one")
    assert "managedFields" not in document["metadata"]
    assert world.indexes.resource(Key(REPOSITORY, "team", "two")) is None


def a_pod(job: str, state: Any, name: str = "pod") -> Any:
    return {
        "metadata": {
            "name": name, "namespace": "team", "uid": name, "creationTimestamp": "2026-01-01T00:00:00Z",
            "labels": {"gitmart.dev/repository": "one", "batch.kubernetes.io/job-name": job},
        },
        "status": {"containerStatuses": [{"name": "worker", "state": state}]},
    }  # fmt: skip


def test_how_a_pod_ended_is_known_after_it_was_deleted_as_long_as_its_job_is_there() -> None:
    """A drained node deletes its pods, and Kubernetes keeps none of what they said."""
    world = World()
    world.see("jobs", index.index_job(a_job("run")), "job")
    ended = a_pod("run", {"terminated": {"exitCode": 80, "message": "stopped"}})
    world.see("pods", index.index_pod(ended), "pod")
    world.lose("pods", "pod")
    world.indexes.pod_left(ended)

    (pod,) = world.indexes.pods_of("team", "run")
    assert (pod.exit_code, pod.told) == (80, "stopped")
    assert world.indexes.pods_of("team", "another") == []

    world.see("pods", index.index_pod(a_pod("run", {"running": {}}, "next")), "next")
    assert [each.name for each in world.indexes.pods_of("team", "run")] == ["pod", "next"]

    world.lose("jobs", "job")
    world.indexes.job_left(a_job("run"))
    assert [each.name for each in world.indexes.pods_of("team", "run")] == ["next"]
    assert world.indexes.departed == {}


@pytest.mark.parametrize(
    ("job", "state"),
    [
        pytest.param("run", {"running": {}}, id="that-had-not-ended"),
        pytest.param("gone", {"terminated": {"exitCode": 0}}, id="whose-job-went-first"),
    ],
)
def test_no_other_pod_is_remembered(job: str, state: Any) -> None:
    world = World()
    world.see("jobs", index.index_job(a_job("run")), "job")

    world.indexes.pod_left(a_pod(job, state))

    assert world.indexes.departed == {}


def test_a_resource_that_is_gone_is_not_there() -> None:
    world = World()
    world.see("repositories", index.index_repository(a_repository()), "1")
    world.lose("repositories", "1")

    assert world.indexes.resource(ONE) is None
    assert list(world.indexes.claims(REPOSITORY, ("team", "gitmart-warehouse", "https://git.example.org/a"))) == []


@pytest.mark.parametrize(
    ("spec", "namespace"),
    [
        pytest.param({}, "team", id="defaults"),
        pytest.param({"url": "https://GIT.example.org:443/a/"}, "team", id="another spelling"),
        pytest.param({"warehouseRef": {"name": "other"}}, "elsewhere", id="another warehouse"),
    ],
)
def test_addresses_are_those_of_the_controller(spec: dict[str, Any], namespace: str) -> None:
    body = a_repository(namespace=namespace, spec=spec)

    assert index.address_of(body) == repository.identity_of(Repository.parse(body))


@pytest.mark.parametrize(
    "spec",
    [
        pytest.param({}, id="defaults"),
        pytest.param({"warehouseRef": {"name": "other"}}, id="another warehouse"),
        pytest.param({"target": {"schema": "sales"}}, id="another schema"),
    ],
)
def test_targets_are_those_of_the_controller(spec: dict[str, Any]) -> None:
    body = {
        "apiVersion": "gitmart.dev/v1alpha1", "kind": "DbtSchedule", "metadata": {"name": "a", "namespace": "team"},
        "spec": {"schedule": "@daily", **spec},
    }  # fmt: skip

    assert index.target_of(body) == dbtschedule.target_of(DbtSchedule.parse(body))


def test_an_address_that_is_none_claims_nothing() -> None:
    assert index.address_of(a_repository(spec={"url": "ftp://nowhere"})) is None
    assert not [key for key in index.index_repository(a_repository(spec={"url": "x"})) if key[0] == "claim"]  # type: ignore[index]


def test_who_waits_for_a_former_address_is_found_by_it() -> None:
    body = a_repository() | {"status": {"url": "https://git.example.org/before"}}

    assert index.addresses_of(body) == {
        index.address_of(body),
        ("team", "gitmart-warehouse", "https://git.example.org/before"),
    }
    assert index.addresses_of(a_repository()) == {index.address_of(a_repository())}


def test_of_claims_the_least_is_the_oldest() -> None:
    world = World()
    for name, created in (("young", "2026-01-02T00:00:00Z"), ("old", "2026-01-01T00:00:00Z")):
        world.see("repositories", index.index_repository(a_repository(name, created=created)), name)
    address = index.address_of(a_repository())
    assert address is not None

    assert min(world.indexes.claims(REPOSITORY, address)) == Claim("2026-01-01T00:00:00Z", "team", "old")
    world.lose("repositories", "old")
    assert list(world.indexes.claims(REPOSITORY, address)) == [Claim("2026-01-02T00:00:00Z", "team", "young")]


def test_extractions_that_run_are_counted_by_their_host_until_they_end() -> None:
    world = World()
    world.see("jobs", index.index_job(a_job("running")), "1")
    world.see("jobs", index.index_job(a_job("dbt", label="gitmart.dev/dbtschedule")), "2")
    assert world.indexes.running() == {("team", "one"): "git.example.org"}

    world.see("jobs", index.index_job(a_job("running", active=False)), "1")
    assert world.indexes.running() == {}
    assert [job.state for job in world.indexes.jobs_of(ONE)] == ["complete"]


def test_children_of_others_are_not_kept() -> None:
    body = {"metadata": {"name": "x", "namespace": "team", "labels": {"app": "x"}}}

    assert index.index_job(body) is None
    assert index.index_pod(body) is None
    assert index.index_cron_job(body) is None


def test_pods_are_found_by_their_job() -> None:
    world = World()
    labels = {"gitmart.dev/repository": "one", "batch.kubernetes.io/job-name": "job"}
    world.see("pods", index.index_pod({"metadata": {"name": "pod", "namespace": "team", "labels": labels}}), "1")

    assert [pod.name for pod in world.indexes.pods_of("team", "job")] == ["pod"]
    assert world.indexes.pods_of("other", "job") == []


def test_news_are_those_of_repositories_with_all_labels() -> None:
    world = World()
    changed = "2026-01-05T00:00:00Z"
    for name, labels in (("both", {"team": "data", "tier": "1"}), ("one-of-two", {"team": "data"}), ("none", {})):
        body = a_repository(name, labels=labels, lastChangeTime=changed)
        world.see("repositories", index.index_repository(body), name)
    world.see(
        "repositories", index.index_repository(a_repository("silent", labels={"team": "data", "tier": "1"})), "silent"
    )

    assert world.indexes.news("team", {"team": "data", "tier": "1"}) == [datetime(2026, 1, 5, tzinfo=UTC)]
    assert len(world.indexes.news("team", {})) == 3
    assert world.indexes.news("other", {}) == []


def test_followers_are_the_schedules_that_wait_for_extractions() -> None:
    world = World()
    body = {"apiVersion": "v", "kind": "DbtSchedule", "metadata": {"name": "after", "namespace": "team"}, "spec": {}}
    world.see("dbtschedules", index.index_dbtschedule(body | {"spec": {"afterExtraction": {"debounce": "1m"}}}), "1")
    world.see("dbtschedules", index.index_dbtschedule(body | {"metadata": {"name": "not", "namespace": "team"}}), "2")

    assert list(world.indexes.followers("team")) == [Key(DBTSCHEDULE, "team", "after")]


def a_cron_job(name: str, label: str) -> Any:
    labels = {"gitmart.dev/dbtschedule": label}
    return {"metadata": {"name": name, "namespace": "team", "uid": name, "labels": labels}}


def test_a_cron_job_is_found_by_its_name_whoever_it_belongs_to() -> None:
    world = World()
    world.see("cronjobs", index.index_cron_job(a_cron_job("one-full", "one")), "1")

    found = world.indexes.cron_job("team", "one-full")
    assert found is not None
    assert (found.name, found.resource) == ("one-full", "one")
    assert world.indexes.cron_job("team", "one") is None
    assert world.indexes.cron_job("other", "one-full") is None


def test_a_cron_job_concerns_all_that_may_want_its_name() -> None:
    world = World()
    for name in ("one", "one-full", "two"):
        body = {"apiVersion": "v", "kind": "DbtSchedule", "metadata": {"name": name, "namespace": "team"}, "spec": {}}
        world.see("dbtschedules", index.index_dbtschedule(body), name)

    def wanting(name: str) -> list[str]:
        return [key.name for key in world.indexes.who_wants_name("team", name)]

    assert wanting("one-full") == ["one-full", "one"]
    assert set(wanting("one")) == {"one"}
    assert wanting("three-full") == []
    assert [[key.name for key in world.indexes.namesakes("team", name)] for name in ("one", "one-full", "two")] == [
        ["one-full"], ["one"], [],
    ]  # fmt: skip


def test_who_waits_for_a_target_is_found_whatever_target_that_is() -> None:
    world = World()
    for name, reason in (("waits", "TargetConflict"), ("works", "Accepted")):
        body = {
            "apiVersion": "v", "kind": "DbtSchedule", "metadata": {"name": name, "namespace": "team"}, "spec": {},
            "status": {"conditions": [{"type": "Ready", "reason": reason}]},
        }  # fmt: skip
        world.see("dbtschedules", index.index_dbtschedule(body), name)

    assert list(world.indexes.conflicting("team")) == [Key(DBTSCHEDULE, "team", "waits")]
    assert list(world.indexes.conflicting("other")) == []
