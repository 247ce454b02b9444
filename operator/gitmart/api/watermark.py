"""
The watermark: a text that is another one as soon as what readers see of the marts may be another.

`gitmart transform` replaces one table after the other while it holds the lock of its schema. Between its start and its
end there is no watermark, since an answer could rest on some tables of before and some of after. At rest it is made of

- the number and the end of the last run, which every run has, whatever it built;
- the identity of each table, view and function of the schema, which is another one whenever dbt made it anew: so a
  build is noticed too that is not `gitmart transform`'s, or that could not write down that it was there;
- the UTC day, from which some functions count back.
"""

from __future__ import annotations

import asyncio
import hashlib
import logging
import time
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum
from typing import Any, LiteralString

import psycopg

from gitmart.api.reader import Reader
from gitmart.warehouse.errors import NotMigratedError, RefusedError, classify
from gitmart.warehouse.locks import target_lock
from gitmart.warehouse.revision import needed_revision

log = logging.getLogger(__name__)

# The lock does not show on a standby, where a run that is not over counts as one that runs.
QUERY: LiteralString = """
select
    revision.version_num as revision,
    last_run.id as run,
    last_run.finished_at,
    pg_is_in_recovery() and last_run.id is not null and last_run.finished_at is null
    or exists (
        select 1 from pg_locks
        where locktype = 'advisory' and classid::bigint = %(kind)s and objid::bigint = %(key)s and objsubid = 2
            and granted and database = (select oid from pg_database where datname = current_database())
    ) as building,
    marts.things,
    coalesce(marts.identities, '') as identities,
    to_regclass(%(landmark)s) is not null as there,
    (now() at time zone 'UTC')::date::text as day
from public.gitmart_revision as revision
left join (
    select id, finished_at from dbt_meta.runs where target_schema = %(schema)s order by id desc limit 1
) as last_run on true
cross join (
    select count(*) as things, md5(string_agg(identity, ' ' order by identity)) as identities
    from (
        select oid || '/' || relfilenode || '/' || xmin as identity from pg_class
        where relnamespace = to_regnamespace(%(quoted)s) and relkind in ('r', 'v', 'm', 'p')
        union all
        -- What PostgreSQL itself brings, most of the table, has lower numbers (FirstNormalObjectId).
        select oid || '/' || xmin from pg_proc where pronamespace = to_regnamespace(%(quoted)s) and oid >= 16384
    ) as thing
) as marts
"""
LANDMARK = "dim_repository"  # built by every build of everything; without it there is nothing to show


class Reason(StrEnum):
    """Why nothing can be read, one word for programs."""

    UNREACHABLE = "unreachable"
    NOT_MIGRATED = "not_migrated"
    NO_MARTS = "no_marts"


@dataclass(frozen=True, slots=True)
class Lacking:
    """Why nothing can be read, and a sentence that says it. `detail` is for the log alone: it names hosts and roles."""

    reason: Reason
    sentence: str
    detail: str = ""


@dataclass(frozen=True, slots=True)
class State:
    """
    What is known of the marts.

    `watermark` is None while a build runs or nothing can be read; `changed_at` is the end of the last run.
    """

    watermark: str | None = None
    changed_at: datetime | None = None
    building: bool = False
    lacking: Lacking | None = None


def state_of(row: Mapping[str, Any] | None, schema: str, needed: str) -> State:
    """Return the state that a row of QUERY tells; None: the warehouse has no revision. Revisions sort by age."""
    if row is None or row["revision"] < needed:
        found = "none" if row is None else row["revision"]
        return State(
            lacking=Lacking(
                Reason.NOT_MIGRATED,
                f"the warehouse is at revision {found}, this version of gitmart needs {needed}: run `gitmart migrate`",
            )
        )
    if not row["there"]:
        what = "are being built for the first time" if row["building"] else "are not built yet: run `gitmart transform`"
        return State(building=row["building"], lacking=Lacking(Reason.NO_MARTS, f"the marts of schema {schema} {what}"))
    if row["building"]:
        return State(changed_at=row["finished_at"], building=True)
    facts = [row[name] for name in ("revision", "run", "finished_at", "identities", "day")]
    return State(hashlib.sha256(repr(facts).encode()).hexdigest()[:20], row["finished_at"])


class Watch:
    """
    Knows the state, asking the warehouse at most once per `interval` and once at a time.

    `look` asks it; `clock` gives seconds that only rise.
    """

    def __init__(
        self, look: Callable[[], Awaitable[State]], interval: timedelta, clock: Callable[[], float] = time.monotonic
    ) -> None:
        self._look = look
        self._interval = interval.total_seconds()
        self._clock = clock
        self._looking: asyncio.Task[State] | None = None
        self._seen: tuple[float, State] | None = None  # when the look began
        self.last = State()  # what was last seen, however old

    async def now(self) -> State:
        """Return the state, at most as old as the interval."""
        if self._seen and self._clock() - self._seen[0] < self._interval:
            return self._seen[1]
        if self._looking is None:
            self._begin()
        return await self._wait()

    async def anew(self) -> State:
        """Return the state of a moment after the call."""
        if self._looking is not None:
            await self._wait()  # it may have begun before
        if self._looking is None:  # of those who waited here, the first begins, for all
            self._begin()
        return await self._wait()

    def _begin(self) -> None:
        self._looking = asyncio.create_task(self._look_once())

    async def _wait(self) -> State:
        assert self._looking is not None  # noqa: S101
        return await asyncio.shield(self._looking)  # a client that goes away ends nobody else's look

    async def _look_once(self) -> State:
        began = self._clock()
        try:
            state = await self._look()
            if state.lacking and state.lacking != self.last.lacking:
                log.warning(state.lacking.sentence, extra={"reason": state.lacking.reason, "why": state.lacking.detail})
            self.last, self._seen = state, (began, state)
            return state
        finally:
            self._looking = None


def parameters_of(schema: str) -> Mapping[str, object]:
    """Return the parameters of QUERY for a schema of marts."""
    lock = target_lock(schema)
    return {
        "kind": lock.kind,
        "key": lock.key & 0xFFFF_FFFF,  # as pg_locks shows it
        "schema": schema,
        "quoted": f'"{schema}"',
        "landmark": f'"{schema}".{LANDMARK}',
    }


def look_with(reader: Reader) -> Callable[[], Awaitable[State]]:
    """Return what asks the warehouse for the state of the reader's schema, and tells of it whatever happens."""
    schema, needed = reader.schema, needed_revision()
    parameters = parameters_of(schema)

    async def look() -> State:
        try:
            return state_of(await reader.watched_row(QUERY, parameters), schema, needed)
        except (psycopg.errors.UndefinedTable, psycopg.errors.InvalidSchemaName):
            return state_of(None, schema, needed)
        except TimeoutError:
            return _unreachable("PostgreSQL does not answer; it is asked again by itself", "no answer in time")
        except psycopg.Error as error:
            known = classify(error)
            if isinstance(known, NotMigratedError):
                return state_of(None, schema, needed)
            if isinstance(known, RefusedError):
                return _unreachable("PostgreSQL refuses the role that reads", str(known))
            return _unreachable("PostgreSQL does not answer; it is asked again by itself", str(known or error))

    return look


def _unreachable(sentence: str, detail: str = "") -> State:
    return State(lacking=Lacking(Reason.UNREACHABLE, f"the warehouse cannot be read: {sentence}", detail))
