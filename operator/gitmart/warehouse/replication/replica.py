"""
Whether the warehouse that a worker was given is a replica, and fit to be read.

The raw tables of a replica have one writer, PostgreSQL's own, so whoever else would write them is refused. dbt reads
them once they belong together: each is copied in a transaction of its own, and only when the stream of changes has
passed the last of these do all of them show one state of the source. From then on they always do, since the
source's transactions arrive whole and in the order of their commits.

How old that state is nobody on the replica knows for certain, but these are bounds, all by the source's clock:

- The subscription's worker remembers when the source last sent a sign of life (`latest_end_time`). The source does
  so when it has sent everything, and at rest every `wal_sender_timeout` / 2, 30 s by default. It sends one at the
  start of a stream, too, when all may be still to come; so a sign counts if nothing came after it for a while, or if
  it is not the first one that the same worker was seen with. (A new worker even has its own clock there, and no position.)
- Who sees a run in `extraction_runs` sees what was committed before it ended.
- What a run of dbt has found out stays true: `dbt_meta.runs.replicated_until`.
"""

from __future__ import annotations

import time
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from typing import Any

from gitmart.contract.durations import format_duration
from gitmart.warehouse.errors import IsReplicaError, ReplicaNotReadyError
from gitmart.warehouse.locks import Connection
from gitmart.warehouse.revision import needed_revision

READY = "r"
STATES = {"i": "waits to be copied", "d": "is being copied", "f": "is copied", "s": "catches up", READY: "ready"}
SETTLED = timedelta(seconds=3)  # a worker that fails does so sooner after its start, unless what fails is large
TRIES = 3  # that a worker which lost its source gets while somebody waits for it, and at least
LEAST_PATIENCE = 5.0  # seconds
_PAUSE = 0.2  # seconds between two looks

_LOOK = """
with relations as (
    select pg_class.relname::text as name, relation.srsubstate, relation.srsubid
    from pg_subscription_rel as relation join pg_class on pg_class.oid = relation.srrelid
    where pg_class.relnamespace = 'public'::regnamespace
),
subscriptions as (
    select oid, subenabled and subslotname is not null as is_working
    from pg_subscription
    where subdbid = (select oid from pg_database where datname = current_database())
        and oid in (select srsubid from relations)
),
worker as (
    select
        pid,
        case when latest_end_lsn is not null then latest_end_time end as heard_at,
        last_msg_send_time = latest_end_time as resting,
        greatest(clock_timestamp() - last_msg_receipt_time, interval '0') as rested
    from pg_stat_subscription
    where subid in (select oid from subscriptions) and relid is null and pid is not null
    order by latest_end_lsn desc nulls last  -- those that help it to apply know nothing
    limit 1
)
select
    (select source from public.replicated_from),
    (select revision from public.replicated_from),
    (select jsonb_object_agg(name, srsubstate) from relations),
    coalesce((select bool_and(is_working) from subscriptions), false),
    greatest((select max(finished_at) from public.extraction_runs), (select max(replicated_until) from dbt_meta.runs)),
    clock_timestamp(),
    worker.pid, worker.heard_at, worker.resting, worker.rested
from (values (true)) as one left join worker on true
"""
_IS_REPLICA = """
    select exists (select from public.replicated_from) or exists (
        select from pg_subscription_rel join pg_class on pg_class.oid = srrelid
        where relnamespace = 'public'::regnamespace
    )
"""


@dataclass(frozen=True, slots=True)
class Worker:
    """
    The process that applies what comes. `heard_at`: the last sign of life, by the source's clock; None: none yet.

    `resting`: nothing came after that; `rested`: since when anything came.
    """

    pid: int
    heard_at: datetime | None
    resting: bool
    rested: timedelta


@dataclass(frozen=True, slots=True)
class Replica:
    """
    What a replica's catalog says.

    `source`, `revision`: as in `replicated_from`; `source` None: somebody made the subscription without gitmart.
    `tables`: the letter of each subscribed table's state. `working`: the subscription is enabled and has a slot.
    `until`: the source's state of then is here, at least. `alive`: its worker was seen to do its work.
    """

    source: str | None
    revision: str | None
    tables: Mapping[str, str] = field(default_factory=dict)
    working: bool = False
    until: datetime | None = None
    now: datetime | None = None
    worker: Worker | None = None
    alive: bool = False

    @property
    def lag(self) -> timedelta | None:
        """How old what is there is at most; None: there is nothing to tell it by. Clocks may differ, hence no minus."""
        if self.until is None or self.now is None or not self.complete:
            return None
        return max(timedelta(0), self.now - self.until)

    @property
    def complete(self) -> bool:
        """Whether the tables show one state of the source."""
        return bool(self.tables) and set(self.tables.values()) == {READY}


def look(connection: Connection) -> Replica | None:
    """Return what the catalog says of a replica, None if the warehouse is none. Any role of a worker that builds may ask."""
    found: Any = connection.execute(_LOOK).fetchone()
    source, revision, tables, working, until, now, pid, *rest = found
    if source is None and tables is None:
        return None
    return Replica(source, revision, tables or {}, working, until, now, Worker(pid, *rest) if pid else None)


def watched(replica: Replica, earlier: Worker | None, since: timedelta) -> Replica:
    """Return what a look says in the light of an earlier one, `since` ago: whether the worker works, and until when."""
    worker = replica.worker
    if worker is None or worker.heard_at is None:
        return replica
    same = earlier is not None and earlier.pid == worker.pid
    again = same and earlier is not None and earlier.heard_at is not None and worker.heard_at > earlier.heard_at
    all_sent = worker.resting and (worker.rested >= SETTLED or again)
    known = [replica.until] if replica.until is not None else []
    return replace(
        replica,
        alive=all_sent or (same and since >= SETTLED),
        until=max([*known, worker.heard_at]) if all_sent else replica.until,
    )


def refuse_replica(connection: Connection) -> None:
    """Raise IsReplicaError if the raw tables are, or were, another warehouse's to write."""
    if connection.execute(_IS_REPLICA).fetchone() == (True,):
        raise IsReplicaError(
            "the raw tables of this warehouse are a replica: another one's extractions write them (docs/replication.md). "
            "Extract, purge and decide on identities there; to make this one a warehouse of its own, empty it with "
            "`gitmart replicate remove --empty`"
        )


def obstacle(replica: Replica, max_lag: timedelta | None = None) -> str | None:
    """Return why nothing should be built from the replica now, with the cure; None if it can be."""
    if not replica.tables:
        return "no subscription brings the raw tables any more: run `gitmart replicate set-up`"
    if not replica.working:
        return (
            "the subscription that brings the raw tables is disabled or has no replication slot: "
            "run `gitmart replicate set-up`, which enables it or says what is lost"
        )
    if replica.source is not None and replica.revision != needed_revision():
        return (
            f"the replication was set up at revision {replica.revision or 'none, or not to its end'} and the warehouse is "
            f"at {needed_revision()}: run `gitmart replicate set-up`, so that new tables join"
        )
    if not replica.complete:
        rest = sorted(name for name, state in replica.tables.items() if state != READY)
        more = f" and {len(rest) - 3} more" if len(rest) > 3 else ""
        return f"the first copy of the raw tables has not ended for {', '.join(rest[:3])}{more}: wait for it"
    if not replica.alive:
        return (
            "nothing comes from the source: it is down or cannot be reached, refuses the login, has lost the replication "
            "slot, or sends what cannot be applied here; the log of this PostgreSQL says which, and `gitmart replicate "
            "status` what the source knows"
        )
    if max_lag is not None and (replica.lag is None or replica.lag > max_lag):
        lag = "an unknown time" if replica.lag is None else format_duration(replica.lag)
        return f"the replica is {lag} behind its source, and at most {format_duration(max_lag)} is allowed"
    return None


def listen(connection: Connection, max_lag: timedelta | None = None) -> Replica | None:
    """Look until nothing stands in the way, or what does will not pass in a moment. None: the warehouse is no replica."""
    start, patience = time.monotonic(), _patience(connection)
    first, first_at = None, start
    while (replica := look(connection)) is not None:
        now = time.monotonic()
        if first is None or replica.worker is None or replica.worker.pid != first.pid:
            first, first_at = replica.worker, now
        replica = watched(replica, first, timedelta(seconds=now - first_at))
        passing = replica.working and replica.complete
        if obstacle(replica, max_lag) is None or not passing or now - start > patience:
            break
        time.sleep(_PAUSE)
    return replica


def _patience(connection: Connection) -> float:
    """Return how many seconds to wait for a worker that lost its source: it tries again every 5 s, if not told otherwise."""
    [(pause,)] = connection.execute(
        "select setting::int from pg_settings where name = 'wal_retrieve_retry_interval'"  # milliseconds
    ).fetchall()
    return max(LEAST_PATIENCE, TRIES * int(str(pause)) / 1000)


def wait_until_ready(connection: Connection, max_lag: timedelta | None = None) -> Replica | None:
    """
    Return what is known of the replica once it may be built from, None if the warehouse is none.

    Raise ReplicaNotReadyError, which holds what is known.
    """
    replica = listen(connection, max_lag)
    if replica is not None and (trouble := obstacle(replica, max_lag)) is not None:
        raise ReplicaNotReadyError(trouble, replica)
    return replica
