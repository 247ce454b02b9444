"""Tables as kubectl aligns them."""

from __future__ import annotations

import pytest

from gitmart.local.exits import LocalError
from gitmart.local.get import aligned, kind_of
from gitmart.resources.dbtschedule import DbtSchedule
from gitmart.resources.repository import Repository


def test_columns_are_as_wide_as_kubectl_makes_them() -> None:
    assert aligned([["NAME", "READY", "AGE"], ["a", "True", "3m20s"], ["longer-name", "", "2d"]]) == [
        "NAME          READY   AGE",
        "a             True    3m20s",
        "longer-name           2d",
    ]


def test_a_narrow_column_has_six_characters() -> None:
    assert aligned([["A", "B"], ["1", "2"]]) == ["A     B", "1     2"]


def test_a_cell_cannot_steer_the_terminal() -> None:
    assert "\x1b" not in "".join(aligned([["NAME"], ["\x1b]0;title\x07"]]))


@pytest.mark.parametrize(("word", "kind"), [("repo", Repository), ("Repositories", Repository), ("dbts", DbtSchedule)])
def test_every_name_of_a_kind_is_understood(word: str, kind: type[object]) -> None:
    assert kind_of(word) is kind


def test_another_kind_is_refused_with_those_there_are() -> None:
    with pytest.raises(LocalError, match=r"'pods' is not a kind of gitmart: write repositories, .*dbts"):
        kind_of("pods")
