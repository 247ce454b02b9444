"""Who may start, between one look at the cluster and the next."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest

from gitmart.controller.admission import HOST_FULL, TOTAL_FULL, Caps, Key
from gitmart.handlers.places import Places

T0 = datetime(2026, 1, 1, tzinfo=UTC)


def key(name: str) -> Key:
    return "team", name


def ask(places: Places, name: str, host: str = "a", minute: int = 0) -> str | None:
    full = places.ask(key(name), host, T0 + timedelta(minutes=minute))
    return full.reason if full else None


@pytest.fixture
def running() -> dict[Key, str]:
    return {}


def test_a_place_is_reserved_before_its_job_is_seen(running: dict[Key, str]) -> None:
    places = Places(Caps(total=1, per_host=0), running.copy)

    assert (ask(places, "one"), ask(places, "two")) == (None, TOTAL_FULL)


def test_a_place_is_free_again_once_it_is_left(running: dict[Key, str]) -> None:
    places = Places(Caps(total=1, per_host=0), running.copy)
    ask(places, "one")
    ask(places, "two")
    places.leave(key("one"))

    assert list(places.next()) == [key("two")]
    assert ask(places, "two") is None


def test_a_job_that_is_seen_holds_its_place(running: dict[Key, str]) -> None:
    places = Places(Caps(total=1, per_host=0), lambda: running)
    ask(places, "one")
    running[key("one")] = "a"
    places.leave(key("one"))

    assert ask(places, "two") == TOTAL_FULL
    assert list(places.next()) == []
    del running[key("one")]
    assert list(places.next()) == [key("two")]


def test_asking_again_keeps_the_place_in_the_line(running: dict[Key, str]) -> None:
    places = Places(Caps(total=1, per_host=0), lambda: running)
    running[key("zero")] = "a"
    ask(places, "first", minute=1)
    ask(places, "second", minute=2)
    ask(places, "first", minute=9)
    running.clear()

    assert list(places.next()) == [key("first")]


def test_who_waits_for_a_full_host_lets_others_pass(running: dict[Key, str]) -> None:
    places = Places(Caps(total=3, per_host=1), lambda: running)
    running[key("zero")] = "a"

    assert ask(places, "same-host", "a") == HOST_FULL
    assert ask(places, "other-host", "b", minute=5) is None
    assert places.queued() == {HOST_FULL: 1}


def test_without_caps_nobody_waits(running: dict[Key, str]) -> None:
    places = Places(Caps(0, 0), lambda: running)

    assert {ask(places, f"r{number}") for number in range(100)} == {None}
    assert len(places.taken()) == 100


def test_the_cap_that_is_told_is_the_one_that_others_before_us_will_fill(running: dict[Key, str]) -> None:
    places = Places(Caps(total=3, per_host=1), lambda: dict(running))
    running |= {key("a"): "x", key("b"): "y", key("c"): "z"}
    ask(places, "first", "host", minute=1)
    del running[key("c")]

    assert ask(places, "second", "host", minute=2) == TOTAL_FULL
    del running[key("b")]
    assert ask(places, "second", "host", minute=2) == HOST_FULL
