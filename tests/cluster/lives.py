"""
Lives of a resource and of its operator, which may die in it: what test_crash.py and the campaign play.

A life has a namespace and an operator of its own, so many can be lived at a time. Only the kubelet is played
(played_node.py); API server, scheduler and controllers are real, and so is the operator's process.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from uuid import uuid4

import pykube

from gitmart.contract.outcomes import Outcome
from gitmart.controller.naming import job_name

from .client import Cluster, Namespace
from .operator_process import DIED, OperatorProcess
from .played_node import PlayedNode
from .release import OTHER_OPERATOR
from .waiting import SOON, wait_for

LAST_WRITES = 5  # seconds after the last step in which its last writes come
PAUSE = 0.5  # seconds between two looks
Json = dict[str, Any]

# What differs from run to run by nature. Whether it is there at all is compared.
TIMES = {
    "lastTransitionTime", "startedAt", "finishedAt", "duration", "lastCheckTime", "lastChangeTime",
    "nextExtractionTime", "lastScheduleTime", "nextScheduleTime", "nextFullRefreshTime", "lastSuccessfulTime",
}  # fmt: skip


class Repository(pykube.objects.NamespacedAPIObject):
    """As pykube reads and writes one."""

    version, endpoint, kind = "gitmart.dev/v1alpha1", "repositories", "Repository"


class DbtSchedule(pykube.objects.NamespacedAPIObject):
    """As pykube reads and writes one."""

    version, endpoint, kind = "gitmart.dev/v1alpha1", "dbtschedules", "DbtSchedule"


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
    last: Json = field(default_factory=dict, init=False)  # the end as it was found
    told: int = field(default=0, init=False)  # how often people were told something by Events of the resource

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

    def dies_late(self) -> None:
        """Give a death at one of the last writes, which follow what a person sees, its time."""
        with suppress(AssertionError):
            wait_for(self.revive, LAST_WRITES)

    def _wait(self, done: Callable[[Json], object]) -> None:
        def look() -> bool:
            self.revive()
            return bool(done(self.resource.obj))

        wait_for(look, SOON, lambda: f"{json.dumps(self.resource.obj['status'], indent=1)}\n{self.operator.log}", PAUSE)

    def end(self) -> Json:
        """Return what there is: the status, the Jobs that are left, the CronJob."""
        resource, jobs = self.resource.obj, self._get("jobs")["items"]
        uid = resource["metadata"]["uid"]
        names = {job_name("one", uid, slot): slot for slot in self.scenario.slots}
        names |= {uid: "uid", self.namespace.name: "namespace"}
        left = sorted((slot_of(job), ending(job) or "active") for job in jobs)
        cron_jobs = [each["spec"] for each in self._get("cronjobs")["items"]]
        return {"status": _plain(resource["status"], names), "jobs": left, "cron jobs": _plain(cron_jobs, names)}

    def is_ready(self) -> bool:
        """Whether the operator, alive again if it had died, works on what there is."""
        self.revive()
        return self.operator.is_ready

    def end_is(self, expected: Json | None) -> bool:
        """Whether the end is this one, None: whatever it is; fail with what differs."""
        if expected is None:
            return True
        found = self.end()
        differs = {key: (found[key], expected[key]) for key in expected if found[key] != expected[key]}
        assert not differs, f"found and expected: {differs}"
        return True

    def count_events(self) -> int:
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
    """Return the value without times, and with slots for the names of Jobs, in which a uid is hidden, and the like."""
    if isinstance(value, dict):
        return {key: "a time" if key in TIMES else _plain(each, slots) for key, each in value.items() if key != "uid"}
    if isinstance(value, list):
        return [_plain(each, slots) for each in value]
    if isinstance(value, str):
        for name, slot in slots.items():
            value = value.replace(name, f"<{slot}>")
    return value


def replay(api: pykube.HTTPClient, namespace: str, since: str) -> Iterator[Json]:
    """Yield all that has happened to a namespace's Jobs since a resourceVersion, in order. Takes a second."""
    query = {"watch": "1", "resourceVersion": since, "timeoutSeconds": "1"}
    with api.get(url="jobs", version="batch/v1", namespace=namespace, params=query, stream=True) as answer:
        answer.raise_for_status()
        for line in answer.iter_lines():
            event = json.loads(line)
            assert event["type"] != "ERROR", event
            yield event


@dataclass
class Past:
    """What has happened to Jobs: the slots of all that were made, in order, and how many ran at a time at most."""

    slots: list[str] = field(default_factory=list)
    at_a_time: int = 0

    @classmethod
    def of(cls, events: Iterator[Json]) -> Past:
        """Sum up what was replayed."""
        past, running = cls(), set()
        for event in events:
            name, kind = event["object"]["metadata"]["name"], event["type"]
            if kind == "ADDED":
                past.slots.append(slot_of(event["object"]))
                running.add(name)
            if kind == "DELETED" or ending(event["object"]):
                running.discard(name)
            past.at_a_time = max(past.at_a_time, len(running))
        return past


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
        Repository,
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


def dbtschedule_scenario(node: PlayedNode) -> Scenario:
    """Run now; edited, and a run that fails; edited back and a good one, so that the first goes; suspended."""
    good, bad = node.pods(), node.pods(Outcome.DATA_FAILED)

    def accepted(body: Json) -> object:
        status, generation = body["status"], body["metadata"]["generation"]
        return status.get("cronJob") and status["observedGeneration"] == generation

    def ended(token: str, outcome: Outcome) -> Callable[[Json], object]:
        def look(body: Json) -> object:
            status = body["status"]
            last = status.get("lastRun", {}).get("outcome")
            return (status.get("lastHandledRequest"), status["active"], last) == (token, [], outcome.value)

        return look

    def request(token: str) -> Json:
        return {"metadata": {"annotations": {"gitmart.dev/requested-at": token}}}

    return Scenario(
        DbtSchedule,
        {"apiVersion": "gitmart.dev/v1alpha1", "kind": "DbtSchedule",
         "spec": {"schedule": "0 0 1 1 *", "retries": 0, "successfulJobsHistoryLimit": 1, "podTemplate": good}},
        accepted,
        [
            Step(request("one"), ended("one", Outcome.SUCCEEDED)),
            Step({"spec": {"podTemplate": bad, "schedule": "0 0 1 2 *"}}, accepted),
            Step(request("two"), ended("two", Outcome.DATA_FAILED)),
            Step({"spec": {"podTemplate": good}}, accepted),
            Step(request("three"), ended("three", Outcome.SUCCEEDED)),
            Step({"spec": {"suspend": True}}, accepted),
        ],
        ["request-one", "request-two", "request-three"],
    )  # fmt: skip


def live(cluster: Cluster, scenario: Scenario, folder: Path, moment: str, expected: Json | None = None) -> Life:
    """Play a scenario, the operator dying at that moment; return once the end is the expected one, and stays so."""
    folder.mkdir()
    namespace = cluster.namespace(f"test-{uuid4().hex[:8]}")
    namespace.create(**{OTHER_OPERATOR: "true"})
    operator = OperatorProcess(cluster.kubeconfig, namespace.name, folder)
    life = Life(scenario, namespace, operator, pykube.HTTPClient(pykube.KubeConfig.from_file(cluster.kubeconfig)))
    operator.start(moment)
    try:
        life.play()
        if moment:
            life.dies_late()
        wait_for(lambda: life.is_ready() and life.end_is(expected), SOON, lambda: operator.log, PAUSE)
        past = Past.of(replay(life.api, namespace.name, life.start))  # a second, in which nothing may change any more
        assert past.slots == scenario.slots, f"Jobs were made for {past.slots}"
        assert past.at_a_time == 1, f"{past.at_a_time} workers at a time"
        assert life.end_is(expected)
        life.last, life.told = life.end(), life.count_events()
        assert operator.end() == 0, operator.log
    finally:
        if operator.exit_code is None:
            operator.end()
        namespace.delete()
    return life
