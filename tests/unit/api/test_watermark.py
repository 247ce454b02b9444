"""When an answer made before is still true."""

from __future__ import annotations

import asyncio
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from gitmart.api.middleware.cache import etag, is_match, key_of
from gitmart.api.watermark import Lacking, Reason, State, Watch, state_of

ENDED = datetime(2026, 1, 1, tzinfo=UTC)
ROW: dict[str, Any] = {
    "revision": "r0013", "run": 7, "finished_at": ENDED, "building": False, "things": 20, "identities": "abc",
    "there": True, "day": "2026-01-02",
}  # fmt: skip


def state(**changes: object) -> State:
    return state_of({**ROW, **changes}, "analytics", "r0013")


@pytest.mark.parametrize(
    "change",
    [
        {"revision": "r0014"}, {"run": 8}, {"finished_at": ENDED + timedelta(microseconds=1)}, {"finished_at": None},
        {"identities": "abd"}, {"day": "2026-01-03"},
    ],
    ids=lambda change: next(iter(change)),
)  # fmt: skip
def test_whatever_may_change_an_answer_moves_the_watermark(change: dict[str, object]) -> None:
    assert state(**change).watermark not in {None, state().watermark}


def test_at_rest_the_watermark_stays() -> None:
    assert state() == state()
    assert state().changed_at == ENDED


def test_while_a_build_runs_there_is_none() -> None:
    assert state(building=True) == State(changed_at=ENDED, building=True)


@pytest.mark.parametrize(
    ("row", "reason", "said"),
    [
        (None, Reason.NOT_MIGRATED, "at revision none, this version of gitmart needs r0013: run `gitmart migrate`"),
        ({"revision": "r0012"}, Reason.NOT_MIGRATED, "at revision r0012"),
        ({"there": False}, Reason.NO_MARTS, "the marts of schema analytics are not built yet: run `gitmart transform`"),
        ({"there": False, "building": True}, Reason.NO_MARTS, "are being built for the first time"),
    ],
)
def test_what_is_lacking_is_said(row: dict[str, object] | None, reason: Reason, said: str) -> None:
    found = state_of(None if row is None else {**ROW, **row}, "analytics", "r0013")

    assert found.watermark is None
    assert isinstance(found.lacking, Lacking)
    assert found.lacking.reason is reason
    assert said in found.lacking.sentence


class Warehouse:
    """Is looked at; each look waits until it is let go."""

    def __init__(self) -> None:
        self.looks: list[asyncio.Future[State]] = []

    async def look(self) -> State:
        self.looks.append(asyncio.get_running_loop().create_future())
        return await self.looks[-1]

    async def until(self, looks: int) -> None:
        while len(self.looks) < looks:
            await asyncio.sleep(0)


def test_one_look_serves_all_who_ask_within_the_interval() -> None:
    async def run() -> None:
        warehouse, seconds = Warehouse(), [0.0]
        watch = Watch(warehouse.look, timedelta(seconds=1), lambda: seconds[0])
        asked = [asyncio.create_task(watch.now()) for _ in range(3)]
        await warehouse.until(1)
        await asyncio.sleep(0)
        warehouse.looks[0].set_result(State("a"))
        assert [each.watermark for each in await asyncio.gather(*asked)] == ["a"] * 3
        seconds[0] = 0.9
        assert (await watch.now()).watermark == "a"
        assert len(warehouse.looks) == 1
        seconds[0] = 1.0
        later = asyncio.create_task(watch.now())
        await warehouse.until(2)
        warehouse.looks[1].set_result(State("b"))
        assert (await later).watermark == "b"

    asyncio.run(run())


def test_a_look_that_began_before_is_none_of_after() -> None:
    async def run() -> None:
        warehouse = Warehouse()
        watch = Watch(warehouse.look, timedelta(seconds=1))
        before = asyncio.create_task(watch.now())
        await warehouse.until(1)
        after = [asyncio.create_task(watch.anew()) for _ in range(3)]
        await asyncio.sleep(0)
        warehouse.looks[0].set_result(State("old"))
        await warehouse.until(2)
        warehouse.looks[1].set_result(State("new"))
        assert (await before).watermark == "old"
        assert [each.watermark for each in await asyncio.gather(*after)] == ["new"] * 3
        assert len(warehouse.looks) == 2

    asyncio.run(run())


def test_a_client_that_goes_away_ends_nobody_elses_look() -> None:
    async def run() -> None:
        warehouse = Warehouse()
        watch = Watch(warehouse.look, timedelta(seconds=1))
        one, other = asyncio.create_task(watch.now()), asyncio.create_task(watch.now())
        await warehouse.until(1)
        one.cancel()
        await asyncio.sleep(0)
        warehouse.looks[0].set_result(State("a"))
        assert (await other).watermark == "a"

    asyncio.run(run())


def scope(**changes: Any) -> dict[str, Any]:
    return {"path": "/a", "query_string": b"", "scheme": "http", "headers": [(b"host", b"h")], **changes}


@pytest.mark.parametrize(
    ("one", "other", "same"),
    [
        (b"a=1&b=2", b"b=2&a=1", True),
        (b"a=%61", b"a=a", True),
        (b"a=1&a=2", b"a=2&a=1", False),
        (b"a=", b"", False),
        (b"a=1", b"a=2", False),
        (b"a=1%26b=2", b"a=1&b=2", False),
    ],
)
def test_the_order_of_parameters_does_not_matter(one: bytes, other: bytes, same: bool) -> None:
    assert (key_of(scope(query_string=one)) == key_of(scope(query_string=other))) is same


@pytest.mark.parametrize(
    "change",
    [
        {"path": "/b"}, {"scheme": "https"}, {"headers": [(b"host", b"other")]},
        {"headers": [(b"host", b"h"), (b"accept", b"text/csv")]},
    ],
)  # fmt: skip
def test_what_else_an_answer_depends_on_is_in_its_key(change: dict[str, Any]) -> None:
    assert key_of(scope(**change)) != key_of(scope())
    assert etag("w", key_of(scope(**change))) != etag("w", key_of(scope()))


@pytest.fixture
def tag() -> str:
    return etag("w", ("/a",))


@pytest.mark.parametrize(
    ("shown", "expected"),
    [("{}", True), ('"x", {}', True), ('"x"', False), ("*", False), ("", False), ("{}x", False)],
)
def test_a_shown_tag_is_compared_weakly(tag: str, shown: str, expected: bool) -> None:
    assert is_match(shown.format(tag), tag) is expected
    assert is_match(shown.format(tag.removeprefix("W/")), tag) is expected
    assert etag("v", ("/a",)) != tag
