"""
Kubernetes Events: what a person sees under `kubectl describe`, without floods.

As in client-go's recorder, what was told of an object before is counted up instead of told again, and each object has a
bucket of tokens, so that one in trouble cannot fill etcd. Writing happens beside the visits and never fails one, by a
few writers: a request that the API server does not answer keeps no other object's Event waiting.
"""

from __future__ import annotations

import asyncio
import logging
import socket
import time
from collections import OrderedDict
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, Generic, TypeVar

from gitmart.handlers.cluster import EVENT, Cluster
from gitmart.handlers.errors import ApiError, NotFoundError
from gitmart.resources.base import Resource

log = logging.getLogger(__name__)

REPORTER = "gitmart.dev/operator"
MESSAGE_LIMIT = 1024  # characters; the API server refuses more
SAME_FOR = 600.0  # seconds for which a repetition is counted up
BURST = 25  # tokens of an object, as in client-go
REFILL = 300.0  # seconds for a token, as in client-go
REMEMBERED = 2048  # Events, and buckets: what is remembered of the latest
WAITING = 1000  # Events that wait to be written; more are dropped
WRITERS = 4

KeyT = TypeVar("KeyT")
ValueT = TypeVar("ValueT")


@dataclass(slots=True)
class _Told:
    """An Event that was told. `name` is empty until it is written, `written` the count that was."""

    namespace: str
    body: dict[str, Any]
    at: float  # last time, on the queue's clock
    count: int = 1
    name: str = ""
    written: int = 0
    writing: bool = False


class Latest(OrderedDict[KeyT, ValueT], Generic[KeyT, ValueT]):
    """Remembers what was set last, and forgets the oldest beyond REMEMBERED."""

    def __setitem__(self, key: KeyT, value: ValueT) -> None:
        super().__setitem__(key, value)
        self.move_to_end(key)
        if len(self) > REMEMBERED:
            self.popitem(last=False)


class Events:
    """Tells people of resources. `clock` gives seconds that never go back, `now` the time of day."""

    def __init__(
        self,
        cluster: Cluster,
        clock: Callable[[], float] = time.monotonic,
        now: Callable[[], datetime] = lambda: datetime.now(UTC),
    ) -> None:
        self._cluster = cluster
        self._clock = clock
        self._now = now
        self._told: Latest[tuple[str, str, str, str], _Told] = Latest()
        self._buckets: Latest[str, tuple[float, float]] = Latest()  # by uid: tokens, and when they were counted
        self._waiting: asyncio.Queue[_Told] = asyncio.Queue(WAITING)
        self._failing = False  # told once, until one is written again

    def notify(self, resource: Resource, kind: str, reason: str, message: str) -> None:
        """
        Tell of a resource soon; `kind` is Normal or Warning, `reason` a word in UpperCamelCase.

        Dropped without a word: more than the object's bucket has tokens for, and what cannot be written.
        """
        uid = resource.metadata.uid or ""
        if not self._take_token(uid) or self._waiting.full():
            return
        message = message if len(message) <= MESSAGE_LIMIT else message[: MESSAGE_LIMIT - 1] + "…"
        key, now = (uid, kind, reason, message), self._clock()
        told = self._told.get(key)
        if told is None or now - told.at > SAME_FOR:
            told = _Told(resource.metadata.namespace, _event(resource, kind, reason, message, self._now()), now)
        else:
            told.count, told.at = told.count + 1, now
            told.body |= {"count": told.count, "lastTimestamp": _text(self._now())}
        self._told[key] = told
        self._waiting.put_nowait(told)

    async def run(self) -> None:
        """Write what is told, until cancelled."""
        async with asyncio.TaskGroup() as writers:
            for _ in range(WRITERS):
                writers.create_task(self._keep_writing())

    async def _keep_writing(self) -> None:
        while True:
            told = await self._waiting.get()
            try:
                if not told.writing:  # else who writes it sees the new count
                    await self._write(told)
            except ApiError as error:
                if not self._failing:
                    log.warning("events cannot be written", extra={"error": error.message})
                self._failing = True
            except Exception:  # an Event is never worth an end of the operator
                log.exception("event not written")
            finally:
                self._waiting.task_done()

    async def written(self) -> None:
        """Wait until everything told so far is written or given up."""
        await self._waiting.join()

    async def _write(self, told: _Told) -> None:
        told.writing = True
        try:
            while told.written != told.count:
                told.written = await self._write_once(told)
                self._failing = False
        finally:
            told.writing = False

    async def _write_once(self, told: _Told) -> int:
        """Write an Event as it is now; return its count then."""
        count = told.count
        if told.name:
            change = {name: told.body[name] for name in ("count", "lastTimestamp")}
            try:
                await self._cluster.patch(EVENT, told.namespace, told.name, change)
            except NotFoundError:  # the API server keeps Events for an hour
                told.name = ""
            else:
                return count
        # As client-go names them: unique without asking.
        name = f"{told.body['involvedObject']['name']}.{time.time_ns():x}"
        body = told.body | {"metadata": {"name": name, "namespace": told.namespace}}
        await self._cluster.create_event(told.namespace, body)
        told.name = name
        return count

    def _take_token(self, uid: str) -> bool:
        now = self._clock()
        tokens, at = self._buckets.get(uid, (float(BURST), now))
        tokens = min(float(BURST), tokens + (now - at) / REFILL)
        self._buckets[uid] = (tokens - 1, now) if tokens >= 1 else (tokens, now)
        return tokens >= 1


def _event(resource: Resource, kind: str, reason: str, message: str, now: datetime) -> dict[str, Any]:
    metadata = resource.metadata
    return {
        "apiVersion": "v1",
        "kind": "Event",
        "involvedObject": {
            "apiVersion": resource.api_version,
            "kind": type(resource).__name__,
            "namespace": metadata.namespace,
            "name": metadata.name,
            "uid": metadata.uid or "",
        },
        "type": kind,
        "reason": reason,
        "message": message,
        "count": 1,
        "firstTimestamp": _text(now),
        "lastTimestamp": _text(now),
        "source": {"component": REPORTER},  # what `kubectl describe` shows
        "reportingComponent": REPORTER,  # so is `reportingController` called in core/v1
        "reportingInstance": socket.gethostname()[:128],
    }


def _text(moment: datetime) -> str:
    return moment.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
