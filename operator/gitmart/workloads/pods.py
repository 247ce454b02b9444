"""
The pod of a worker: the same for extraction and transformation but for its words.

Every pod meets the Pod Security Standard `restricted`, has requests, limits and a deadline, a read-only root, no
service account token, and volumes of bounded size.
https://kubernetes.io/docs/concepts/security/pod-security-standards/
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import timedelta
from typing import Any

from gitmart.resources.labels import FETCHER, MANAGED_BY, MANAGED_BY_LABEL, WORKER
from gitmart.resources.pod_template import PodTemplate
from gitmart.resources.quantity import ComputeResources

USER = 10001  # of the image
WAREHOUSE = "/etc/gitmart/warehouse"
CREDENTIALS = "/etc/gitmart/credentials"
METADATA = "/etc/gitmart/metadata"
MAILMAP = "/etc/gitmart/mailmap"
CACHE = "/cache"
FETCHED = "/fetched"  # what the fetcher brings and the worker reads
TERMINATION_LOG = "/dev/termination-log"
# A worker keeps its timeout itself and tells of it; this much later the kubelet stops it.
DEADLINE_GRACE = timedelta(minutes=1)
TERMINATION_GRACE = 60  # seconds from SIGTERM to SIGKILL: for cancelling statements and telling the result

Json = dict[str, Any]


@dataclass(frozen=True, slots=True)
class WorkerSettings:
    """What the administrator has decided for all pods. `git_ca` is PEM text, `proxy` a URL, `no_proxy` a comma list."""

    image: str
    pull_policy: str = "IfNotPresent"
    pull_secrets: Sequence[str] = ()
    allowed_networks: Sequence[str] = ()
    git_ca: str = ""
    proxy: str = ""
    no_proxy: str = ""

    @property
    def git_environment(self) -> dict[str, str]:
        """What a process that talks to git hosts is told by its environment."""
        found = {"GITMART_GIT_CA": self.git_ca, "HTTPS_PROXY": self.proxy, "NO_PROXY": self.no_proxy}
        return {name: value for name, value in found.items() if value}

    @property
    def git_options(self) -> list[str]:
        """What it is told by options."""
        return [f"--allow-network={network}" for network in self.allowed_networks]


@dataclass(frozen=True, slots=True)
class Image:
    """An image in place of gitmart's own, made from it."""

    name: str
    pull_policy: str


@dataclass(frozen=True, slots=True)
class Fetcher:
    """What runs before the worker, in a container of its own, and brings files to FETCHED. The Secrets are its alone."""

    words: Sequence[str]
    environment: Mapping[str, str]
    timeout: timedelta
    storage: str  # of what it writes, as a quantity, twice: what it fetches, and what it brings
    secrets: Sequence[Secret] = ()


@dataclass(frozen=True, slots=True)
class Worker:
    """One worker: its words, its environment, the Secrets it reads, and how much of everything it may use."""

    words: Sequence[str]
    environment: Mapping[str, str]
    resources: ComputeResources
    timeout: timedelta
    storage: str  # of /work, as a quantity
    secrets: Sequence[Secret]
    config_maps: Sequence[ConfigMap] = ()
    claim: str | None = None  # the persistent volume claim that is mounted at CACHE, for writing
    image: Image | None = None  # None: gitmart's own
    fetcher: Fetcher | None = None

    @property
    def mounts(self) -> Sequence[Secret | ConfigMap]:
        """Return all that is mounted read-only."""
        return [*self.secrets, *self.config_maps]


@dataclass(frozen=True, slots=True)
class Secret:
    """A Secret mounted into a worker. Optional, so that the worker itself says what is missing. `key`: this one alone."""

    name: str
    secret: str
    path: str
    key: str | None = None

    def volume(self) -> Json:
        """Return its volume."""
        source: Json = {"secretName": self.secret, "optional": True, "defaultMode": 0o440}
        if self.key is not None:
            source["items"] = [{"key": self.key, "path": self.key}]
        return {"name": self.name, "secret": source}


@dataclass(frozen=True, slots=True)
class ConfigMap:
    """A ConfigMap mounted into a worker. Optional as a Secret is. `items`: these keys alone, and their files in `path`."""

    name: str
    config_map: str
    path: str
    items: Sequence[tuple[str, str]] = ()

    def volume(self) -> Json:
        """Return its volume."""
        source: Json = {"name": self.config_map, "optional": True, "defaultMode": 0o440}
        if self.items:
            source["items"] = [{"key": key, "path": path} for key, path in self.items]
        return {"name": self.name, "configMap": source}


def pod_template(
    worker: Worker, settings: WorkerSettings, labels: Mapping[str, str], extra: PodTemplate | None
) -> Json:
    """Return the template of a worker's pods. What users add cannot take away what gitmart sets."""
    added = extra or PodTemplate()
    metadata: Json = {"labels": {**added.labels, **labels, MANAGED_BY_LABEL: MANAGED_BY}}
    if added.annotations:
        metadata["annotations"] = dict(added.annotations)
    return {"metadata": metadata, "spec": _pod(worker, settings) | _scheduling(added, settings)}


def deadline(worker: Worker) -> timedelta:
    """Return how long a pod of the worker may live: as long as its processes may take, and a little longer."""
    return worker.timeout + (worker.fetcher.timeout if worker.fetcher else timedelta(0)) + DEADLINE_GRACE


def _pod(worker: Worker, settings: WorkerSettings) -> Json:
    fetcher = worker.fetcher
    claims = [{"name": "cache", "persistentVolumeClaim": {"claimName": worker.claim}}] if worker.claim else []
    return {
        "restartPolicy": "Never",
        "automountServiceAccountToken": False,
        "enableServiceLinks": False,
        "terminationGracePeriodSeconds": TERMINATION_GRACE,
        "activeDeadlineSeconds": int(deadline(worker).total_seconds()),
        "securityContext": {
            "runAsNonRoot": True,
            "runAsUser": USER,
            "runAsGroup": USER,
            "fsGroup": USER,
            "seccompProfile": {"type": "RuntimeDefault"},
        },
        **({"initContainers": [_fetching(worker, fetcher, settings)]} if fetcher else {}),
        "containers": [_working(worker, settings)],
        "volumes": [
            {"name": "tmp", "emptyDir": {"sizeLimit": "256Mi"}},
            {"name": "work", "emptyDir": {"sizeLimit": worker.storage}},
            *claims,
            *(mount.volume() for mount in worker.mounts),
            *(_fetched_volumes(fetcher) if fetcher else ()),
        ],
    }


def _fetched_volumes(fetcher: Fetcher) -> list[Json]:
    """Return what the fetcher writes: a folder of its own, which may hold secrets, and what it brings."""
    return [
        {"name": "fetching", "emptyDir": {"sizeLimit": fetcher.storage}},
        {"name": "fetched", "emptyDir": {"sizeLimit": fetcher.storage}},
        *(secret.volume() for secret in fetcher.secrets),
    ]


def _working(worker: Worker, settings: WorkerSettings) -> Json:
    image = worker.image or Image(settings.image, settings.pull_policy)
    mounts: list[Json] = [
        {"name": "tmp", "mountPath": "/tmp"},  # noqa: S108 # a mount of the pod's own
        {"name": "work", "mountPath": "/work"},
        *([{"name": "cache", "mountPath": CACHE}] if worker.claim else []),
        *([{"name": "fetched", "mountPath": FETCHED, "readOnly": True}] if worker.fetcher else []),
        *map(_read_only, worker.mounts),
    ]
    return _container(WORKER, image, worker.words, worker.environment, _resources(worker, worker.storage), mounts)


def _fetching(worker: Worker, fetcher: Fetcher, settings: WorkerSettings) -> Json:
    image = Image(settings.image, settings.pull_policy)
    mounts: list[Json] = [
        {"name": "fetching", "mountPath": "/tmp"},  # noqa: S108 # likewise
        {"name": "fetched", "mountPath": FETCHED},
        *map(_read_only, fetcher.secrets),
    ]
    # The resources of the two count once: they never run at the same time.
    resources = _resources(worker, worker.storage)
    return _container(FETCHER, image, fetcher.words, fetcher.environment, resources, mounts)


def _read_only(mount: Secret | ConfigMap) -> Json:
    return {"name": mount.name, "mountPath": mount.path, "readOnly": True}


def _resources(worker: Worker, storage: str) -> Json:
    requests, limits = worker.resources.requests, worker.resources.limits
    return {
        "requests": {"cpu": str(requests.cpu), "memory": str(requests.memory), "ephemeral-storage": "64Mi"},
        "limits": {"cpu": str(limits.cpu), "memory": str(limits.memory), "ephemeral-storage": storage},
    }


def _container(
    name: str,
    image: Image,
    words: Sequence[str],
    environment: Mapping[str, str],
    resources: Json,
    mounts: Sequence[Json],
) -> Json:
    return {
        "name": name,
        "image": image.name,
        "imagePullPolicy": image.pull_policy,
        "args": [_literal(word) for word in words],
        "env": [{"name": key, "value": _literal(value)} for key, value in environment.items()],
        "terminationMessagePath": TERMINATION_LOG,
        "terminationMessagePolicy": "File",
        "securityContext": {
            "allowPrivilegeEscalation": False,
            "readOnlyRootFilesystem": True,
            "capabilities": {"drop": ["ALL"]},
        },
        "resources": resources,
        "volumeMounts": list(mounts),
    }


def _literal(text: str) -> str:
    """Return a text that the kubelet makes into this one: it reads $(NAME) as a variable and $$ as $."""
    return text.replace("$", "$$")


def _scheduling(added: PodTemplate, settings: WorkerSettings) -> Json:
    pull_secrets = [*settings.pull_secrets, *(secret.name for secret in added.image_pull_secrets)]
    found: Json = {
        "nodeSelector": dict(added.node_selector),
        "tolerations": [toleration.model_dump(by_alias=True, exclude_none=True) for toleration in added.tolerations],
        "affinity": added.affinity,
        "serviceAccountName": added.service_account_name,
        "priorityClassName": added.priority_class_name,
        "runtimeClassName": added.runtime_class_name,
        "imagePullSecrets": [{"name": name} for name in dict.fromkeys(pull_secrets)],
    }
    return {name: value for name, value in found.items() if value}
