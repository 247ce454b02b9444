"""How the tests talk to the cluster: kubectl as a person does, pykube-ng for reading objects."""

from __future__ import annotations

import json
import os
import subprocess
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

import pykube
import yaml

from .environment.golang import tool
from .environment.obtain import Obtained
from .waiting import SOON, wait_for

Manifest = Mapping[str, Any]

PAUSE = 1.0  # seconds between two looks by kubectl, each of which costs a tenth of a second of CPU
RESTRICTED = "pod-security.kubernetes.io/enforce"


class KubectlError(AssertionError):
    """kubectl failed; the message is what it printed."""


@dataclass(frozen=True)
class Cluster:
    """A cluster for tests, as its administrator."""

    obtained: Obtained

    @property
    def kubeconfig(self) -> Path:
        """The administrator's kubeconfig."""
        return self.obtained.kubeconfig

    @property
    def image(self) -> str:
        """The image of gitmart, built from the working tree and present on the node."""
        return self.obtained.image

    @property
    def postgres_image(self) -> str:
        """A PostgreSQL image with the official one's variables, paths and user."""
        return self.obtained.postgres_image

    @property
    def host_ip(self) -> str | None:
        """This machine, seen from pods; None if a given cluster does not say."""
        return self.obtained.host_ip

    @cached_property
    def api(self) -> pykube.HTTPClient:
        """The independent client."""
        return pykube.HTTPClient(pykube.KubeConfig.from_file(self.kubeconfig))

    def run(self, *words: str, stdin: str | None = None) -> subprocess.CompletedProcess[str]:
        """Run kubectl and return what became of it."""
        kubectl = str(tool("kubectl")) if self.obtained.kind == "native" else "kubectl"
        environment = os.environ | {"KUBECONFIG": str(self.kubeconfig)}
        return subprocess.run(
            [kubectl, *words], input=stdin, stdin=subprocess.DEVNULL if stdin is None else None, env=environment,
            capture_output=True, text=True, check=False,
        )  # fmt: skip

    def kubectl(self, *words: str, stdin: str | None = None) -> str:
        """Run kubectl and return what it prints. Raise KubectlError when it fails."""
        done = self.run(*words, stdin=stdin)
        if done.returncode != 0:
            raise KubectlError(f"kubectl {' '.join(words)}: {done.stderr.strip()}")
        return done.stdout

    def refusal(self, *words: str, stdin: str | None = None) -> str:
        """Run kubectl, which must fail, and return what it says of the reason."""
        done = self.run(*words, stdin=stdin)
        assert done.returncode != 0, f"kubectl {' '.join(words)} succeeded: {done.stdout}"
        return done.stderr.strip()

    def namespace(self, name: str) -> Namespace:
        """Return a view of one namespace, which need not exist."""
        return Namespace(self, name)

    def host_folder(self, name: str) -> Path:
        """Return a new folder, writable by any user, that is at the same path on the node: for hostPath volumes."""
        assert self.obtained.volumes is not None, f"a {self.obtained.kind} cluster shares no folder with this machine"
        folder = self.obtained.volumes / name
        folder.mkdir()
        folder.chmod(0o777)
        return folder


@dataclass(frozen=True)
class Namespace:
    """One namespace of a cluster."""

    cluster: Cluster
    name: str

    def create(self, **labels: str) -> None:
        """Make it; pods must meet the restricted standard."""
        metadata = {"name": self.name, "labels": {RESTRICTED: "restricted"} | labels}
        self.cluster.kubectl(
            "create", "-f", "-", stdin=_text({"apiVersion": "v1", "kind": "Namespace", "metadata": metadata})
        )

    def delete(self, *, wait: bool = False) -> None:
        """Delete it and all that is in it."""
        self.cluster.kubectl("delete", "namespace", self.name, "--ignore-not-found", f"--wait={str(wait).lower()}")

    def kubectl(self, *words: str, stdin: str | None = None) -> str:
        """Run kubectl in this namespace and return what it prints."""
        return self.cluster.kubectl("--namespace", self.name, *words, stdin=stdin)

    def refusal(self, *words: str, stdin: str | None = None) -> str:
        """Run kubectl in this namespace, which must fail, and return what it says of the reason."""
        return self.cluster.refusal("--namespace", self.name, *words, stdin=stdin)

    def apply(self, *manifests: Manifest | str) -> str:
        """Apply objects, given as dicts or as YAML text."""
        return self.kubectl("apply", "-f", "-", stdin=_text(*manifests))

    def get(self, kind: str, name: str) -> dict[str, Any]:
        """Return an object as the API server has it. Raise KubectlError when there is none."""
        found: dict[str, Any] = json.loads(self.kubectl("get", kind, name, "-o", "json"))
        return found

    def list(self, kind: str, selector: str = "") -> list[dict[str, Any]]:
        """Return all objects of a kind with these labels."""
        found: list[dict[str, Any]] = json.loads(self.kubectl("get", kind, "-l", selector, "-o", "json"))["items"]
        return found

    def wait_for(
        self, kind: str, name: str, condition: Callable[[dict[str, Any]], object], timeout: float = SOON
    ) -> dict[str, Any]:
        """Return the object once the condition holds of it; fail with the object, its events and pods if it does not."""

        def look() -> dict[str, Any] | None:
            found = self.get(kind, name)
            return found if condition(found) else None

        found = wait_for(look, timeout, lambda: self.describe(kind, name), PAUSE)
        assert found is not None
        return found

    def wait_for_condition(
        self, kind: str, name: str, type_: str, status: str = "True", timeout: float = SOON
    ) -> dict[str, Any]:
        """Return the object once its condition of that type has that status."""
        return self.wait_for(kind, name, lambda found: condition_of(found, type_).get("status") == status, timeout)

    def describe(self, kind: str, name: str) -> str:
        """Return what a person would look at: the object and what happened in the namespace."""
        looks = (("get", kind, name, "-o", "yaml"), ("get", "pods", "-o", "wide"), ("get", "events"))
        return "\n".join(self.cluster.run("--namespace", self.name, *words).stdout for words in looks)

    def logs(self, job: str) -> str:
        """Return what a Job's pods have printed."""
        return self.kubectl("logs", f"job/{job}", "--all-containers")


def kstatus(found: dict[str, Any]) -> str:
    """Return what Flux, Argo CD and others make of an object."""
    done = subprocess.run([tool("kstatus")], input=json.dumps(found), capture_output=True, text=True, check=True)
    status: str = json.loads(done.stdout)["status"]
    return status


def condition_of(found: Mapping[str, Any], type_: str) -> dict[str, Any]:
    """Return the condition of that type in an object's status, {} if there is none."""
    conditions: Iterable[dict[str, Any]] = found.get("status", {}).get("conditions", [])
    return next((one for one in conditions if one["type"] == type_), {})


def restricted_pod(image: str, *, name: str = "main", **container: Any) -> dict[str, Any]:
    """Return the spec of a pod that meets the restricted standard, runs once and has a writable /tmp only."""
    return {
        "restartPolicy": "Never",
        "automountServiceAccountToken": False,
        "terminationGracePeriodSeconds": 1,
        "securityContext": {"runAsNonRoot": True, "seccompProfile": {"type": "RuntimeDefault"}},
        "volumes": [{"name": "tmp", "emptyDir": {}}],
        "containers": [
            {
                "name": name,
                "image": image,
                "volumeMounts": [{"name": "tmp", "mountPath": "/tmp"}],  # noqa: S108
                "securityContext": {
                    "allowPrivilegeEscalation": False,
                    "readOnlyRootFilesystem": True,
                    "capabilities": {"drop": ["ALL"]},
                },
                **container,
            }
        ],
    }


def job(name: str, pod: Mapping[str, Any]) -> dict[str, Any]:
    """Return a Job that runs a pod once."""
    spec = {"backoffLimit": 0, "template": {"spec": dict(pod)}}
    return {"apiVersion": "batch/v1", "kind": "Job", "metadata": {"name": name}, "spec": spec}


def _text(*manifests: Manifest | str) -> str:
    return "\n---\n".join(one if isinstance(one, str) else yaml.safe_dump(dict(one)) for one in manifests)
