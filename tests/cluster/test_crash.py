"""
The operator dies at every one of its writes in turn, before it and after it, and is started again.

A scenario is played once undisturbed; then once for each write that this run has shown, and each time the end must be
the same: the same status, the same Jobs, each slot exactly once, never two workers at a time. Every life has a
namespace and an operator of its own. Only the kubelet is played (played_node.py).
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from uuid import uuid4

import pykube
import pytest

from gitmart.contract.outcomes import Outcome

from .client import Cluster, Namespace, condition_of
from .operator_process import DIED, OperatorProcess, install_definitions
from .played_node import PlayedNode
from .waiting import wait_for

AT_A_TIME = 3
PATIENCE = 60  # seconds for one step
FLOOD = 3  # more Events than this, beyond those of the undisturbed run
Json = dict[str, Any]

# What differs from run to run by nature. Whether it is there at all is compared.
TIMES = {
    "lastTransitionTime", "startedAt", "finishedAt", "duration", "lastCheckTime", "lastChangeTime",
    "nextExtractionTime", "lastScheduleTime", "nextScheduleTime", "lastSuccessfulTime",
}  # fmt: skip


@dataclass(frozen=True)
class Step:
    """A change that a person makes, and how it is known that the operator has done what follows from it."""

    change: Json  # a merge patch of the resource
    done: Callable[[Json], object]


@dataclass(frozen=True)
class Scenario:
    """The life of one resource, from its first manifest on."""

    kind: type[pykube.objects.NamespacedAPIObject]
    manifest: Json
    created: Callable[[Json], object]
    steps: list[Step]
    slots: list[str]


@dataclass
class Life:
    """One run of a scenario, with an operator that may die once."""

    scenario: Scenario
    namespace: Namespace
    operator: OperatorProcess
    api: pykube.HTTPClient
    died: bool = False
    start: str = field(default="", init=False)

    @property
    def resource(self) -> pykube.objects.NamespacedAPIObject:
        """The resource as it is now."""
        return self.scenario.kind.objects(self.api, namespace=self.namespace.name).get_by_name("one")

    def play(self) -> None:
        """Go through the scenario; whenever the operator has died, start it again."""
        self.start = self._get("jobs")["metadata"]["resourceVersion"]
        metadata = {"name": "one", "namespace": self.namespace.name}
        self.scenario.kind(self.api, self.scenario.manifest | {"metadata": metadata}).create()
        self._wait(self.scenario.created)
        for step in self.scenario.steps:
            self.resource.patch(step.change)
            self._wait(step.done)

    def revive(self) -> bool:
        """Start the operator again if it has died; return whether it had."""
        code = self.operator.exit_code
        assert code in (None, DIED), f"the operator ended with {code}:\n{self.operator.log}"
        if code == DIED:
            assert not self.died, "the operator died a second time"
            self.died = True
            self.operator.start()
        return self.died

    def _wait(self, done: Callable[[Json], object]) -> None:
        def look() -> bool:
            self.revive()
            return bool(done(self.resource.obj))

        wait_for(look, PATIENCE, lambda: f"{json.dumps(self.resource.obj['status'], indent=1)}\n{self.operator.log}")

    def end(self) -> Json:
        """Return what there is: the status, the Jobs that are left, the CronJob."""
        jobs = {job["metadata"]["name"]: job for job in self._get("jobs")["items"]}
        slots = {name: slot_of(job) for name, job in jobs.items()} | {
            event["object"]["metadata"]["name"]: slot_of(event["object"]) for event in self.events("jobs")
        }
        cron_jobs = [{"spec": each["spec"]} for each in self._get("cronjobs")["items"]]
        left = sorted((slot_of(job), bool(ending(job)), job["metadata"].get("deletionTimestamp")) for job in jobs.values())
        return {"status": _plain(self.resource.obj["status"], slots), "jobs": left, "cron jobs": _plain(cron_jobs, {})}

    def events(self, plural: str) -> Iterator[Json]:
        """Yield all that has happened to the namespace's Jobs or pods, in order."""
        query = {"watch": "1", "resourceVersion": self.start, "timeoutSeconds": "1"}
        version = "v1" if plural == "pods" else "batch/v1"
        with self.api.get(url=plural, version=version, namespace=self.namespace.name, params=query, stream=True) as answer:
            answer.raise_for_status()
            for line in answer.iter_lines():
                event = json.loads(line)
                assert event["type"] != "ERROR", event
                yield event

    def told(self) -> int:
        """Return how often people were told something by Events of the resource."""
        events = self._get("events", "v1")["items"]
        return sum(each.get("count", 1) for each in events if each["involvedObject"]["name"] == "one")

    def _get(self, plural: str, version: str = "batch/v1") -> Json:
        answer = self.api.get(url=plural, version=version, namespace=self.namespace.name)
        answer.raise_for_status()
        found: Json = answer.json()
        return found


def slot_of(job: Json) -> str:
    return str(job["metadata"].get("annotations", {}).get("gitmart.dev/slot"))


def ending(job: Json) -> str | None:
    """Return how a Job has ended, None while it runs."""
    conditions = job.get("status", {}).get("conditions", [])
    return next((each["type"] for each in conditions if each["type"] in ("Complete", "Failed")), None)


def _plain(value: Any, slots: dict[str, str]) -> Any:
    """Return the value without times, and with slots for the names of Jobs, in which a uid is hidden."""
    if isinstance(value, dict):
        return {key: "a time" if key in TIMES else _plain(each, slots) for key, each in value.items() if key != "uid"}
    if isinstance(value, list):
        return [_plain(each, slots) for each in value]
    if isinstance(value, str):
        for name, slot in slots.items():
            value = value.replace(name, f"<{slot}>")
    return value


def started_slots(life: Life) -> list[str]:
    """Return the slots of all Jobs that ever were, in order; fail if two ran at a time."""
    slots, running = [], set()
    for event in life.events("jobs"):
        name, kind = event["object"]["metadata"]["name"], event["type"]
        if kind == "ADDED":
            slots.append(slot_of(event["object"]))
            running.add(name)
        if kind == "DELETED" or ending(event["object"]):
            running.discard(name)
        assert len(running) <= 1, f"two workers at a time: {running}"
    return slots


def repository_scenario(node: PlayedNode) -> Scenario:
    """Good, asked for again, edited into a failure, edited back, suspended; old Jobs go meanwhile."""
    good, bad = node.pods(), node.pods(Outcome.SECRET_MISSING)

    def ended(generation: int, state: str, count: int) -> Callable[[Json], object]:
        def look(body: Json) -> object:
            status = body["status"]
            last = status.get("lastExtraction", {})
            told = (status.get("state"), last.get("generation"), len(status.get("history", [])))
            return told == (state, generation, count)

        return look

    return Scenario(
        pykube.object_factory_of("Repository"),
        {"apiVersion": "gitmart.dev/v1alpha1", "kind": "Repository",
         "spec": {"url": "https://git.example.org/one", "retries": 0, "podTemplate": good}},
        ended(1, "completed", 1),
        [
            Step({"metadata": {"annotations": {"gitmart.dev/requested-at": "two"}}}, ended(1, "completed", 2)),
            Step({"spec": {"podTemplate": bad}}, ended(2, "failed", 3)),
            Step({"spec": {"podTemplate": good}}, ended(3, "completed", 4)),
            Step({"spec": {"suspend": True}}, lambda body: body["status"]["observedGeneration"] == 4),
        ],
        ["generation-1", "request-two", "generation-2", "generation-3"],
    )  # fmt: skip
