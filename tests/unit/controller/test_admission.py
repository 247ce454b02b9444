"""Who may start when places are few."""

from __future__ import annotations

from datetime import timedelta

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from gitmart.controller.admission import HOST_FULL, TOTAL_FULL, Caps, Key, Waiting, admitted, full

from .objects import T0


def waiting(*names: str, host: str = "a.example", since: int = 0) -> list[Waiting]:
    """Return who waits: names such as team/one, each a second later than the one before."""
    return [
        Waiting(key(name), host, T0 + timedelta(seconds=since + later)) for later, name in enumerate(names)
    ]  # fmt: skip


def key(name: str) -> Key:
    namespace, _, own = name.partition("/")
    return namespace, own


def names(line: list[Waiting], running: dict[Key, str], caps: Caps) -> list[str]:
    return ["/".join(each.key) for each in admitted(line, running, caps)]


@pytest.mark.parametrize(
    ("caps", "expected"),
    [
        pytest.param(Caps(0, 0), ["t/1", "t/2", "t/3", "t/4"], id="none"),
        pytest.param(Caps(2, 0), ["t/1", "t/2"], id="total"),
        pytest.param(Caps(0, 3), ["t/1", "t/2", "t/3"], id="per-host"),
        pytest.param(Caps(4, 1), ["t/1"], id="both"),
    ],
)
def test_no_more_start_than_the_caps_allow(caps: Caps, expected: list[str]) -> None:
    assert names(waiting("t/1", "t/2", "t/3", "t/4"), {}, caps) == expected


def test_what_runs_counts() -> None:
    running = {key("t/0"): "a.example", key("u/0"): "b.example"}

    assert names(waiting("t/1", "t/2"), running, Caps(3, 0)) == ["t/1"]
    assert names(waiting("t/1", "t/2"), running, Caps(2, 0)) == []
    assert names(waiting("t/1", "t/2"), running, Caps(0, 2)) == ["t/1"]


def test_who_waits_for_a_full_host_lets_others_pass() -> None:
    line = [*waiting("t/1", "t/2"), *waiting("t/3", host="b.example", since=9)]

    assert names(line, {key("t/0"): "a.example"}, Caps(4, 1)) == ["t/3"]


def test_first_come_first_served_within_a_namespace() -> None:
    assert names(list(reversed(waiting("t/3", "t/1", "t/2"))), {}, Caps(2, 0)) == ["t/3", "t/1"]


def test_namespaces_take_turns() -> None:
    line = [*waiting("many/1", "many/2", "many/3"), *waiting("few/1", since=60)]

    assert names(line, {}, Caps(2, 0)) == ["many/1", "few/1"]
    assert names(line, {key("few/0"): "b.example"}, Caps(3, 0)) == ["many/1", "many/2"]


@pytest.mark.parametrize(
    ("running", "caps", "reason", "words"),
    [
        ({"t/1": "a.example"}, Caps(1, 0), TOTAL_FULL, "1 extractions may run at a time (maxExtractions)"),
        ({"t/1": "a.example"}, Caps(4, 1), HOST_FULL, "1 extractions from a.example may run"),
        ({"t/1": "a.example"}, Caps(1, 1), TOTAL_FULL, "1 extractions may run"),
        ({}, Caps(0, 1), HOST_FULL, "1 extractions from a.example may run"),
    ],
    ids=["total", "host", "both", "the-one-before-takes-the-last-place-of-the-host"],
)
def test_the_message_says_which_cap_is_full(running: dict[str, str], caps: Caps, reason: str, words: str) -> None:
    verdict = full("a.example", {key(name): host for name, host in running.items()}, caps)

    assert verdict.reason == reason
    assert words in verdict.message


LINES = st.lists(
    st.builds(
        Waiting,
        st.tuples(st.sampled_from("tuv"), st.integers(0, 99).map(str)),
        st.sampled_from(["a", "b", "c"]),
        st.integers(0, 99).map(lambda later: T0 + timedelta(seconds=later)),
    ),
    max_size=12,
    unique_by=lambda each: each.key,
)
RUNNING = st.dictionaries(st.tuples(st.just("w"), st.integers(0, 9).map(str)), st.sampled_from(["a", "b", "c"]))


@settings(deadline=None)
@given(LINES, RUNNING, st.integers(0, 6), st.integers(0, 4))
def test_places_are_neither_exceeded_nor_left_empty(
    line: list[Waiting], running: dict[Key, str], total: int, per_host: int
) -> None:
    caps = Caps(total, per_host)
    chosen = list(admitted(line, running, caps))
    taken = running | {each.key: each.host for each in chosen}
    hosts = list(taken.values())

    assert not total or len(taken) <= max(total, len(running))
    for host in set(hosts):
        there = list(running.values()).count(host)
        assert not per_host or hosts.count(host) <= max(per_host, there)
    for left in line:
        if left.key not in taken:
            assert caps.total_full(len(taken)) or caps.host_full(hosts.count(left.host)), f"{left} could have started"
