"""
The real cluster, and what its tests share.

One cluster serves the whole run, all of pytest-xdist's workers too; each test has a namespace of its own.
A run that finds one up (`make cluster`) uses it and leaves it; else it starts one, which ends with the run,
however that ends.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path
from uuid import uuid4

import pytest

from .client import Cluster, Namespace
from .environment import supervisor
from .environment.claim import holder
from .environment.obtain import obtain
from .environment.places import Site, UnavailableError
from .git_server import GitServer, shared_authority
from .release import end, release

__all__ = ["release"]

HERE = Path(__file__).parent


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Mark all tests of this folder."""
    for item in items:
        if HERE in item.path.parents:
            item.add_marker("cluster")


def pytest_sessionfinish(session: pytest.Session) -> None:
    """Remove the release that the workers of this run have shared."""
    if "PYTEST_XDIST_WORKER" not in os.environ:
        end(os.getpid())


@pytest.fixture(scope="session")
def cluster() -> Iterator[Cluster]:
    """A cluster with our images on it. Skips with the reason if none can be had, or fails where one is required."""
    owner = run_process()
    try:
        yield Cluster(obtain(owner))
    except UnavailableError as error:
        if os.environ.get("GITMART_REQUIRE_CLUSTER") == "1":
            pytest.fail(str(error), pytrace=False)
        pytest.skip(str(error))
    found = holder(Site.of_environment())
    if found is not None and found.owner == os.getpid():  # with workers it is the first process's, and ends with that
        supervisor.stop(Site.of_environment())


@pytest.fixture
def namespace(cluster: Cluster) -> Iterator[Namespace]:
    """A namespace of the test's own that enforces the restricted Pod Security Standard."""
    made = cluster.namespace(f"test-{uuid4().hex[:8]}")
    made.create()
    yield made
    made.delete()


@pytest.fixture(scope="session")
def git_server(cluster: Cluster, tmp_path_factory: pytest.TempPathFactory) -> Iterator[GitServer]:
    """An HTTPS git host that pods reach as git.test, or as any other name under git.test."""
    if cluster.host_ip is None:
        pytest.skip("GITMART_HOST_IP does not say how pods of the given cluster reach this machine")
    run = tmp_path_factory.getbasetemp()
    folder = run.parent if "PYTEST_XDIST_WORKER" in os.environ else run
    server = GitServer(tmp_path_factory.mktemp("git"), cluster.host_ip, shared_authority(folder))
    yield server
    server.down = True


def run_process() -> int:
    """Return the process that this test run is: of pytest-xdist's, the one that started the workers."""
    return os.getppid() if "PYTEST_XDIST_WORKER" in os.environ else os.getpid()
