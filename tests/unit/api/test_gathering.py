"""One request for a burst, on a loop whose clock jumps."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Coroutine
from typing import Any

import pytest
from tests.unit.handlers.virtual_time import run

from gitmart.api.hooks.directory import FRESH, KNOWN, Directory, Name
from gitmart.api.hooks.gathering import LONGEST, PAUSES, QUIET, Gathering

Written = list[tuple[float, str]]


def play(script: Callable[[Gathering[str]], Coroutine[Any, Any, None]], takes: float = 0.0) -> Written:
    """Run a script and return what was written, and when."""
    written: Written = []

    async def write(key: str) -> None:
        await asyncio.sleep(takes)
        written.append((round(asyncio.get_running_loop().time(), 6), key))

    async def main() -> None:
        gathering = Gathering(write, lambda _: True)
        await script(gathering)
        await gathering.close()

    run(main())
    return written


def test_a_thousand_at_once_are_one() -> None:
    async def script(gathering: Gathering[str]) -> None:
        await asyncio.gather(*(gathering.ask("a") for _ in range(1000)))

    assert play(script) == [(QUIET, "a")]


def test_what_comes_before_it_is_quiet_joins_and_does_not_wait() -> None:
    async def script(gathering: Gathering[str]) -> None:
        first = asyncio.create_task(gathering.ask("a"))
        await asyncio.sleep(QUIET / 2)
        await gathering.ask("a")
        assert not first.done()
        await first

    assert play(script) == [(1.5 * QUIET, "a")]


def test_an_endless_burst_is_written_now_and_then() -> None:
    async def script(gathering: Gathering[str]) -> None:
        asked = []
        for _ in range(90):
            asked.append(asyncio.create_task(gathering.ask("a")))
            await asyncio.sleep(0.1)
        await asyncio.gather(*asked)

    assert [when for when, _ in play(script)] == pytest.approx([LONGEST, 2 * LONGEST, 9.0 + QUIET], abs=0.2)


def test_what_comes_during_a_write_is_written_after_it() -> None:
    async def script(gathering: Gathering[str]) -> None:
        first = asyncio.create_task(gathering.ask("a"))
        await asyncio.sleep(QUIET + 1)
        await gathering.ask("a")
        await first

    assert play(script, takes=5.0) == [(QUIET + 5, "a"), (2 * QUIET + 1 + 5, "a")]


def test_different_things_do_not_wait_for_each_other() -> None:
    async def script(gathering: Gathering[str]) -> None:
        await asyncio.gather(gathering.ask("a"), gathering.ask("b"))

    assert sorted(play(script)) == [(QUIET, "a"), (QUIET, "b")]


def test_the_first_may_go_away() -> None:
    async def script(gathering: Gathering[str]) -> None:
        first = asyncio.create_task(gathering.ask("a"))
        await asyncio.sleep(0)
        first.cancel()
        await gathering.ask("a")

    assert play(script) == [(0.0, "a")]  # closed at once


class Failing:
    """Fails as often as told; `times` has when it was tried."""

    def __init__(self, failures: int, passing: bool = True) -> None:
        self.failures = failures
        self.passing = passing
        self.times: list[float] = []

    async def __call__(self, _: str) -> None:
        self.times.append(round(asyncio.get_running_loop().time(), 6))
        if len(self.times) <= self.failures:
            raise ConnectionError("down")

    def play(self, askers: int) -> list[BaseException | None]:
        """Return what those who ask at once are told."""

        async def main() -> list[BaseException | None]:
            gathering = Gathering(self, lambda _: self.passing)
            return await asyncio.gather(*(gathering.ask("a") for _ in range(askers)), return_exceptions=True)

        return run(main())


@pytest.mark.parametrize(
    ("failures", "passing", "askers", "tries", "fails"),
    [
        pytest.param(1, True, 1, 1, True, id="one alone is told, and tries again itself"),
        pytest.param(1, True, 2, 2, False, id="others rely on it"),
        pytest.param(len(PAUSES), True, 2, len(PAUSES) + 1, False, id="to the last"),
        pytest.param(99, True, 2, len(PAUSES) + 1, True, id="given up"),
        pytest.param(1, False, 2, 1, True, id="it would not pass"),
    ],
)
def test_a_failure_is_tried_again_for_those_who_were_answered(
    failures: int, passing: bool, askers: int, tries: int, fails: bool
) -> None:
    write = Failing(failures, passing)

    told = write.play(askers)

    assert write.times == [sum((QUIET, *PAUSES[:number])) for number in range(tries)]
    assert [each is not None for each in told] == [fails] + [False] * (askers - 1)


def test_closing_does_not_wait() -> None:
    write = Failing(99)

    async def main() -> None:
        gathering = Gathering(write, lambda _: True)
        asked = [asyncio.create_task(gathering.ask(key)) for key in "aab"]
        await asyncio.sleep(0)
        await gathering.close()
        assert [each.done() for each in asked] == [True] * 3
        assert [each.exception() is not None for each in asked] == [True, False, True]

    run(main())
    assert write.times == [0.0, 0.0]


class Listing:
    """Repositories that come and go, and how often they were listed."""

    def __init__(self, *urls: str) -> None:
        self.urls = list(urls)
        self.count = 0
        self.now = 0.0

    async def __call__(self) -> Any:
        self.count += 1
        for number, url in enumerate(self.urls):
            yield {"metadata": {"namespace": "n", "name": f"r{number}"}, "spec": {"url": url}}


A, B = "https://git.example.org/a", "https://git.example.org/b"


def test_the_list_is_read_when_it_is_old_or_knows_nothing() -> None:
    listing = Listing(A)
    counts = []

    async def main() -> None:
        directory = Directory(listing, lambda: listing.now)

        async def look(*keys: str) -> list[Name]:
            found = await directory.find(keys)
            counts.append(listing.count)
            return found

        assert await look(A, "ssh://git.example.org/a") == [Name("n", "r0")]
        assert await look(A) == [Name("n", "r0")]
        listing.urls.append(B + ".git")
        assert await look(B) == []
        listing.now += FRESH
        assert await look(B) == [Name("n", "r1")]
        listing.now += KNOWN - 1
        assert await look(B) == [Name("n", "r1")]
        listing.now += 1
        assert await look(B) == [Name("n", "r1")]
        directory.forget()
        assert await look(B) == [Name("n", "r1")]
        assert await look() == []

    run(main())
    assert counts == [1, 1, 1, 2, 2, 3, 4, 4]


def test_many_who_miss_at_once_read_the_list_once() -> None:
    listing = Listing(A, A)

    async def main() -> None:
        directory = Directory(listing, lambda: listing.now)
        found = await asyncio.gather(*(directory.find([key]) for key in (A, B, A, B)))
        assert [len(each) for each in found] == [2, 0, 2, 0]

    run(main())
    assert listing.count == 1
