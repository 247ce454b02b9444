"""Visits with the real client against a server that answers as the API server does; its changes feed Kopf's indexes."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from kopf._core.engines.indexing import OperatorIndexer

from gitmart.controller.admission import Caps
from gitmart.controller.extraction import Policy
from gitmart.controller.runs import Run
from gitmart.handlers import index
from gitmart.handlers.awaited import Awaited
from gitmart.handlers.cluster import Cluster
from gitmart.handlers.errors import ConflictError
from gitmart.handlers.extraction_visit import ExtractionVisits
from gitmart.handlers.index import DBTSCHEDULE, REPOSITORY, Indexes, Key
from gitmart.handlers.places import Places
from gitmart.handlers.transformation_visit import TransformationVisits
from gitmart.handlers.visit import STARTING_LOOK, Surroundings
from gitmart.resources.base import Resource
from gitmart.workloads.pods import WorkerSettings

from .api_server import ApiServer, against, kubeconfig, refusal

ONE = Key(REPOSITORY, "team", "one")
SCHEDULE = Key(DBTSCHEDULE, "team", "analytics")
OURS = "/apis/gitmart.dev/v1alpha1/namespaces/team"
BATCH = "/apis/batch/v1/namespaces/team"
T0 = datetime(2026, 1, 1, 12, tzinfo=UTC)
INDEXED: dict[str, Callable[[Any], Any]] = {
    "repositories": index.index_repository, "dbtschedules": index.index_dbtschedule, "jobs": index.index_job,
    "pods": index.index_pod, "cronjobs": index.index_cron_job,
}  # fmt: skip


class World:
    """An API server, and an operator without Kopf's watches: `watch` brings what has changed, when the test says."""

    def __init__(self, folder: Path) -> None:
        self.server = ApiServer()
        self.folder = folder
        self.indexers = {name: OperatorIndexer() for name in INDEXED}
        self.indexes = Indexes(**{name: each.index for name, each in self.indexers.items()})
        self.now = T0
        self.seconds = 0.0
        self.told: list[tuple[str, str, str]] = []  # Events: name, type, reason
        self.woken: list[Key] = []
        self.looks: list[str] = []
        self.digest = "d1"

    def watch(self) -> None:
        """Bring the indexes up to date."""
        known: dict[str, set[tuple[Any, ...]]] = {name: set() for name in INDEXED}
        for path, body in self.server.objects.items():
            plural = path.split("/")[-2]
            if plural in INDEXED:
                key = (None, None, body["metadata"]["uid"])
                kept = INDEXED[plural]({"status": {}} | body)
                self.indexers[plural].replace(key, kept or {})
                known[plural].add(key)
        for name, indexer in self.indexers.items():
            reverse = indexer.index._Index__reverse  # type: ignore[attr-defined]
            for gone in set(reverse) - known[name]:
                indexer.discard(gone)

    async def look(self, repository: Resource) -> Run:
        self.looks.append(repository.metadata.name)
        return Run(self.now, self.now, 0, {"outcome": "Succeeded", "refsDigest": self.digest})

    def add(self, kind: str, name: str = "one", created: str = "2026-01-01T11:59:00Z", **more: Any) -> dict[str, Any]:
        """Make a resource as a person does."""
        plural = {"Repository": "repositories", "DbtSchedule": "dbtschedules"}[kind]
        spec = {"Repository": {"url": "https://git.example.org/a"}, "DbtSchedule": {"schedule": "@daily"}}[kind]
        metadata = {
            "name": name, "namespace": "team", "uid": f"uid-{name}", "generation": 1, "creationTimestamp": created,
            "annotations": more.pop("annotations", {}),
        }  # fmt: skip
        body = {"apiVersion": "gitmart.dev/v1alpha1", "kind": kind, "metadata": metadata}
        return self.server.put(f"{OURS}/{plural}/{name}", body | {"spec": spec | more.pop("spec", {}), "status": more})

    def status(self, name: str = "one", plural: str = "repositories") -> dict[str, Any]:
        found: dict[str, Any] = self.server.objects[f"{OURS}/{plural}/{name}"]["status"]
        return found

    def ready(self, name: str = "one", plural: str = "repositories") -> tuple[str, str]:
        condition = next(each for each in self.status(name, plural)["conditions"] if each["type"] == "Ready")
        return condition["status"], condition["reason"]

    def jobs(self) -> list[dict[str, Any]]:
        return [body for path, body in self.server.objects.items() if path.startswith(f"{BATCH}/jobs/")]

    def writes(self) -> list[str]:
        """Return what was written, without names: `POST jobs`, `PATCH repositories/status`."""
        words = (
            (method, path.partition("/namespaces/team/")[2].split("/")) for method, path, _ in self.server.requests
        )
        return [f"{method} {'/'.join([rest[0], *rest[2:]])}" for method, rest in words if method != "GET"]

    def run(self, script: Callable[[ExtractionVisits, TransformationVisits], Awaitable[None]], **caps: int) -> None:
        """Run a script while the server answers."""

        async def main() -> None:
            environment = {"KUBECONFIG": str(kubeconfig(self.server, self.folder))}
            async with await Cluster.connect(environment) as cluster:
                places = Places(Caps(caps.get("total", 0), caps.get("per_host", 0)), self.indexes.running)
                at = Surroundings(
                    self.indexes, cluster, Awaited(lambda: self.seconds), WorkerSettings("image:1"),
                    lambda resource, kind, reason, _: self.told.append((resource.metadata.name, kind, reason)),
                    Silent(), self.woken.append, lambda: self.now,
                )  # fmt: skip
                extractions = ExtractionVisits(at, places, Policy(), self.look)
                await script(extractions, TransformationVisits(at, timedelta(minutes=10)))
                await extractions.close()

        against(self.server, main)


class Silent:
    """A meter that counts nothing."""

    def ended(self, resource: Resource, run: Run) -> None: ...

    def visited(self, resource: Resource) -> None: ...

    def gone(self, kind: str, namespace: str, name: str) -> None: ...


@pytest.fixture
def world(tmp_path: Path) -> World:
    return World(tmp_path)


def end(job: dict[str, Any], world: World) -> None:
    """Let a Job end well, its pod gone."""
    condition = {"type": "Complete", "status": "True", "lastTransitionTime": "2026-01-01T12:05:00Z"}
    path = f"{BATCH}/jobs/{job['metadata']['name']}"
    world.server.put(path, world.server.objects[path] | {"status": {"conditions": [condition]}})


def test_a_new_repository_gets_a_job_and_then_a_status(world: World) -> None:
    world.add("Repository")

    async def script(visit: ExtractionVisits, _: TransformationVisits) -> None:
        world.watch()
        assert await visit(ONE) == 600
        world.watch()
        assert await visit(ONE) == STARTING_LOOK  # nobody tells of some reasons why a pod does not start

    world.run(script)
    assert world.writes() == ["POST jobs", "PATCH repositories/status"]
    (job,) = world.jobs()
    assert job["metadata"]["ownerReferences"][0]["uid"] == "uid-one"
    assert (world.status()["state"], world.ready()) == ("in_progress", ("Unknown", "NewGeneration"))


def test_a_visit_waits_for_the_watch_to_show_its_writes(world: World) -> None:
    world.add("Repository")

    async def script(visit: ExtractionVisits, _: TransformationVisits) -> None:
        world.watch()
        await visit(ONE)
        before = list(world.writes())
        assert await visit(ONE) == 1.0
        world.watch()
        await visit(ONE)
        assert world.writes() == before

    world.run(script)
    assert len(world.jobs()) == 1


def test_an_end_is_told_once_though_the_job_is_shown_after_it_was_deleted(world: World) -> None:
    world.add("Repository")

    async def script(visit: ExtractionVisits, _: TransformationVisits) -> None:
        world.watch()
        await visit(ONE)
        (job,) = world.jobs()
        end(job, world)
        world.watch()  # the watch shows the end, and falls behind from here on
        del world.server.objects[f"{BATCH}/jobs/{job['metadata']['name']}"]
        await visit(ONE)

    world.run(script)
    # As if the Job had been deleted by hand while it ran: it is repeated.
    assert (world.ready(), world.status()["state"]) == (("False", "ResultLost"), "failed")
    assert "lastExtraction" not in world.status()


def test_a_status_is_not_written_over_a_change_that_was_not_seen(world: World) -> None:
    world.add("Repository")

    async def script(visit: ExtractionVisits, _: TransformationVisits) -> None:
        world.watch()
        world.server.put(f"{OURS}/repositories/one", world.server.objects[f"{OURS}/repositories/one"])
        with pytest.raises(ConflictError):
            await visit(ONE)
        world.watch()
        await visit(ONE)

    world.run(script)
    assert len(world.jobs()) == 1  # the name is that of the slot, so the second visit finds the first one's Job
    assert world.status()["state"] == "in_progress"


def test_a_foreign_job_is_left_alone_and_named(world: World) -> None:
    world.add("Repository")

    async def script(visit: ExtractionVisits, _: TransformationVisits) -> None:
        world.watch()
        await visit(ONE)
        (job,) = world.jobs()
        del job["metadata"]["annotations"]["gitmart.dev/owner-uid"]
        job["metadata"]["labels"] = {}
        world.server.objects[f"{OURS}/repositories/one"]["status"] = {}
        world.server.requests.clear()
        world.seconds = 60
        world.watch()
        await visit(ONE)

    world.run(script)
    assert world.ready() == ("False", "ForeignJob")
    assert ("one", "Warning", "ForeignJob") in world.told


@pytest.mark.parametrize(
    ("status", "reason", "expected"),
    [
        pytest.param(422, "Invalid", ("False", "InvalidPodTemplate"), id="invalid"),
        pytest.param(403, "Forbidden", ("False", "Forbidden"), id="quota"),
    ],
)
def test_what_the_api_server_says_of_the_job_stands_in_ready(
    world: World, status: int, reason: str, expected: tuple[str, str]
) -> None:
    world.add("Repository")

    async def script(visit: ExtractionVisits, _: TransformationVisits) -> None:
        world.watch()
        world.server.trouble.append(refusal(status, reason, "spec.template.spec.affinity: no such thing"))
        await visit(ONE)

    world.run(script, total=1)
    message = next(each["message"] for each in world.status()["conditions"] if each["type"] == "Ready")
    assert (world.ready(), world.jobs()) == (expected, [])
    assert "spec.template.spec.affinity: no such thing" in message


@pytest.mark.parametrize(("lasted", "pause"), [(60, 60), (130, 130), (3600, 600)])
def test_what_was_refused_is_tried_again_after_growing_pauses(world: World, lasted: int, pause: float) -> None:
    world.add("Repository")
    begun = world.now

    async def script(visit: ExtractionVisits, _: TransformationVisits) -> None:
        for seconds in (0, lasted):
            world.now = begun + timedelta(seconds=seconds)
            world.seconds = seconds
            world.watch()
            world.server.trouble.append(refusal(403, "Forbidden", "exceeded quota"))
            again = await visit(ONE)
        assert again == pause

    world.run(script)
    assert world.ready() == ("False", "Forbidden")


def test_an_orphan_gets_its_owner_back(world: World) -> None:
    world.add("Repository")

    async def script(visit: ExtractionVisits, _: TransformationVisits) -> None:
        world.watch()
        await visit(ONE)
        (job,) = world.jobs()
        del job["metadata"]["ownerReferences"]
        world.watch()
        await visit(ONE)

    world.run(script)
    assert world.jobs()[0]["metadata"]["ownerReferences"][0]["uid"] == "uid-one"


def test_only_as_many_jobs_as_there_are_places(world: World) -> None:
    for number, name in enumerate(("one", "two", "three")):
        world.add("Repository", name, spec={"url": f"https://git.example.org/{number}"})

    async def script(visit: ExtractionVisits, _: TransformationVisits) -> None:
        world.watch()
        await asyncio.gather(*(visit(Key(REPOSITORY, "team", name)) for name in ("one", "two", "three")))

    world.run(script, total=2)
    assert len(world.jobs()) == 2
    (waiting,) = [name for name in ("one", "two", "three") if world.status(name)["state"] == "pending"]
    assert {"type": "Queued", "reason": "ExtractionsCapFull"}.items() <= world.status(waiting)["conditions"][-1].items()


def test_a_place_that_gets_free_wakes_who_waits(world: World) -> None:
    for name in ("one", "two"):
        world.add("Repository", name, spec={"url": f"https://git.example.org/{name}"})

    async def script(visit: ExtractionVisits, _: TransformationVisits) -> None:
        world.watch()
        for name in ("one", "two"):
            await visit(Key(REPOSITORY, "team", name))
        del world.server.objects[f"{OURS}/repositories/one"]
        for job in world.jobs():
            del world.server.objects[f"{BATCH}/jobs/{job['metadata']['name']}"]
        world.watch()
        world.woken.clear()
        assert await visit(ONE) is None

    world.run(script, total=1)
    assert world.woken == [Key(REPOSITORY, "team", "two")]


def checked(**more: Any) -> dict[str, Any]:
    """Return the status of a Repository that was good seven hours ago."""
    then = "2026-01-01T05:00:00Z"
    ready = {"type": "Ready", "status": "True", "reason": "Succeeded", "message": "", "lastTransitionTime": then}
    last = {"startedAt": then, "finishedAt": then, "outcome": "Succeeded", "generation": 1}
    return {
        "observedGeneration": 1, "state": "completed", "url": "https://git.example.org/a", "refsDigest": "d1",
        "lastCheckTime": then, "lastExtraction": last,
        "conditions": [ready | {"observedGeneration": 1}],
    } | more  # fmt: skip


@pytest.mark.parametrize("others", [0, 1], ids=["nobody has it", "another has it"])
def test_a_job_is_told_the_former_address_unless_another_has_it(world: World, others: int) -> None:
    world.add("Repository", **checked(), spec={"url": "https://git.example.org/b"})
    if others:
        world.add("Repository", "another", spec={"suspend": True})

    async def script(visit: ExtractionVisits, _: TransformationVisits) -> None:
        world.watch()
        await visit(ONE)

    world.run(script)
    (job,) = world.jobs()
    words = job["spec"]["template"]["spec"]["containers"][0]["args"]
    assert ("--previous-url=https://git.example.org/a" in words) == (not others)
    assert "--url=https://git.example.org/b" in words


@pytest.mark.parametrize(("digest", "jobs"), [("d1", 0), ("d2", 1)])
def test_a_look_at_the_host_decides_whether_a_job_is_made(world: World, digest: str, jobs: int) -> None:
    world.add("Repository", **checked())
    world.digest = digest

    async def script(visit: ExtractionVisits, _: TransformationVisits) -> None:
        world.watch()
        await visit(ONE)
        assert world.jobs() == []
        while not world.woken:
            await asyncio.sleep(0)
        world.watch()
        await visit(ONE)

    world.run(script)
    assert (world.looks, len(world.jobs())) == (["one"], jobs)
    assert world.ready()[0] == "True"
    if not jobs:
        assert (world.ready()[1], world.status()["lastCheckTime"]) == ("UpToDate", "2026-01-01T12:00:00Z")


def test_a_spec_that_only_python_refuses_is_told_with_our_sentence(world: World) -> None:
    world.add("Repository", spec={"schedule": "@daily", "timeZone": "Europe/Atlantis"})

    async def script(visit: ExtractionVisits, _: TransformationVisits) -> None:
        world.watch()
        await visit(ONE)

    world.run(script)
    ready = next(each for each in world.status()["conditions"] if each["type"] == "Ready")
    assert (ready["reason"], "spec.timeZone: 'Europe/Atlantis' is unknown" in ready["message"]) == ("InvalidSpec", True)
    assert world.told == [("one", "Warning", "InvalidSpec")]


def test_what_was_written_without_an_answer_is_told_all_the_same(world: World) -> None:
    world.add("Repository", spec={"schedule": "@daily", "timeZone": "Europe/Atlantis"})

    async def script(visit: ExtractionVisits, _: TransformationVisits) -> None:
        world.watch()
        world.server.unanswered = 1
        with pytest.raises(ConflictError):  # its own first attempt
            await visit(ONE)
        assert (world.ready(), world.told) == (("False", "InvalidSpec"), [])
        for _again in range(2):
            world.watch()
            await visit(ONE)

    world.run(script)
    assert world.told == [("one", "Warning", "InvalidSpec")]


@pytest.mark.parametrize(
    ("age", "told"),
    [
        pytest.param(timedelta(seconds=20), [("one", "Warning", "InvalidSpec")], id="perhaps not told"),
        pytest.param(timedelta(hours=1), [], id="long since told"),
    ],
)
def test_the_next_process_tells_what_the_last_one_perhaps_did_not(
    world: World, age: timedelta, told: list[tuple[str, str, str]]
) -> None:
    world.add("Repository", spec={"schedule": "@daily", "timeZone": "Europe/Atlantis"})

    async def script(visit: ExtractionVisits, _: TransformationVisits) -> None:
        for _again in range(2):
            world.watch()
            await visit(ONE)

    world.run(script)
    world.told.clear()
    world.now += age
    world.run(script)
    assert world.told == told


def test_what_this_process_told_is_not_told_again_when_it_has_forgotten_that(world: World) -> None:
    world.add("Repository", spec={"schedule": "@daily", "timeZone": "Europe/Atlantis"})

    async def script(visit: ExtractionVisits, _: TransformationVisits) -> None:
        world.now += timedelta(seconds=20)  # it began before
        for _again in range(2):
            world.watch()
            await visit(ONE)
            visit._at.told.clear()

    world.run(script)
    assert world.told == [("one", "Warning", "InvalidSpec")]


def test_a_status_that_was_spoilt_by_hand_begins_anew(world: World) -> None:
    world.add("Repository", state="completed", conditions=[{"type": "Ready"}], lastCheckTime="yesterday")

    async def script(visit: ExtractionVisits, _: TransformationVisits) -> None:
        world.watch()
        await visit(ONE)

    world.run(script)
    assert (len(world.jobs()), world.status()["state"]) == (1, "in_progress")
    assert "lastCheckTime" not in world.status()


def test_an_older_object_that_is_invalid_keeps_nobody_from_working(world: World) -> None:
    world.add("Repository", "old", "2025-01-01T00:00:00Z", spec={"schedule": "@daily", "timeZone": "Europe/Atlantis"})
    world.add("Repository")

    async def script(visit: ExtractionVisits, _: TransformationVisits) -> None:
        world.watch()
        await visit(ONE)

    world.run(script)
    assert len(world.jobs()) == 1


def test_a_schedule_gets_its_cron_job_once(world: World) -> None:
    world.add("DbtSchedule", "analytics")

    async def script(_: ExtractionVisits, visit: TransformationVisits) -> None:
        for _again in range(3):
            world.watch()
            await visit(SCHEDULE)

    world.run(script)
    assert world.writes().count("PATCH cronjobs") == 1
    assert world.ready("analytics", "dbtschedules") == ("True", "Accepted")


def test_who_finds_a_schedule_ready_finds_its_cron_job_named(world: World) -> None:
    world.add("DbtSchedule", "analytics")

    async def script(_: ExtractionVisits, visit: TransformationVisits) -> None:
        world.watch()
        await visit(SCHEDULE)

    world.run(script)
    assert world.ready("analytics", "dbtschedules") == ("True", "Accepted")
    assert world.status("analytics", "dbtschedules")["cronJob"] == "analytics"


def test_a_cron_job_of_somebody_else_is_left_alone(world: World) -> None:
    world.add("DbtSchedule", "analytics")
    world.server.put(f"{BATCH}/cronjobs/analytics", {"metadata": {"namespace": "team"}, "spec": {"theirs": True}})

    async def script(_: ExtractionVisits, visit: TransformationVisits) -> None:
        world.watch()
        await visit(SCHEDULE)

    world.run(script)
    assert world.ready("analytics", "dbtschedules") == ("False", "ForeignCronJob")
    assert world.server.objects[f"{BATCH}/cronjobs/analytics"]["spec"] == {"theirs": True}


def test_a_request_makes_one_job_and_is_answered(world: World) -> None:
    world.add("DbtSchedule", "analytics", annotations={"gitmart.dev/requested-at": "now"})

    async def script(_: ExtractionVisits, visit: TransformationVisits) -> None:
        for _again in range(3):
            world.watch()
            await visit(SCHEDULE)

    world.run(script)
    assert len(world.jobs()) == 1
    assert world.status("analytics", "dbtschedules")["lastHandledRequest"] == "now"


def test_a_run_of_dbt_that_does_not_get_to_work_is_told_once(world: World) -> None:
    world.add("DbtSchedule", "analytics", annotations={"gitmart.dev/requested-at": "now"})

    async def script(_: ExtractionVisits, visit: TransformationVisits) -> None:
        world.watch()
        await visit(SCHEDULE)
        name = world.jobs()[0]["metadata"]["name"]
        labels = {"batch.kubernetes.io/job-name": name, "gitmart.dev/dbtschedule": "analytics"}
        metadata = {"namespace": "team", "labels": labels}
        waits = {"type": "PodScheduled", "status": "False", "reason": "Unschedulable", "message": "0/1 nodes"}
        world.server.put(
            f"/api/v1/namespaces/team/pods/{name}-x", {"metadata": metadata, "status": {"conditions": [waits]}}
        )
        for _again in range(3):
            world.watch()
            await visit(SCHEDULE)

    world.run(script)
    assert world.told == [("analytics", "Normal", "Accepted"), ("analytics", "Warning", "Unschedulable")]


# Full refreshes

WEEKLY = {"fullRefreshSchedule": "0 3 * * 0"}


def visits(world: World, times: int = 1, key: Key = SCHEDULE) -> None:
    """Visit a DbtSchedule so often, with all that is written seen."""

    async def script(_: ExtractionVisits, visit: TransformationVisits) -> None:
        for _again in range(times):
            world.watch()
            await visit(key)

    world.run(script)


def test_what_two_writers_ask_for_is_one_job_and_one_more_once_it_is_over(world: World) -> None:
    world.add("DbtSchedule", "analytics", annotations={"gitmart.dev/requested-at": "of one"})
    written = world.server.objects[f"{OURS}/dbtschedules/analytics"]["metadata"]["annotations"]
    written["gitmart.dev/requested-at"] = "of another"
    visits(world, times=2)
    assert [len(world.jobs()), world.status("analytics", "dbtschedules")["lastHandledRequest"]] == [1, "of another"]

    written["gitmart.dev/requested-at"] = "of a third, meanwhile"
    visits(world, times=3)
    assert [len(world.jobs()), world.status("analytics", "dbtschedules")["lastHandledRequest"]] == [1, "of another"]


def test_who_finds_a_schedule_ready_finds_both_cron_jobs_named(world: World) -> None:
    world.add("DbtSchedule", "analytics", spec=WEEKLY)
    visits(world)

    assert world.ready("analytics", "dbtschedules") == ("True", "Accepted")
    status = world.status("analytics", "dbtschedules")
    assert (status["cronJob"], status["fullRefreshCronJob"]) == ("analytics", "analytics-full")
    assert status["nextFullRefreshTime"] == "2026-01-04T03:00:00Z"
    assert world.server.objects[f"{BATCH}/cronjobs/analytics-full"]["spec"]["schedule"] == "0 3 * * 0"


def test_the_cron_job_of_full_refreshes_is_made_once_and_goes_with_the_field(world: World) -> None:
    world.add("DbtSchedule", "analytics", spec=WEEKLY)

    async def script(_: ExtractionVisits, visit: TransformationVisits) -> None:
        for _again in range(3):
            world.watch()
            await visit(SCHEDULE)
        assert world.writes().count("PATCH cronjobs") == 2
        path = f"{OURS}/dbtschedules/analytics"
        world.server.put(path, world.server.objects[path] | {"spec": {"schedule": "@daily"}})
        for _again in range(3):
            world.watch()
            await visit(SCHEDULE)

    world.run(script)
    deletions = [path for method, path, _ in world.server.requests if method == "DELETE"]
    assert deletions == [f"{BATCH}/cronjobs/analytics-full"]
    assert f"{BATCH}/cronjobs/analytics" in world.server.objects
    assert {"fullRefreshCronJob", "nextFullRefreshTime"}.isdisjoint(world.status("analytics", "dbtschedules"))


def test_full_refreshes_are_made_again_as_they_were_when_somebody_edits_them(world: World) -> None:
    world.add("DbtSchedule", "analytics", spec=WEEKLY)

    async def script(_: ExtractionVisits, visit: TransformationVisits) -> None:
        for _again in range(2):
            world.watch()
            await visit(SCHEDULE)
        path = f"{BATCH}/cronjobs/analytics-full"
        there = world.server.objects[path]
        generation = there["metadata"].get("generation", 0) + 1
        spec = there["spec"] | {"schedule": "1 1 1 1 *"}
        edited = there | {"spec": spec, "metadata": there["metadata"] | {"generation": generation}}
        world.server.put(path, edited)
        world.watch()
        await visit(SCHEDULE)

    world.run(script)
    assert world.server.objects[f"{BATCH}/cronjobs/analytics-full"]["spec"]["schedule"] == "0 3 * * 0"


def test_a_stranger_under_the_name_of_full_refreshes_is_left_alone_and_the_schedule_kept(world: World) -> None:
    world.add("DbtSchedule", "analytics", spec=WEEKLY)
    path = f"{BATCH}/cronjobs/analytics-full"
    world.server.put(path, {"metadata": {"namespace": "team"}, "spec": {"theirs": True}})
    visits(world, 2)

    assert world.ready("analytics", "dbtschedules") == ("False", "ForeignCronJob")
    assert world.server.objects[path]["spec"] == {"theirs": True}
    assert world.server.objects[f"{BATCH}/cronjobs/analytics"]["spec"]["suspend"] is False
    assert "fullRefreshCronJob" not in world.status("analytics", "dbtschedules")


TWO = {"analytics": WEEKLY, "analytics-full": {"warehouseRef": {"name": "other"}}}  # want one CronJob


def whose(world: World) -> str:
    (owner,) = world.server.objects[f"{BATCH}/cronjobs/analytics-full"]["metadata"]["ownerReferences"]
    name: str = owner["name"]
    return name


@pytest.mark.parametrize("first", TWO)
def test_of_two_that_want_one_cron_job_who_has_it_keeps_it(world: World, first: str) -> None:
    second = (TWO.keys() - {first}).pop()
    world.add("DbtSchedule", first, spec=TWO[first], created="2026-01-01T11:59:00Z")
    visits(world, 1, Key(DBTSCHEDULE, "team", first))
    world.add("DbtSchedule", second, spec=TWO[second], created="2026-01-01T11:58:00Z")  # the clock was set back
    for name in (second, first, second):
        visits(world, 1, Key(DBTSCHEDULE, "team", name))

    assert whose(world) == first
    assert world.ready(first, "dbtschedules") == ("True", "Accepted")
    assert world.ready(second, "dbtschedules") == ("False", "ForeignCronJob")


@pytest.mark.parametrize("visited_first", TWO)
@pytest.mark.parametrize("older", TWO)
def test_of_two_that_come_together_the_older_has_it_whoever_is_visited_first(
    world: World, older: str, visited_first: str
) -> None:
    other = (TWO.keys() - {older}).pop()
    world.add("DbtSchedule", older, spec=TWO[older], created="2026-01-01T11:58:00Z")
    world.add("DbtSchedule", other, spec=TWO[other], created="2026-01-01T11:59:00Z")
    for name in (visited_first, older, other):
        visits(world, 1, Key(DBTSCHEDULE, "team", name))

    assert whose(world) == older
    assert world.ready(older, "dbtschedules") == ("True", "Accepted")
    assert world.ready(other, "dbtschedules") == ("False", "ForeignCronJob")
    for gone in (f"{OURS}/dbtschedules/{older}", f"{BATCH}/cronjobs/analytics-full"):
        world.server.remove(gone)
    visits(world, 1, Key(DBTSCHEDULE, "team", other))
    assert (whose(world), world.ready(other, "dbtschedules")) == (other, ("True", "Accepted"))


@pytest.mark.parametrize("first", TWO)
def test_of_two_that_make_it_at_the_same_moment_one_has_it(world: World, first: str) -> None:
    """The one is visited before the other is seen, and both have asked before either is answered."""
    second = (TWO.keys() - {first}).pop()

    async def script(_: ExtractionVisits, visit: TransformationVisits) -> None:
        world.server.silent, world.server.silent_about, under_way = asyncio.Event(), "/analytics-full", []
        for name, created in ((first, "2026-01-01T11:59:00Z"), (second, "2026-01-01T11:58:00Z")):
            world.add("DbtSchedule", name, spec=TWO[name], created=created)
            world.watch()
            under_way.append(asyncio.create_task(visit(Key(DBTSCHEDULE, "team", name))))
            while not any(path.endswith("/cronjobs/analytics-full") for _, path, _ in world.server.requests):
                await asyncio.sleep(0)
        world.server.silent.set()
        await asyncio.gather(*under_way)
        world.server.silent = None

    world.run(script)
    for _again in range(2):
        for name in TWO:
            visits(world, 1, Key(DBTSCHEDULE, "team", name))

    assert whose(world) == first
    assert world.ready(first, "dbtschedules") == ("True", "Accepted")
    assert world.ready(second, "dbtschedules") == ("False", "ForeignCronJob")


def test_a_deletion_that_is_refused_stands_in_ready(world: World) -> None:
    world.add("DbtSchedule", "analytics", spec=WEEKLY)

    async def script(_: ExtractionVisits, visit: TransformationVisits) -> None:
        world.watch()
        await visit(SCHEDULE)
        path = f"{OURS}/dbtschedules/analytics"
        world.server.put(path, world.server.objects[path] | {"spec": {"schedule": "@daily"}})
        world.watch()
        world.server.trouble.append(refusal(403, "Forbidden", "you may not"))
        await visit(SCHEDULE)

    world.run(script)
    assert world.ready("analytics", "dbtschedules") == ("False", "Forbidden")
