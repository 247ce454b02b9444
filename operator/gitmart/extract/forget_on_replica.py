"""
Forgetting people in what dbt said of its runs on a replica, which replication does not reach.

The hashes stay where they are, with the source: whoever forgets reads them there and looks at the replica's texts.
"""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager

from gitmart.contract.outcomes import Outcome
from gitmart.extract.erasure import Counts, erase_history
from gitmart.extract.errors import ExtractError, InputError
from gitmart.extract.forgotten import read_forgotten
from gitmart.warehouse.connections import REPLICA_VARIABLE, connect, named_url
from gitmart.warehouse.errors import WarehouseError
from gitmart.warehouse.locks import Connection
from gitmart.warehouse.replication.check import slot_for
from gitmart.warehouse.replication.names import SLOT_PREFIX, identity
from gitmart.warehouse.revision import check_revision

PATIENCE = 60  # seconds, for what was just committed to arrive: a source at rest may say nothing for half of that
_PAUSE = 0.2  # seconds between two looks


@contextmanager
def open_replica(source: Connection) -> Iterator[Connection]:
    """Open a session of the replica that the environment names; raise InputError if it is none of this source."""
    url = named_url(REPLICA_VARIABLE, "replica")
    with ExitStack() as held:
        try:
            connection = held.enter_context(connect(url, application_name="gitmart-identities", autocommit=True))
            check_revision(connection)
        except WarehouseError as error:
            raise type(error)(f"the replica: {error}") from None
        if connection.execute("select source from public.replicated_from").fetchone() != (identity(source),):
            raise InputError(
                f"{REPLICA_VARIABLE} names a warehouse that is no replica of the one that GITMART_WAREHOUSE_URL names"
            )
        yield connection


def has_replica(source: Connection) -> bool:
    """Whether there is a slot for a replica of this warehouse."""
    found = source.execute(
        "select from pg_replication_slots where starts_with(slot_name::text, %s) and database = current_database()",
        [SLOT_PREFIX],
    ).fetchone()
    return found is not None


def wait_until_arrived(source: Connection, replica: Connection) -> None:
    """
    Wait until the replica has all that the source has committed by now, so that no later run of dbt reads what was.

    Raise ExtractError if that takes too long.
    """
    deadline = time.monotonic() + PATIENCE
    [(position,)] = source.execute("select pg_current_wal_lsn()::text").fetchall()
    slot = slot_for(replica)
    while (
        source.execute(
            "select from pg_replication_slots where slot_name = %s and confirmed_flush_lsn >= %s::pg_lsn",
            [slot, position],
        ).fetchone()
        is None
    ):
        if time.monotonic() > deadline:
            raise ExtractError(
                "the replica has not got what was forgotten: say this again once `gitmart replicate status` says ready",
                Outcome.REPLICA_NOT_READY,
            )
        time.sleep(_PAUSE)


def erase_on_replica(source: Connection, replica: Connection) -> Counts:
    """Erase all whom the source has forgotten, in the transaction of the caller; return how many rows, by table."""
    rows = erase_history(replica, read_forgotten(source))
    return {f"replica {table}": count for table, count in rows.items()}
