"""
Releases beside the one that all other tests share.

Each has a PostgreSQL of its own and works in one namespace alone, so what happens to it disturbs nobody else.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

import pytest

from .client import Namespace
from .git_server import GitServer
from .release import CHART, OURS, Release, small_values
from .rights import GRANTED, rights
from .side_by_side import Stage, side_by_side, stage
from .troubles import EVERY_MINUTE, LATER, PAUSE, Place, Scene
from .waiting import SOON, wait_for

pytestmark = [pytest.mark.slow, pytest.mark.xdist_group("own_release"), pytest.mark.timeout(900)]


@pytest.fixture(scope="module")
def scene(
    request: pytest.FixtureRequest, release: Release, git_server: GitServer, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Stage]:
    """All tests of this module, running side by side."""
    made = Scene(release, git_server, tmp_path_factory.mktemp("own-release"))
    try:
        with stage(request, made) as running:
            yield running
    finally:
        made.end()


@side_by_side
def test_a_release_of_some_namespaces_works_there_and_has_no_rights_elsewhere(scene: Scene) -> None:
    inside, outside = (scene.place(name, connected=False, other_operator=True) for name in ("inside", "outside"))
    with limited(scene, inside) as second:
        outside.repository(outside.publish())
        inside.repository(inside.publish())
        inside.schedule(afterExtraction={"debounce": "0s"}, select=[])
        assert inside.ready()["status"]["commits"] == 1
        inside.good_run()
        assert second.query("select commits from analytics.repository_summary") == [["1"]]

        assert rights(second, inside.namespace) == GRANTED
        assert rights(second, outside.namespace) == rights(second, second.namespace) == rights(second, None) == {}
        made = second.helm("get", "manifest", second.name)
        assert "kind: Role\n" in made
        assert "kind: ClusterRole" not in made
        assert outside.see("repositories")["status"]["observedGeneration"] == -1
        assert outside.jobs() == []
        assert scene.git_server.count("outside") == 0


@side_by_side
def test_upgrades_allow_networks_and_keep_passwords_and_removal_keeps_the_data(scene: Scene) -> None:
    place = scene.place("lifelong", connected=False, other_operator=True)
    namespace = place.namespace
    release = Release(scene.release.cluster, namespace, name="lifelong")
    release.make_volume()
    values = small_values(scene.release.cluster, scene.git_server, [namespace.name])
    strict = values | {"git": values["git"] | {"allowedNetworks": []}}
    release.install(strict)
    release.wait_until_ready()
    place.repository(place.publish())
    place.trouble("AddressNotAllowed", "which is not a public address and is in no allowed network")
    passwords, server = (
        release.secret("lifelong-gitmart-postgresql"),
        uid_of(namespace, "lifelong-gitmart-postgresql-0"),
    )
    (migration,) = release.migrations()

    release.helm("upgrade", release.name, str(CHART), values=values)
    release.wait_until_ready()
    first = place.ready(timeout=LATER)["status"]
    assert release.migrations() == [migration], "what it would do is unchanged"
    assert release.secret("lifelong-gitmart-postgresql") == passwords
    assert uid_of(namespace, "lifelong-gitmart-postgresql-0") == server

    again = ("--set=migrate.podAnnotations.again=yes", '--set-json=migrate.targetSchemas=["sales"]')
    release.helm("upgrade", release.name, str(CHART), "--reset-then-reuse-values", *again)
    release.wait_until_ready()
    made = (
        "select has_schema_privilege('gitmart_transform', nspname, 'CREATE') from pg_namespace where nspname = 'sales'"
    )
    assert release.query(made) == [["t"]]
    assert len(release.migrations()) == 1
    assert release.migrations() != [migration], "another pod template is another Job"
    assert release.secret("lifelong-gitmart-postgresql") == passwords
    assert "Phase:          Succeeded" in release.helm("test", release.name, "--timeout", "3m")

    release.helm("uninstall", release.name, "--wait", "--timeout", "2m")
    for kept in ("pvc/data-lifelong-gitmart-postgresql-0", "secret/lifelong-gitmart-postgresql", "repository/lifelong"):
        namespace.kubectl("get", kept)
    assert namespace.list("deployments") == namespace.list("statefulsets") == []
    assert "not found" in namespace.refusal("get", "secret", "gitmart-warehouse")

    release.install(values)
    release.wait_until_ready()
    place.run_now("repository", "after-the-return")
    found = place.when("repositories", lambda found: found["status"]["lastExtraction"] != first["lastExtraction"])
    assert (found["status"]["commits"], found["status"]["lastExtraction"]["newCommits"]) == (1, 0)
    assert release.secret("lifelong-gitmart-postgresql") == passwords
    release.remove()


@side_by_side
def test_a_warehouse_that_goes_down_and_comes_back(scene: Scene) -> None:
    place = scene.place("outage", connected=False, other_operator=True)
    with limited(scene, place) as release:
        place.repository(place.publish())
        place.schedule(schedule=EVERY_MINUTE)
        place.ready()
        place.good_run(LATER)

        scale_postgresql(release, 0)
        try:
            place.run_now("repository", "while-down")
            status = place.trouble("WarehouseUnreachable", "PostgreSQL: ", "port 5432")["status"]
            assert (status["state"], status["commits"]) == ("failed", 1)  # what is known stays
            place.failed_run("WarehouseUnreachable", "PostgreSQL", timeout=LATER)
        finally:
            scale_postgresql(release, 1)

        assert place.ready(timeout=LATER)["status"]["consecutiveFailures"] == 0
        place.good_run(LATER)
        place.is_calm(pods=16, told=16)


def scale_postgresql(release: Release, replicas: int) -> None:
    """Stop the bundled PostgreSQL, or start it; wait until it is so."""
    name = f"{release.fullname}-postgresql"
    release.namespace.kubectl("scale", "statefulset", name, f"--replicas={replicas}")

    def is_so() -> bool:
        status = release.namespace.get("statefulset", name)["status"]
        return (status.get("replicas", 0), status.get("readyReplicas", 0)) == (replicas, replicas)

    wait_for(is_so, SOON, lambda: release.namespace.describe("statefulset", name), PAUSE)


@contextmanager
def limited(scene: Scene, place: Place) -> Iterator[Release]:
    """Install a release of its own name, in a namespace of its own, that works in the namespace of that place alone."""
    namespace = scene.release.cluster.namespace(f"release-{place.namespace.name}")
    namespace.create(**{OURS: "true"})
    release = Release(scene.release.cluster, namespace, name=place.name)
    release.make_volume()
    try:
        watched = [place.namespace.name]
        values = small_values(scene.release.cluster, scene.git_server, watched)
        release.install(values | {"warehouse": {"namespaces": watched}})
        release.wait_until_ready()
        yield release
    finally:
        release.remove()


def uid_of(namespace: Namespace, pod: str) -> str:
    """Return which of all pods of a name this is."""
    uid: str = namespace.get("pod", pod)["metadata"]["uid"]
    return uid
