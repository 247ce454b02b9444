"""
Setting a replication up. Every step looks first what is there, so that one that was cut off anywhere is healed by another.

On the source: a publication of the raw tables that dbt reads, a login for the replica's server, a slot that keeps
what the replica has not had yet. On the replica: a row that says whose replica it is, and a subscription.
"""

from __future__ import annotations

import logging

from gitmart.warehouse.locks import MIGRATION_LOCK, Connection, session_lock
from gitmart.warehouse.replication.check import check_both, copied, obstacle, read_source, read_target, slot_for
from gitmart.warehouse.replication.names import identity
from gitmart.warehouse.replication.replica_side import claim, drop_subscription, empty, ensure_subscription
from gitmart.warehouse.replication.source_side import drop_slot, ensure_login, ensure_publication, ensure_slot
from gitmart.warehouse.revision import needed_revision

log = logging.getLogger(__name__)


def set_up(source: Connection, replica: Connection, login_url: str, *, anew: bool = False) -> tuple[str, ...]:
    """
    Bring the raw tables of `source` to `replica`, and return their names. Both connections are in autocommit.

    `login_url`: how the replica's server reaches the source, as a role that may replicate. `anew`: empty the raw
    tables of a replica that has lost its slot, and copy everything again. Raise WarehouseError or psycopg.Error.
    """
    check_both(source, replica)
    with session_lock(source, MIGRATION_LOCK), session_lock(replica, MIGRATION_LOCK):
        slot, own = slot_for(replica), identity(source)
        if anew:
            _begin_anew(source, replica, slot, own)
        seen, target = read_source(source, slot), read_target(replica)
        if (trouble := obstacle(seen, target, own)) is not None:
            raise trouble
        tables = tuple(sorted(seen.tables.keys() & target.tables.keys()))
        login = ensure_login(source, login_url, tables)
        claim(replica, own, tables)
        ensure_publication(source, tables)
        ensure_slot(source, slot, seen.slot, login)
        ensure_subscription(replica, slot, login_url)
        replica.execute("update replicated_from set revision = %s", [needed_revision()])
    log.info("replication set up", extra={"tables": len(tables), "slot": slot})
    return tables


def _begin_anew(source: Connection, replica: Connection, slot: str, own: str) -> None:
    """Leave nothing of an earlier replication of this source; rows of somebody else's are not touched."""
    target = read_target(replica)
    if target.source != own or target.others:
        return
    drop_subscription(replica)
    drop_slot(source, slot)
    empty(replica, copied(replica))
