"""Buckets of requests, and what is kept of answers."""

from __future__ import annotations

import pytest

from gitmart.api.middleware.answers import OVERHEAD, Answer, Answers
from gitmart.api.middleware.buckets import Buckets, Verdict


def test_so_many_at_once_and_then_at_the_rate() -> None:
    buckets = Buckets(rate=2, burst=3)

    assert [buckets.take("a", 0).left for _ in range(3)] == [2, 1, 0]
    assert buckets.take("a", 0) == Verdict(allowed=False, left=0, wait=0.5)
    assert buckets.take("b", 0).allowed
    assert not buckets.take("a", 0.4).allowed
    assert buckets.take("a", 0.5).allowed
    assert buckets.take("a", 100).left == 2


def test_whoever_came_least_recently_is_forgotten() -> None:
    buckets = Buckets(rate=1, burst=1, most=2)
    for client in ("a", "b", "a", "c"):
        buckets.take(client, 0)

    assert len(buckets) == 2
    assert buckets.take("a", 0).allowed, "forgotten: its refused request did not make it recent"
    assert not buckets.take("c", 0).allowed


def answer(size: int) -> Answer:
    return Answer(((b"a", b"b"),), b"x" * (size - OVERHEAD - 2), "/")


def test_answers_are_bounded_in_bytes_and_the_oldest_go() -> None:
    kept: Answers[str] = Answers(3000)
    kept.move_to("w")
    for key in ("a", "b", "c"):
        kept.keep("w", key, answer(1000))
    assert (len(kept), kept.size) == (3, 3000)

    kept.get("a")
    kept.keep("w", "d", answer(1000))
    assert [kept.get(key) is not None for key in "abcd"] == [True, False, True, True]

    kept.keep("w", "d", answer(2000))
    assert kept.size == 3000
    kept.keep("w", "e", answer(3001))
    assert kept.get("e") is None
    assert kept.size == 3000


@pytest.mark.parametrize("watermark", ["older", "newer"])
def test_an_answer_of_another_watermark_is_not_kept(watermark: str) -> None:
    kept: Answers[str] = Answers(10_000)
    kept.move_to("w")
    kept.keep(watermark, "a", answer(1000))
    assert kept.get("a") is None

    kept.keep("w", "a", answer(1000))
    kept.move_to("w")
    assert kept.get("a") is not None
    kept.move_to("next")
    assert (kept.get("a"), kept.size) == (None, 0)


def test_what_was_asked_for_lately_is_remembered() -> None:
    kept: Answers[str] = Answers(10_000, remembered=2)
    kept.move_to("w")
    for key in ("a", "b", "c", "b"):
        kept.get(key)
    kept.keep("w", "d", answer(1000))

    assert kept.move_to("w") == []
    assert kept.move_to("next") == ["b", "c"], "d was made, and nobody asked"
    assert kept.move_to("last") == []
