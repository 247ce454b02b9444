"""Reading one's own writes, and the smallest patch."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gitmart.handlers.awaited import Awaited, at_least
from gitmart.handlers.patches import merge_patch


class Clock:
    """Stands until it is set."""

    now = 0.0

    def __call__(self) -> float:
        return self.now


def test_what_is_not_seen_yet_is_awaited() -> None:
    clock, shown = Clock(), {"one": False, "two": False}
    awaited: Awaited[str] = Awaited(clock)
    awaited.add("key", lambda: shown["one"])
    clock.now = 5
    awaited.add("key", lambda: shown["two"])
    clock.now = 7

    assert (awaited.age("key"), awaited.oldest(), awaited.age("other")) == (7, 7, None)
    shown["one"] = True
    assert awaited.age("key") == 2
    shown["two"] = True
    assert (awaited.age("key"), awaited.oldest()) == (None, 0)


def test_what_was_seen_once_is_not_awaited_again() -> None:
    shown = [True]
    awaited: Awaited[str] = Awaited(Clock())
    awaited.add("key", lambda: shown[0])
    assert awaited.age("key") is None
    shown[0] = False

    assert awaited.age("key") is None


def test_what_is_forgotten_is_not_awaited() -> None:
    awaited: Awaited[str] = Awaited(Clock())
    awaited.add("key", lambda: False)
    awaited.forget("key")

    assert awaited.age("key") is None


@pytest.mark.parametrize(
    ("version", "wanted", "enough"),
    [("10", "9", True), ("9", "10", False), ("9", "9", True), ("odd", "9", True), ("", "9", True)],
)
def test_versions_are_compared_as_numbers(version: str, wanted: str, enough: bool) -> None:
    assert at_least(version, wanted) is enough


# JSON without null: a status leaves out what is unset, and null in a merge patch means "remove".
values = st.recursive(
    st.booleans() | st.integers(-9, 9) | st.text(max_size=3),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=2), inner, max_size=3),
    max_leaves=8,
)
documents = st.dictionaries(st.sampled_from("abcd"), values, max_size=4)


def merged(target: Any, patch: Any) -> Any:
    """RFC 7386, section 2, word by word."""
    if not isinstance(patch, dict):
        return patch
    target = dict(target) if isinstance(target, dict) else {}
    for name, value in patch.items():
        if value is None:
            target.pop(name, None)
        else:
            target[name] = merged(target.get(name), value)
    return target


@given(documents, documents)
def test_a_patch_makes_the_one_into_the_other(before: dict[str, Any], after: dict[str, Any]) -> None:
    patch = merge_patch(before, after)

    assert merged(before, patch) == after
    assert (patch == {}) == (before == after)
    assert json.loads(json.dumps(patch)) == patch


def test_a_patch_names_only_what_differs() -> None:
    before = {"a": {"b": 1, "c": 2}, "d": [1], "e": "gone"}

    assert merge_patch(before, {"a": {"b": 1, "c": 3}, "d": [1]}) == {"a": {"c": 3}, "e": None}
