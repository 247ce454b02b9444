"""The running operator: Kopf's watches in, one queue, N workers that visit, and what tells how all of it is doing."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import AsyncIterator, Iterable
from contextlib import asynccontextmanager, suppress

import kopf

from gitmart.controller.admission import Caps
from gitmart.controller.extraction import Policy
from gitmart.handlers.awaited import Awaited
from gitmart.handlers.checks import CheckOptions, Checks
from gitmart.handlers.cluster import Cluster, Kind
from gitmart.handlers.errors import ApiError, ConflictError, NotFoundError
from gitmart.handlers.events import Events
from gitmart.handlers.extraction_visit import ExtractionVisits
from gitmart.handlers.index import REPOSITORY, Indexes, Key
from gitmart.handlers.liveness import Heartbeat, Limits, Observations, reason_to_die
from gitmart.handlers.meter import ResourceMeter
from gitmart.handlers.metrics import Metrics, QueueMetrics
from gitmart.handlers.places import Places
from gitmart.handlers.queue import WorkQueue
from gitmart.handlers.registration import CHILDREN, OURS, RESOURCES, Registration, kopf_settings
from gitmart.handlers.server import Readiness, Server
from gitmart.handlers.settings import Settings
from gitmart.handlers.transformation_visit import TransformationVisits
from gitmart.handlers.visit import WAIT_FOR_WATCH, Surroundings
from gitmart.handlers.watches import Watched, Watches
from gitmart.workloads.pods import WorkerSettings

log = logging.getLogger(__name__)

KINDS_LOOK = 2.0  # seconds between looks for our kinds, while the CustomResourceDefinitions are not there
EMPTY_LOOK = 2.0  # seconds between looks whether there is anything at all, until the first event


class Operator:
    """Everything of one process. `cluster` is where it writes; Kopf watches the same one."""

    def __init__(self, settings: Settings, cluster: Cluster, metrics: Metrics) -> None:
        self._settings = settings
        self._cluster = cluster
        self._metrics = metrics
        loop = asyncio.get_running_loop()
        observer: QueueMetrics[Key] = QueueMetrics(metrics, lambda key: key.kind.lower())
        self._queue: WorkQueue[Key] = WorkQueue(observer=observer, expected=(ApiError,))
        observer.show(lambda: self._queue.state, tuple(kind.name.lower() for kind in RESOURCES))
        self._awaited: Awaited[Key] = Awaited(loop.time)
        self._watches = Watches(_watched(settings.watch_namespaces), loop.time)
        self._heartbeat = Heartbeat()
        self._readiness = Readiness(lambda: self._queue.state)
        self._limits = Limits.allowing(settings.check_timeout)
        self._events = Events(cluster)
        self._registration = Registration(self._queue.add, self._watches.saw, self._begin, self._trouble)
        self._meter: ResourceMeter | None = None
        self._extractions: ExtractionVisits | None = None
        self._transformations: TransformationVisits | None = None

    async def run(self, stop: asyncio.Event) -> None:
        """Run until asked to stop, or until something that cannot go on fails."""
        settings = self._settings
        server = Server(settings.http_port, lacking=lambda: self._readiness.lacking, metrics=self._scrape)
        async with server:
            await self._kinds_are_there(stop)
            if stop.is_set():
                return
            async with self._beside(stop):
                await kopf.operator(
                    registry=self._registration.registry,
                    settings=kopf_settings(),
                    clusterwide=not settings.watch_namespaces,
                    namespaces=settings.watch_namespaces,
                    liveness_endpoint=f"http://0.0.0.0:{settings.health_port}/healthz",
                    stop_flag=stop,
                )

    async def _kinds_are_there(self, stop: asyncio.Event) -> None:
        """Wait until the API server knows our kinds. Installed together, they may come after us."""
        told = False
        while not stop.is_set():
            try:
                for kind in RESOURCES:
                    namespace = next(iter(self._settings.watch_namespaces), None)
                    await self._cluster.list(kind, namespace)
            except NotFoundError:
                if not told:
                    log.warning("the CustomResourceDefinitions of gitmart.dev are not installed yet: waiting for them")
                told = True
            else:
                return
            with suppress(TimeoutError):
                await asyncio.wait_for(stop.wait(), KINDS_LOOK)

    async def _begin(self, indexes: Indexes) -> None:
        """Make what visits need, once Kopf has made the indexes. They are filled later."""
        settings = self._settings
        caps = Caps(settings.max_extractions, settings.max_extractions_per_host)
        places = Places(caps, indexes.running)
        self._meter = meter = ResourceMeter(self._metrics, places)
        at = Surroundings(
            indexes=indexes,
            cluster=self._cluster,
            awaited=self._awaited,
            workers=_worker_settings(settings),
            notify=self._events.notify,
            meter=meter,
            wake=self._queue.add,
        )
        checks = Checks(CheckOptions.of(settings), self._metrics.check_ended)
        policy = Policy(checks=settings.checks, resync=settings.resync, image=settings.image)
        self._extractions = ExtractionVisits(at, places, policy, checks)
        self._transformations = TransformationVisits(at, settings.resync)

    async def _visit(self, key: Key) -> float | None:
        if self._extractions is None or self._transformations is None:
            raise AssertionError("a visit came before the start")
        visit = self._extractions if key.kind == REPOSITORY else self._transformations
        try:
            return await visit(key)
        except ConflictError:  # somebody has changed the object since the watch showed it, which it will do soon
            return WAIT_FOR_WATCH

    def _scrape(self) -> bytes:
        return self._meter.scrape() if self._meter is not None else self._metrics.text()

    async def _work(self) -> None:
        """Let the workers visit, once every index is filled: an empty one would be taken for an empty cluster."""
        filled = self._registration.filled
        while not filled.is_set():
            # Kopf tells of filled indexes by the first event, and in an empty cluster there is none.
            if await self._watches.nothing_is_there(self._cluster):
                filled.set()
            with suppress(TimeoutError):
                await asyncio.wait_for(filled.wait(), EMPTY_LOOK)
        self._readiness.listed = True
        await self._queue.run(self._visit, self._settings.concurrency)

    @asynccontextmanager
    async def _beside(self, stop: asyncio.Event) -> AsyncIterator[None]:
        """Run what runs beside Kopf, and end it after Kopf. If any of it fails, stop: a new process begins afresh."""
        work = (self._work(), self._heartbeat.beat(), self._watches.keep_comparing(self._cluster), self._events.run())
        tasks = [asyncio.create_task(each) for each in work]
        for task in tasks:
            task.add_done_callback(lambda _: stop.set())
        try:
            yield
        finally:
            self._readiness.stopping = True
            for task in tasks:
                task.cancel()
            ends = await asyncio.gather(*tasks, return_exceptions=True)
            if self._extractions is not None:
                await self._extractions.close()
        for end in ends:
            if isinstance(end, Exception):
                raise end

    def _trouble(self) -> str | None:
        """Return why a restart is needed."""
        seen = Observations(
            started=self._registration.filled.is_set(),
            queue=self._queue.state,
            watches_behind=self._watches.behind(),
            unseen_write=self._awaited.oldest(),
            lateness=self._heartbeat.lateness,
        )
        return reason_to_die(seen, self._limits)


def _watched(namespaces: Iterable[str]) -> list[Watched]:
    """Return what Kopf watches."""
    kinds: list[tuple[Kind, str | None]] = [*((kind, None) for kind in RESOURCES), *((kind, OURS) for kind in CHILDREN)]
    wanted: list[str | None] = [*namespaces] or [None]
    return [Watched(kind, namespace, labels) for kind, labels in kinds for namespace in wanted]


def _worker_settings(settings: Settings) -> WorkerSettings:
    return WorkerSettings(
        image=settings.image,
        pull_policy=settings.image_pull_policy,
        pull_secrets=settings.image_pull_secrets,
        allowed_networks=settings.allowed_networks,
        git_ca=settings.git_ca,
        proxy=settings.git_proxy,
        no_proxy=settings.git_no_proxy,
    )
