"""The warehouse of a release goes away and comes back. It is everybody's, so nothing else runs meanwhile."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from .git_server import GitServer
from .release import Release
from .troubles import EVERY_MINUTE, LATER, PAUSE, SOON, Scene
from .waiting import wait_for

pytestmark = [pytest.mark.slow, pytest.mark.xdist_group("release"), pytest.mark.timeout(900)]


@pytest.fixture
def scene(release: Release, git_server: GitServer, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Scene]:
    """Where it happens."""
    made = Scene(release, git_server, tmp_path_factory.mktemp("warehouse"))
    yield made
    made.end()


def scale(release: Release, replicas: int) -> None:
    """Stop the bundled PostgreSQL, or start it; wait until it is so."""
    name = f"{release.fullname}-postgresql"
    release.namespace.kubectl("scale", "statefulset", name, f"--replicas={replicas}")

    def is_so() -> bool:
        status = release.namespace.get("statefulset", name)["status"]
        return (status.get("replicas", 0), status.get("readyReplicas", 0)) == (replicas, replicas)

    wait_for(is_so, SOON, lambda: release.namespace.describe("statefulset", name), PAUSE)


def test_a_warehouse_that_goes_down_and_comes_back(scene: Scene) -> None:
    place = scene.place("outage")
    place.repository(place.publish())
    place.schedule(schedule=EVERY_MINUTE)
    place.ready()
    place.good_run(LATER)

    scale(scene.release, 0)
    try:
        place.run_now("repository", "while-down")
        status = place.trouble("WarehouseUnreachable", "PostgreSQL: ", "port 5432")["status"]
        assert (status["state"], status["commits"]) == ("failed", 1)  # what is known stays
        place.failed_run("WarehouseUnreachable", "PostgreSQL", timeout=LATER)
    finally:
        scale(scene.release, 1)

    assert place.ready(timeout=LATER)["status"]["consecutiveFailures"] == 0
    place.good_run(LATER)
    place.rest()
    place.is_calm(pods=16, told=16)
