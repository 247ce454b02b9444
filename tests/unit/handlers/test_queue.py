"""The work queue, on a loop whose clock jumps."""

from __future__ import annotations

import asyncio
import itertools
import logging
from collections import Counter
from collections.abc import Awaitable, Callable, Coroutine
from dataclasses import dataclass, field
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from gitmart.handlers.queue import Backoff, Ending, WorkQueue

from .virtual_time import run


@dataclass
class Visits:
    """Records visits; what one does comes from `plan`, a key's answers in order, the last for ever."""

    plan: dict[str, list[float | Exception | None]] = field(default_factory=dict)
    takes: float = 0.0  # seconds a visit lasts
    seen: list[tuple[float, str]] = field(default_factory=list)
    active: Counter[str] = field(default_factory=Counter)
    most: int = 0  # visits at the same time

    async def __call__(self, key: str) -> float | None:
        self.seen.append((round(asyncio.get_running_loop().time(), 6), key))
        self.active[key] += 1
        self.most = max(self.most, self.active.total())
        assert self.active[key] == 1, f"{key} is visited twice at a time"
        try:
            await asyncio.sleep(self.takes)
        finally:
            self.active[key] -= 1
        answers = self.plan.get(key, [None])
        answer = answers.pop(0) if len(answers) > 1 else answers[0]
        if isinstance(answer, Exception):
            raise answer
        return answer


Script = Callable[[WorkQueue[str]], Coroutine[Any, Any, None]]


def play(script: Script, visits: Callable[[str], Awaitable[float | None]], workers: int = 2, **options: Any) -> None:
    """Run the script beside the workers, then stop them."""

    async def main() -> None:
        queue: WorkQueue[str] = WorkQueue(**options)
        running = asyncio.create_task(queue.run(visits, workers))
        await asyncio.sleep(0)
        await script(queue)
        running.cancel()
        with pytest.raises(asyncio.CancelledError):
            await running
        assert not queue.state.running

    run(main())


def test_a_waiting_key_is_visited_once() -> None:
    visits = Visits()

    async def script(queue: WorkQueue[str]) -> None:
        for _ in range(5):
            queue.add("a")
        await asyncio.sleep(10)

    play(script, visits)
    assert visits.seen == [(0, "a")]


def test_keys_are_visited_in_the_order_they_came() -> None:
    visits = Visits(takes=1)

    async def script(queue: WorkQueue[str]) -> None:
        for key in "cab":
            queue.add(key)
        await asyncio.sleep(10)

    play(script, visits, workers=1)
    assert visits.seen == [(0, "c"), (1, "a"), (2, "b")]


def test_a_key_added_while_visited_is_visited_again_afterwards() -> None:
    visits = Visits(takes=5)

    async def script(queue: WorkQueue[str]) -> None:
        queue.add("a")
        await asyncio.sleep(1)
        queue.add("a")
        queue.add("a")
        await asyncio.sleep(60)

    play(script, visits)
    assert visits.seen == [(0, "a"), (5, "a")]


def test_no_more_visits_than_workers_at_a_time() -> None:
    visits = Visits(takes=1)

    async def script(queue: WorkQueue[str]) -> None:
        for number in range(10):
            queue.add(str(number))
        await asyncio.sleep(60)

    play(script, visits, workers=3)
    assert (len(visits.seen), visits.most) == (10, 3)


@pytest.mark.parametrize(
    ("delays", "at"),
    [
        pytest.param([7.0], 7, id="one"),
        pytest.param([7.0, 3.0], 3, id="an earlier one wins"),
        pytest.param([3.0, 7.0], 3, id="a later one does not postpone"),
        pytest.param([0.0], 0, id="none"),
    ],
)
def test_the_earliest_wake_up_counts(delays: list[float], at: float) -> None:
    visits = Visits()

    async def script(queue: WorkQueue[str]) -> None:
        for delay in delays:
            queue.add_after("a", delay)
        await asyncio.sleep(60)

    play(script, visits)
    assert visits.seen == [(at, "a")]


def test_a_visit_says_when_to_come_again() -> None:
    visits = Visits({"a": [10.0, 5.0, None]})

    async def script(queue: WorkQueue[str]) -> None:
        queue.add("a")
        await asyncio.sleep(1000)
        assert queue.state.planned == 0

    play(script, visits)
    assert visits.seen == [(0, "a"), (10, "a"), (15, "a")]


def test_an_event_does_not_cancel_the_planned_wake_up() -> None:
    visits = Visits({"a": [10.0, None]})

    async def script(queue: WorkQueue[str]) -> None:
        queue.add("a")
        await asyncio.sleep(4)
        queue.add("a")
        await asyncio.sleep(60)

    play(script, visits)
    assert visits.seen == [(0, "a"), (4, "a"), (10, "a")]


def test_keys_and_wake_ups_from_before_the_start_are_kept() -> None:
    visits = Visits()

    async def main() -> None:
        queue: WorkQueue[str] = WorkQueue()
        queue.add("a")
        queue.add_after("b", 3)
        await asyncio.sleep(5)
        running = asyncio.create_task(queue.run(visits, 1))
        await asyncio.sleep(1)
        running.cancel()
        await asyncio.wait([running])

    run(main())
    assert visits.seen == [(5, "a"), (5, "b")]


def test_failures_back_off_up_to_a_quarter_of_an_hour_and_success_ends_that() -> None:
    visits = Visits({"a": [*[OSError("no")] * 12, None]})

    async def script(queue: WorkQueue[str]) -> None:
        queue.add("a")
        await asyncio.sleep(10_000)
        assert queue.failures("a") == 0

    play(script, visits)
    times = [at for at, _ in visits.seen]
    waits = [later - earlier for earlier, later in itertools.pairwise(times)]
    assert waits == [1, 2, 4, 8, 16, 32, 64, 128, 256, 512, 900, 900]


def test_a_forgotten_key_begins_with_the_first_backoff() -> None:
    visits = Visits({"a": [OSError("no")]})

    async def script(queue: WorkQueue[str]) -> None:
        queue.add("a")
        await asyncio.sleep(2)  # visited at 0 and 1, next at 3
        queue.forget("a")
        await asyncio.sleep(2.5)

    play(script, visits)
    assert visits.seen == [(0, "a"), (1, "a"), (3, "a"), (4, "a")]


def test_the_backoff_of_one_key_holds_no_other() -> None:
    visits = Visits({"bad": [OSError("no")]})

    async def script(queue: WorkQueue[str]) -> None:
        queue.add("bad")
        queue.add("good")
        await asyncio.sleep(0.5)

    play(script, visits, workers=1)
    assert visits.seen == [(0, "bad"), (0, "good")]


@pytest.mark.parametrize(
    "answer",
    [
        pytest.param(ValueError("boom"), id="an error"),
        pytest.param(-1.0, id="a time in the past"),
        pytest.param(float("nan"), id="not a number"),
        pytest.param(asyncio.CancelledError(), id="something within was cancelled"),
    ],
)
def test_a_worker_outlives_a_bad_visit(answer: Any) -> None:
    seen = []

    async def visit(key: str) -> float | None:
        seen.append(key)
        if key == "good":
            return None
        if isinstance(answer, BaseException):
            raise answer
        return float(answer)

    async def script(queue: WorkQueue[str]) -> None:
        queue.add("bad")
        queue.add("good")
        await asyncio.sleep(1.5)
        assert queue.failures("bad") == 2

    play(script, visit, workers=1)
    assert seen == ["bad", "good", "bad"]


def test_a_failure_is_told_once_with_key_and_backoff(caplog: pytest.LogCaptureFixture) -> None:
    async def script(queue: WorkQueue[str]) -> None:
        queue.add("expected")
        queue.add("surprise")
        await asyncio.sleep(0.5)

    visits = Visits({"expected": [OSError("away")], "surprise": [KeyError("spec")]})
    with caplog.at_level(logging.INFO, "gitmart"):
        play(script, visits, workers=1, expected=(OSError,))

    told = {record.key: record for record in caplog.records}  # type: ignore[attr-defined]
    assert len(caplog.records) == 2
    assert vars(told["expected"])["error"] == "OSError: away"
    assert vars(told["expected"])["retry_in_seconds"] == 1
    assert told["expected"].exc_info is None
    assert told["surprise"].exc_info is not None


def test_a_visit_cut_off_by_the_end_is_the_first_of_the_next_run() -> None:
    visits = Visits(takes=10)

    async def main() -> None:
        queue: WorkQueue[str] = WorkQueue()
        queue.add("a")
        for _ in range(2):
            running = asyncio.create_task(queue.run(visits, 1))
            await asyncio.sleep(1)
            running.cancel()
            await asyncio.wait([running])

    run(main())
    assert visits.seen == [(0, "a"), (1, "a")]


def test_the_state_tells_what_is_under_way() -> None:
    visits = Visits({"a": [30.0]}, takes=10)
    states = []

    async def script(queue: WorkQueue[str]) -> None:
        for key in "abc":
            queue.add(key)
            await asyncio.sleep(1)
        states.append(queue.state)
        await asyncio.sleep(27)
        states.append(queue.state)

    play(script, visits)
    busy, quiet = states
    assert (busy.workers, busy.depth, busy.active) == (2, 1, 2)
    assert (busy.longest_visit, busy.unfinished, busy.idle) == (3, 5, 2)
    assert (quiet.depth, quiet.active, quiet.planned, quiet.longest_visit) == (0, 0, 1, 0)
    assert quiet.idle == 10  # the last visit, of c, ended at 20


class Told:
    """An observer that writes everything down."""

    def __init__(self) -> None:
        self.lines: list[tuple[object, ...]] = []

    def added(self, key: str) -> None:
        self.lines.append(("added", key))

    def started(self, key: str, waited: float) -> None:
        self.lines.append(("started", key, waited))

    def ended(self, key: str, took: float, ending: Ending) -> None:
        self.lines.append(("ended", key, took, ending))


def test_the_observer_is_told_of_every_step() -> None:
    told = Told()

    async def script(queue: WorkQueue[str]) -> None:
        queue.add("a")
        queue.add("a")
        await asyncio.sleep(0.5)
        queue.add("b")
        await asyncio.sleep(7)

    play(script, Visits({"a": [None], "b": [OSError("no"), 60.0]}, takes=2), 1, observer=told)
    assert told.lines == [
        ("added", "a"), ("started", "a", 0), ("added", "b"), ("ended", "a", 2, "success"),
        ("started", "b", 1.5), ("ended", "b", 2, "error"),
        ("added", "b"), ("started", "b", 0), ("ended", "b", 2, "requeue_after"),
    ]  # fmt: skip


def test_overtaken_wake_ups_do_not_pile_up() -> None:
    async def script(queue: WorkQueue[str]) -> None:
        for number in range(10_000):
            queue.add_after("a", 20_000 - number)
        assert queue.state.planned == 1
        assert len(queue._heap) < 100

    play(script, Visits())


class ByHand:
    """A clock that stands until it is set."""

    now = 0.0

    def __call__(self) -> float:
        return self.now


def test_another_clock_may_be_given() -> None:
    clock = ByHand()

    async def main() -> float:
        queue: WorkQueue[str] = WorkQueue(clock=clock)
        queue.add_after("a", 5)
        clock.now = 5.0
        visits = Visits()
        running = asyncio.create_task(queue.run(visits, 1))
        await asyncio.sleep(0.1)
        running.cancel()
        await asyncio.wait([running])
        assert [key for _, key in visits.seen] == ["a"]
        return queue.state.idle

    assert run(main()) == 0


KEYS = st.sampled_from("abc")
STEPS = st.lists(
    st.one_of(
        st.tuples(st.just("add"), KEYS, st.just(0.0)),
        st.tuples(st.just("after"), KEYS, st.integers(0, 20).map(float)),
        st.tuples(st.just("pass"), st.just(""), st.integers(0, 15).map(lambda tenths: tenths / 10)),
    ),
    max_size=40,
)
ANSWERS = st.lists(st.sampled_from([None, 0.0, 3.0, OSError("no")]), max_size=6)


@settings(max_examples=300)
@given(
    steps=STEPS,
    answers=st.dictionaries(KEYS, ANSWERS),
    takes=st.sampled_from([2.0, 0.3, 0.0]),
    workers=st.integers(1, 3),
)
def test_no_key_is_lost(
    steps: list[tuple[str, str, float]], answers: dict[str, list[float | Exception | None]], takes: float, workers: int
) -> None:
    """After every wish a visit begins by the time it is due, or as soon as the workers can; none without a reason."""
    visits = Visits({key: [*plan, None] for key, plan in answers.items()}, takes)
    asked: list[tuple[float, float, str]] = []  # (when, due, key)

    async def script(queue: WorkQueue[str]) -> None:
        loop = asyncio.get_running_loop()
        for what, key, seconds in steps:
            if what == "pass":
                await asyncio.sleep(seconds)
                continue
            asked.append((loop.time(), loop.time() + seconds, key))
            if what == "add":
                queue.add(key)
            else:
                queue.add_after(key, seconds)
        await asyncio.sleep(500)
        state = queue.state
        assert (state.depth, state.active, state.planned) == (0, 0, 0)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(logging.getLogger("gitmart.handlers.queue"), "disabled", True)
        play(script, visits, workers, backoff=Backoff(1, 8))
    busy = takes * len(visits.seen) + 1e-5  # longest that the workers can keep a key waiting
    for when, due, key in asked:
        assert any(when - 1e-5 <= began <= due + busy for began, name in visits.seen if name == key)
    assert len(visits.seen) <= len(asked) + sum(answer is not None for plan in answers.values() for answer in plan)
