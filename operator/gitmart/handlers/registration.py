"""
The operator as Kopf sees it: watches, indexes, probes and activities are Kopf's, everything else is not.

An event changes an index and wakes the keys it concerns, nothing more. No handler writes, none holds state, and none
is of the kinds that keep progress in annotations or need finalizers.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Iterable, Mapping
from typing import Any

import kopf

from gitmart.contract.kinds import DBT_SCHEDULES, GROUP, REPOSITORIES, VERSION
from gitmart.handlers import cluster, index
from gitmart.handlers.cluster import Kind
from gitmart.handlers.index import DBTSCHEDULE, REPOSITORY, Indexes, Key
from gitmart.resources.labels import MANAGED_BY, MANAGED_BY_LABEL

Json = Mapping[str, Any]
Started = Callable[[Indexes], Awaitable[None]]
Saw = Callable[[Kind, str, str], None]  # of an object that a watch has shown: kind, namespace, resourceVersion

OURS = f"{MANAGED_BY_LABEL}={MANAGED_BY}"  # of children, the others are not watched
CHILDREN = (cluster.JOB, cluster.CRON_JOB, cluster.POD)
RESOURCES = (cluster.REPOSITORY, cluster.DBT_SCHEDULE)


def kopf_settings() -> kopf.OperatorSettings:
    """Return Kopf's settings: watches that end and begin anew, lists in pages, no writing by Kopf itself."""
    settings = kopf.OperatorSettings()
    settings.watching.server_timeout = 300
    settings.watching.client_timeout = 310
    settings.watching.connect_timeout = 30
    settings.watching.chunk_size = 500
    settings.networking.request_timeout = 30
    settings.networking.connect_timeout = 10
    # No limit: until every object is indexed each of Kopf's workers waits for all the others, also for those that a
    # limit would not let begin. They only put keys into our queue, which has a limit of its own.
    settings.queueing.worker_limit = None
    settings.queueing.idle_timeout = 1.0
    settings.posting.enabled = False
    settings.peering.standalone = True
    settings.scanning.disabled = True
    for kind in CHILDREN:
        settings.watching.label_selectors[kind.group, kind.version, kind.plural] = OURS
    return settings


class Registration:
    """Registers everything with a registry of its own. `wake` puts a key into the work queue."""

    def __init__(
        self, wake: Callable[[Key], None], saw: Saw, started: Started, alive: Callable[[], str | None]
    ) -> None:
        self.registry = kopf.OperatorRegistry()
        self.filled = asyncio.Event()  # every index has been filled once
        self._wake = wake
        self._saw = saw
        self._started = started
        self._alive = alive
        self._indexes: Indexes | None = None
        self._register_activities()
        self._register_resources()
        self._register_children()

    def _register_activities(self) -> None:
        registry = self.registry
        kopf.on.login(registry=registry, id="token")(kopf.login_with_service_account)
        kopf.on.login(registry=registry, id="kubeconfig")(kopf.login_with_kubeconfig)

        @kopf.on.startup(registry=registry)
        async def start(**found: Any) -> None:
            names = ("repositories", "dbtschedules", "jobs", "pods", "cronjobs")
            self._indexes = Indexes(**{name: found[name] for name in names})
            await self._started(self._indexes)

        @kopf.on.probe(registry=registry, id="operator")
        async def probe(**_: Any) -> str:
            if (trouble := self._alive()) is not None:
                raise kopf.PermanentError(trouble)
            return "alive"

    def _register_resources(self) -> None:
        registry = self.registry
        ours: dict[str, Any] = {"registry": registry}

        @kopf.index(GROUP, VERSION, REPOSITORIES, id="repositories", **ours)
        async def repositories(body: Json, **_: Any) -> dict[object, object]:
            return index.index_repository(body)

        @kopf.index(GROUP, VERSION, DBT_SCHEDULES, id="dbtschedules", **ours)
        async def dbtschedules(body: Json, **_: Any) -> dict[object, object]:
            return index.index_dbtschedule(body)

        @kopf.on.event(GROUP, VERSION, REPOSITORIES, **ours)
        async def on_repository(body: Json, **_: Any) -> None:
            self._wake_all(cluster.REPOSITORY, body, [index.key_of(REPOSITORY, body), *self._touched(body)])

        @kopf.on.event(GROUP, VERSION, DBT_SCHEDULES, **ours)
        async def on_dbtschedule(body: Json, **_: Any) -> None:
            known = self._known()
            claims = known.claims(DBTSCHEDULE, index.target_of(body))
            others = (Key(DBTSCHEDULE, claim.namespace, claim.name) for claim in claims)
            # Whoever waits for the target that it had before an edit is found by what its status says.
            key = index.key_of(DBTSCHEDULE, body)
            waiting = (*known.conflicting(key.namespace), *known.namesakes(key.namespace, key.name))
            self._wake_all(cluster.DBT_SCHEDULE, body, [key, *others, *waiting])

    def _register_children(self) -> None:
        ours: dict[str, Any] = {"registry": self.registry}

        @kopf.index("batch", "v1", "jobs", id="jobs", **ours)
        async def jobs(body: Json, **_: Any) -> dict[object, object] | None:
            return index.index_job(body)

        @kopf.index("", "v1", "pods", id="pods", **ours)
        async def pods(body: Json, **_: Any) -> dict[object, object] | None:
            return index.index_pod(body)

        @kopf.index("batch", "v1", "cronjobs", id="cronjobs", **ours)
        async def cronjobs(body: Json, **_: Any) -> dict[object, object] | None:
            return index.index_cron_job(body)

        for kind in CHILDREN:

            @kopf.on.event(kind.group, kind.version, kind.plural, id=f"on_{kind.plural}", param=kind, **ours)
            async def on_child(body: Json, type: str | None, param: Any = None, **_: Any) -> None:  # noqa: A002 # Kopf's name
                if type == "DELETED":
                    self._left(param, body)
                key, metadata = index.key_of_child(body), body["metadata"]
                place = metadata["namespace"], metadata["name"]
                named = self._known().who_wants_name(*place) if param is cluster.CRON_JOB else []
                self._wake_all(param, body, [*([key] if key is not None else []), *named])

    def _left(self, kind: Kind, body: Json) -> None:
        if kind is cluster.POD:
            self._known().pod_left(body)
        elif kind is cluster.JOB:
            self._known().job_left(body)

    def _touched(self, body: Json) -> Iterable[Key]:
        """Yield what else a Repository concerns: those with its address, and DbtSchedules that wait for its news."""
        known = self._known()
        for address in index.addresses_of(body):
            yield from (Key(REPOSITORY, claim.namespace, claim.name) for claim in known.claims(REPOSITORY, address))
        yield from known.followers(body["metadata"]["namespace"])

    def _wake_all(self, kind: Kind, body: Json, keys: Iterable[Key]) -> None:
        metadata = body["metadata"]
        self._saw(kind, metadata["namespace"], metadata.get("resourceVersion", ""))
        self.filled.set()  # Kopf calls event handlers only then
        for key in dict.fromkeys(keys):
            self._wake(key)

    def _known(self) -> Indexes:
        if self._indexes is None:
            raise AssertionError("an event came before the start")
        return self._indexes
