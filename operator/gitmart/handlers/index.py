"""
What the operator knows of the cluster: Kopf's indexes, filled by its watches, and the views that visits ask for.

One index per kind, each holding an object under several keys, so that an event costs one call. Values are small:
a Repository is kept as the bytes of its JSON, a Job or pod as what decisions need of it. Kopf calls no event handler
before every index has been filled once, so a visit never decides on half of the truth.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from itertools import chain
from typing import Any, NamedTuple, TypeVar

from gitmart.contract import target_schema
from gitmart.contract.repository_url import parse_repository_url
from gitmart.controller.admission import Key as Place
from gitmart.controller.dbtschedule import CONFLICT
from gitmart.controller.observed import CronJobSeen, JobSeen, PodSeen, cron_job_seen, job_seen, pod_seen
from gitmart.resources.base import WarehouseRef
from gitmart.resources.labels import DBTSCHEDULE_LABEL, REPOSITORY_LABEL, full_refresh_cron_job_of

Json = Mapping[str, Any]
ValueT = TypeVar("ValueT")

REPOSITORY, DBTSCHEDULE = "Repository", "DbtSchedule"
# Of what is kept of an object; managedFields alone are often half of it.
_METADATA = (
    *("name", "namespace", "uid", "generation", "resourceVersion", "creationTimestamp", "deletionTimestamp"),
    *("labels", "annotations"),
)
_DEFAULT_SECRET = WarehouseRef().name


class Key(NamedTuple):
    """An object to visit."""

    kind: str
    namespace: str
    name: str

    def __str__(self) -> str:
        return f"{self.kind} {self.namespace}/{self.name}"


class Claim(NamedTuple):
    """Who wants an address or a target, and since when: the least one has it."""

    created: str
    namespace: str
    name: str


@dataclass(frozen=True, slots=True)
class News:
    """What a DbtSchedule wants to know of a Repository."""

    labels: Mapping[str, str]
    changed: datetime | None


class Stored(NamedTuple):
    """A resource as the watch has shown it. `version` is its resourceVersion."""

    uid: str
    version: str
    document: bytes


def key_of_child(body: Json) -> Key | None:
    """Return the resource that a Job, CronJob or pod belongs to by its labels, None for anybody else's."""
    metadata = body.get("metadata", {})
    labels = metadata.get("labels") or {}
    for kind, label in ((REPOSITORY, REPOSITORY_LABEL), (DBTSCHEDULE, DBTSCHEDULE_LABEL)):
        if name := labels.get(label):
            return Key(kind, metadata.get("namespace", ""), name)
    return None


def key_of(kind: str, body: Json) -> Key:
    """Return the key of a resource."""
    return Key(kind, body["metadata"]["namespace"], body["metadata"]["name"])


def address_of(body: Json) -> tuple[str, str, str] | None:
    """Return what two Repositories must not share, as `controller.repository.identity_of` tells it; None if invalid."""
    return _address(body, body.get("spec", {}).get("url"))


def addresses_of(body: Json) -> set[tuple[str, str, str]]:
    """Return the address of a Repository, and the one it had when it was last extracted: others may wait for either."""
    found = (_address(body, url) for url in (body.get("spec", {}).get("url"), body.get("status", {}).get("url")))
    return {address for address in found if address is not None}


def _address(body: Json, url: object) -> tuple[str, str, str] | None:
    try:
        key = parse_repository_url(str(url), allow_file=False).key
    except ValueError:
        return None
    return body["metadata"]["namespace"], _secret(body.get("spec", {})), key


def target_of(body: Json) -> tuple[str, str, str]:
    """Return what two DbtSchedules must not share, as `controller.dbtschedule.target_of` tells it."""
    spec = body.get("spec", {})
    schema = (spec.get("target") or {}).get("schema") or target_schema.DEFAULT
    return body["metadata"]["namespace"], _secret(spec), str(schema)


def _secret(spec: Json) -> str:
    return str((spec.get("warehouseRef") or {}).get("name") or _DEFAULT_SECRET)


def index_repository(body: Json) -> dict[object, object]:
    """Return what is kept of a Repository, by key."""
    metadata, status = body["metadata"], body.get("status", {})
    changed = status.get("lastChangeTime")
    kept: dict[object, object] = {
        ("object", metadata["namespace"], metadata["name"]): _stored(body),
        ("news", metadata["namespace"]): News(
            dict(metadata.get("labels") or {}), datetime.fromisoformat(changed) if changed else None
        ),
    }
    if (address := address_of(body)) is not None:
        kept["claim", *address] = _claim(metadata)
    return kept


def index_dbtschedule(body: Json) -> dict[object, object]:
    """Return what is kept of a DbtSchedule, by key."""
    metadata = body["metadata"]
    kept: dict[object, object] = {
        ("object", metadata["namespace"], metadata["name"]): _stored(body),
        ("claim", *target_of(body)): _claim(metadata),
    }
    if body.get("spec", {}).get("afterExtraction"):
        kept["after", metadata["namespace"]] = metadata["name"]
    if any(each.get("reason") == CONFLICT for each in body.get("status", {}).get("conditions") or ()):
        kept["conflict", metadata["namespace"]] = metadata["name"]
    return kept


def index_job(body: Json) -> dict[object, object] | None:
    """Return what is kept of a Job, by key; None for anybody else's."""
    key = key_of_child(body)
    if key is None:
        return None
    job = job_seen(body)
    kept: dict[object, object] = {("of", key): job}
    if key.kind == REPOSITORY and job.active:
        kept["running"] = (key.namespace, key.name, job.host)
    return kept


def index_pod(body: Json) -> dict[object, object] | None:
    """Return what is kept of a pod, by its Job; None for anybody else's."""
    pod = pod_seen(body)
    return {(body["metadata"]["namespace"], pod.job): pod} if pod.job and key_of_child(body) else None


def index_cron_job(body: Json) -> dict[object, object] | None:
    """Return what is kept of a CronJob, by its name: two DbtSchedules may want it. None for anybody else's."""
    metadata = body.get("metadata", {})
    if key_of_child(body) is None:
        return None
    return {(metadata.get("namespace", ""), metadata.get("name", "")): cron_job_seen(body)}


def _claim(metadata: Json) -> Claim:
    return Claim(metadata.get("creationTimestamp", "~"), metadata["namespace"], metadata["name"])


def _stored(body: Json) -> Stored:
    metadata = {name: body["metadata"][name] for name in _METADATA if name in body["metadata"]}
    document = {
        "apiVersion": body["apiVersion"],
        "kind": body["kind"],
        "metadata": metadata,
        "spec": body.get("spec", {}),
        "status": body.get("status", {}),
    }
    # Kopf's views are mappings that json does not know.
    text = json.dumps(document, separators=(",", ":"), ensure_ascii=False, default=dict)
    return Stored(metadata.get("uid", ""), metadata.get("resourceVersion", ""), text.encode())


@dataclass(frozen=True, slots=True)
class Indexes:
    """
    Kopf's five indexes. They are read only; the watches keep them up to date.

    `departed` has the last pod that ended and was deleted before its Job was, as when a node is drained: Kopf forgets
    it, and nobody else tells how the run went.
    """

    repositories: Mapping[object, Iterable[Any]]
    dbtschedules: Mapping[object, Iterable[Any]]
    jobs: Mapping[object, Iterable[Any]]
    pods: Mapping[object, Iterable[Any]]
    cronjobs: Mapping[object, Iterable[Any]]
    departed: dict[tuple[str, str], PodSeen] = field(default_factory=dict)

    def pod_left(self, body: Json) -> None:
        """Take note of a pod that was deleted, by what was last seen of it."""
        key, pod = key_of_child(body), pod_seen(body)
        # When its Job goes first, nobody will ask, and nothing would end the memory of it.
        if key is not None and pod.exit_code is not None and any(job.name == pod.job for job in self.jobs_of(key)):
            self.departed[key.namespace, pod.job] = pod

    def job_left(self, body: Json) -> None:
        """Take note of a Job that was deleted."""
        self.departed.pop((body["metadata"]["namespace"], body["metadata"]["name"]), None)

    def resource(self, key: Key) -> Stored | None:
        """Return a resource, None once it is gone."""
        index = self.repositories if key.kind == REPOSITORY else self.dbtschedules
        found: Stored | None = _first(index, ("object", key.namespace, key.name))
        return found

    def jobs_of(self, key: Key) -> list[JobSeen]:
        """Return the Jobs with the resource's label, oldest first."""
        return sorted(_all(self.jobs, ("of", key)), key=lambda job: (job.created_at, job.name))

    def pods_of(self, namespace: str, job: str) -> list[PodSeen]:
        """Return the pods of a Job, and the last one that had ended when it was deleted."""
        there = list(_all(self.pods, (namespace, job)))
        departed = self.departed.get((namespace, job))
        return there if departed is None else [departed, *there]

    def cron_job(self, namespace: str, name: str) -> CronJobSeen | None:
        """Return the CronJob of a name, None when none with our label is there."""
        found: CronJobSeen | None = _first(self.cronjobs, (namespace, name))
        return found

    def who_wants_name(self, namespace: str, name: str) -> list[Key]:
        """Return the DbtSchedules that may want a CronJob of this name, whoever it belongs to."""
        names = (name, name.removesuffix(full_refresh_cron_job_of("")))
        return [key for each in names if self.resource(key := Key(DBTSCHEDULE, namespace, each)) is not None]

    def namesakes(self, namespace: str, name: str) -> list[Key]:
        """Return the other DbtSchedules that may want a CronJob which that one may want."""
        found = (self.who_wants_name(namespace, each) for each in (name, full_refresh_cron_job_of(name)))
        return [key for key in dict.fromkeys(chain.from_iterable(found)) if key.name != name]

    def claims(self, kind: str, claimed: tuple[str, ...]) -> Iterator[Claim]:
        """Yield all that want an address or a target."""
        index = self.repositories if kind == REPOSITORY else self.dbtschedules
        yield from _all(index, ("claim", *claimed))

    def running(self) -> dict[Place, str]:
        """Return the git host of every extraction that runs."""
        return {(namespace, name): host for namespace, name, host in _all(self.jobs, "running")}

    def news(self, namespace: str, labels: Mapping[str, str]) -> list[datetime]:
        """Return when each Repository with these labels last brought something new."""
        return [
            news.changed
            for news in _all(self.repositories, ("news", namespace))
            if news.changed is not None and labels.items() <= news.labels.items()
        ]

    def followers(self, namespace: str) -> Iterator[Key]:
        """Yield the DbtSchedules that run after extractions in a namespace."""
        for name in _all(self.dbtschedules, ("after", namespace)):
            yield Key(DBTSCHEDULE, namespace, name)

    def conflicting(self, namespace: str) -> Iterator[Key]:
        """Yield the DbtSchedules of a namespace that wait for another one to leave their target."""
        for name in _all(self.dbtschedules, ("conflict", namespace)):
            yield Key(DBTSCHEDULE, namespace, name)


def _all(index: Mapping[object, Iterable[Any]], key: object) -> Iterable[Any]:
    return index[key] if key in index else ()  # noqa: SIM401 # Kopf's index has no get()


def _first(index: Mapping[object, Iterable[Any]], key: object) -> Any:
    return next(iter(_all(index, key)), None)
