"""The way of a user on a real cluster: apply, look, push, wait, query."""

from __future__ import annotations

import json
import subprocess
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any
from uuid import uuid4

import pytest
from tests.conftest import Repository

from .client import Namespace
from .environment.golang import tool
from .git_server import GitServer
from .release import Release
from .side_by_side import Stage, side_by_side, stage

pytestmark = [pytest.mark.xdist_group("release"), pytest.mark.timeout(900)]

SOON = 180  # seconds for one Job, on two cores that others keep busy
NEXT_CHECK = 60 + SOON  # seconds until what happens at the next minute is done
CANARY = "canary7f3a"  # stands in every password and token of these tests
NEVER = "0 0 1 1 *"  # a schedule that does not come while the tests run


@dataclass(frozen=True)
class Scene:
    """What the tests of this module share: a release, a namespace that knows its warehouse, a git host."""

    release: Release
    namespace: Namespace
    git_server: GitServer
    make_repository: Callable[[str], Repository]

    def publish(self, name: str, commits: int = 3) -> tuple[Repository, str]:
        """Return a new repository with commits by two authors, and its address on a host of its own."""
        made = self.make_repository(name)
        for number in range(commits):
            made.write("file", f"{name} {number}\n")
            made.commit(f"{name}: commit {number}", f"Author {number % 2} <author{number % 2}@example.org>")
        self.git_server.publish(made, name)
        return made, self.url(name)

    def url(self, name: str) -> str:
        """Return the address of a repository, on a host of its own: at one host only two are read at a time."""
        return self.git_server.url(name, host=f"{name}.test")

    def push(self, repository: Repository, name: str, commits: int) -> None:
        """Add commits to what the git host has."""
        for number in range(commits):
            repository.write("pushed", f"{number}\n")
            repository.commit(f"{name}: pushed {number}", "Author New <new@example.org>")
        self.git_server.publish(repository, name)

    def apply(self, name: str, url: str, **spec: Any) -> None:
        """Apply a Repository."""
        self.namespace.apply(a_repository(name, url, **spec))

    def ready(self, name: str) -> dict[str, Any]:
        """Return the Repository once it is Ready."""
        return self.namespace.wait_for_condition("repository", name, "Ready", timeout=SOON)

    def when(self, name: str, condition: Callable[[dict[str, Any]], object], timeout: float = SOON) -> dict[str, Any]:
        """Return the status of a Repository once the condition holds of it."""
        found = self.namespace.wait_for("repository", name, lambda found: condition(found["status"]), timeout)
        status: dict[str, Any] = found["status"]
        return status

    def jobs(self, name: str) -> list[str]:
        """Return the names of a Repository's Jobs."""
        found = self.namespace.list("jobs", f"gitmart.dev/repository={name}")
        return [each["metadata"]["name"] for each in found]

    def commits(self, name: str) -> int:
        """Return how many commits of a repository the warehouse has."""
        ((count,),) = self.release.query(
            "select count(*) from commits as c join repositories as r on r.id = c.repository_id"
            f" where r.url = '{self.url(name)}'"
        )
        return int(count)


@pytest.fixture(scope="module")
def scene(
    request: pytest.FixtureRequest, release: Release, git_server: GitServer, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Stage]:
    """All tests of this module, running in one namespace."""
    namespace = release.cluster.namespace(f"users-{uuid4().hex[:8]}")
    namespace.create()
    release.connect(namespace)
    folder = tmp_path_factory.mktemp("repositories")
    with stage(request, Scene(release, namespace, git_server, lambda name: Repository(folder / name))) as running:
        yield running
    namespace.delete()


def a_repository(name: str, url: str, **spec: Any) -> dict[str, Any]:
    """Return a Repository as a person writes it."""
    return {
        "apiVersion": "gitmart.dev/v1alpha1",
        "kind": "Repository",
        "metadata": {"name": name},
        "spec": {"url": url} | spec,
    }


def kstatus(found: dict[str, Any]) -> str:
    """Return what Flux, Argo CD and others make of an object."""
    done = subprocess.run([tool("kstatus")], input=json.dumps(found), capture_output=True, text=True, check=True)
    status: str = json.loads(done.stdout)["status"]
    return status


@side_by_side
def test_an_applied_repository_becomes_rows_and_a_status(scene: Scene) -> None:
    repository, url = scene.publish("applied", commits=5)

    manifest = json.dumps(a_repository("applied", url))
    created = json.loads(scene.namespace.kubectl("apply", "-o", "json", "-f", "-", stdin=manifest))
    assert kstatus(created) == "InProgress"
    scene.namespace.kubectl("wait", "--for=condition=Ready", f"--timeout={SOON}s", "repository/applied")

    found = scene.namespace.get("repository", "applied")
    status, head = found["status"], repository.git("rev-parse", "HEAD")
    assert kstatus(found) == "Current"
    assert (status["state"], status["commits"], status["contributors"], status["branches"], status["head"]) == (
        "completed", 5, 2, 1, head,
    )  # fmt: skip
    assert status["observedGeneration"] == found["metadata"]["generation"]
    last = status["lastExtraction"]
    assert (last["outcome"], last["newCommits"], last["job"]) == ("Succeeded", 5, *scene.jobs("applied"))
    assert scene.commits("applied") == int(repository.git("rev-list", "--count", "HEAD"))
    counted = scene.release.query(
        "select people.commit_count, c.name, c.email from repository_contributors as people"
        " join contributors as c on c.id = people.contributor_id join repositories as r on r.id = people.repository_id"
        f" where r.url = '{url}' order by 1 desc"
    )
    summed = repository.git("shortlog", "--summary", "--numbered", "--email", "HEAD").splitlines()
    assert [f"{number}\t{name} <{email}>" for number, name, email in counted] == [line.strip() for line in summed]
    head_line, line = scene.namespace.kubectl("get", "repositories", "applied", "-o", "wide").splitlines()
    for column in ("URL", "READY", "STATE", "COMMITS", "CONTRIBUTORS", "LAST CHECK", "NEXT", "AGE", "HEAD", "MESSAGE"):
        assert column in head_line
    assert line.split()[:6] == ["applied", url, "True", "completed", "5", "2"]
    assert head in line
    described = scene.namespace.kubectl("describe", "repository", "applied")
    assert "5 commits came, 0 went" in described.partition("Events:")[2]
