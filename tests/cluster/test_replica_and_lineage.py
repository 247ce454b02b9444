"""
dbt in a PostgreSQL of its own, and events to a collector: both in the cluster, as an administrator sets them up.

A release of their own serves them, with few and small pods; the two go on at the same time.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import ExitStack
from dataclasses import dataclass
from typing import Any
from uuid import uuid4

import pytest
import yaml
from tests.conftest import Repository

from .client import Namespace, condition_of, restricted_pod
from .environment.places import PROJECT
from .git_server import GitServer
from .release import CHART, OURS, SMALL, Release, secret, small_values
from .side_by_side import Stage, side_by_side, stage
from .troubles import CANARY, PAUSE, Place, Scene
from .waiting import SOON, wait_for

pytestmark = [pytest.mark.slow, pytest.mark.xdist_group("own_release"), pytest.mark.timeout(900)]

ADMINISTRATOR = f"{CANARY}-administrator"  # a password, as the others
OWNER = f"{CANARY}-owner"
LOGIN = f"{CANARY}-login"
KEY = f"{CANARY}-key"

# Prints what is posted, each event on a line. What is posted to /refusing it does not take.
COLLECTOR = """
import http.server, json

class Handler(http.server.BaseHTTPRequestHandler):
    def do_POST(self):
        body = self.rfile.read(int(self.headers["Content-Length"]))
        refusing = self.path.startswith("/refusing")
        known = {"path": self.path, "authorization": self.headers["Authorization"], "event": json.loads(body)}
        print(json.dumps(known), flush=True)
        self.send_response(403 if refusing else 201)
        self.send_header("Content-Length", "0")
        self.end_headers()
    def log_message(self, *_):
        pass

http.server.ThreadingHTTPServer(("", 5000), Handler).serve_forever()
"""


@dataclass
class Parts:
    """What the tests share: a release, the server of its replica, and a namespace for each of them."""

    release: Release
    common: Scene
    replicated: Place
    told: Place

    def on_replica(self, statement: str, database: str = "gitmart") -> list[list[str]]:
        """Run SQL on the replica as its administrator and return the rows, each value as text."""
        words = ("psql", "--username=postgres", "--no-psqlrc", "--tuples-only", "--no-align", "--field-separator=\t")
        printed = self.release.namespace.kubectl("exec", "replica", "--", *words, f"--command={statement}", database)
        return [line.split("\t") for line in printed.splitlines()]

    def url(self, user: str, password: str, *, source: bool = False) -> str:
        """Return a connection URL of the replica, or of the release's own PostgreSQL, as every pod reaches it."""
        host = f"{self.release.fullname}-postgresql" if source else "replica"
        return f"postgresql://{user}:{password}@{host}.{self.release.namespace.name}.svc:5432/gitmart"

    def metric(self, name: str, place: Place) -> list[float]:
        """Return the values of the operator's metric about a resource."""
        service = f"services/{self.release.operator}:http/proxy/metrics"
        path = f"/api/v1/namespaces/{self.release.namespace.name}/{service}"
        lines = self.release.cluster.kubectl("get", "--raw", path).splitlines()
        about = f'namespace="{place.namespace.name}"'
        return [float(line.split()[-1]) for line in lines if line.startswith(f"{name}{{") and about in line]


@pytest.fixture(scope="module")
def scene(
    request: pytest.FixtureRequest, release: Release, git_server: GitServer, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Stage]:
    """
    All tests of this module, running side by side on a release that works in their namespaces alone.

    It comes after everybody's: before that one is made, all that an earlier run has left is deleted.
    """
    cluster = release.cluster
    namespace = cluster.namespace(f"release-replicated-{uuid4().hex[:6]}")
    release = Release(cluster, namespace, name="replicated")
    made = Scene(release, git_server, tmp_path_factory.mktemp("replica-and-lineage"))
    with ExitStack() as held:
        held.callback(made.end)
        namespace.create(**{OURS: "true"})
        held.callback(release.remove)
        release.make_volume()
        start_server(namespace)
        places = [made.place(name, connected=False, other_operator=True) for name in ("replicated", "told")]
        release.install(small_values(cluster, git_server, [place.namespace.name for place in places]))
        for place in places:
            release.connect(place.namespace)
        parts = Parts(release, made, *places)
        prepare(parts)
        # A release that is there becomes a source: its server starts again, and the Job tries until it can.
        values = CHART / "ci" / "replica-values.yaml"
        release.helm("upgrade", release.name, str(CHART), "--reset-then-reuse-values", f"--values={values}")
        release.wait_until_ready()
        with stage(request, parts) as running:
            yield running


def start_server(namespace: Namespace) -> None:
    """Have a PostgreSQL `replica` that is nobody's yet."""
    folders = {"data": "/var/lib/postgresql", "run": "/var/run/postgresql", "tmp": "/tmp"}  # noqa: S108 # a pod's own
    pod = restricted_pod(
        namespace.cluster.postgres_image,
        env=[
            {"name": "POSTGRES_PASSWORD", "value": ADMINISTRATOR},
            {"name": "PGDATA", "value": "/var/lib/postgresql/pgdata"},
        ],
        args=["postgres", "-c", "shared_buffers=32MB", "-c", "wal_retrieve_retry_interval=500ms"],
        resources=SMALL,
        readinessProbe={
            "exec": {"command": ["pg_isready", "--quiet", "--host=127.0.0.1", "--username=postgres"]},
            "periodSeconds": 1,
        },
        volumeMounts=[{"name": name, "mountPath": path} for name, path in folders.items()],
    )
    pod["volumes"] = [{"name": name, "emptyDir": {}} for name in folders]
    pod["securityContext"] |= {"runAsUser": 999, "runAsGroup": 999, "fsGroup": 999}
    namespace.apply(*served("replica", 5432, pod))


def served(name: str, port: int, pod: dict[str, Any]) -> tuple[dict[str, Any], dict[str, Any]]:
    """Return a pod and the Service that leads to it."""
    metadata = {"name": name, "labels": {"app": name}}
    service = {"selector": {"app": name}, "ports": [{"port": port}]}
    return (
        {"apiVersion": "v1", "kind": "Pod", "metadata": metadata, "spec": pod},
        {"apiVersion": "v1", "kind": "Service", "metadata": {"name": name}, "spec": service},
    )


def prepare(parts: Parts) -> None:
    """Do what docs/replication.md leaves to the administrator: the replica's owner and database, and the Secrets."""
    parts.release.namespace.wait_for_condition("pod", "replica", "Ready", timeout=SOON)
    parts.on_replica(f"create role gitmart_owner login createrole password '{OWNER}'", "postgres")
    parts.on_replica("create database gitmart owner gitmart_owner", "postgres")
    workers = {
        f"{role}-url": parts.url(f"gitmart_{role}", f"{CANARY}-{role}") for role in ("transform", "read")
    }  # fmt: skip
    administrator = parts.release.secret(f"{parts.release.fullname}-postgresql")["postgres-password"]
    both = {
        "owner-url": parts.url("gitmart_owner", OWNER),
        "replica-url": parts.url("postgres", ADMINISTRATOR),  # before PostgreSQL 16 a subscription takes a superuser
        "source-url": parts.url("postgres", administrator, source=True),
        "replication-url": parts.url("gitmart_replicate", LOGIN, source=True),
    }
    parts.release.namespace.apply(secret("gitmart-replica", workers | both))
    parts.replicated.secret("gitmart-replica", {"transform-url": workers["transform-url"]})


def replicate(parts: Parts, *words: str) -> str:
    """Run `gitmart replicate` as examples/jobs/replicate.yaml does; return what it prints."""
    job = yaml.safe_load((PROJECT / "examples" / "jobs" / "replicate.yaml").read_text(encoding="utf-8"))
    pod = job["spec"]["template"]
    pod["metadata"]["labels"]["app.kubernetes.io/instance"] = parts.release.name
    pod["spec"]["containers"][0] |= {"image": parts.release.cluster.image, "args": ["replicate", *words]}
    namespace, name = parts.release.namespace, job["metadata"]["name"]
    namespace.apply(job)
    namespace.wait_for_condition("job", name, "Complete", timeout=SOON)
    printed = namespace.logs(name)
    namespace.kubectl("delete", "job", name)
    return printed


def until_there(parts: Parts, commits: int) -> None:
    """Wait until the replica has as many commits."""

    def has_come() -> bool:
        return parts.on_replica("select count(*) from commits") == [[str(commits)]]

    wait_for(has_come, SOON, pause=PAUSE)


def push(parts: Parts, history: Repository, word: str) -> None:
    """Add a commit to what the git host has for the Repository."""
    history.write("file", f"{word}\n")
    history.commit(word, "Author One <one@example.org>")
    parts.common.git_server.publish(history, parts.replicated.name)


@side_by_side
def test_dbt_builds_on_a_replica_and_says_so_while_nothing_comes(scene: Parts) -> None:
    place, release = scene.replicated, scene.release
    history = Repository(scene.common.folder / "history")
    push(scene, history, "first")
    place.repository(place.url())
    assert place.ready()["status"]["commits"] == 1
    until_there(scene, 1)

    bound = {"maxReplicationLag": "6h"}
    place.schedule(warehouseRef={"name": "gitmart-replica"}, freshness=bound, select=["+fct_commits"])
    place.run_now("dbtschedule", "first")
    last = place.good_run()["status"]["lastRun"]

    # The marts are there, and nowhere else.
    assert scene.on_replica("select count(*) from analytics.fct_commits") == [["1"]]
    assert release.query("select to_regclass('analytics.fct_commits') is null") == [["t"]]
    # How far behind it may be, in everybody's sight.
    wide = place.namespace.kubectl("get", "dbtschedules", "-o", "wide").splitlines()
    assert "LAG" in wide[0].split()
    assert last["replicationLag"] in wide[1].split()
    assert last["replicatedUntil"]
    (seconds,) = scene.metric("gitmart_dbtschedule_replication_lag_seconds", place)
    assert 0 <= seconds < SOON

    # While the stream is stopped nothing is built; with it comes what was missed.
    scene.on_replica("alter subscription gitmart_replica disable")
    push(scene, history, "second")
    place.run_now("repository", "second")
    place.run_now("dbtschedule", "second")
    place.failed_run("ReplicaNotReady", "is disabled or has no replication slot", "`gitmart replicate set-up`")
    place.when("repositories", lambda found: found["status"].get("commits") == 2)
    assert scene.on_replica("select count(*) from analytics.fct_commits") == [["1"]]
    scene.on_replica("alter subscription gitmart_replica enable")
    until_there(scene, 2)
    place.run_now("dbtschedule", "third")
    place.good_run()
    assert scene.on_replica("select count(*) from analytics.fct_commits") == [["2"]]

    # A stream that is gone is made anew by the Job that is documented.
    for step in ("disable", "set (slot_name = none)"):
        scene.on_replica(f"alter subscription gitmart_replica {step}")
    scene.on_replica("drop subscription gitmart_replica")
    place.run_now("dbtschedule", "fourth")
    place.failed_run("ReplicaNotReady", "no subscription brings the raw tables any more")
    assert "raw tables are replicated" in replicate(scene, "set-up", "--anew")
    assert "ready:        yes" in replicate(scene, "status", "--wait=60s")
    place.run_now("dbtschedule", "fifth")
    place.good_run()
    place.is_calm(pods=7, told=12)  # two extractions, five runs of dbt
    assert CANARY not in release.operator_log()


@side_by_side
def test_a_collector_hears_of_good_and_failing_runs_and_a_refusal_changes_none(scene: Parts) -> None:
    place = scene.told
    collector = restricted_pod(scene.release.cluster.image, command=["python", "-c", COLLECTOR], resources=SMALL)
    place.namespace.apply(*served("collector", 5000, collector))
    place.namespace.wait_for_condition("pod", "collector", "Ready", timeout=SOON)
    place.secret("lineage", {"api-key": KEY})
    url = f"http://collector.{place.namespace.name}.svc:5000"
    lineage = {"url": url, "secretRef": {"name": "lineage"}}

    def heard() -> list[dict[str, Any]]:
        return [json.loads(line) for line in place.namespace.kubectl("logs", "collector").splitlines()]

    def kinds(job: str, asked: list[dict[str, Any]]) -> list[str]:
        return [one["event"]["eventType"] for one in asked if one["event"]["job"]["name"] == job]

    place.schedule(openLineage=lineage)
    place.run_now("dbtschedule", "first")
    place.good_run()
    first = heard()
    assert {(one["path"], one["authorization"]) for one in first} == {("/api/v1/lineage", f"Bearer {KEY}")}
    assert {one["event"]["job"]["namespace"] for one in first} == {place.namespace.name}
    assert kinds("told", first) == kinds("told.gitmart.stg_contributors", first) == ["START", "COMPLETE"]
    outputs = {(each["namespace"], each["name"]) for one in first for each in one["event"]["outputs"]}
    server = f"{scene.release.fullname}-postgresql.{scene.release.namespace.name}.svc"
    assert outputs == {(f"postgres://{server}:5432", "gitmart.analytics_staging.stg_contributors")}

    broken = {"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "broken-marts"}}
    place.namespace.apply(broken | {"data": {"broken.sql": "{{ config(materialized='table') }} select 1/0 as x"}})
    project = {"configMap": {"name": "broken-marts", "items": [{"key": "broken.sql", "path": "models/broken.sql"}]}}
    chosen = ["stg_contributors", "+package:broken_marts"]
    place.schedule(openLineage=lineage, project=project, select=chosen)
    place.run_now("dbtschedule", "second")
    place.failed_run("DataFailed", "broken")
    second = heard()[len(first) :]
    assert kinds("told", second) == kinds("told.broken_marts.broken", second) == ["START", "FAIL"]
    assert kinds("told.gitmart.stg_contributors", second) == ["START", "COMPLETE"]
    end = next(one["event"] for one in second if one["event"]["eventType"] == "FAIL")
    assert "Database Error in model broken" in end["run"]["facets"]["errorMessage"]["message"]

    place.schedule(openLineage=lineage | {"url": f"{url}/refusing"})
    place.run_now("dbtschedule", "third")
    found = place.good_run()
    asked = heard()[len(first) + len(second) :]
    assert {one["path"] for one in asked} == {"/refusing"}
    said = place.namespace.kubectl("logs", f"job/{found['status']['lastRun']['job']}")
    assert "OpenLineage events were not accepted" in said
    assert "answered 403" in said
    assert {each["reason"] for each in found["status"]["conditions"]} <= {"Accepted", "Succeeded", "Fresh"}
    assert condition_of(found, "LastRunSucceeded")["status"] == "True"
    assert CANARY not in said + scene.release.operator_log()
