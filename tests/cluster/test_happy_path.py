"""The way of a user on a real cluster: apply, look, push, wait, query."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any
from uuid import uuid4

import pytest
from tests.conftest import Repository

from gitmart.workloads.pods import USER

from .client import Namespace, condition_of, job, kstatus
from .git_server import GitServer
from .release import OURS, Release, secret
from .side_by_side import Stage, side_by_side, stage
from .waiting import SOON, wait_for

pytestmark = [pytest.mark.xdist_group("release"), pytest.mark.timeout(900)]

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
        return self.git_server.url(name, host=f"{name}.git.test")

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

    @contextmanager
    def claim(self, name: str) -> Iterator[None]:
        """Have a claim, with a volume where the cluster makes none by itself."""
        cluster, own = self.namespace.cluster, f"{self.namespace.name}-{name}"
        spec: dict[str, Any] = {"accessModes": ["ReadWriteOnce"], "resources": {"requests": {"storage": "1Gi"}}}
        if (volumes := cluster.obtained.volumes) is not None:
            volume = {
                "capacity": {"storage": "1Gi"}, "accessModes": ["ReadWriteOnce"],
                "persistentVolumeReclaimPolicy": "Retain",
                "claimRef": {"namespace": self.namespace.name, "name": name},
                "hostPath": {"path": str(cluster.host_folder(own)), "type": "Directory"},
            }  # fmt: skip
            labels = {"name": own, "labels": {OURS: "true"}}
            self.namespace.apply({"apiVersion": "v1", "kind": "PersistentVolume", "metadata": labels, "spec": volume})
            spec |= {"storageClassName": "", "volumeName": own}
        claim = {"apiVersion": "v1", "kind": "PersistentVolumeClaim", "metadata": {"name": name}, "spec": spec}
        self.namespace.apply(claim)
        try:
            yield
        finally:
            self.namespace.kubectl("delete", "persistentvolumeclaim", name, "--ignore-not-found", "--wait=false")
            if volumes is not None:
                cluster.kubectl("delete", "persistentvolume", own, "--ignore-not-found", "--wait=false")
                shutil.rmtree(volumes / own, ignore_errors=True)

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
    namespace.create(**{OURS: "true"})
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


def a_schedule(name: str, **spec: Any) -> dict[str, Any]:
    """Return a DbtSchedule whose time does not come."""
    metadata, spec = {"name": name}, {"schedule": NEVER} | spec
    return {"apiVersion": "gitmart.dev/v1alpha1", "kind": "DbtSchedule", "metadata": metadata, "spec": spec}


@side_by_side
def test_an_applied_repository_becomes_rows_and_a_status(scene: Scene) -> None:
    repository, url = scene.publish("applied", commits=5)

    manifest = json.dumps(a_repository("applied", url))
    created = json.loads(scene.namespace.kubectl("apply", "-o", "json", "-f", "-", stdin=manifest))
    assert kstatus(created) == "InProgress"
    scene.ready("applied")
    scene.namespace.kubectl("wait", "--for=condition=Ready", "--timeout=5s", "repository/applied")

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
    assert wait_for(lambda: "5 commits came, 0 went" in events_of(scene, "repository", "applied"), timeout=SOON)


@side_by_side
def test_a_push_is_read_at_a_request_and_nothing_else_is(scene: Scene) -> None:
    repository, url = scene.publish("pushed")
    scene.apply("pushed", url)
    scene.ready("pushed")
    before = scene.release.query(f"select commit_hash, c.id from commits as c {of(url)} order by c.id")

    scene.push(repository, "pushed", 2)
    scene.namespace.kubectl("annotate", "repository", "pushed", "gitmart.dev/requested-at=after-the-push")
    status = scene.when("pushed", lambda status: status["commits"] == 5)

    assert (status["lastExtraction"]["newCommits"], status["lastExtraction"]["removedCommits"]) == (2, 0)
    assert status["lastExtraction"]["fetch"] == "incremental"
    assert (status["lastHandledRequest"], status["head"]) == ("after-the-push", repository.git("rev-parse", "HEAD"))
    after = scene.release.query(f"select commit_hash, c.id from commits as c {of(url)} order by c.id")
    assert (after[:3], len(after)) == (before, 5)


@side_by_side
def test_where_nothing_is_new_the_host_is_asked_and_no_pod_started(scene: Scene) -> None:
    repository, url = scene.publish("quiet")
    scene.apply("quiet", url, interval="1m", jitter="0s")
    first = scene.ready("quiet")["status"]
    jobs, asked = scene.jobs("quiet"), scene.git_server.count("quiet")

    status = scene.when("quiet", lambda status: status["lastCheckTime"] > first["lastCheckTime"], NEXT_CHECK)

    assert status["lastExtraction"] == first["lastExtraction"]
    assert scene.jobs("quiet") == jobs
    assert scene.git_server.count("quiet") - asked == 2, "ls-remote asks for the capabilities and for the refs"
    assert condition_of(scene.namespace.get("repository", "quiet"), "Ready")["reason"] == "UpToDate"

    scene.push(repository, "quiet", 1)
    status = scene.when("quiet", lambda status: status["commits"] == 4, NEXT_CHECK)
    assert status["lastExtraction"]["newCommits"] == 1


@side_by_side
def test_a_run_happens_at_least_every_max_skip(scene: Scene) -> None:
    _, url = scene.publish("restless")
    scene.apply("restless", url, interval="1m", jitter="0s", maxSkip="1m")
    first = scene.ready("restless")["status"]["lastExtraction"]

    last = scene.when("restless", lambda status: status["lastExtraction"] != first, NEXT_CHECK)["lastExtraction"]

    assert (last["outcome"], last["newCommits"], last["job"] != first["job"]) == ("Succeeded", 0, True)


@side_by_side
def test_a_suspended_repository_rests_until_it_is_resumed(scene: Scene) -> None:
    _, url = scene.publish("resting")
    scene.apply("resting", url, suspend=True)
    found = scene.namespace.wait_for_condition("repository", "resting", "Ready", "Unknown")
    assert condition_of(found, "Ready")["reason"] == "Suspended"
    scene.namespace.kubectl("annotate", "repository", "resting", "gitmart.dev/requested-at=while-suspended")

    scene.namespace.kubectl("patch", "repository", "resting", "--type=merge", "-p", '{"spec": {"suspend": false}}')
    status = scene.ready("resting")["status"]

    assert (status["commits"], status["lastHandledRequest"]) == (3, "while-suspended")
    assert scene.git_server.count("resting") > 0
    assert len(scene.jobs("resting")) == 1, "one Job answers the request and the new generation"


@side_by_side
def test_private_repositories_are_read_with_each_kind_of_credentials(scene: Scene) -> None:
    kinds: dict[str, dict[str, str]] = {
        "by-password": {"username": "reader", "password": f"{CANARY}-password"},
        "by-token": {"token": f"{CANARY}-token"},
        "by-bearer": {"bearerToken": f"{CANARY}-bearer"},
    }
    for name, credentials in kinds.items():
        _, url = scene.publish(name)
        user = credentials.get("username", "x-access-token")
        word = credentials.get("password") or credentials.get("token")
        scene.git_server.protect(name, password=(user, word) if word else None, bearer=credentials.get("bearerToken"))
        scene.namespace.apply(secret(f"{name}-git", credentials))
        scene.apply(name, url, secretRef={"name": f"{name}-git"})

    assert {name: scene.ready(name)["status"]["commits"] for name in kinds} == dict.fromkeys(kinds, 3)
    seen = everything_to_see(scene)
    assert all(name in seen for name in kinds)
    assert CANARY not in seen
    urls = scene.release.secret() | scene.release.secret(f"{scene.release.fullname}-postgresql")
    passwords = {url.partition("@")[0].rpartition(":")[2] for url in urls.values()}
    assert len(passwords) == 5
    assert not [password for password in passwords if password in seen]


@side_by_side
def test_what_is_applied_again_under_another_name_goes_on(scene: Scene) -> None:
    repository, url = scene.publish("named")
    scene.apply("named", url)
    scene.ready("named")
    row = scene.release.query(f"select id from repositories where url = '{url}'")

    scene.namespace.kubectl("delete", "repository", "named")
    scene.push(repository, "named", 1)
    scene.apply("renamed", url)
    status = scene.ready("renamed")["status"]

    assert (status["commits"], status["lastExtraction"]["newCommits"]) == (4, 1)
    assert scene.release.query(f"select id from repositories where url = '{url}'") == row
    assert scene.jobs("named") == [], "the Jobs of a Repository go with it"


@side_by_side
def test_dbt_runs_after_extractions_on_request_by_hand_and_by_the_clock(scene: Scene) -> None:
    schedule = {
        "apiVersion": "gitmart.dev/v1alpha1",
        "kind": "DbtSchedule",
        "metadata": {"name": "analytics"},
        "spec": {
            "schedule": NEVER,
            "afterExtraction": {"selector": {"matchLabels": {"for": "dbt"}}, "debounce": "2s", "maxDelay": "1m"},
        },
    }
    created = json.loads(scene.namespace.kubectl("apply", "-o", "json", "-f", "-", stdin=json.dumps(schedule)))
    assert kstatus(created) == "InProgress"
    found = scene.namespace.wait_for_condition("dbtschedule", "analytics", "Ready")
    assert (kstatus(found), found["status"]["cronJob"]) == ("Current", "analytics")

    _, url = scene.publish("transformed")
    manifest = a_repository("transformed", url)
    scene.namespace.apply(manifest | {"metadata": {"name": "transformed", "labels": {"for": "dbt"}}})
    last = last_run_of(scene, lambda last: last)
    assert (last["outcome"], last["failed"], last["skipped"]) == ("Succeeded", 0, 0)
    assert last["succeeded"] > 40, "all models and their tests"
    commits = f"select commits from analytics.repository_summary where url = '{url}'"
    assert scene.release.query(commits) == [["3"]]
    found = scene.namespace.get("dbtschedule", "analytics")
    assert [condition_of(found, kind)["status"] for kind in ("Ready", "LastRunSucceeded", "SourcesFresh")] == [
        "True"
    ] * 3
    assert "pendingSince" not in found["status"]
    assert wait_for(lambda: "Succeeded" in events_of(scene, "dbtschedule", "analytics"), timeout=SOON)

    scene.namespace.kubectl("annotate", "dbtschedule", "analytics", "gitmart.dev/requested-at=now")
    asked = last_run_of(scene, lambda run: run["job"] != last["job"])
    assert asked["outcome"] == "Succeeded"
    assert scene.namespace.get("dbtschedule", "analytics")["status"]["lastHandledRequest"] == "now"

    scene.namespace.kubectl("create", "job", "by-hand", "--from=cronjob/analytics")
    assert last_run_of(scene, lambda run: run["job"] == "by-hand")["outcome"] == "Succeeded"

    every_minute = '{"spec": {"schedule": "* * * * *", "select": ["repository_summary"]}}'
    scene.namespace.kubectl("patch", "dbtschedule", "analytics", "--type=merge", "-p", every_minute)
    run = last_run_of(scene, lambda run: run["job"] != "by-hand", NEXT_CHECK)
    assert (run["outcome"], run["job"].startswith("analytics-")) == ("Succeeded", True)
    assert run["succeeded"] < last["succeeded"], "the selection is part of the CronJob"
    scene.namespace.kubectl("patch", "dbtschedule", "analytics", "--type=merge", "-p", '{"spec": {"suspend": true}}')
    scene.namespace.wait_for("cronjob", "analytics", lambda found: found["spec"]["suspend"])
    line = scene.namespace.kubectl("get", "dbtschedules", "--no-headers").split()
    assert line[:2] == ["analytics", "*"]


@side_by_side
def test_full_refreshes_have_a_cron_job_of_their_own_that_goes_with_its_field(scene: Scene) -> None:
    # All tests share a warehouse, and a target has one DbtSchedule to a namespace.
    namespace = scene.release.cluster.namespace(f"full-{uuid4().hex[:8]}")
    namespace.create(**{OURS: "true"})
    scene.release.connect(namespace)
    try:
        _full_refreshes(scene, namespace)
    finally:
        namespace.delete()


def _full_refreshes(scene: Scene, namespace: Namespace) -> None:
    select = "+fct_commits"
    namespace.apply(a_schedule("weekly", fullRefreshSchedule=NEVER, select=[select]))
    found = namespace.wait_for_condition("dbtschedule", "weekly", "Ready")
    status = found["status"]
    assert (status["cronJob"], status["fullRefreshCronJob"]) == ("weekly", "weekly-full")
    assert status["nextFullRefreshTime"] == status["nextScheduleTime"]

    namespace.kubectl("create", "job", "by-hand", "--from=cronjob/weekly-full")
    last = last_run_in(namespace, "weekly", lambda run: run["job"] == "by-hand")
    assert (last["outcome"], last["fullRefresh"]) == ("Succeeded", True)
    assert condition_of(namespace.get("dbtschedule", "weekly"), "LastRunSucceeded")["status"] == "True"
    ran = f"select full_refresh from dbt_meta.runs where invocation_id = '{last['invocationId']}'"
    assert scene.release.query(ran) == [["t"]]

    _all_at_once(scene, namespace, select)

    # One of the name with -full: who has the CronJob keeps it.
    namespace.apply(a_schedule("weekly-full", warehouseRef={"name": "another"}))
    refused = namespace.wait_for(
        "dbtschedule", "weekly-full", lambda found: condition_of(found, "Ready").get("reason") == "ForeignCronJob", SOON
    )
    assert "is that of DbtSchedule weekly" in condition_of(refused, "Ready")["message"]
    (owner,) = namespace.get("cronjob", "weekly-full")["metadata"]["ownerReferences"]
    assert owner["name"] == "weekly"
    namespace.kubectl("delete", "dbtschedule", "weekly-full")

    suspended = '{"spec": {"suspend": true}}'
    namespace.kubectl("patch", "dbtschedule", "weekly", "--type=merge", "-p", suspended)
    namespace.wait_for("cronjob", "weekly-full", lambda found: found["spec"]["suspend"])

    every_minute = '{"spec": {"suspend": false, "fullRefreshSchedule": "* * * * *"}}'
    namespace.kubectl("patch", "dbtschedule", "weekly", "--type=merge", "-p", every_minute)
    run = last_run_in(namespace, "weekly", lambda run: run["job"].startswith("weekly-full-"), NEXT_CHECK)
    assert (run["outcome"], run["fullRefresh"]) == ("Succeeded", True)

    without = '{"spec": {"fullRefreshSchedule": null}}'
    namespace.kubectl("patch", "dbtschedule", "weekly", "--type=merge", "-p", without)
    wait_for(lambda: [each["metadata"]["name"] for each in namespace.list("cronjobs")] == ["weekly"], timeout=SOON)
    found = namespace.wait_for("dbtschedule", "weekly", lambda found: "fullRefreshCronJob" not in found["status"], SOON)
    assert "nextFullRefreshTime" not in found["status"]
    # What it made stays, and belongs to the DbtSchedule from now on.
    wait_for(lambda: owners_of(namespace, run["job"]) == ["DbtSchedule"], timeout=SOON)


def _all_at_once(scene: Scene, namespace: Namespace, select: str) -> None:
    """By hand, as by the clock, from nothing and on request: one after another, and each with its own end."""
    ended = (
        "select full_refresh, outcome, finished_at < lead(finished_at, 1, 'infinity') over (order by id)"
        f" from dbt_meta.runs where selected = array['{select}'] and finished_at is not null order by id offset 1"
    )
    assert scene.release.query(ended) == []
    namespace.kubectl("create", "job", "at-once", "--from=cronjob/weekly")
    namespace.kubectl("create", "job", "at-once-full", "--from=cronjob/weekly-full")
    namespace.kubectl("annotate", "dbtschedule", "weekly", "gitmart.dev/requested-at=at-once")

    rows = wait_for(lambda: len(found := scene.release.query(ended)) == 3 and found, timeout=2 * SOON)
    assert sorted(rows) == [["f", "Succeeded", "t"], ["f", "Succeeded", "t"], ["t", "Succeeded", "t"]]

    def all_are_told(found: dict[str, Any]) -> bool:
        good = {run["job"] for run in found["status"]["history"] if run["outcome"] == "Succeeded"}
        return good >= {"at-once", "at-once-full"} and any(name.startswith("weekly-") for name in good)

    found = namespace.wait_for("dbtschedule", "weekly", all_are_told, SOON)
    assert found["status"]["lastHandledRequest"] == "at-once"


@side_by_side
def test_a_claim_keeps_what_was_fetched(scene: Scene) -> None:
    repository, url = scene.publish("cached")
    cache = {"persistentVolumeClaim": {"claimName": "git-cache"}}
    scene.apply("cached", url, cache=cache)
    found = scene.namespace.wait_for(
        "repository", "cached", lambda found: condition_of(found, "Ready").get("reason") == "VolumeMissing", SOON
    )
    assert "git-cache" in condition_of(found, "Ready")["message"]

    with scene.claim("git-cache"):
        first = scene.when("cached", lambda status: status.get("commits") == 3)["lastExtraction"]
        scene.push(repository, "cached", 2)
        scene.namespace.kubectl("annotate", "repository", "cached", "gitmart.dev/requested-at=after-the-push")
        second = scene.when("cached", lambda status: status["commits"] == 5)["lastExtraction"]
        scene.namespace.kubectl("delete", "repository", "cached", "--wait")

    assert (first["fetch"], first["fetchReason"]) == ("full", "the cache holds nothing yet")
    assert (second["fetch"], second["newCommits"]) == ("cached", 2)
    assert "cacheProblem" not in first | second


@side_by_side
def test_pods_of_jobs_are_confined(scene: Scene) -> None:
    _, url = scene.publish("confined")
    scene.apply("confined", url)
    scene.ready("confined")
    (made,) = scene.namespace.list("jobs", "gitmart.dev/repository=confined")
    pod = made["spec"]["template"]["spec"]
    (container,) = pod["containers"]
    (ran,) = scene.namespace.list("pods", "gitmart.dev/repository=confined")
    assert ran["spec"]["activeDeadlineSeconds"] == 3660
    assert set(ran["spec"]["containers"][0]["resources"]["limits"]) == {"cpu", "memory", "ephemeral-storage"}

    # The same pod with another program in it tells what a program in it may do.
    container["command"], container["args"] = ["python", "-c", PROBE], []
    scene.namespace.apply(job("probe", pod))
    scene.namespace.wait_for_condition("job", "probe", "Complete", timeout=SOON)

    assert json.loads(scene.namespace.logs("probe")) == {
        "user": USER, "group": USER, "root": "Read-only file system", "token": False, "privileges": "0" * 16,
    }  # fmt: skip


PROBE = """
import json, os
facts = {"user": os.getuid(), "group": os.getgid()}
try:
    open("/probe", "w")
except OSError as error:
    facts["root"] = error.strerror
facts["token"] = os.path.exists("/var/run/secrets/kubernetes.io")
facts["privileges"] = next(line.split()[1] for line in open("/proc/self/status") if line.startswith("CapBnd"))
print(json.dumps(facts))
"""


def of(url: str) -> str:
    """Return the part of a query that limits it to a repository."""
    return f"join repositories as r on r.id = c.repository_id where r.url = '{url}'"


def events_of(scene: Scene, kind: str, name: str) -> str:
    """Return what `kubectl describe` tells of the Events of an object."""
    return scene.namespace.kubectl("describe", kind, name).partition("\nEvents:")[2]


def owners_of(namespace: Namespace, job: str) -> list[str]:
    """Return the kinds of a Job's owners."""
    return [owner["kind"] for owner in namespace.get("job", job)["metadata"].get("ownerReferences", [])]


def last_run_of(scene: Scene, condition: Callable[[dict[str, Any]], object], timeout: float = SOON) -> dict[str, Any]:
    """Return the latest dbt run of `analytics` once the condition holds of it."""
    return last_run_in(scene.namespace, "analytics", condition, timeout)


def last_run_in(
    namespace: Namespace, name: str, condition: Callable[[dict[str, Any]], object], timeout: float = SOON
) -> dict[str, Any]:
    """Return the latest run of a DbtSchedule once the condition holds of it."""

    def holds(found: dict[str, Any]) -> bool:
        last = found["status"].get("lastRun")
        return last is not None and bool(condition(last))

    last: dict[str, Any] = namespace.wait_for("dbtschedule", name, holds, timeout)["status"]["lastRun"]
    return last


def everything_to_see(scene: Scene) -> str:
    """Return all that a person may look at but for the Secrets themselves: objects, events, logs."""
    shown = [scene.release.operator_log()]
    for namespace in (scene.namespace, scene.release.namespace):
        kinds = "pods,jobs,cronjobs,events,repositories,dbtschedules,configmaps,deployments,statefulsets"
        shown.append(namespace.kubectl("get", kinds, "-o", "yaml"))
        for pod in namespace.list("pods"):
            name = pod["metadata"]["name"]
            shown.append(f"{name}\n{scene.release.cluster.run('-n', namespace.name, 'logs', name, '--tail=-1').stdout}")
    return "\n".join(shown)
