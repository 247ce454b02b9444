"""What is refused of any request."""

from __future__ import annotations

import pytest
from pydantic import ValidationError

from gitmart.api.problems import ProblemError
from gitmart.api.routes.strict import names_of
from gitmart.api.switches import CommitSwitches, Days, Switches, named


def test_names_of_a_query() -> None:
    assert list(names_of(b"a=1&b&&c=%C3%A4+x&a=2&%64=")) == ["a", "b", "c", "a", "d"]
    assert list(names_of(b"")) == []


@pytest.mark.parametrize("query", [b"a=%ff", b"a=1&a=%c3", b"a=%ed%a0%80", b"a=\xff"])
def test_what_is_not_utf_8(query: bytes) -> None:
    with pytest.raises(ProblemError, match="parameter a is not UTF-8") as error:
        list(names_of(query))
    assert error.value.status == 400


@pytest.mark.parametrize(
    ("values", "message"),
    [
        ({"since": "5"}, "is not a day: write YYYY-MM-DD"),
        ({"since": "2022-01-01T00:00:00"}, "is not a day: write YYYY-MM-DD"),
        ({"since": "0000-01-01"}, "valid date"),
        ({"until": "2022-02-30"}, "valid date"),
        ({"since": "2022-01-02", "until": "2022-01-01"}, "is before since, which is 2022-01-02: allowed is"),
        ({"merges": "yes"}, "is neither true nor false: allowed are true, false"),
        ({"dates": "pushed"}, "'authored' or 'committed'"),
        ({"classes": ["code"]}, "'source', 'tests'"),
        ({"from": "2022-01-01"}, "Extra inputs"),
    ],
)
def test_switches_that_are_refused(values: dict[str, object], message: str) -> None:
    with pytest.raises(ValidationError, match=message):
        Switches.model_validate(values)


def test_switches_are_arguments_of_functions() -> None:
    switches = Switches.model_validate({"since": "2022-01-01", "until": "2022-01-01", "merges": "false"})
    assert switches.arguments() == {
        "since": "2022-01-01", "until": "2022-01-01", "merges": False, "bots": True, "classes": None,
        "dates": "authored", "refs": "default_branch", "count_once": None,
    }  # fmt: skip
    assert set(switches.arguments("since", "classes")) == set(Switches.NAMES) - {"since", "classes"}
    assert named(of=Days) == "since => cast(%(since)s as date), until => cast(%(until)s as date)"
    assert "classes" not in named(of=CommitSwitches)
    assert named(without=Switches.NAMES) == ""
