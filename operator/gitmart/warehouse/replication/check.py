"""Whether one warehouse can replicate another one's raw tables: facts of both, and what stands in the way."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, LiteralString
from uuid import uuid4

from psycopg import sql
from psycopg.rows import dict_row

from gitmart.warehouse.errors import NotMigratedError, RefusedError, SettingError, WarehouseError
from gitmart.warehouse.locks import Connection
from gitmart.warehouse.replication.names import SUBSCRIPTION, identity, read_by_dbt, slot_of
from gitmart.warehouse.revision import check_revision

OLDEST = 140000
SUBSCRIBER_ROLE = 160000  # since PostgreSQL 16 there is pg_create_subscription; before, it takes a superuser
_SENDERS = 2  # of changes, and of a table's first copy


@dataclass(frozen=True, slots=True)
class Source:
    """What matters of the warehouse that extractions write. `tables`: whether rows of it can be told apart, by name."""

    version: int = 180000
    in_recovery: bool = False
    wal_level: str = "logical"
    free_slots: int = 10
    free_senders: int = 10
    slot: str | None = None  # the state of the replica's slot: pg_replication_slots.wal_status; None: there is none
    is_replica: bool = False
    tables: Mapping[str, bool] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Target:
    """
    What matters of the warehouse that shall be the replica.

    `tables`: whether there are rows in it, by name. `source`: the identity of the warehouse that it replicates already,
    `copied`: the tables whose rows are that one's. `subscribed`: tables that our subscription has; `others`:
    subscriptions of somebody else's that have some.
    """

    version: int = 180000
    in_recovery: bool = False
    may_subscribe: bool = True
    workers: int = 4  # max_logical_replication_workers
    user: str = "gitmart_owner"
    database: str = "gitmart"
    source: str | None = None
    copied: frozenset[str] = frozenset()
    tables: Mapping[str, bool] = field(default_factory=dict)
    subscribed: frozenset[str] = frozenset()
    others: tuple[str, ...] = ()


def check_both(source: Connection, replica: Connection) -> None:
    """Raise NotMigratedError or SettingError unless both have this version's tables and are not one database."""
    # The replica first: it is to be migrated first.
    for connection, what in ((replica, "replica"), (source, "source")):
        try:
            check_revision(connection)
        except NotMigratedError as error:
            raise NotMigratedError(f"{what}: {error}; the replica first, then the source, then this again") from None
    token = f"gitmart-replicate {uuid4().hex}"  # no name and no address says as surely what is one database
    source.execute("select set_config('application_name', %s, false)", [token])
    same = replica.execute(
        "select from pg_stat_activity where application_name = %s and datname = current_database()", [token]
    ).fetchone()
    if same is not None:
        raise SettingError("GITMART_WAREHOUSE_URL and GITMART_REPLICA_URL name one database: a replica is another one")


def read_source(connection: Connection, slot: str) -> Source:
    """Ask the source. `slot`: the name of the replica's replication slot."""
    facts = _facts(
        connection,
        """select current_setting('server_version_num')::int as version, pg_is_in_recovery() as in_recovery,
           current_setting('wal_level') as wal_level,
           current_setting('max_replication_slots')::int - (select count(*) from pg_replication_slots) as free_slots,
           current_setting('max_wal_senders')::int - (select count(*) from pg_stat_replication) as free_senders,
           (select coalesce(wal_status, 'lost') from pg_replication_slots where slot_name = %s) as slot,
           exists (select from replicated_from) as is_replica""",
        slot,
    )
    identified = connection.execute(
        """select relname::text, relreplident in ('f', 'i') or exists (
               select from pg_index where indrelid = pg_class.oid and indisprimary
           ) from pg_class where relnamespace = 'public'::regnamespace and relname = any(%s)""",
        [list(read_by_dbt(connection))],
    ).fetchall()
    return Source(**facts, tables={str(name): good is True for name, good in identified})


def read_target(connection: Connection) -> Target:
    """Ask the replica that is, or shall be."""
    facts = _facts(
        connection,
        """select current_setting('server_version_num')::int as version, pg_is_in_recovery() as in_recovery,
           (select rolsuper from pg_roles where rolname = current_user) or (
               to_regrole('pg_create_subscription') is not null
               and pg_has_role(to_regrole('pg_create_subscription')::oid, 'usage')
               and has_database_privilege(current_database(), 'create')
           ) as may_subscribe,
           current_setting('max_logical_replication_workers')::int as workers,
           current_user::text as "user", current_database()::text as database,
           (select source from replicated_from) as source""",
    )
    subscribed: Any = connection.execute(
        """select subname::text, relname::text from pg_subscription_rel
           join pg_subscription on pg_subscription.oid = srsubid join pg_class on pg_class.oid = srrelid
           where relnamespace = 'public'::regnamespace"""
    ).fetchall()
    return Target(
        **facts,
        copied=frozenset(copied(connection)),
        tables={name: has_rows(connection, name) for name in read_by_dbt(connection)},
        subscribed=frozenset(table for name, table in subscribed if name == SUBSCRIPTION),
        others=tuple(sorted({name for name, _ in subscribed if name != SUBSCRIPTION})),
    )


def _facts(connection: Connection, statement: LiteralString, *values: object) -> dict[str, Any]:
    """Return the one row of a query, by the names of its columns."""
    with connection.cursor(row_factory=dict_row) as cursor:
        [row] = cursor.execute(statement, values or None).fetchall()
    return row


def copied(replica: Connection) -> list[str]:
    """Return the tables whose rows are another warehouse's, as far as they are there."""
    found = replica.execute(
        "select distinct name from replicated_from, unnest(tables) as name"
        " where to_regclass(format('public.%I', name)) is not null order by name"
    ).fetchall()
    return [str(name) for (name,) in found]


def has_rows(connection: Connection, table: str) -> bool:
    """Whether there is a row in a table of schema `public`."""
    found = connection.execute(sql.SQL("select exists (select from {})").format(sql.Identifier("public", table)))
    return found.fetchone() == (True,)


def slot_for(replica: Connection) -> str:
    """Return the name of the slot that the replica has, or will have, on its source."""
    return slot_of(identity(replica))


def obstacle(source: Source, replica: Target, source_identity: str) -> WarehouseError | None:
    """Return what stands in the way of a set-up, with the cure; None if nothing does."""
    return _of_the_replica(source, replica, source_identity) or _of_the_source(source, replica)


def _of_the_replica(source: Source, replica: Target, source_identity: str) -> WarehouseError | None:
    if replica.in_recovery:
        return SettingError("the replica is a standby of another server, which nobody can write")
    if replica.others:
        return SettingError(
            f"the replica's raw tables are filled by another subscription already ({', '.join(replica.others)}): "
            "drop it first, or choose another database"
        )
    if replica.source is not None and replica.source != source_identity:
        return SettingError(
            "the replica belongs to another source, or to this one before it was restored: "
            "`gitmart replicate remove --empty` takes it from there"
        )
    filled = {name for name in source.tables if replica.tables.get(name)} - replica.subscribed
    if own := sorted(filled - replica.copied):
        return SettingError(
            f"the replica has rows of its own ({', '.join(own[:3])}): a replica begins as an empty warehouse, fresh from "
            "`gitmart migrate`"
        )
    if left := sorted(filled):
        return SettingError(
            f"rows of an earlier replication are left ({', '.join(left[:3])}): add --anew to copy everything again"
        )
    if not replica.may_subscribe:
        return _who_may_subscribe(replica)
    if replica.workers < 1:
        return SettingError("the replica's server has max_logical_replication_workers 0: set 4, and restart it")
    return None


def _of_the_source(source: Source, replica: Target) -> WarehouseError | None:
    if source.is_replica:
        return SettingError("the source is a replica itself: replicate the warehouse that extractions write")
    for server, version in (("source", source.version), ("replica", replica.version)):
        if version < OLDEST:
            return SettingError(
                f"the {server} is PostgreSQL {version // 10000}, and 14 is the oldest that is supported"
            )
    if source.wal_level != "logical":
        return SettingError(
            f"the source has wal_level {source.wal_level}: set it to logical (in the chart "
            "postgresql.settings.wal_level), and restart the server"
        )
    if unidentified := sorted(name for name, good in source.tables.items() if not good):
        return SettingError(
            f"{', '.join(unidentified)} of the source has no primary key, so that no change of a row could be told: "
            "give it one, or `alter table … replica identity`"
        )
    if source.slot is None and source.free_slots < 2:  # one for the stream, one for a table that is copied
        return SettingError("the source has no replication slots left: raise max_replication_slots, and restart it")
    if source.slot is None and source.free_senders < _SENDERS:
        return SettingError("the source has no WAL senders left: raise max_wal_senders, and restart it")
    if replica.subscribed and source.slot in (None, "lost"):
        return SettingError(
            "the source has lost the replica's slot, and with it changes that never arrived: "
            "add --anew to copy everything again"
        )
    return None


def _who_may_subscribe(replica: Target) -> WarehouseError:
    user, database = replica.user, replica.database
    if replica.version < SUBSCRIBER_ROLE:
        return RefusedError(
            f"{user} may not make a subscription, which takes a superuser before PostgreSQL 16: "
            "give GITMART_REPLICA_URL an administrator's"
        )
    return RefusedError(
        f"{user} may not make a subscription on the replica; let an administrator of its server run: "
        f'grant pg_create_subscription to "{user}"; grant create on database "{database}" to "{user}";'
    )
