"""Removing a replication, on each side as far as that side is there; what is left is told with the cure."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field

import psycopg
from psycopg import sql

from gitmart.warehouse.errors import WarehouseError, classify
from gitmart.warehouse.locks import Connection
from gitmart.warehouse.replication.check import copied, slot_for
from gitmart.warehouse.replication.names import LOGIN, PUBLICATION, SLOT_PREFIX, SUBSCRIPTION, listed
from gitmart.warehouse.replication.replica_side import drop_subscription, empty
from gitmart.warehouse.replication.source_side import drop_slot


@dataclass(slots=True)
class Removal:
    """What was removed, and what was not: each with how to do it later."""

    done: list[str] = field(default_factory=list)
    left: list[str] = field(default_factory=list)

    def attempt(self, what: str, step: Callable[[], bool], by_hand: str) -> None:
        """Take a step, which returns whether there was anything, and note how it went."""
        try:
            if step():
                self.done.append(what)
        except (psycopg.Error, WarehouseError) as error:
            known = classify(error) if isinstance(error, psycopg.Error) else error
            self.left.append(f"{what} ({known or error}): {by_hand}")


def remove(source: Connection | None, replica: Connection | None, *, slot: str | None, also_empty: bool) -> Removal:
    """
    Remove what `set_up` has made, on the side or sides that are given.

    `slot`: which slot, when the replica, by which it is known, is gone. `also_empty`: remove the replica's raw rows too.
    """
    removal = Removal()
    if replica is None:
        removal.left.append(
            f"subscription {SUBSCRIPTION} of the replica (not reached): alter subscription {SUBSCRIPTION} disable; "
            f"alter subscription {SUBSCRIPTION} set (slot_name = none); drop subscription {SUBSCRIPTION};"
        )
    else:
        slot = slot or slot_for(replica)
        _leave_replica(replica, removal, also_empty=also_empty)
    if source is None:
        of_slot = f"select pg_drop_replication_slot('{slot}');" if slot else "drop its slot"
        removal.left.append(
            f"slot {slot or f'{SLOT_PREFIX}…'} and maybe publication {PUBLICATION} of the source (not reached), which keeps "
            f"its write-ahead log until then: {of_slot} drop publication {PUBLICATION};"
        )
    else:
        _leave_source(source, removal, slot)
    return removal


def _leave_replica(replica: Connection, removal: Removal, *, also_empty: bool) -> None:
    removal.attempt(
        f"subscription {SUBSCRIPTION}",
        lambda: drop_subscription(replica),
        "say it again as the subscription's owner",
    )
    if not also_empty or removal.left:
        return

    def step() -> bool:
        with replica.transaction():
            empty(replica, copied(replica))  # rows of its own are in none of these
            return replica.execute("delete from replicated_from").rowcount > 0

    removal.attempt("rows of the raw tables", step, "say it again as the owner of the raw tables")


def _leave_source(source: Connection, removal: Removal, slot: str | None) -> None:
    if slot is not None:
        name = slot
        by_hand = f"select pg_drop_replication_slot('{name}');"
        removal.attempt(f"slot {name}", lambda: drop_slot(source, name), by_hand)
    rest = [
        str(found)
        for (found,) in source.execute(
            "select slot_name::text from pg_replication_slots where starts_with(slot_name::text, %s)"
            " and database = current_database() order by 1",
            [SLOT_PREFIX],
        )
    ]
    if not rest:
        removal.attempt(
            f"publication {PUBLICATION}", lambda: _drop_publication(source), f"drop publication {PUBLICATION};"
        )
    elif slot is None:
        removal.left.append(f"slots {', '.join(rest)}: say which is the replica's that is gone with --slot")


def _drop_publication(source: Connection) -> bool:
    tables = source.execute(
        "select tablename::text from pg_publication_tables where pubname = %s and schemaname = 'public'", [PUBLICATION]
    ).fetchall()
    has_login = source.execute("select from pg_roles where rolname = %s", [LOGIN]).fetchone() is not None
    if source.execute("select from pg_publication where pubname = %s", [PUBLICATION]).fetchone() is None:
        return False
    source.execute(sql.SQL("drop publication {}").format(sql.Identifier(PUBLICATION)))
    if has_login and tables:  # the role stays, with nothing to read: another database of the server may use it
        names = listed(str(table) for (table,) in tables)
        source.execute(sql.SQL("revoke select on {} from {}").format(names, sql.Identifier(LOGIN)))
    return True
