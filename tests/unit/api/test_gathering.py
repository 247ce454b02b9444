"""One request for a burst, on a loop whose clock jumps."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Coroutine
from typing import Any

import pytest
from tests.unit.handlers.virtual_time import run

from gitmart.api.hooks.directory import FRESH, KNOWN, Directory, Name
from gitmart.api.hooks.gathering import LONGEST, QUIET, Gathering

Written = list[tuple[float, str]]


def play(script: Callable[[Gathering[str]], Coroutine[Any, Any, None]], takes: float = 0.0) -> Written:
    """Run a script and return what was written, and when."""
    written: Written = []

    async def write(key: str) -> None:
        await asyncio.sleep(takes)
        written.append((round(asyncio.get_running_loop().time(), 6), key))

    async def main() -> None:
        gathering = Gathering(write)
        await script(gathering)
        await gathering.close()

    run(main())
    return written


def test_a_thousand_at_once_are_one() -> None:
    async def script(gathering: Gathering[str]) -> None:
        await asyncio.gather(*(gathering.ask("a") for _ in range(1000)))

    assert play(script) == [(QUIET, "a")]


def test_what_comes_before_it_is_quiet_joins() -> None:
    async def script(gathering: Gathering[str]) -> None:
        first = asyncio.create_task(gathering.ask("a"))
        await asyncio.sleep(QUIET / 2)
        await gathering.ask("a")
        await first

    assert play(script) == [(1.5 * QUIET, "a")]


def test_an_endless_burst_is_written_now_and_then() -> None:
    async def script(gathering: Gathering[str]) -> None:
        asked = []
        for _ in range(70):
            asked.append(asyncio.create_task(gathering.ask("a")))
            await asyncio.sleep(0.1)
        await asyncio.gather(*asked)

    assert [when for when, _ in play(script)] == pytest.approx([LONGEST, 2 * LONGEST, 7.0 + QUIET], abs=0.2)


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


def test_one_who_goes_away_takes_nothing_from_the_others() -> None:
    async def script(gathering: Gathering[str]) -> None:
        gone = asyncio.create_task(gathering.ask("a"))
        stays = asyncio.create_task(gathering.ask("a"))
        await asyncio.sleep(0)
        gone.cancel()
        await stays

    assert play(script) == [(QUIET, "a")]


def test_a_failure_is_told_to_all_who_wait_and_the_next_one_tries_again() -> None:
    answers: list[Exception | None] = [ConnectionError("down"), None]

    async def write(key: str) -> None:
        if (answer := answers.pop(0)) is not None:
            raise answer

    async def main() -> None:
        gathering = Gathering(write)
        told = await asyncio.gather(gathering.ask("a"), gathering.ask("a"), return_exceptions=True)
        assert [str(each) for each in told] == ["down", "down"]
        await gathering.ask("a")

    run(main())
    assert answers == []


def test_closing_writes_what_is_gathered() -> None:
    async def script(gathering: Gathering[str]) -> None:
        asked = asyncio.create_task(gathering.ask("a"))
        await asyncio.sleep(0)
        await gathering.close()
        assert asked.done()

    assert play(script) == [(QUIET, "a")]


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
