"""
A small model of the world around the decisions: an API server, the Job controller, a kubelet, a git host, a clock.

The operator's part is the order in which a visit carries a decision out, and what it may know: a cache that is
behind in all but what was written by itself. A visit can end between any two writes.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any, NamedTuple

from gitmart.controller.address import previous_url
from gitmart.controller.children import Child
from gitmart.controller.extraction import Check, Decision, Policy, Seen, decide, job_of
from gitmart.controller.observed import JobSeen, PodSeen, job_seen, pod_seen
from gitmart.controller.runs import Run
from gitmart.resources.labels import OWNER_UID, SLOT
from gitmart.resources.repository import Repository
from gitmart.workloads.extraction import extraction_job
from gitmart.workloads.pods import WorkerSettings

Json = dict[str, Any]
NAME = "one"
START = datetime(2026, 1, 1, 12, tzinfo=UTC)
SETTINGS = WorkerSettings(image="gitmart:test")

# How a Job can end: Job's condition, reason; the pod's exit code, its reason, the result's outcome.
ENDS: dict[str, tuple[str, str, int | None, str, str | None]] = {
    "good": ("Complete", "CompletionsReached", 0, "Completed", "Succeeded"),
    "good-but-silent": ("Complete", "CompletionsReached", 0, "Completed", None),
    "good-but-forgotten": ("Complete", "CompletionsReached", None, "", None),
    "unreachable": ("Failed", "BackoffLimitExceeded", 68, "Error", "HostUnreachable"),
    "secret-missing": ("Failed", "BackoffLimitExceeded", 79, "Error", "SecretMissing"),
    "cancelled": ("Failed", "BackoffLimitExceeded", 80, "Error", "Cancelled"),
    "out-of-memory": ("Failed", "PodFailurePolicy", 137, "OOMKilled", None),
    "timeout": ("Failed", "PodFailurePolicy", 72, "Error", "Timeout"),
    "overdue": ("Failed", "DeadlineExceeded", None, "", None),
    "bug": ("Failed", "PodFailurePolicy", 70, "Error", "Bug"),
    "invalid": ("Failed", "PodFailurePolicy", 64, "Error", "InvalidInput"),
    "killed": ("Failed", "PodFailurePolicy", 137, "Error", None),
}
PODS = ("running", "ErrImagePull", "Unschedulable")


class CrashError(Exception):
    """The operator ends here."""


class ConflictError(Exception):
    """The object has changed since it was read."""


class Stored(NamedTuple):
    """A Repository as a watch has shown it."""

    version: int
    status: Json
    repository: Repository


@dataclass
class World:
    """Everything outside of the operator, and its memory. `seen…` is what its watches have shown."""

    now: datetime = START
    uid: int = 0
    version: int = 0  # of the whole store, as in etcd
    version_of_repository: int = 0
    digest: int = 1
    host_answers: bool = True
    repository: Json = field(default_factory=dict)
    jobs: dict[str, Json] = field(default_factory=dict)
    pods: dict[str, Json] = field(default_factory=dict)  # by Job; the newest one
    seen_jobs: dict[str, JobSeen] = field(default_factory=dict)
    seen_pods: dict[str, PodSeen] = field(default_factory=dict)
    look: Check | None = None
    policy: Policy = field(default_factory=Policy)
    writes: int = 0
    crash_after: int | None = None
    went_back: bool = False
    ended: set[str] = field(default_factory=set)  # names of Jobs whose end was told of
    slots: list[str] = field(default_factory=list)
    rows: list[list[str]] = field(
        default_factory=list
    )  # of the warehouse: the addresses each had, the present one last
    recreated: bool = False
    blind: bool = False  # whether a Job went that had ended without the operator having seen it

    seen: Stored = field(init=False)

    def __post_init__(self) -> None:
        self.create_repository()

    # What people do

    def create_repository(self) -> None:
        self.uid += 1
        self.repository = {
            "apiVersion": "gitmart.dev/v1alpha1",
            "kind": "Repository",
            "metadata": {
                "name": NAME,
                "namespace": "default",
                "uid": f"uid-{self.uid}",
                "generation": 1,
                "creationTimestamp": text(self.now),
                "annotations": {},
            },
            "spec": {"url": "https://git.example.org/a", "interval": "1h"},
            "status": {},
        }
        self._touch(self.repository)
        self.refresh("all")

    def edit(self, **changes: object) -> None:
        self.repository["spec"] |= changes
        self.repository["metadata"]["generation"] += 1
        self._touch(self.repository)

    def request(self, token: str) -> None:
        self.repository["metadata"]["annotations"]["gitmart.dev/requested-at"] = token
        self._touch(self.repository)

    def recreate(self) -> None:
        """Delete the Repository and create it again at once; the garbage collector comes later."""
        for job in self.jobs.values():
            job["metadata"]["deletionTimestamp"] = text(self.now)
        self.recreated = True
        self.create_repository()

    def kill_job(self) -> None:
        """Delete the newest Job by hand."""
        if self.jobs:
            name = max(self.jobs, key=lambda each: int(self.jobs[each]["metadata"]["resourceVersion"]))
            self.blind |= not job_seen(self.jobs[name]).active and name not in self.ended
            self._remove(name)

    # What the cluster does

    def pass_time(self, seconds: int) -> None:
        self.now += timedelta(seconds=seconds)
        self.went_back |= seconds < 0

    def collect(self) -> None:
        """Remove the Jobs that are being deleted."""
        for name in [name for name, job in self.jobs.items() if "deletionTimestamp" in job["metadata"]]:
            self._remove(name)

    def pod(self, state: str) -> None:
        """Make a pod of the active Job, or let it come so far."""
        for name in self._active():
            if state == "Unschedulable":
                condition = {"type": "PodScheduled", "status": "False", "reason": state, "message": "no node is free"}
                status: Json = {"phase": "Pending", "conditions": [condition]}
            elif state == "running":
                status = {"phase": "Running", "containerStatuses": [worker({"running": {}})]}
            else:
                waiting = {"waiting": {"reason": state, "message": "no such image"}}
                status = {"phase": "Pending", "containerStatuses": [worker(waiting)]}
            self._make_pod(name, status)

    def end(self, how: str) -> None:
        """Let the active Job end."""
        condition, reason, code, word, outcome = ENDS[how]
        for name in self._active():
            if code is None:
                self.pods.pop(name, None)
            else:
                told = "" if outcome is None else result(outcome, self.digest, option(self.jobs[name], "url"))
                ending = {"exitCode": code, "reason": word, "message": told, "finishedAt": text(self.now)}
                phase = "Failed" if code else "Succeeded"
                status = {"phase": phase, "containerStatuses": [worker({"terminated": ending})]}
                self._make_pod(name, status)
            held = {"type": condition, "status": "True", "reason": reason, "lastTransitionTime": text(self.now)}
            job = self.jobs[name]
            if condition == "Complete":
                self._store(option(job, "url"), option(job, "previous-url"))
            job["status"] = {"startTime": job["metadata"]["creationTimestamp"], "conditions": [held]}
            self._touch(job)

    def end_good(self) -> bool:
        """Let the active Job end well; return whether there was one."""
        active = bool(self._active())
        self.end("good")
        return active

    def refresh(self, what: str) -> None:
        """Let the watches show what there is: of `repository`, `jobs`, `pods` or `all`."""
        if what in ("repository", "all"):
            self.seen = Stored(self.version_of_repository, self.repository["status"], Repository.parse(self.repository))
        if what in ("jobs", "all"):
            self.seen_jobs = {name: job_seen(job) for name, job in self.jobs.items()}
        if what in ("pods", "all"):
            self.seen_pods = {job: pod_seen(pod) for job, pod in self.pods.items()}

    # What the operator does

    def restart(self) -> None:
        """Start the operator anew: it lists everything and remembers nothing."""
        self.look = None
        self.refresh("all")

    def visit(self, crash_after: int | None = None) -> Decision | None:
        """Visit the Repository; None if the visit did not come to its end. `crash_after` so many writes it crashes."""
        self.writes, self.crash_after = 0, crash_after
        try:
            return self._visit()
        except CrashError:
            self.restart()
            return None
        except ConflictError:
            return None

    def _visit(self) -> Decision:
        stored, repository = self.seen, self.seen.repository
        told = {past.job for past in repository.status.history}
        look, self.look = self.look, None
        decision = decide(repository, Seen(list(self._children(told)), None, look), self.now, self.policy)
        for job in decision.delete:
            self._delete(job)
            self._write()
        if decision.check is not None:
            self.look = Check(decision.check.slot, self._look())
        if decision.start is not None:
            slot, token = decision.start.slot, decision.start.token
            told_of = repository.model_copy(update={"status": decision.status})
            previous = previous_url(told_of, lambda _: False)
            self._create(extraction_job(repository, job_of(repository, slot), slot, token, SETTINGS, previous))
            self._write()
        self._patch(stored, decision)
        return decision

    def _children(self, told: set[str | None]) -> Iterator[Child]:
        """Yield the Jobs that are known. An end that was not told yet is looked up, as the handlers do."""
        for name, job in self.seen_jobs.items():
            pods = [self.seen_pods[name]] if name in self.seen_pods else []
            if job.active or name in told:
                yield Child(job, pods)
            elif name in self.jobs and self.jobs[name]["metadata"]["uid"] == job.uid:
                there = [pod_seen(self.pods[name])] if name in self.pods else []
                yield Child(
                    job_seen(self.jobs[name]), pods if any(pod.exit_code is not None for pod in pods) else there
                )

    def _look(self) -> Run:
        outcome = "Succeeded" if self.host_answers else "HostUnreachable"
        facts = {"outcome": outcome, "message": "looked", "refsDigest": str(self.digest)}
        return Run(self.now, self.now, 0 if self.host_answers else 68, facts)

    def _create(self, body: Json) -> None:
        name = body["metadata"]["name"]
        there = self.jobs.get(name)
        if there is not None:
            assert there["metadata"]["annotations"][OWNER_UID] == body["metadata"]["annotations"][OWNER_UID]
            assert job_seen(there).active, f"{body['metadata']['annotations'][SLOT]} has ended already"
        else:
            assert not self._active(), "a second Job runs"
            assert self.went_back or name not in self.ended, f"{body['metadata']['annotations'][SLOT]} runs twice"
            self.uid += 1
            body["metadata"] |= {"uid": f"uid-{self.uid}", "creationTimestamp": text(self.now)}
            self.jobs[name] = body
            self.slots.append(body["metadata"]["annotations"][SLOT])
            self._touch(body)
        self.seen_jobs[name] = job_seen(self.jobs[name])

    def _delete(self, seen: JobSeen) -> None:
        name, job = seen.name, self.jobs.get(seen.name)
        if job is not None and job["metadata"]["uid"] == seen.uid:
            if seen.active and job["metadata"]["resourceVersion"] != seen.version:
                raise ConflictError  # it may have ended
            if job_seen(job).active:
                job["metadata"]["deletionTimestamp"] = text(self.now)
                self._touch(job)
                self.seen_jobs[name] = job_seen(job)
                return
            known = [past.get("job") for past in self.repository["status"].get("history", [])]
            assert name in known, f"{name} was deleted before its end was told"
            self._remove(name)
        self.seen_jobs.pop(name, None)

    def _patch(self, stored: Stored, decision: Decision) -> None:
        status = decision.status.model_dump(mode="json", by_alias=True, exclude_none=True)
        if status == stored.status:
            return
        if stored.version != self.version_of_repository:
            raise ConflictError
        assert len(status["history"]) <= 5
        self.repository["status"] = status
        self.ended |= {past["job"] for past in status["history"] if "job" in past}
        self._touch(self.repository)
        self.refresh("repository")
        self._write()

    def _write(self) -> None:
        self.writes += 1
        if self.crash_after is not None and self.writes > self.crash_after:
            raise CrashError

    # What the extractor does

    def _store(self, url: str, previous: str) -> None:
        """Bring the rows up to date, of a history that is the same at every address."""
        if any(row[-1] == url for row in self.rows):
            return
        known = [row for row in self.rows if row[-1] == previous] or [row for row in self.rows if previous in row]
        if known:
            known[0].append(url)
        else:
            self.rows.append([url])

    # Details

    def _active(self) -> list[str]:
        return [name for name, job in self.jobs.items() if job_seen(job).active]

    def _make_pod(self, job: str, status: Json) -> None:
        made = {"name": f"{job}-x", "creationTimestamp": text(self.now), "labels": {"job-name": job}}
        self.pods[job] = {"metadata": made, "status": status}

    def _remove(self, name: str) -> None:
        del self.jobs[name]
        self.pods.pop(name, None)

    def _touch(self, body: Json) -> None:
        self.version += 1
        if body is self.repository:
            self.version_of_repository = self.version
        body["metadata"]["resourceVersion"] = str(self.version)


def worker(state: Json) -> Json:
    return {"name": "worker", "state": state}


def text(time: datetime) -> str:
    return f"{time:%Y-%m-%dT%H:%M:%SZ}"


def option(job: Json, name: str) -> str:
    """Return the value of an option of the worker, "" without it."""
    words = job["spec"]["template"]["spec"]["containers"][0]["args"]
    return next((str(word).partition("=")[2] for word in words if word.startswith(f"--{name}=")), "")


def result(outcome: str, digest: int, url: str) -> str:
    facts = f',"commits":{digest},"newCommits":1,"refsDigest":"{digest}"' if outcome == "Succeeded" else ""
    facts += f',"url":"{url}"'
    return f'{{"version":1,"kind":"extract","outcome":"{outcome}","message":"it was {outcome}"{facts}}}'
