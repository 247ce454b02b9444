"""
Where a trouble of a resource is made, seen as a person sees it, and cured: a namespace for each trouble.

Many wait at the same time, so they look by pykube, once a second; kubectl would cost more than what is tested.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import Any
from uuid import uuid4

import pykube
from tests.conftest import Repository

from .client import Namespace, condition_of
from .git_server import GitServer
from .release import OTHER_OPERATOR, OURS, Release, secret
from .waiting import SOON, wait_for

Json = dict[str, Any]
LATER = SOON + 90  # seconds for one run and a minute's wait for another try before it
PAUSE = 1.0  # seconds between two looks
NEVER = "0 0 1 1 *"  # a schedule that does not come while the tests run
EVERY_MINUTE = "* * * * *"
CANARY = "canary7f3a"  # stands in every made-up password and token

# Which of the conditions that are only there while they hold go with a False Ready.
RETRIED = {"Reconciling"}
NEXT_SLOT: set[str] = set()
STALLED = {"Stalled"}


@dataclass
class Scene:
    """What all troubles share: a release, a git host, and a folder for more of both kinds of repositories."""

    release: Release
    git_server: GitServer
    folder: Path
    places: list[Place] = field(default_factory=list)
    servers: list[GitServer] = field(default_factory=list)
    long: threading.Lock = field(default_factory=threading.Lock)  # for who takes a place for long: there are four

    def place(self, name: str, *, connected: bool = True, other_operator: bool = False) -> Place:
        """Return a namespace for a trouble; without a connection it lacks the Secret of the warehouse."""
        namespace = self.release.cluster.namespace(f"trouble-{name}-{uuid4().hex[:6]}")
        namespace.create(**{OURS: "true"}, **({OTHER_OPERATOR: "true"} if other_operator else {}))
        made = Place(self, namespace, name)
        self.places.append(made)
        if connected:
            self.release.connect(namespace)
        return made

    def server(self, name: str) -> GitServer:
        """Return a git host of a trouble's own, which may be down while others work."""
        folder = self.folder / f"server-{name}"
        folder.mkdir()
        made = GitServer(folder, self.git_server.address, self.git_server.authority)
        self.servers.append(made)
        return made

    def end(self) -> None:
        """Delete everything."""
        for server in self.servers:
            server.down = True
        for place in self.places:
            place.namespace.delete()


@dataclass
class Place:
    """One trouble: a namespace, in which resources are named like the trouble unless said otherwise."""

    scene: Scene
    namespace: Namespace
    name: str

    @cached_property
    def api(self) -> pykube.HTTPClient:
        """A client of its own: it is no business of threads to share one."""
        return pykube.HTTPClient(pykube.KubeConfig.from_file(self.namespace.cluster.kubeconfig))

    def publish(self, server: GitServer | None = None) -> str:
        """Make a repository with a commit, serve it, and return its address at a host of its own."""
        made = Repository(self.scene.folder / self.name)
        made.write("file", f"{self.name}\n")
        made.commit(f"{self.name}: the first", "Author One <one@example.org>")
        (server or self.scene.git_server).publish(made, self.name)
        return self.url(server)

    def url(self, server: GitServer | None = None) -> str:
        """Return the address that `publish` gives, published or not."""
        return (server or self.scene.git_server).url(self.name, host=f"{self.name}.git.test")

    def repository(self, url: str, name: str = "", **spec: Any) -> None:
        """Apply a Repository. It is small, and a run that fails is not repeated within its Job."""
        small = {"resources": {"requests": {"cpu": "50m", "memory": "128Mi"}}, "retries": 0, "interval": "24h"}
        self.namespace.apply(_resource("Repository", name or self.name, small | {"url": url} | spec))

    def schedule(self, name: str = "", **spec: Any) -> None:
        """Apply a DbtSchedule whose time does not come; what it builds is small unless said otherwise."""
        small = {"resources": {"requests": {"cpu": "50m", "memory": "128Mi"}}, "retries": 0}
        chosen = {"schedule": NEVER, "select": ["stg_contributors"]} | spec
        self.namespace.apply(_resource("DbtSchedule", name or self.name, small | chosen))

    def rest(self) -> None:
        """Let the DbtSchedule run no more: what is tested is over, and the others need the machine."""
        self.namespace.kubectl("patch", "dbtschedule", self.name, "--type=merge", "-p", '{"spec": {"suspend": true}}')

    def secret(self, name: str, values: dict[str, str]) -> None:
        """Have a Secret with these keys and no others."""
        self.namespace.kubectl("delete", "secret", name, "--ignore-not-found")
        self.namespace.apply(secret(name, values))

    def run_now(self, kind: str, token: str, name: str = "") -> None:
        """Ask for a run."""
        words = ("annotate", kind, name or self.name, "--overwrite", f"gitmart.dev/requested-at={token}")
        self.namespace.kubectl(*words)

    def see(self, kind: str, name: str = "") -> Json:
        """Return a resource as it is now."""
        return self._get(f"{kind}/{name or self.name}", "gitmart.dev/v1alpha1")

    def when(self, kind: str, condition: Callable[[Json], object], timeout: float = SOON, name: str = "") -> Json:
        """Return the resource once the condition holds of it; fail with what there is to see instead."""

        def look() -> Json | None:
            found = self.see(kind, name)
            return found if condition(found) else None

        found = wait_for(look, timeout, lambda: self.namespace.describe(kind, name or self.name), PAUSE)
        assert found is not None
        return found

    def trouble(
        self, reason: str, *words: str, how: set[str] = RETRIED, kind: str = "repositories", name: str = "",
        timeout: float = SOON,
    ) -> Json:  # fmt: skip
        """Return the resource once it is not Ready for that reason, told by condition and Event as documented."""

        def troubled(found: Json) -> bool:
            ready = condition_of(found, "Ready")
            return (ready.get("status"), ready.get("reason")) == ("False", reason)

        found = self.when(kind, troubled, timeout, name)
        ready = condition_of(found, "Ready")
        for word in words:
            assert word in ready["message"], ready
        assert CANARY not in ready["message"]
        others = {each["type"]: each for each in found["status"]["conditions"] if each["type"] in RETRIED | STALLED}
        assert set(others) == how
        assert all((each["reason"], each["message"]) == (reason, ready["message"]) for each in others.values())
        assert found["status"]["observedGeneration"] == found["metadata"]["generation"]
        self.told(reason, name)
        return found

    def failed_run(self, reason: str, *words: str, timeout: float = SOON) -> Json:
        """Return the DbtSchedule once its last run has failed for that reason; the schedule itself stays Ready."""

        def failed(found: Json) -> bool:
            last = condition_of(found, "LastRunSucceeded")
            return (last.get("status"), last.get("reason")) == ("False", reason)

        found = self.when("dbtschedules", failed, timeout)
        for word in words:
            assert word in condition_of(found, "LastRunSucceeded")["message"]
        assert CANARY not in str(found["status"])
        assert condition_of(found, "Ready")["status"] == "True"
        self.told(reason)
        return found

    def good_run(self, timeout: float = SOON) -> Json:
        """Return the DbtSchedule once its last run was good."""
        return self.when(
            "dbtschedules", lambda found: condition_of(found, "LastRunSucceeded").get("status") == "True", timeout
        )

    def ready(self, kind: str = "repositories", timeout: float = SOON, name: str = "") -> Json:
        """Return the resource once it is Ready with its present spec, and nothing else is said of it."""

        def is_ready(found: Json) -> bool:
            ready, generation = condition_of(found, "Ready"), found["metadata"]["generation"]
            return (ready.get("status"), ready.get("observedGeneration")) == ("True", generation)

        found = self.when(kind, is_ready, timeout, name)
        assert {each["type"] for each in found["status"]["conditions"]} <= {"Ready", "LastRunSucceeded", "SourcesFresh"}
        return found

    def told(self, reason: str, name: str = "") -> int:
        """Return how often a Warning with that reason was told of the resource; wait for the first."""

        def count() -> int:
            about = [each for each in self.events() if each["involvedObject"]["name"] == (name or self.name)]
            return sum(
                each.get("count") or 1 for each in about if (each["type"], each["reason"]) == ("Warning", reason)
            )

        return wait_for(count, SOON, lambda: self.namespace.describe("events", ""), PAUSE)

    def is_calm(self, *, pods: int, told: int = 8) -> None:
        """Fail if more pods were made for this trouble, or more was told of its resources, than there is reason to."""
        made = [
            each for each in self.events() if each["reason"] == "SuccessfulCreate" and "Created pod" in each["message"]
        ]
        assert sum(each.get("count") or 1 for each in made) <= pods, [each["message"] for each in made]
        ours = [each for each in self.events() if each["involvedObject"]["kind"] in ("Repository", "DbtSchedule")]
        assert sum(each.get("count") or 1 for each in ours) <= told, [each["message"] for each in ours]

    def events(self) -> list[Json]:
        """Return all Events of the namespace."""
        found: list[Json] = self._get("events", "v1")["items"]
        return found

    def jobs(self) -> list[Json]:
        """Return the Jobs of the namespace, oldest first."""
        found: list[Json] = self._get("jobs", "batch/v1")["items"]
        return sorted(found, key=lambda job: str(job["metadata"]["creationTimestamp"]))

    def pods(self) -> list[Json]:
        """Return the pods of the namespace."""
        found: list[Json] = self._get("pods", "v1")["items"]
        return found

    def runs(self) -> Iterable[Json]:
        """Return the pods whose container runs now."""
        for pod in self.pods():
            for container in pod.get("status", {}).get("containerStatuses", []):
                if "running" in container["state"]:
                    yield pod

    def _get(self, url: str, version: str) -> Json:
        answer = self.api.get(url=url, version=version, namespace=self.namespace.name)
        answer.raise_for_status()
        found: Json = answer.json()
        return found


def _resource(kind: str, name: str, spec: Json) -> Json:
    return {"apiVersion": "gitmart.dev/v1alpha1", "kind": kind, "metadata": {"name": name}, "spec": spec}
