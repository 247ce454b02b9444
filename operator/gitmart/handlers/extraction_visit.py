"""A visit of a Repository: what is known, the decision of controller.extraction, and what follows from it."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from typing import Any

from pydantic import ValidationError

from gitmart.controller import repository as statuses
from gitmart.controller.address import previous_url
from gitmart.controller.due import Due
from gitmart.controller.extraction import Check, Decision, Policy, Seen, decide, job_of, key_of
from gitmart.controller.runs import Run
from gitmart.handlers.cluster import REPOSITORY as KIND
from gitmart.handlers.index import REPOSITORY, Key, Stored, address_of
from gitmart.handlers.places import Places
from gitmart.handlers.visit import (
    WAIT_FOR_WATCH,
    Refused,
    Surroundings,
    cancelled,
    children_of,
    delete_jobs,
    document_of,
    look_again,
    make_job,
    named,
    older_of,
    read_resource,
    read_status,
    settled,
    tell_ready,
    write_status,
)
from gitmart.resources.manifests import mistakes_of
from gitmart.resources.repository import Repository, RepositoryStatus
from gitmart.workloads.extraction import extraction_job

LookAt = Callable[[Repository], Awaitable[Run]]


class ExtractionVisits:
    """Visits of Repositories. Looks at git hosts go on beside them, since a slow host must not hold up a worker."""

    def __init__(self, at: Surroundings, places: Places, policy: Policy, look_at: LookAt) -> None:
        self._at = at
        self._places = places
        self._policy = policy
        self._look_at = look_at
        self._looks: dict[Key, tuple[str, asyncio.Task[Run]]] = {}  # by key: the slot, and what comes of it

    async def __call__(self, key: Key) -> float | None:
        """Bring one Repository a step closer. Return after how many seconds to come again, None once it is gone."""
        stored = self._at.indexes.resource(key)
        if stored is None:
            await self._forget(key)
            return None
        if not await settled(self._at, key):
            return WAIT_FOR_WATCH
        document = document_of(stored)
        if document["metadata"].get("deletionTimestamp"):
            return self._policy.resync.total_seconds()  # its Jobs go with it
        try:
            repository = read_resource(Repository, document)
        except ValidationError as error:
            return await self._invalid(key, stored, document, error)
        return await self._visit(key, stored, document, repository)

    async def close(self) -> None:
        """End what goes on beside the visits."""
        for _, task in self._looks.values():
            await cancelled(task)
        self._looks.clear()

    async def _visit(self, key: Key, stored: Stored, document: dict[str, Any], repository: Repository) -> float:
        if self._has_job(key):
            self._places.leave((key.namespace, key.name))
        children = await children_of(self._at, key, repository, (past.job for past in repository.status.history))
        now = self._at.now()
        address = address_of(document)
        older = older_of(self._at, key, address, Repository) if address is not None else None
        seen = Seen(children, older, self._looked(key))
        decision = decide(repository, seen, now, self._policy)
        await delete_jobs(self._at, key, decision.delete)
        status = await self._carried_out(key, repository, decision)
        await write_status(self._at, KIND, key, stored, document.get("status", {}), status)
        tell_ready(self._at, repository, repository.status.conditions, status.conditions)
        updated = repository.model_copy(update={"status": status})
        for run in decision.runs:
            self._at.meter.ended(updated, run)
            self._tell_end(updated, run)
        self._at.meter.visited(updated)
        self._let_others_in()
        return look_again(children, status.conditions, now, max((decision.revisit - now).total_seconds(), 0.0))

    async def _carried_out(self, key: Key, repository: Repository, decision: Decision) -> RepositoryStatus:
        """Look at the host, or make the Job; return the status to write."""
        place = key_of(repository)
        if decision.check is not None:
            self._begin_look(key, repository, decision.check)
        if decision.start is None:
            self._places.leave(place)
            return decision.status
        idle = decision.idle or decision.status
        since = decision.start.at or self._at.now()
        if (full := self._places.ask(place, repository.spec.url.host, since)) is not None:
            return statuses.queued(idle, full, repository.metadata.generation, self._at.now())
        return await self._started(key, repository, decision, decision.start, idle)

    async def _started(
        self, key: Key, repository: Repository, decision: Decision, start: Due, idle: RepositoryStatus
    ) -> RepositoryStatus:
        # The end that this visit has told of may be what gave the rows their address.
        told = repository.model_copy(update={"status": decision.status})
        previous = previous_url(told, lambda address: any(self._at.indexes.claims(REPOSITORY, address)))
        name = job_of(repository, start.slot)
        job = extraction_job(repository, name, start.slot, start.token, self._at.workers, previous)
        try:
            await make_job(self._at, key, job, repository.metadata.uid or "")
        except Refused as refused:
            self._places.leave(key_of(repository))
            waiting = repository.model_copy(update={"status": idle})
            return statuses.troubled(waiting, refused.verdict, self._at.now())
        except BaseException:
            self._places.leave(key_of(repository))
            raise
        self._drop_look(key)
        return decision.status

    def _has_job(self, key: Key) -> bool:
        return any(job.active for job in self._at.indexes.jobs_of(key))

    def _begin_look(self, key: Key, repository: Repository, due: Due) -> None:
        if (known := self._looks.get(key)) is not None:
            if known[0] == due.slot and not known[1].done():
                return
            known[1].cancel()
        task = asyncio.create_task(self._look(repository), name=f"check of {key}")
        task.add_done_callback(lambda _: self._at.wake(key))
        self._looks[key] = (due.slot, task)

    async def _look(self, repository: Repository) -> Run:
        return await self._look_at(repository)

    def _looked(self, key: Key) -> Check | None:
        """Return what a look has shown. It is used once: a status tells of it, or a Job follows."""
        known = self._looks.get(key)
        if known is None or not known[1].done():
            return None
        slot, task = self._looks.pop(key)
        return None if task.cancelled() or task.exception() is not None else Check(slot, task.result())

    def _drop_look(self, key: Key) -> None:
        if (known := self._looks.pop(key, None)) is not None:
            known[1].cancel()

    async def _invalid(self, key: Key, stored: Stored, document: dict[str, Any], error: ValidationError) -> float:
        """Say in the status what is wrong with a spec that the schema lets pass."""
        known = read_status(RepositoryStatus, document)
        generation = document["metadata"]["generation"]
        status = statuses.invalid(known, mistakes_of(error, Repository), generation, self._at.now())
        await write_status(self._at, KIND, key, stored, document.get("status", {}), status)
        tell_ready(self._at, named(Repository, document), known.conditions, status.conditions)
        return self._policy.resync.total_seconds()

    def _tell_end(self, repository: Repository, run: Run) -> None:
        new, removed = run.number("newCommits"), run.number("removedCommits")
        if run.exit_code == 0 and (new or removed):
            self._at.notify(repository, "Normal", "Extracted", f"{new or 0} commits came, {removed or 0} went")

    async def _forget(self, key: Key) -> None:
        if (known := self._looks.pop(key, None)) is not None:
            await cancelled(known[1])
        self._places.leave((key.namespace, key.name))
        self._at.awaited.forget(key)
        self._at.meter.gone(*key)
        self._let_others_in()

    def _let_others_in(self) -> None:
        """Wake those that may have a place now."""
        for place in self._places.next():
            self._at.wake(Key(REPOSITORY, *place))
