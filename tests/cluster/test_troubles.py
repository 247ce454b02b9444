"""
Every trouble that a user can meet, on a real cluster: what the status says, and that it heals without help.

Each has a namespace of its own, and all go on at the same time: a failed extraction is tried again after a minute.
Nobody asks for the run that heals: it is the retry, the next slot of the schedule, or what an edit of the spec starts.
"""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import datetime, timedelta
from uuid import uuid4

import pytest

from gitmart.contract.target_schema import schemas_of
from gitmart.controller.naming import job_name

from .client import condition_of, job, kstatus, restricted_pod
from .git_server import GitServer
from .operator_process import OperatorProcess
from .release import Release, secret
from .side_by_side import Stage, side_by_side, stage
from .troubles import CANARY, EVERY_MINUTE, LATER, NEXT_SLOT, PAUSE, STALLED, Json, Place, Scene
from .waiting import SOON, wait_for

pytestmark = [pytest.mark.slow, pytest.mark.xdist_group("release"), pytest.mark.timeout(900)]


@pytest.fixture(scope="module")
def scene(
    request: pytest.FixtureRequest, release: Release, git_server: GitServer, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Stage]:
    """All tests of this module, running."""
    made = Scene(release, git_server, tmp_path_factory.mktemp("troubles"))
    try:
        with stage(request, made) as running:
            yield running
    finally:
        made.end()


@contextmanager
def silent(server: GitServer) -> Iterator[None]:
    """Let a git host say nothing meanwhile."""
    server.silent = True
    try:
        yield
    finally:
        server.silent = False


def with_memory(limit: str) -> Json:
    return {"requests": {"cpu": "50m", "memory": "16Mi"}, "limits": {"memory": limit}}


# The run itself


@side_by_side
def test_a_run_that_needs_more_memory_than_its_limit(scene: Scene) -> None:
    place = scene.place("memory")
    place.repository(place.publish(), resources=with_memory("24Mi"))

    status = place.trouble("OOMKilled", "spec.resources.limits.memory", how=NEXT_SLOT)["status"]
    ended, due = (
        datetime.fromisoformat(text) for text in (status["lastExtraction"]["finishedAt"], status["nextExtractionTime"])
    )
    assert due >= ended + timedelta(hours=24)
    place.repository(place.url(), resources=with_memory("512Mi"))

    assert place.ready()["status"]["commits"] == 1
    place.is_calm(pods=2)


@side_by_side
def test_a_run_over_its_deadline(scene: Scene) -> None:
    place, server = scene.place("deadline"), scene.server("deadline")
    url = place.publish(server)
    with silent(server):
        place.repository(url, timeout="10s", interval="1m", jitter="0s")
        place.trouble("Timeout", "10s", how=NEXT_SLOT)

    assert place.ready(timeout=LATER)["status"]["commits"] == 1
    place.is_calm(pods=2)


# Secrets


@side_by_side
def test_a_namespace_without_the_secret_of_the_warehouse(scene: Scene) -> None:
    place = scene.place("no-secret", connected=False)
    place.repository(place.publish())
    place.schedule(schedule=EVERY_MINUTE)
    needed = f"of Secret gitmart-warehouse in namespace {place.namespace.name} is missing"
    found = place.trouble("SecretMissing", f"key extract-url {needed}")
    assert kstatus(found) == "InProgress", "it is tried again"
    assert found["status"]["consecutiveFailures"] == 1
    assert found["status"]["nextExtractionTime"] > condition_of(found, "Ready")["lastTransitionTime"]
    place.failed_run("SecretMissing", f"key transform-url {needed}", timeout=LATER)

    scene.release.connect(place.namespace)

    found = place.ready(timeout=LATER)
    assert (found["status"]["commits"], found["status"]["consecutiveFailures"], kstatus(found)) == (1, 0, "Current")
    place.good_run(LATER)
    place.rest()
    place.is_calm(pods=12, told=16)


@side_by_side
def test_a_secret_of_the_warehouse_without_the_key(scene: Scene) -> None:
    place = scene.place("no-key", connected=False)
    place.namespace.apply(secret("gitmart-warehouse", {"url": f"postgresql://someone:{CANARY}@nowhere/gitmart"}))
    place.repository(place.publish())
    place.trouble("SecretMissing", "key extract-url of Secret gitmart-warehouse")

    scene.release.connect(place.namespace)

    place.ready(timeout=LATER)
    place.is_calm(pods=3)


@side_by_side
def test_a_wrong_password_of_the_warehouse(scene: Scene) -> None:
    place = scene.place("bad-password", connected=False)
    right = scene.release.secret()["extract-url"]
    user, _, rest = right.partition("@")
    wrong = f"{user.rpartition(':')[0]}:{CANARY}@{rest}"
    place.namespace.apply(secret("gitmart-warehouse", {"extract-url": wrong}))
    place.repository(place.publish())
    place.trouble("AuthenticationFailed", "PostgreSQL: ", "password authentication failed")

    scene.release.connect(place.namespace)

    place.ready(timeout=LATER)
    place.is_calm(pods=3)


@side_by_side
def test_a_secret_of_the_warehouse_that_is_no_address(scene: Scene) -> None:
    place = scene.place("no-address", connected=False)
    place.namespace.apply(secret("gitmart-warehouse", {"extract-url": f"password={CANARY} ="}))
    place.repository(place.publish())
    place.trouble("SecretInvalid", "key extract-url of Secret gitmart-warehouse", "is not a connection URL")

    scene.release.connect(place.namespace)

    place.ready(timeout=LATER)
    place.is_calm(pods=3)


@side_by_side
def test_credentials_for_the_git_host_that_are_missing(scene: Scene) -> None:
    place = private(scene, "private")
    place.trouble("SecretMissing", f"Secret git in namespace {place.namespace.name} is missing or empty")
    heals_with(place, {"token": f"good-{CANARY}"})


@side_by_side
def test_credentials_that_the_git_host_refuses(scene: Scene) -> None:
    place = private(scene, "private-wrong", {"token": f"bad-{CANARY}"})
    place.trouble("AuthenticationFailed", "private-wrong.git.test")
    heals_with(place, {"token": f"good-{CANARY}"})


@side_by_side
def test_half_of_the_credentials_for_the_git_host(scene: Scene) -> None:
    place = private(scene, "private-half", {"password": f"good-{CANARY}"})
    place.trouble(
        "SecretInvalid", "Secret git", "holds the keys password: an https:// address takes username and password"
    )
    heals_with(place, {"username": "x-access-token", "password": f"good-{CANARY}"})


def private(scene: Scene, name: str, credentials: dict[str, str] | None = None) -> Place:
    """Return where a Repository needs credentials, and the Secret git has these; without any there is no Secret."""
    place = scene.place(name)
    scene.git_server.protect(name, password=("x-access-token", f"good-{CANARY}"))
    if credentials:
        place.secret("git", credentials)
    place.repository(place.publish(), secretRef={"name": "git"})
    return place


def heals_with(place: Place, credentials: dict[str, str]) -> None:
    """Put the Secret git right, and expect no more than that to be needed, and no credentials to show anywhere."""
    place.secret("git", credentials)
    place.ready(timeout=LATER)
    place.is_calm(pods=3)
    assert CANARY not in place.namespace.kubectl("get", "repositories,jobs,pods,events", "-o", "yaml")
    assert CANARY not in "".join(place.namespace.logs(each["metadata"]["name"]) for each in place.jobs())


# The git host


@side_by_side
def test_a_git_host_that_is_down(scene: Scene) -> None:
    place, server = scene.place("down"), scene.server("down")
    url = place.publish(server)
    server.down = True
    place.repository(url)
    place.trouble("HostUnreachable", "down.git.test")

    server.down = False

    place.ready(timeout=LATER)
    place.is_calm(pods=3)


@side_by_side
def test_a_git_host_that_goes_away_between_two_looks(scene: Scene) -> None:
    place, server = scene.place("away"), scene.server("away")
    place.repository(place.publish(server), interval="1m", jitter="0s")
    place.ready()
    server.down = True
    place.trouble("HostUnreachable", "away.git.test", timeout=LATER)

    server.down = False

    place.ready(timeout=LATER)
    place.is_calm(pods=2)


@side_by_side
def test_a_git_host_that_no_name_server_knows(scene: Scene) -> None:
    place = scene.place("nowhere")
    place.repository("https://nowhere.invalid/project.git")
    place.trouble("HostUnreachable", "nowhere.invalid")
    place.is_calm(pods=2)


@side_by_side
def test_a_git_host_in_a_private_network(scene: Scene) -> None:
    """That allowing the network is enough to heal it, test_own_release.py shows: it is a setting of the release."""
    place = scene.place("inside")
    place.repository("https://kubernetes.default.svc/some/project.git")
    found = place.trouble("AddressNotAllowed", "kubernetes.default.svc has the address", "git.allowedNetworks")
    assert kstatus(found) == "InProgress", "it is tried again"
    place.is_calm(pods=2)


@side_by_side
def test_a_repository_that_does_not_exist_yet(scene: Scene) -> None:
    place = scene.place("unpublished")
    place.repository(place.url())
    place.trouble("NotFound", place.url())

    place.publish()

    place.ready(timeout=LATER)
    place.is_calm(pods=3)


# The warehouse


@side_by_side
def test_a_warehouse_that_nobody_listens_for(scene: Scene) -> None:
    place = scene.place("closed", connected=False)
    closed = dict.fromkeys(("extract-url", "transform-url"), "postgresql://someone@127.0.0.1:1/gitmart")
    place.namespace.apply(secret("gitmart-warehouse", closed))
    place.repository(place.publish())
    place.schedule(schedule=EVERY_MINUTE)
    place.trouble("WarehouseUnreachable", "PostgreSQL: ", "127.0.0.1", "port 1")
    place.failed_run("WarehouseUnreachable", "127.0.0.1", timeout=LATER)

    scene.release.connect(place.namespace)

    place.ready(timeout=LATER)
    place.good_run(LATER)
    place.rest()
    place.is_calm(pods=12, told=16)


# Runs of dbt


@side_by_side
def test_a_dbt_test_that_fails(scene: Scene) -> None:
    place = scene.place("bad-data")
    place.repository(place.publish())
    place.ready()
    of_it = f"repository_id = (select id from repositories where url = '{place.url()}')"
    scene.release.query(f"update repository_contributors set commit_count = commit_count + 1 where {of_it}")
    place.schedule(schedule=EVERY_MINUTE, select=["+test_reconciliation"])
    found = place.failed_run("DataFailed", "test_reconciliation", timeout=LATER)
    assert found["status"]["lastRun"]["failed"] == 1

    scene.release.query(f"update repository_contributors set commit_count = commit_count - 1 where {of_it}")

    assert place.good_run(LATER)["status"]["lastRun"]["failed"] == 0
    place.rest()
    place.is_calm(pods=8, told=12)


@side_by_side
def test_a_dbt_run_that_needs_more_memory_than_its_limit(scene: Scene) -> None:
    place = scene.place("dbt-memory")
    place.schedule(resources=with_memory("40Mi"))
    place.ready("dbtschedules")
    place.run_now("dbtschedule", "little")
    place.failed_run("OOMKilled", "spec.resources.limits.memory")

    place.schedule(resources=with_memory("512Mi"))
    place.run_now("dbtschedule", "enough")

    assert place.good_run()["status"]["lastHandledRequest"] == "enough"
    place.is_calm(pods=2)


@side_by_side
def test_a_selection_that_matches_nothing(scene: Scene) -> None:
    place = scene.place("nothing")
    place.schedule(schedule=EVERY_MINUTE, select=["no_such_model"])
    place.failed_run("NothingSelected", "no_such_model", timeout=LATER)

    place.schedule(schedule=EVERY_MINUTE)

    place.good_run(LATER)
    place.rest()
    place.is_calm(pods=8, told=12)


# More than one for the same


@side_by_side
def test_two_repositories_with_one_url(scene: Scene) -> None:
    place = scene.place("twins")
    url = place.publish()
    place.repository(url, "older")
    place.ready(name="older")
    place.repository(url.removesuffix(".git"), "younger")
    place.trouble("DuplicateURL", f"{place.namespace.name}/older", how=STALLED, name="younger")
    assert len(place.jobs()) == 1

    place.namespace.kubectl("delete", "repository", "older")

    place.ready(name="younger")
    place.is_calm(pods=2)


@side_by_side
def test_two_schedules_for_one_target(scene: Scene) -> None:
    place = scene.place("rivals")
    place.schedule("older")
    place.ready("dbtschedules", name="older")
    place.schedule("younger")
    told = f"{place.namespace.name}/older is older and writes schema analytics"
    place.trouble("TargetConflict", told, how=STALLED, kind="dbtschedules", name="younger")
    place.run_now("dbtschedule", "in-vain", "younger")

    place.namespace.kubectl("delete", "dbtschedule", "older")

    place.ready("dbtschedules", name="younger")
    place.when("dbtschedules", lambda found: found["status"].get("lastHandledRequest") == "in-vain", name="younger")
    place.is_calm(pods=1)


@side_by_side
def test_a_schema_for_dbt_that_nobody_made(scene: Scene) -> None:
    place, schema = scene.place("elsewhere"), f"elsewhere_{uuid4().hex[:8]}"
    place.schedule("first")
    place.ready("dbtschedules", name="first")
    place.schedule(schedule=EVERY_MINUTE, target={"schema": schema})
    place.ready("dbtschedules")  # another schema of the same warehouse is no conflict
    cure = f"run `gitmart migrate --target-schema {schema}` with the owner's connection"
    place.failed_run("WarehouseNotMigrated", f"schema {schema} is not there", cure, timeout=LATER)

    for name in schemas_of(schema):  # as `gitmart migrate` does it; that its Job does is seen in test_own_release.py
        scene.release.query(f"create schema {name}; grant usage, create on schema {name} to gitmart_transform")

    place.good_run(timeout=LATER)
    place.rest()
    built = f"select viewname from pg_views where schemaname = '{schema}_staging'"
    assert scene.release.query(built) == [["stg_contributors"]]


# A spec that is wrong, then right


@side_by_side
def test_a_pod_template_that_the_api_server_refuses(scene: Scene) -> None:
    place = scene.place("refused")
    operator = {"key": "disk", "operator": "Near"}
    required = {"nodeSelectorTerms": [{"matchExpressions": [operator]}]}
    affinity = {"nodeAffinity": {"requiredDuringSchedulingIgnoredDuringExecution": required}}
    place.repository(place.publish(), podTemplate={"affinity": affinity})
    place.schedule(podTemplate={"labels": {"team": "not a label"}})
    place.trouble("InvalidPodTemplate", "the Job refused-", "nodeAffinity", "operator", how=STALLED)
    place.trouble(
        "InvalidPodTemplate", "the CronJob refused is refused", "not a label", how=STALLED, kind="dbtschedules"
    )

    place.repository(place.url())
    place.schedule()

    place.ready()
    place.ready("dbtschedules")
    place.is_calm(pods=1)


@side_by_side
def test_a_pod_template_of_another_shape(scene: Scene) -> None:
    place = scene.place("misshapen")
    place.repository(place.publish(), podTemplate={"affinity": {"nodeAffinity": "near"}})
    place.schedule(podTemplate={"affinity": {"nodeAffinity": {"near": True}}})
    place.trouble("InvalidPodTemplate", "nodeAffinity", how=STALLED)
    place.trouble("InvalidPodTemplate", "near", how=STALLED, kind="dbtschedules")

    place.repository(place.url())
    place.schedule()

    place.ready()
    place.ready("dbtschedules")
    place.is_calm(pods=1)


@side_by_side
def test_a_time_zone_that_does_not_exist(scene: Scene) -> None:
    place = scene.place("atlantis")
    place.repository(place.publish(), interval=None, schedule="0 6 * * *", timeZone="Europe/Atlantis")
    place.schedule(timeZone="Europe/Atlantis")
    place.trouble("InvalidSpec", "spec.timeZone", "Europe/Atlantis", how=STALLED)
    place.trouble("InvalidSpec", "spec.timeZone", "Europe/Atlantis", how=STALLED, kind="dbtschedules")

    place.repository(place.url(), interval=None, schedule="0 6 * * *", timeZone="Europe/Berlin")
    place.schedule(timeZone="Europe/Berlin")

    place.ready()
    place.ready("dbtschedules")
    place.is_calm(pods=1)


# A pod that does not get to work


@side_by_side
def test_an_image_that_does_not_exist(scene: Scene) -> None:
    place = scene.place("image", other_operator=True)
    certificates = scene.folder / "git-ca.pem"
    certificates.write_text(scene.git_server.ca_pem)
    wrong = "localhost/gitmart:no-such-version"
    settings = {
        "GITMART_IMAGE": wrong,
        "GITMART_ALLOWED_NETWORKS": f"{scene.git_server.address}/32",
        "GITMART_GIT_CA_FILE": str(certificates),
    }
    operator = OperatorProcess(place.namespace.cluster.kubeconfig, place.namespace.name, scene.folder, settings)
    operator.start()
    try:
        place.repository(place.publish())
        place.trouble("ImagePullFailed", "the image cannot be pulled", wrong)
        assert operator.end() == 0, operator.log

        operator.settings = settings | {"GITMART_IMAGE": place.namespace.cluster.image}
        operator.start()

        place.ready(timeout=LATER)
    finally:
        if operator.exit_code is None:
            operator.end()
    place.is_calm(pods=2)


@side_by_side
def test_a_node_that_nobody_has(scene: Scene) -> None:
    place = scene.place("lonely")
    nowhere = {"nodeSelector": {"disk": "none-like-it"}}
    place.repository(place.publish(), podTemplate=nowhere)
    place.schedule(schedule=EVERY_MINUTE, podTemplate=nowhere)
    place.trouble("Unschedulable", "no node takes the pod", "didn't match")
    place.failed_run("Unschedulable", "no node takes the pod", timeout=LATER)

    place.repository(place.url())
    place.schedule(schedule=EVERY_MINUTE)

    place.ready()
    place.good_run(LATER)
    place.rest()
    place.is_calm(pods=6, told=16)


@side_by_side
def test_a_priority_class_that_does_not_exist_yet(scene: Scene) -> None:
    place = scene.place("priority")
    name = f"gitmart-test-{place.namespace.name}"
    place.repository(place.publish(), podTemplate={"priorityClassName": name})
    place.trouble("PodRefused", "no pod can be made", name)

    place.namespace.apply(
        {"apiVersion": "scheduling.k8s.io/v1", "kind": "PriorityClass", "metadata": {"name": name}, "value": 1}
    )
    try:
        place.ready()
    finally:
        place.namespace.kubectl("delete", "priorityclass", name)
    place.is_calm(pods=1)


@side_by_side
def test_a_quota_without_room_for_a_pod(scene: Scene) -> None:
    place = scene.place("pod-quota")
    place.namespace.apply(quota({"pods": "0"}))
    place.repository(place.publish())
    place.trouble("PodRefused", "no pod can be made", "exceeded quota: little")

    place.namespace.kubectl("delete", "resourcequota", "little")

    place.ready()
    place.is_calm(pods=1)


@side_by_side
def test_a_quota_without_room_for_a_job(scene: Scene) -> None:
    place = scene.place("job-quota")
    place.namespace.apply(quota({"count/jobs.batch": "0", "count/cronjobs.batch": "0"}))
    # The API server reads quotas only now and then.
    wait_for(lambda: "hard" in place.namespace.get("resourcequota", "little").get("status", {}), SOON, pause=PAUSE)
    place.repository(place.publish())
    place.schedule()
    place.trouble("Forbidden", "the Job job-quota-", "exceeded quota: little")
    place.trouble("Forbidden", "the CronJob job-quota is refused", "exceeded quota", kind="dbtschedules")

    place.namespace.kubectl("delete", "resourcequota", "little")

    place.ready(timeout=LATER)
    place.ready("dbtschedules", timeout=LATER)
    place.is_calm(pods=1)


def quota(hard: Json) -> Json:
    return {"apiVersion": "v1", "kind": "ResourceQuota", "metadata": {"name": "little"}, "spec": {"hard": hard}}


# What people do to Jobs, pods and CronJobs


@side_by_side
def test_a_job_and_then_a_pod_deleted_by_hand(scene: Scene) -> None:
    place, server = scene.place("deleted"), scene.server("deleted")
    url = place.publish(server)
    with silent(server):
        place.repository(url, timeout="10m", retries=1)
        wait_for(lambda: list(place.runs()), SOON, pause=PAUSE)
        (only,) = place.jobs()
        place.namespace.kubectl("delete", "job", only["metadata"]["name"])
        place.trouble("ResultLost", "the Job was deleted before its end was seen: it is repeated")
        (second,) = wait_for(place.jobs, LATER, pause=PAUSE)
        # The first one's pod may still be ending.
        (pod,) = wait_for(lambda: [each for each in place.runs() if job_of(each) == second["metadata"]["name"]], SOON)
        # Before a worker can hear SIGTERM it is killed, which says nothing of why and so ends its Job.
        wait_for(lambda: "phase" in place.namespace.kubectl("logs", pod["metadata"]["name"]), SOON, pause=PAUSE)
        place.namespace.kubectl("delete", "pod", pod["metadata"]["name"])

    place.ready()
    assert [each["metadata"]["name"] for each in place.jobs()] == [second["metadata"]["name"]]
    place.is_calm(pods=3)


def job_of(pod: Json) -> str:
    return str(pod["metadata"]["labels"]["batch.kubernetes.io/job-name"])


@side_by_side
def test_the_pod_of_a_dbt_run_deleted_in_the_middle(scene: Scene) -> None:
    """Its query ends with it: one that goes on would write while the next run builds."""
    place = scene.place("dbt-deleted")
    slow = "{{ config(materialized='table') }}\nselect pg_sleep(591)::text as slept\n"
    place.namespace.apply(
        {"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "slow"}, "data": {"slow.sql": slow}}
    )
    place.schedule(project={"configMap": {"name": "slow"}}, select=["slow"])
    place.ready("dbtschedules")
    place.run_now("dbtschedule", "slowly")
    sleeping = "select pid from pg_stat_activity where query like '%pg_sleep(591)%' and pid <> pg_backend_pid()"
    wait_for(lambda: scene.release.query(sleeping), LATER, pause=PAUSE)
    (pod,) = place.runs()

    place.namespace.kubectl("delete", "pod", pod["metadata"]["name"])

    last = place.when("dbtschedules", lambda found: "lastRun" in found["status"])["status"]["lastRun"]
    assert (last["outcome"], last["message"]) == ("Cancelled", "stopped by SIGTERM: what was finished stays")
    place.told("Cancelled")
    assert scene.release.query(sleeping) == []
    place.schedule()
    place.run_now("dbtschedule", "again")
    assert place.good_run()["status"]["lastHandledRequest"] == "again"
    place.is_calm(pods=3)


@side_by_side
def test_a_pod_that_fills_its_volume(scene: Scene) -> None:
    place, server = scene.place("full"), scene.server("full")
    url = place.publish(server)
    with scene.long, silent(server):
        place.repository(url, timeout="10m", interval="1m", jitter="0s")
        (pod,) = wait_for(lambda: list(place.runs()), SOON, pause=PAUSE)
        fill = ("dd", "if=/dev/zero", "of=/tmp/full", "bs=1M", "count=300")
        place.namespace.kubectl("exec", pod["metadata"]["name"], "--", *fill)
        place.trouble("Evicted", "the pod was evicted: ", '"tmp"', "256Mi", how=NEXT_SLOT, timeout=LATER)

    place.ready(timeout=LATER)
    place.is_calm(pods=2)


@side_by_side
def test_a_cron_job_edited_and_deleted_by_hand(scene: Scene) -> None:
    place = scene.place("crooked")
    place.schedule()
    place.ready("dbtschedules")

    place.namespace.kubectl("patch", "cronjob", "crooked", "-p", '{"spec": {"schedule": "1 1 1 1 *"}}')
    cron_job_is(place, "0 0 1 1 *")
    place.namespace.kubectl("delete", "cronjob", "crooked")
    cron_job_is(place, "0 0 1 1 *")

    place.ready("dbtschedules")
    place.is_calm(pods=0)


def cron_job_is(place: Place, schedule: str) -> None:
    """Wait until the CronJob has that schedule."""

    def look() -> bool:
        cron_jobs = place.namespace.list("cronjobs")
        return [each["spec"]["schedule"] for each in cron_jobs] == [schedule]

    wait_for(look, SOON, lambda: place.namespace.describe("dbtschedule", place.name), PAUSE)


@side_by_side
def test_objects_of_the_name_that_are_not_ours(scene: Scene) -> None:
    place = scene.place("foreign")
    pod = restricted_pod("localhost/none:1", command=["true"])
    foreign = {"schedule": "0 0 1 1 *", "suspend": True, "jobTemplate": {"spec": job("any", pod)["spec"]}}
    place.namespace.apply(
        {"apiVersion": "batch/v1", "kind": "CronJob", "metadata": {"name": "foreign"}, "spec": foreign}
    )
    place.repository(place.publish())
    uid = place.ready()["metadata"]["uid"]
    name = job_name("foreign", uid, "request-again")
    place.namespace.apply(job(name, pod) | {"spec": job(name, pod)["spec"] | {"suspend": True}})
    place.schedule()
    place.run_now("repository", "again")
    place.trouble("ForeignJob", name)
    place.trouble("ForeignCronJob", "a CronJob named foreign", kind="dbtschedules")
    assert place.namespace.get("cronjob", "foreign")["spec"]["jobTemplate"]["spec"] != {}

    place.namespace.kubectl("delete", "job", name)
    place.namespace.kubectl("delete", "cronjob", "foreign")

    place.ready(timeout=LATER)
    place.ready("dbtschedules", timeout=LATER)
    place.is_calm(pods=2)


@side_by_side
def test_a_namespace_deleted_while_something_runs(scene: Scene) -> None:
    place, server = scene.place("doomed"), scene.server("doomed")
    url = place.publish(server)
    with scene.long, silent(server):
        place.repository(url, timeout="10m")
        place.repository(url + "/other", "stuck", podTemplate={"nodeSelector": {"disk": "none-like-it"}})
        place.schedule()
        wait_for(lambda: list(place.runs()), SOON, pause=PAUSE)
        place.trouble("Unschedulable", name="stuck")

        place.namespace.kubectl("delete", "namespace", place.namespace.name, "--timeout=2m")

    def told_of() -> int:
        return sum(place.namespace.name in line for line in scene.release.operator_log().splitlines())

    before = told_of()
    time.sleep(20)  # an error that never ends is repeated after 1, 2, 4, 8 … s
    assert told_of() == before
    assert before < 10, scene.release.operator_log()
