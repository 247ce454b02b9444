"""How a replication stands: what the replica says, and what the source knows of it if it can be asked."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from gitmart.contract.durations import format_duration
from gitmart.warehouse.errors import SettingError
from gitmart.warehouse.locks import Connection
from gitmart.warehouse.replication.check import slot_for
from gitmart.warehouse.replication.replica import STATES, Replica, listen, obstacle

_SLOT = """
    select active, coalesce(wal_status, 'lost'),
        pg_wal_lsn_diff(pg_current_wal_lsn(), confirmed_flush_lsn)::bigint,
        pg_wal_lsn_diff(pg_current_wal_lsn(), restart_lsn)::bigint
    from pg_replication_slots where slot_name = %s
"""


@dataclass(frozen=True, slots=True)
class Slot:
    """The replica's slot on the source. `wal_status` is PostgreSQL's word; bytes are of the write-ahead log."""

    active: bool
    wal_status: str
    lag_bytes: int | None
    kept_bytes: int | None


@dataclass(frozen=True, slots=True)
class State:
    """How a replication stands. `slot` None: there is none, or the source was not asked: `trouble` says why."""

    replica: Replica
    slot_name: str
    slot: Slot | None = None
    trouble: str | None = None

    @property
    def obstacle(self) -> str | None:
        """Return why dbt would build nothing now; None if it would."""
        if self.slot is not None and self.slot.wal_status == "lost":
            return f"the source has lost slot {self.slot_name}: run `gitmart replicate set-up --anew`"
        if self.slot is None and self.trouble is None:
            return f"the source has no slot {self.slot_name}: run `gitmart replicate set-up --anew`"
        return obstacle(self.replica)

    def document(self) -> dict[str, object]:
        """Return it as a JSON object."""
        slot, lag, until = self.slot, self.replica.lag, self.replica.until
        return {
            "ready": self.obstacle is None,
            "obstacle": self.obstacle,
            "lagSeconds": None if lag is None else round(lag.total_seconds(), 3),
            "replicatedUntil": until.isoformat() if until is not None and self.replica.complete else None,
            "lagBytes": slot.lag_bytes if slot else None,
            "keptBytes": slot.kept_bytes if slot else None,
            "slot": {"name": self.slot_name, "active": slot and slot.active, "walStatus": slot and slot.wal_status},
            "source": self.trouble or "answers",
            "tables": [{"name": name, "state": _state(word)} for name, word in sorted(self.replica.tables.items())],
        }

    def lines(self) -> list[str]:
        """Return it as lines for people."""
        slot, lag = self.slot, self.replica.lag
        told = {
            "ready": "yes" if self.obstacle is None else f"no: {self.obstacle}",
            "lag": "not known" if lag is None else f"{format_duration(lag)} at most",
            "source": self.trouble or "answers",
            "slot": self.slot_name
            + (f", {'in use' if slot.active else 'not in use'}, {slot.wal_status}" if slot else ""),
            "lag in bytes": "not known" if slot is None else _count(slot.lag_bytes),
            "kept for it": "not known" if slot is None else _count(slot.kept_bytes),
        }
        head = [f"{name + ':':14}{text}" for name, text in told.items()]
        return [*head, *(f"{name:26} {_state(word)}" for name, word in sorted(self.replica.tables.items()))]


def read_state(source: Connection | None, replica: Connection, trouble: str | None = None) -> State:
    """Ask both; `trouble` says why there is no `source`. Raise SettingError if the warehouse is no replica."""
    found, name = listen(replica), slot_for(replica)
    if found is None:
        raise SettingError("GITMART_REPLICA_URL names a warehouse that is no replica: run `gitmart replicate set-up`")
    if source is None:
        return State(found, name, trouble=trouble)
    row: Any = source.execute(_SLOT, [name]).fetchone()
    return State(found, name, Slot(*row) if row is not None else None)


def _state(letter: str) -> str:
    return STATES.get(letter, letter)


def _count(number: int | None) -> str:
    return "not known" if number is None else f"{number:,} bytes"
