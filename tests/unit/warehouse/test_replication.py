"""What is said of a replica, and of two warehouses that shall become source and replica, from what PostgreSQL tells."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from gitmart.contract.outcomes import Outcome
from gitmart.warehouse.replication import check, replica
from gitmart.warehouse.replication.check import Source, Target
from gitmart.warehouse.replication.names import slot_of
from gitmart.warehouse.replication.replica import Replica, Worker, watched
from gitmart.warehouse.replication.state import Slot, State
from gitmart.warehouse.revision import needed_revision

T0 = datetime(2026, 1, 1, tzinfo=UTC)
SECOND = timedelta(seconds=1)
TABLES = {"commits": "r", "refs": "r"}


def a_worker(heard: int | None = 0, *, pid: int = 7, resting: bool = True, rested: int = 0) -> Worker:
    return Worker(pid, None if heard is None else T0 + heard * SECOND, resting, rested * SECOND)


def a_replica(**changes: Any) -> Replica:
    whole = Replica("1/2", needed_revision(), TABLES, working=True, until=T0, now=T0 + 60 * SECOND, alive=True)
    return replace(whole, **changes)


@pytest.mark.parametrize(
    ("worker", "earlier", "since", "alive", "until"),
    [
        pytest.param(None, None, 0, False, 0, id="no worker"),
        pytest.param(a_worker(None), None, 0, False, 0, id="just started"),
        pytest.param(a_worker(50), None, 0, False, 0, id="a sign that may be the one at the start"),
        pytest.param(a_worker(50, rested=3), None, 0, True, 50, id="nothing came after it"),
        pytest.param(a_worker(50), a_worker(50), 2, False, 0, id="the same sign, too early to tell"),
        pytest.param(a_worker(50), a_worker(40), 1, True, 50, id="another sign"),
        pytest.param(a_worker(50), a_worker(40, pid=8), 1, False, 0, id="another sign of another worker"),
        pytest.param(a_worker(50), a_worker(None), 1, False, 0, id="the first sign"),
        pytest.param(a_worker(50, resting=False), a_worker(40), 1, False, 0, id="something came after it"),
        pytest.param(a_worker(50, resting=False), a_worker(50), 3, True, 0, id="at work for a while"),
        pytest.param(a_worker(-50, rested=3), None, 0, True, 0, id="a run says more"),
    ],
)
def test_a_worker_is_believed_once_it_is_seen_to_work(
    worker: Worker | None, earlier: Worker | None, since: int, alive: bool, until: int
) -> None:
    seen = watched(a_replica(worker=worker, alive=False), earlier, since * SECOND)

    assert (seen.alive, seen.until) == (alive, T0 + until * SECOND)


@pytest.mark.parametrize(
    ("changes", "lag"),
    [
        ({}, 60),
        ({"until": None}, None),
        ({"until": T0 + 90 * SECOND}, 0),  # the source's clock is ahead
        ({"tables": {"commits": "r", "refs": "d"}}, None),
        ({"tables": {}}, None),
    ],
)
def test_the_lag_is_the_age_of_what_is_known_to_be_there(changes: dict[str, Any], lag: int | None) -> None:
    assert a_replica(**changes).lag == (None if lag is None else lag * SECOND)


@pytest.mark.parametrize(
    ("changes", "bound", "said"),
    [
        pytest.param({}, None, None, id="ready"),
        pytest.param({}, 60, None, id="within the bound"),
        pytest.param({}, 59, "the replica is 1m behind its source, and at most 59s is allowed", id="beyond it"),
        pytest.param({"until": None}, 3600, "an unknown time behind", id="no age"),
        pytest.param({"source": None, "revision": None}, None, None, id="made by hand"),
        pytest.param({"tables": {}, "working": False}, None, "no subscription brings", id="no subscription"),
        pytest.param({"working": False}, None, "is disabled or has no replication slot", id="disabled"),
        pytest.param({"revision": "r0001"}, None, "at revision r0001 and the warehouse is at r", id="migrated"),
        pytest.param({"revision": None}, None, "none, or not to its end", id="half a set-up"),
        pytest.param(
            {"tables": {**dict.fromkeys("dcbae", "i"), "z": "r"}},
            None,
            "not ended for a, b, c and 2 more",
            id="copying",
        ),
        pytest.param({"tables": {"a": "s"}}, None, "has not ended for a: wait", id="catching up"),
        pytest.param({"alive": False}, None, "nothing comes from the source", id="silent"),
    ],
)
def test_nothing_is_built_from_half_a_replica(changes: dict[str, Any], bound: int | None, said: str | None) -> None:
    trouble = replica.obstacle(a_replica(**changes), None if bound is None else bound * SECOND)

    assert (trouble is None) if said is None else (trouble is not None and said in trouble), trouble


EMPTY = {"commits": False, "refs": False}
SOURCE = Source(tables={"commits": True, "refs": True})
FRESH = Target(tables=EMPTY)
SET_UP = Target(
    tables={"commits": True, "refs": True}, source="1/2", copied=frozenset(EMPTY), subscribed=frozenset(EMPTY)
)


@pytest.mark.parametrize(
    ("source", "target", "said"),
    [
        pytest.param({}, FRESH, None, id="fresh"),
        pytest.param({"slot": "reserved", "free_slots": 0, "free_senders": 0}, SET_UP, None, id="again"),
        pytest.param({"slot": "reserved"}, replace(SET_UP, subscribed=frozenset()), "rows of an earlier replication", id="rows"),
        pytest.param({}, replace(FRESH, source="1/2"), None, id="half a set-up"),
        pytest.param({"slot": "lost"}, FRESH, None, id="the slot of half a set-up"),
        pytest.param({}, SET_UP, "has lost the replica's slot", id="no slot"),
        pytest.param({"slot": "lost"}, SET_UP, "add --anew", id="a lost slot"),
        pytest.param({"wal_level": "replica"}, FRESH, "wal_level replica: set it to logical", id="wal_level"),
        pytest.param({"free_slots": 1}, FRESH, "raise max_replication_slots", id="slots"),
        pytest.param({"free_senders": 1}, FRESH, "raise max_wal_senders", id="senders"),
        pytest.param({"version": 130011}, FRESH, "the source is PostgreSQL 13, and 14 is the oldest", id="old source"),
        pytest.param({}, replace(FRESH, version=130011), "the replica is PostgreSQL 13", id="old replica"),
        pytest.param({"is_replica": True}, FRESH, "the source is a replica itself", id="a chain"),
        pytest.param({"tables": {"a": True, "b": False}}, FRESH, "b of the source has no primary key", id="identity"),
        pytest.param({}, replace(FRESH, in_recovery=True), "a standby", id="standby"),
        pytest.param({}, replace(FRESH, others=("mine",)), "another subscription already (mine)", id="subscribed"),
        pytest.param({}, replace(FRESH, source="3/4"), "belongs to another source", id="of another"),
        pytest.param({}, replace(FRESH, tables={"commits": True}), "has rows of its own (commits)", id="rows of its own"),
        pytest.param({}, replace(FRESH, tables={**EMPTY, "mine": True}), None, id="a table that the source has not"),
        pytest.param(
            {"tables": {**SOURCE.tables, "new": True}, "slot": "reserved"},
            replace(SET_UP, tables={**SET_UP.tables, "new": True}), "has rows of its own (new)", id="a new one with rows",
        ),
        pytest.param({}, replace(FRESH, workers=0), "max_logical_replication_workers 0", id="workers"),
    ],
)  # fmt: skip
def test_what_stands_in_the_way_of_a_set_up(source: dict[str, Any], target: Target, said: str | None) -> None:
    trouble = check.obstacle(replace(SOURCE, **source), target, "1/2")

    assert (trouble is None) if said is None else (trouble is not None and said in str(trouble)), trouble
    assert trouble is None or trouble.outcome is Outcome.INVALID_INPUT


@pytest.mark.parametrize(
    ("version", "said"),
    [(150000, "takes a superuser before PostgreSQL 16"), (160000, 'grant create on database "base"')],
)
def test_who_may_make_no_subscription_is_told_what_to_do(version: int, said: str) -> None:
    trouble = check.obstacle(SOURCE, replace(FRESH, version=version, may_subscribe=False, database="base"), "1/2")

    assert trouble is not None
    assert (trouble.outcome, said in str(trouble)) == (Outcome.AUTHENTICATION_FAILED, True)


SLOT = Slot(active=True, wal_status="reserved", lag_bytes=5_000, kept_bytes=1_234_567)


@pytest.mark.parametrize(
    ("slot", "trouble", "ready", "said"),
    [
        pytest.param(SLOT, None, True, "1,234,567 bytes", id="well"),
        pytest.param(None, "the source: gone", True, "the source: gone", id="source not asked"),
        pytest.param(None, None, False, "the source has no slot s", id="no slot"),
        pytest.param(replace(SLOT, wal_status="lost"), None, False, "has lost slot s", id="lost"),
    ],
)
def test_the_state_tells_what_both_sides_know(slot: Slot | None, trouble: str | None, ready: bool, said: str) -> None:
    state = State(a_replica(), "s", slot, trouble)
    document = state.document()

    assert document["ready"] is ready
    assert said in "\n".join(state.lines())
    assert (document["lagSeconds"], document["replicatedUntil"]) == (60.0, T0.isoformat())
    assert document["lagBytes"] == (slot.lag_bytes if slot else None)
    assert document["tables"] == [{"name": "commits", "state": "ready"}, {"name": "refs", "state": "ready"}]


def test_each_replica_has_a_slot_of_its_own() -> None:
    names = {slot_of(identity) for identity in ("1/2", "1/3", "2/2")}

    assert len(names) == 3
    assert all(len(name) < 64 and name.replace("_", "").isalnum() and name.islower() for name in names)
