"""Namespaces without a warehouse, addresses that are not allowed, and releases that work in some namespaces alone."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any
from uuid import uuid4

import pytest
from tests.conftest import Repository

from .client import Namespace, condition_of
from .git_server import GitServer
from .release import CHART, OTHER_OPERATOR, OURS, Release, site_values
from .rights import GRANTED, rights
from .side_by_side import Stage, side_by_side, stage
from .test_happy_path import SOON, a_repository, kstatus

pytestmark = [pytest.mark.xdist_group("release"), pytest.mark.timeout(900)]

RETRIED = 60 + SOON  # seconds until the first retry is done
SMALL = {"requests": {"cpu": "50m", "memory": "128Mi"}, "limits": {"cpu": "1", "memory": "512Mi"}}


@dataclass(frozen=True)
class Scene:
    """What the tests of this module share."""

    release: Release
    git_server: GitServer
    make_repository: Callable[[str], Repository]

    def namespace(self, purpose: str, **labels: str) -> Namespace:
        """Return a new namespace."""
        made = self.release.cluster.namespace(f"{purpose}-{uuid4().hex[:8]}")
        made.create(**{OURS: "true"} | labels)
        return made

    def publish(self, name: str) -> str:
        """Return the address of a new repository with two commits."""
        made = self.make_repository(name)
        made.commit("one")
        made.commit("two")
        self.git_server.publish(made, name)
        return self.git_server.url(name, host=f"{name}.git.test")


@pytest.fixture(scope="module")
def scene(
    request: pytest.FixtureRequest, release: Release, git_server: GitServer, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Stage]:
    """All tests of this module, running side by side."""
    folder = tmp_path_factory.mktemp("repositories")
    with stage(request, Scene(release, git_server, lambda name: Repository(folder / name))) as running:
        yield running


@side_by_side
def test_a_namespace_without_the_warehouse_secret_heals_once_it_has_it(scene: Scene) -> None:
    namespace = scene.namespace("secretless")
    namespace.apply(a_repository("project", scene.publish("secretless"), retries=0))

    ready = condition_of(namespace.wait_for_condition("repository", "project", "Ready", "False", SOON), "Ready")
    assert ready["reason"] == "SecretMissing"
    assert f"key extract-url of Secret gitmart-warehouse in namespace {namespace.name} is missing" in ready["message"]
    found = namespace.get("repository", "project")
    assert kstatus(found) == "InProgress", "it is tried again"
    assert found["status"]["consecutiveFailures"] == 1
    assert found["status"]["nextExtractionTime"] > ready["lastTransitionTime"]

    scene.release.connect(namespace)
    found = namespace.wait_for_condition("repository", "project", "Ready", timeout=RETRIED)
    assert (found["status"]["commits"], found["status"]["consecutiveFailures"], kstatus(found)) == (2, 0, "Current")
    namespace.delete()


@side_by_side
def test_a_private_address_that_is_not_allowed_is_refused(scene: Scene) -> None:
    namespace = scene.namespace("private")
    scene.release.connect(namespace)
    namespace.apply(a_repository("inside", "https://kubernetes.default.svc/some/project.git"))

    found = namespace.wait_for_condition("repository", "inside", "Ready", "False", SOON)

    ready = condition_of(found, "Ready")
    assert ready["reason"] == "AddressNotAllowed"
    assert "kubernetes.default.svc has the address" in ready["message"]
    assert "which is not a public address and is in no allowed network" in ready["message"]
    assert kstatus(found) == "InProgress", "it is tried again"
    assert found["status"]["consecutiveFailures"] == 1
    assert found["status"]["nextExtractionTime"] > ready["lastTransitionTime"]
    namespace.delete()


@side_by_side
def test_a_release_of_some_namespaces_works_there_and_has_no_rights_elsewhere(scene: Scene) -> None:
    inside, outside = (scene.namespace(name, **{OTHER_OPERATOR: "true"}) for name in ("inside", "outside"))
    with limited(scene, inside) as second:
        rest = scene.publish("outside")
        outside.apply(a_repository("project", rest))
        inside.apply(a_repository("project", scene.publish("inside")), analytics())
        found = inside.wait_for_condition("repository", "project", "Ready", timeout=SOON)
        assert found["status"]["commits"] == 2
        inside.wait_for_condition("dbtschedule", "analytics", "LastRunSucceeded", timeout=SOON)
        assert second.query("select commits from analytics.repository_summary") == [["2"]]

        assert rights(second, inside) == GRANTED
        assert rights(second, outside) == rights(second, second.namespace) == rights(second, None) == {}
        made = second.helm("get", "manifest", second.name)
        assert "kind: Role\n" in made
        assert "kind: ClusterRole" not in made
        assert outside.get("repository", "project")["status"]["observedGeneration"] == -1
        assert outside.list("jobs") == []
        assert scene.git_server.count("outside") == 0
    for each in (inside, outside):
        each.delete()


@side_by_side
def test_upgrades_allow_networks_and_keep_passwords_and_removal_keeps_the_data(scene: Scene) -> None:
    namespace = scene.namespace("lifelong", **{OTHER_OPERATOR: "true"})
    release = Release(scene.release.cluster, namespace, name="lifelong")
    release.make_volume()
    values = small_values(scene, watch=[namespace.name])
    strict = values | {"git": values["git"] | {"allowedNetworks": []}}
    release.install(strict)
    release.wait_until_ready()
    namespace.apply(a_repository("project", scene.publish("lifelong"), retries=0))
    found = namespace.wait_for_condition("repository", "project", "Ready", "False", SOON)
    assert condition_of(found, "Ready")["reason"] == "AddressNotAllowed"
    passwords, server = (
        release.secret("lifelong-gitmart-postgresql"),
        uid_of(namespace, "lifelong-gitmart-postgresql-0"),
    )
    (migration,) = release.migrations()

    release.helm("upgrade", release.name, str(CHART), values=values)
    release.wait_until_ready()
    first = namespace.wait_for_condition("repository", "project", "Ready", timeout=RETRIED)["status"]
    assert release.migrations() == [migration], "what it would do is unchanged"
    assert release.secret("lifelong-gitmart-postgresql") == passwords
    assert uid_of(namespace, "lifelong-gitmart-postgresql-0") == server

    again = "--set=migrate.podAnnotations.again=yes"
    release.helm("upgrade", release.name, str(CHART), "--reset-then-reuse-values", again)
    release.wait_until_ready()
    assert len(release.migrations()) == 1
    assert release.migrations() != [migration], "another pod template is another Job"
    assert release.secret("lifelong-gitmart-postgresql") == passwords
    assert "Phase:          Succeeded" in release.helm("test", release.name, "--timeout", "3m")

    release.helm("uninstall", release.name, "--wait", "--timeout", "2m")
    for kept in ("pvc/data-lifelong-gitmart-postgresql-0", "secret/lifelong-gitmart-postgresql", "repository/project"):
        namespace.kubectl("get", kept)
    assert namespace.list("deployments") == namespace.list("statefulsets") == []
    assert "not found" in namespace.refusal("get", "secret", "gitmart-warehouse")

    release.install(values)
    release.wait_until_ready()
    namespace.kubectl("annotate", "repository", "project", "gitmart.dev/requested-at=after-the-return")
    status = namespace.wait_for(
        "repository", "project", lambda found: found["status"]["lastExtraction"] != first["lastExtraction"], SOON
    )["status"]
    assert (status["commits"], status["lastExtraction"]["newCommits"]) == (2, 0)
    assert release.secret("lifelong-gitmart-postgresql") == passwords
    release.remove()


@contextmanager
def limited(scene: Scene, *watched: Namespace) -> Iterator[Release]:
    """Install a release of its own name, in a namespace of its own, that works in these namespaces alone."""
    namespace = scene.namespace("limited")
    release = Release(scene.release.cluster, namespace, name="limited")
    release.make_volume()
    try:
        names = [each.name for each in watched]
        release.install(small_values(scene, watch=names) | {"warehouse": {"namespaces": names}})
        release.wait_until_ready()
        yield release
    finally:
        release.remove()


def small_values(scene: Scene, watch: list[str]) -> dict[str, Any]:
    """Return the values of a release that leaves room for others on a small node."""
    values = site_values(scene.release.cluster, scene.git_server)
    settings = {"shared_buffers": "64MB", "maintenance_work_mem": "32MB"}
    postgresql = values["postgresql"] | {"resources": SMALL, "settings": settings, "sharedMemory": "64Mi"}
    return values | {"postgresql": postgresql, "operator": {"watchNamespaces": watch}}


def analytics() -> dict[str, Any]:
    """Return a DbtSchedule that runs as soon as there is something new."""
    spec = {"schedule": "0 0 1 1 *", "afterExtraction": {"debounce": "0s"}}
    return {
        "apiVersion": "gitmart.dev/v1alpha1",
        "kind": "DbtSchedule",
        "metadata": {"name": "analytics"},
        "spec": spec,
    }


def uid_of(namespace: Namespace, pod: str) -> str:
    """Return which of all pods of a name this is."""
    uid: str = namespace.get("pod", pod)["metadata"]["uid"]
    return uid
