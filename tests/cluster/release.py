"""
The chart, installed once for the whole run with default values but for what a cluster of our own lacks.

The release works in all namespaces, so a cluster has one at a time: pytest-xdist's workers share theirs, and another
test run waits until it is gone. A namespace with the label `OTHER_OPERATOR` is left alone by it.
"""

from __future__ import annotations

import base64
import json
import os
import shutil
import subprocess
import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any
from uuid import uuid4

import psutil
import pytest
import yaml

from gitmart.local.locks import held

from .client import Cluster, Namespace
from .environment.golang import tool
from .environment.obtain import Obtained
from .environment.places import PROJECT, Site, cache_folder
from .environment.progress import say
from .git_server import GitServer

CHART = PROJECT / "charts" / "gitmart"
NAME = "gitmart"
WAREHOUSE = "gitmart-warehouse"
HOOKS = "webhooks"  # the Secret with what signs webhooks
HOOK_SECRET = "canary7f3a-secret-of-the-webhooks"
OTHER_OPERATOR = "gitmart.test/other-operator"  # label of namespaces that are not the release's business
OURS = "gitmart.test/release"  # label of what goes with the release, at the latest
SMALL = {"requests": {"cpu": "50m", "memory": "128Mi"}, "limits": {"cpu": "1", "memory": "512Mi"}}
PATIENCE = 900.0  # seconds that one test run waits for the release of another
READY_WITHIN = 300.0  # seconds; an image store that is cold and two busy cores included


@dataclass(frozen=True)
class Release:
    """A release of the chart in a namespace of its own."""

    cluster: Cluster
    namespace: Namespace
    name: str = NAME

    @property
    def fullname(self) -> str:
        """What the names of its objects start with, as the chart has it."""
        return self.name if NAME in self.name else f"{self.name}-{NAME}"

    @property
    def operator(self) -> str:
        """Name of its Deployment, its service account and its roles."""
        return f"{self.fullname}-operator"

    @property
    def api(self) -> str:
        """Name of the API's Deployment, its Service and its service account."""
        return f"{self.fullname}-api"

    @property
    def user(self) -> str:
        """Who its operator is to the API server."""
        return f"system:serviceaccount:{self.namespace.name}:{self.operator}"

    def helm(self, *words: str, values: Mapping[str, Any] | None = None) -> str:
        """Run helm in the release's namespace, and return what it prints."""
        return helm(
            self.cluster, "--namespace", self.namespace.name, *words,
            *(() if values is None else ("--values", "-")), values=values,
        )  # fmt: skip

    def install(self, values: Mapping[str, Any], *words: str) -> None:
        """`helm install`; the definitions of the resources outlive releases, so whose they are is no matter."""
        self.helm("install", self.name, str(CHART), "--take-ownership", *words, values=values)

    def wait_until_ready(self, timeout: float = READY_WITHIN) -> None:
        """Return once the operator is ready and the warehouse migrated; fail with what there is if not in time."""
        deadline = time.monotonic() + timeout
        self.namespace.wait_for("deployment", self.operator, _is_rolled_out, timeout)
        if self.namespace.list("deployments", "app.kubernetes.io/component=api"):
            self.namespace.wait_for("deployment", self.api, _is_rolled_out, max(deadline - time.monotonic(), 10))
        for job in self.migrations():
            self.namespace.wait_for_condition("job", job, "Complete", timeout=max(deadline - time.monotonic(), 10))

    def migrations(self) -> list[str]:
        """Return the names of the migrations' Jobs, oldest first."""
        selector = f"app.kubernetes.io/instance={self.name},app.kubernetes.io/component=migrate"
        jobs = self.namespace.list("jobs", selector)
        return [job["metadata"]["name"] for job in sorted(jobs, key=lambda job: job["metadata"]["creationTimestamp"])]

    def secret(self, name: str = WAREHOUSE) -> dict[str, str]:
        """Return the values of a Secret of the release's namespace."""
        data = self.namespace.get("secret", name)["data"]
        return {key: base64.b64decode(value).decode() for key, value in data.items()}

    def connect(self, namespace: Namespace, name: str = WAREHOUSE) -> None:
        """Give a namespace what its resources need to reach the warehouse, as its administrator does."""
        urls = self.secret()
        namespace.apply(secret(name, {key: urls[key] for key in ("extract-url", "transform-url")}))

    def query(self, statement: str, database: str = "gitmart") -> list[list[str]]:
        """Run SQL as the superuser and return the rows, each value as text."""
        words = ("psql", "--username", "postgres", "--no-psqlrc", "--tuples-only", "--no-align", "--field-separator=\t")
        pod = f"{self.fullname}-postgresql-0"
        printed = self.namespace.kubectl("exec", pod, "--", *words, "--command", statement, database)
        return [line.split("\t") for line in printed.splitlines()]

    def operator_log(self) -> str:
        """Return what the operator has logged."""
        return self.namespace.kubectl("logs", f"deployment/{self.operator}", "--tail=-1")

    def make_volume(self) -> None:
        """Make the volume of the bundled PostgreSQL, where the cluster makes none by itself."""
        if self.cluster.obtained.volumes is None:
            return
        folder = self.cluster.host_folder(self.namespace.name)
        spec = {
            "capacity": {"storage": "50Gi"},
            "accessModes": ["ReadWriteOnce"],
            "persistentVolumeReclaimPolicy": "Retain",
            "claimRef": {"namespace": self.namespace.name, "name": f"data-{self.fullname}-postgresql-0"},
            "hostPath": {"path": str(folder), "type": "Directory"},
        }
        self.namespace.apply(
            {"apiVersion": "v1", "kind": "PersistentVolume", "metadata": _labelled(self.namespace.name), "spec": spec}
        )

    def remove(self) -> None:
        """Uninstall it, and delete its namespace and its volume with all that is in them."""
        installed = self.helm("list", "--all", "--short", "--filter", f"^{self.name}$")
        if installed.strip():
            self.helm("uninstall", self.name, "--wait", "--timeout", "2m")
        self.namespace.delete(wait=True)
        self.cluster.kubectl("delete", "persistentvolume", self.namespace.name, "--ignore-not-found")
        if self.cluster.obtained.volumes is not None:
            shutil.rmtree(self.cluster.obtained.volumes / self.namespace.name, ignore_errors=True)


def helm(cluster: Cluster, *words: str, values: Mapping[str, Any] | None = None) -> str:
    """Run helm, with values on its standard input, and return what it prints."""
    done = subprocess.run(
        [tool("helm"), *words], input=yaml.safe_dump(dict(values or {})), capture_output=True, text=True, check=False,
        env=os.environ | {"KUBECONFIG": str(cluster.kubeconfig)},
    )  # fmt: skip
    assert done.returncode == 0, f"helm {' '.join(words)}: {done.stderr.strip()}"
    return done.stdout


def site_values(cluster: Cluster, git_server: GitServer) -> dict[str, Any]:
    """Return the values that no default can know: where images, git host and its certificates come from."""
    return {
        "image": _image(cluster.image),
        "postgresql": {"image": _image(cluster.postgres_image)},
        "git": {"allowedNetworks": [f"{cluster.host_ip}/32"], "caBundle": git_server.ca_pem},
        "api": {"webhooks": {"existingSecret": HOOKS}},
    }


def small_values(cluster: Cluster, git_server: GitServer, watch: Sequence[str]) -> dict[str, Any]:
    """Return the values of a release that leaves room for others on a small node, and works in these namespaces."""
    values = site_values(cluster, git_server)
    settings = {"shared_buffers": "64MB", "maintenance_work_mem": "32MB"}
    postgresql = values["postgresql"] | {"resources": SMALL, "settings": settings, "sharedMemory": "64Mi"}
    operator = {"watchNamespaces": list(watch)}
    return values | {"postgresql": postgresql, "operator": operator, "api": {"enabled": False}}


def secret(name: str, values: Mapping[str, str]) -> dict[str, Any]:
    """Return a Secret."""
    return {"apiVersion": "v1", "kind": "Secret", "metadata": {"name": name}, "stringData": dict(values)}


@pytest.fixture(scope="session")
def release(cluster: Cluster, git_server: GitServer) -> Iterator[Release]:
    """The chart as a release named gitmart, ready: one for the whole run, whatever the number of its processes."""
    shared = _shared(cluster, git_server)
    yield Release(cluster, cluster.namespace(shared.namespace))
    if "PYTEST_XDIST_WORKER" not in os.environ:  # else others may still need it: the first process ends it
        end(os.getpid())


@dataclass(frozen=True, slots=True)
class Known:
    """What the processes of a run tell each other of their release."""

    owner: int  # the process it ends with
    namespace: str
    obtained: dict[str, Any]
    seconds: float = 0.0  # from `helm install` until it was ready; 0: it is not

    @property
    def cluster(self) -> Cluster:
        """The cluster it is in."""
        paths = {key: Path(self.obtained[key]) for key in ("kubeconfig", "volumes") if self.obtained[key]}
        return Cluster(Obtained(**(self.obtained | paths)))


def known() -> Known | None:
    """Return what is known of the release that there is, None if there is none."""
    return Known(**json.loads(_notes().read_text())) if _notes().exists() else None


def end(owner: int) -> None:
    """Remove the release of a test run, if it made one."""
    with _locked():
        found = known()
        if found is not None and found.owner == owner:
            _remove(found)


def _shared(cluster: Cluster, git_server: GitServer) -> Known:
    """Return this run's release, made if need be, once that of another run is gone."""
    owner = os.getppid() if "PYTEST_XDIST_WORKER" in os.environ else os.getpid()
    deadline = time.monotonic() + PATIENCE
    while True:
        with _locked():
            found = known()
            if found is None or not psutil.pid_exists(found.owner):
                if found is not None:
                    _remove(found)  # its run was killed
                return _made(cluster, git_server, owner)
        if found.owner == owner:
            assert found.seconds, "the release did not become ready: the first test that failed says why"
            return found
        assert time.monotonic() < deadline, f"the cluster has the release of another test run: {found}"
        time.sleep(1)


def _made(cluster: Cluster, git_server: GitServer, owner: int) -> Known:
    made = Release(cluster, cluster.namespace(f"release-{uuid4().hex[:8]}"))
    obtained = {key: value if value is None else str(value) for key, value in asdict(cluster.obtained).items()}
    _note(Known(owner, made.namespace.name, obtained))
    made.namespace.create(**{OURS: "true"})
    made.make_volume()
    made.namespace.apply(*_boundary(made), secret(HOOKS, {"github": HOOK_SECRET}))
    begun = time.monotonic()
    made.install(site_values(cluster, git_server))
    made.wait_until_ready()
    seconds = time.monotonic() - begun
    say(f"release {made.name} in namespace {made.namespace.name} ready {seconds:.0f} s after helm install")
    ready = Known(owner, made.namespace.name, obtained, seconds)
    _note(ready)
    return ready


def _remove(found: Known) -> None:
    kubeconfig = found.cluster.kubeconfig
    if kubeconfig.exists() and found.cluster.run("get", "--raw", "/readyz").returncode == 0:
        Release(found.cluster, found.cluster.namespace(found.namespace)).remove()
        _sweep(found.cluster)
    _notes().unlink()


def _sweep(cluster: Cluster) -> None:
    """Delete all else with our label: a run that was killed has left it, and its Repositories would go on."""
    volumes = json.loads(cluster.kubectl("get", "persistentvolumes", "--selector", OURS, "-o", "json"))["items"]
    kinds = "validatingadmissionpolicybindings,validatingadmissionpolicies,namespaces,persistentvolumes"
    cluster.kubectl("delete", kinds, "--selector", OURS, "--ignore-not-found", "--wait=false")
    for volume in volumes:
        shutil.rmtree(volume["spec"]["hostPath"]["path"], ignore_errors=True)


def _boundary(release: Release) -> tuple[dict[str, Any], dict[str, Any]]:
    """Return the rule that keeps the operator's hands off what is another operator's; it may still look."""
    group = {"apiVersion": "admissionregistration.k8s.io/v1"}
    constraints = {
        "namespaceSelector": {"matchExpressions": [{"key": OTHER_OPERATOR, "operator": "Exists"}]},
        "resourceRules": [
            {"apiGroups": ["*"], "apiVersions": ["*"], "operations": ["*"], "resources": ["*/*"]},
        ],
    }
    message = "this namespace is another operator's"
    policy = {
        "matchConstraints": constraints,
        "validations": [{"expression": f"request.userInfo.username != '{release.user}'", "message": message}],
    }
    binding = {"policyName": "gitmart-test-boundary", "validationActions": ["Deny"]}
    metadata = _labelled("gitmart-test-boundary")
    return (
        {**group, "kind": "ValidatingAdmissionPolicy", "metadata": metadata, "spec": policy},
        {**group, "kind": "ValidatingAdmissionPolicyBinding", "metadata": metadata, "spec": binding},
    )


def _is_rolled_out(deployment: Mapping[str, Any]) -> bool:
    status, generation = deployment.get("status", {}), deployment["metadata"]["generation"]
    fresh = status.get("observedGeneration") == generation and status.get("updatedReplicas") == 1
    return bool(fresh and status.get("readyReplicas") == 1 and status.get("replicas") == 1)


def _image(reference: str) -> dict[str, str]:
    repository, _, tag = reference.rpartition(":")
    return {"repository": repository, "tag": tag}


def _labelled(name: str) -> dict[str, Any]:
    return {"name": name, "labels": {OURS: "true"}}


def _notes() -> Path:
    return cache_folder() / f"release{Site.of_environment().number}.json"


def _note(facts: Known) -> None:
    _notes().write_text(json.dumps(asdict(facts)))


def _locked() -> Any:
    cache_folder().mkdir(parents=True, exist_ok=True)
    return held(_notes().with_suffix(".lock"), f"process {os.getpid()}", lambda other: say(f"waiting for {other}"))
