"""Which rows follow a cursor, and cursors that somebody made up. Pages themselves: tests/integration/api."""

from __future__ import annotations

import base64
import json
from datetime import UTC, date, datetime
from decimal import Decimal

import pytest
from pydantic import BaseModel

from gitmart.api.problems import ProblemError
from gitmart.api.queries.paging import Order, after, cursor_of, fingerprint

BY_DAY = Order("day", "date", "key", descending=True)


def written(*told: object) -> str:
    return base64.urlsafe_b64encode(json.dumps(told).encode()).decode()


def test_rows_after_a_cursor() -> None:
    assert after(None, "list", BY_DAY) == ({}, "")
    parameters, condition = after(cursor_of("list", date(2024, 1, 2), 7), "list", BY_DAY)
    assert parameters == {"after": date(2024, 1, 2), "after_key": 7}
    assert condition == (
        " where day < cast(%(after)s as date)"
        " or (day = cast(%(after)s as date) and key > cast(%(after_key)s as bigint)) or day is null"
    )
    _, ascending = after(cursor_of("list", "x", "y"), "list", Order("name", "text", "path", "text"))
    assert ascending.startswith(" where name > cast(%(after)s as text) or")


def test_after_a_row_without_a_value_come_others_without_one() -> None:
    parameters, condition = after(cursor_of("list", None, 3), "list", BY_DAY)
    assert condition == " where day is null and key > cast(%(after_key)s as bigint)"
    assert parameters == {"after_key": 3}


@pytest.mark.parametrize(
    ("kind", "value", "read"),
    [
        ("bigint", -(2**63) + 1, -(2**63) + 1),
        ("numeric", Decimal("12345678901234567890.123456789"), Decimal("12345678901234567890.123456789")),
        ("double precision", 0.1 + 0.2, 0.1 + 0.2),
        ("text", "Ünïcode \n", "Ünïcode \n"),
        ("date", date(9999, 12, 31), date(9999, 12, 31)),
        ("timestamptz", datetime(2024, 5, 1, 1, 2, 3, 4, tzinfo=UTC), datetime(2024, 5, 1, 1, 2, 3, 4, tzinfo=UTC)),
    ],
)
def test_a_cursor_brings_back_what_it_was_made_of(kind: str, value: object, read: object) -> None:
    order = Order("column", kind, "key")  # type: ignore[arg-type]
    assert after(cursor_of("list", value, 1), "list", order)[0]["after"] == read


def test_a_list_is_told_by_its_rows_parameters_and_order() -> None:
    class One(BaseModel):
        """A row."""

    class Other(BaseModel):
        """Another one."""

    descending = Order("day", "date", "key")
    lists = {
        fingerprint(One, {"repository": 1}, BY_DAY),
        fingerprint(Other, {"repository": 1}, BY_DAY),
        fingerprint(One, {"repository": 2}, BY_DAY),
        fingerprint(One, {"repository": 1}, descending),
        fingerprint(One, {"repository": 1}, Order("key", "bigint", "key", descending=True)),
    }
    assert len(lists) == 5


@pytest.mark.parametrize(
    "cursor",
    [
        "", "AAAA", "ÄÄÄÄ", "@", base64.b64encode(b"[" * 3000).decode(), written(), written("list"),
        written("list", "2024-01-01"), written("list", "2024-01-01", None), written("list", "2024-02-30", 1),
        written("list", "\0", 1), written("list", "2024-01-01", 2**63), written("list", "2024-01-01", "x"),
        written("list", [], {}), written("other", "2024-01-01", 1), written("list", "2024-01-01", 1, 1),
    ],
)  # fmt: skip
def test_a_cursor_that_is_none(cursor: str) -> None:
    with pytest.raises(ProblemError, match="parameter cursor is not a cursor of this list: allowed is") as error:
        after(cursor, "list", BY_DAY)
    assert error.value.status == 422


@pytest.mark.parametrize("value", ["1e999999", "1e-999999", "nan", "inf", "x", "9" * 81])
def test_a_number_that_postgresql_cannot_hold(value: str) -> None:
    with pytest.raises(ProblemError, match="parameter cursor"):
        after(written("list", value, 1), "list", Order("share", "numeric", "key"))
