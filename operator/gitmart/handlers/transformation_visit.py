"""A visit of a DbtSchedule: what is known, the decision of controller.transformation, and what follows from it."""

from __future__ import annotations

import asyncio
import json
from contextlib import suppress
from datetime import timedelta
from functools import partial
from hashlib import sha256
from typing import Any
from weakref import WeakValueDictionary

from pydantic import ValidationError

from gitmart.controller import dbtschedule as statuses
from gitmart.controller import transformation
from gitmart.controller.observed import CronJobSeen, cron_job_seen
from gitmart.controller.transformation import Decision, Seen, decide, job_of
from gitmart.handlers.awaited import at_least
from gitmart.handlers.cluster import CRON_JOB
from gitmart.handlers.cluster import DBT_SCHEDULE as KIND
from gitmart.handlers.errors import NotFoundError
from gitmart.handlers.index import Key, Stored, target_of
from gitmart.handlers.visit import (
    WAIT_FOR_WATCH,
    Refused,
    Surroundings,
    apply_object,
    children_of,
    delete_jobs,
    delete_object,
    document_of,
    look_again,
    make_job,
    named,
    older_of,
    read_resource,
    read_status,
    settled,
    tell_changes,
    tell_ready,
    write_status,
)
from gitmart.resources.dbtschedule import DbtSchedule, DbtScheduleStatus
from gitmart.resources.labels import full_refresh_cron_job_of
from gitmart.resources.manifests import mistakes_of
from gitmart.workloads.transformation import cron_job, full_refresh_cron_job, transformation_job


class TransformationVisits:
    """Visits of DbtSchedules."""

    def __init__(self, at: Surroundings, resync: timedelta) -> None:
        self._at = at
        self._resync = resync
        # What each CronJob of a resource was made to be, by its name, and its generation then: who edits it raises that.
        self._applied: dict[Key, dict[str, tuple[int, str]]] = {}
        # One at a time for each namespace and name of a CronJob; gone when nobody makes it.
        self._making: WeakValueDictionary[tuple[str, str], asyncio.Lock] = WeakValueDictionary()

    async def __call__(self, key: Key) -> float | None:
        """Bring one DbtSchedule a step closer. Return after how many seconds to come again, None once it is gone."""
        stored = self._at.indexes.resource(key)
        if stored is None:
            self._applied.pop(key, None)
            self._at.awaited.forget(key)
            self._at.meter.gone(*key)
            return None
        if not await settled(self._at, key):
            return WAIT_FOR_WATCH
        document = document_of(stored)
        if document["metadata"].get("deletionTimestamp"):
            return self._resync.total_seconds()  # its children go with it
        try:
            schedule = read_resource(DbtSchedule, document)
        except ValidationError as error:
            return await self._invalid(key, stored, document, error)
        return await self._visit(key, stored, document, schedule)

    async def _visit(self, key: Key, stored: Stored, document: dict[str, Any], schedule: DbtSchedule) -> float:
        children = await children_of(self._at, key, schedule, self._told(schedule, key))
        now = self._at.now()
        after = schedule.spec.after_extraction
        seen = Seen(
            children=children,
            cron_job=self._at.indexes.cron_job(key.namespace, key.name),
            full_cron_job=self._at.indexes.cron_job(key.namespace, full_refresh_cron_job_of(key.name)),
            older=older_of(self._at, key, target_of(document), DbtSchedule),
            news=self._at.indexes.news(key.namespace, after.selector.match_labels) if after else (),
            namesakes=self._namesakes(key),
        )
        decision = decide(schedule, seen, now, self._resync)
        await delete_jobs(self._at, key, decision.delete)
        status = await self._carried_out(key, schedule, decision)
        said, says = schedule.status.conditions, status.conditions
        if await write_status(self._at, KIND, key, stored, document.get("status", {}), status) and not decision.runs:
            # A run that does not get to work; ends are told below.
            tell_changes(self._at, schedule, said, says, statuses.LAST_RUN_SUCCEEDED)
        tell_ready(self._at, schedule, said, says)
        updated = schedule.model_copy(update={"status": status})
        for run in decision.runs:
            self._at.meter.ended(updated, run)
            self._tell_end(updated, run.exit_code == 0)
        self._at.meter.visited(updated)
        return look_again(children, status.conditions, now, max((decision.revisit - now).total_seconds(), 0.0))

    def _namesakes(self, key: Key) -> list[DbtSchedule]:
        """Return the others that may want a CronJob of the same name, but for those that make none."""
        found = []
        for other in self._at.indexes.namesakes(key.namespace, key.name):
            stored = self._at.indexes.resource(other)
            document = document_of(stored) if stored is not None else {}
            if stored is None or document["metadata"].get("deletionTimestamp"):
                continue
            with suppress(ValidationError):
                schedule = read_resource(DbtSchedule, document)
                if older_of(self._at, other, target_of(document), DbtSchedule) is None:
                    found.append(schedule)
        return found

    def _told(self, schedule: DbtSchedule, key: Key) -> list[str | None]:
        """Return the Jobs whose end needs no confirmation: told, or older than all that the history still knows."""
        history = schedule.status.history
        since = min((past.finished_at for past in history), default=None)
        old = [
            job.name
            for job in self._at.indexes.jobs_of(key)
            if since is not None and job.finished_at is not None and job.finished_at < since
        ]
        return [*(past.job for past in history), *old]

    async def _carried_out(self, key: Key, schedule: DbtSchedule, decision: Decision) -> DbtScheduleStatus:
        """Make the CronJobs what they should be, and the Job; return the status to write."""
        status, idle = decision.status, decision.idle or decision.status
        try:
            if decision.drop is not None:
                await self._drop(key, decision.drop)
            if decision.cron_job is not None:
                made = cron_job(schedule, self._at.workers, suspend=decision.cron_job)
                if (holder := await self._apply(key, schedule, made)) is not None:
                    known = schedule.model_copy(update={"status": idle})
                    return transformation.foreign(known, key.name, holder.resource, self._at.now())
                # Named before the watch shows it: who waits for Ready must find it in the same status.
                status, idle = (each.model_copy(update={"cron_job": key.name}) for each in (status, idle))
            if decision.full_cron_job is not None:
                made = full_refresh_cron_job(schedule, self._at.workers, suspend=decision.full_cron_job)
                name = full_refresh_cron_job_of(key.name)
                holder = await self._apply(key, schedule, made)
                told = partial(self._with_full_refreshes, schedule, name, holder, suspended=decision.full_cron_job)
                status, idle = told(status), told(idle)
            if decision.start is not None:
                start = decision.start
                name = job_of(schedule, start.slot)
                job = transformation_job(schedule, name, start.slot, start.token, self._at.workers)
                await make_job(self._at, key, job, schedule.metadata.uid or "")
        except Refused as refused:
            return statuses.troubled(schedule.model_copy(update={"status": idle}), refused.verdict, self._at.now())
        return status

    def _with_full_refreshes(
        self,
        schedule: DbtSchedule,
        name: str,
        holder: CronJobSeen | None,
        status: DbtScheduleStatus,
        *,
        suspended: bool,
    ) -> DbtScheduleStatus:
        """Return the status once the CronJob for full refreshes is in place, or its name is known to be another's."""
        if holder is None:
            return status.model_copy(update={"full_refresh_cron_job": name})
        known = schedule.model_copy(update={"status": status})
        return status if suspended else transformation.foreign(known, name, holder.resource, self._at.now())

    async def _apply(self, key: Key, schedule: DbtSchedule, body: dict[str, Any]) -> CronJobSeen | None:
        """Make the CronJob so, if it is not; return the one that has the name when that is somebody else's."""
        name = body["metadata"]["name"]
        digest = sha256(json.dumps(body, sort_keys=True).encode()).hexdigest()
        applied = self._applied.setdefault(key, {})
        known = self._at.indexes.cron_job(key.namespace, name)
        if known is not None and known.resource == key.name and applied.get(name) == (known.generation, digest):
            return None
        # Who makes it first has it: another that wants the name waits here, and then finds whose it is.
        async with self._making.setdefault((key.namespace, name), asyncio.Lock()):
            if known is None:
                try:
                    there = cron_job_seen(await self._at.cluster.get(CRON_JOB, key.namespace, name))
                except NotFoundError:
                    pass
                else:
                    if there.owner != schedule.metadata.uid:
                        return there
            made = (await apply_object(self._at, CRON_JOB, key, body))["metadata"]
        applied[name] = (made["generation"], digest)

        def seen() -> bool:
            now = self._at.indexes.cron_job(key.namespace, name)
            return now is not None and (now.uid != made["uid"] or at_least(now.version, made["resourceVersion"]))

        self._at.awaited.add(key, seen)
        return None

    async def _drop(self, key: Key, cron_job: CronJobSeen) -> None:
        """Delete a CronJob that is not wanted any more. Its Jobs stay, one that runs too: they become our own."""
        await delete_object(self._at, CRON_JOB, key, cron_job.name, cron_job.uid, "Orphan")
        self._applied.get(key, {}).pop(cron_job.name, None)

        def seen() -> bool:
            now = self._at.indexes.cron_job(key.namespace, cron_job.name)
            return now is None or now.uid != cron_job.uid or now.deleting

        self._at.awaited.add(key, seen)

    async def _invalid(self, key: Key, stored: Stored, document: dict[str, Any], error: ValidationError) -> float:
        """Say in the status what is wrong with a spec that the schema lets pass."""
        known = read_status(DbtScheduleStatus, document)
        generation = document["metadata"]["generation"]
        status = statuses.invalid(known, mistakes_of(error, DbtSchedule), generation, self._at.now())
        await write_status(self._at, KIND, key, stored, document.get("status", {}), status)
        tell_ready(self._at, named(DbtSchedule, document), known.conditions, status.conditions)
        return self._resync.total_seconds()

    def _tell_end(self, schedule: DbtSchedule, good: bool) -> None:
        last = schedule.status.last_run
        if last is not None:
            self._at.notify(schedule, "Normal" if good else "Warning", last.outcome, last.message or last.outcome)
