"""What the watches should have shown."""

from __future__ import annotations

import asyncio
from pathlib import Path

import pytest

from gitmart.handlers.cluster import JOB, REPOSITORY, Cluster
from gitmart.handlers.watches import Watched, Watches

from .api_server import ApiServer, against, kubeconfig, refusal

REPOS, JOBS = Watched(REPOSITORY), Watched(JOB, labels="app.kubernetes.io/managed-by=gitmart")
IN_TEAM, IN_OTHER = Watched(JOB, "team"), Watched(JOB, "other")


class Clock:
    """Stands until it is set."""

    now = 0.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def clock() -> Clock:
    return Clock()


def test_a_watch_that_shows_nothing_is_behind_since_it_was_listed(clock: Clock) -> None:
    watches = Watches([REPOS, JOBS], clock)
    watches.saw(REPOSITORY, "team", "100")
    watches.saw(JOB, "team", "101")
    watches.listed(REPOS, 100)
    watches.listed(JOBS, 105)
    clock.now = 60
    watches.listed(JOBS, 110)
    clock.now = 90

    assert watches.behind() == {"jobs of all namespaces": 90}


@pytest.mark.parametrize("version", ["105", "200"])
def test_a_watch_that_catches_up_is_not_behind(clock: Clock, version: str) -> None:
    watches = Watches([JOBS], clock)
    watches.listed(JOBS, 105)
    watches.saw(JOB, "team", version)
    clock.now = 1000

    assert watches.behind() == {}


def test_an_older_event_does_not_count(clock: Clock) -> None:
    watches = Watches([JOBS], clock)
    watches.listed(JOBS, 105)
    watches.saw(JOB, "team", "104")
    watches.saw(REPOSITORY, "team", "300")

    assert watches.behind() == {"jobs of all namespaces": 0}


def test_a_busy_watch_is_measured_from_its_first_delay_only_while_it_lasts(clock: Clock) -> None:
    watches = Watches([JOBS], clock)
    watches.listed(JOBS, 105)
    clock.now = 100
    watches.saw(JOB, "team", "106")
    assert watches.behind() == {}
    watches.listed(JOBS, 107)
    clock.now = 130

    assert watches.behind() == {"jobs of all namespaces": 30}


def test_namespaces_are_watched_apart(clock: Clock) -> None:
    watches = Watches([IN_TEAM, IN_OTHER], clock)
    watches.saw(JOB, "team", "120")
    watches.listed(IN_TEAM, 120)
    watches.listed(IN_OTHER, 110)

    assert watches.behind() == {"jobs in other": 0}


def test_comparing_asks_the_api_server(tmp_path: Path, clock: Clock) -> None:
    server = ApiServer()
    path = "/apis/batch/v1/namespaces/team/jobs/run"
    stored = server.put(path, {"metadata": {"labels": {"app.kubernetes.io/managed-by": "gitmart"}}})
    server.put("/apis/batch/v1/namespaces/team/jobs/foreign", {})
    watches = Watches([REPOS, JOBS], clock)

    async def script() -> None:
        async with await Cluster.connect({"KUBECONFIG": str(kubeconfig(server, tmp_path))}) as cluster:
            await watches.compare(cluster)
            assert set(watches.behind()) == {"jobs of all namespaces"}
            watches.saw(JOB, "team", stored["metadata"]["resourceVersion"])
            await watches.compare(cluster)
            assert watches.behind() == {}

    against(server, script)


def test_an_empty_cluster_is_known_to_be_empty(tmp_path: Path, clock: Clock) -> None:
    server = ApiServer()
    watches = Watches([REPOS, JOBS], clock)

    async def script() -> None:
        async with await Cluster.connect({"KUBECONFIG": str(kubeconfig(server, tmp_path))}) as cluster:
            assert await watches.nothing_is_there(cluster)
            server.put("/apis/batch/v1/namespaces/team/jobs/foreign", {})
            assert await watches.nothing_is_there(cluster)
            server.put("/apis/gitmart.dev/v1alpha1/namespaces/team/repositories/kopf", {})
            assert not await watches.nothing_is_there(cluster)
            server.objects.clear()
            server.trouble = [refusal(403, "Forbidden", "no")]
            assert not await watches.nothing_is_there(cluster)

    against(server, script)


def test_an_api_server_in_trouble_makes_no_watch_late(tmp_path: Path, clock: Clock) -> None:
    server = ApiServer()
    server.put("/apis/batch/v1/namespaces/team/jobs/run", {})
    server.trouble = [refusal(403, "Forbidden", "no"), refusal(403, "Forbidden", "no")]
    watches = Watches([REPOS, IN_TEAM], clock)

    async def script() -> None:
        async with await Cluster.connect({"KUBECONFIG": str(kubeconfig(server, tmp_path))}) as cluster:
            comparing = asyncio.create_task(watches.keep_comparing(cluster, every=0.0))
            while len(server.requests) < 2:
                await asyncio.sleep(0.001)
            assert watches.behind() == {}
            while not watches.behind():  # the next time it can be asked
                await asyncio.sleep(0.001)
            comparing.cancel()
            await asyncio.wait([comparing])

    against(server, script)
