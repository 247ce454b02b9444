"""
Lists in pages, each of which begins after the last row of the one before.

A cursor holds what the list is sorted by, of that row, and its key; so a page is found by comparing, however far it is
from the first, and rows that come or go in between move none of the others from page to page.
"""

from __future__ import annotations

import base64
import binascii
import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date, datetime
from decimal import Decimal
from typing import Annotated, Any, Generic, LiteralString, TypeVar

from pydantic import AfterValidator, AwareDatetime, BaseModel, Field, TypeAdapter, ValidationError

from gitmart.api.problems import invalid_parameter
from gitmart.api.reader import Reader

MOST_ROWS = 10_000  # of a page
BIGINT = 2**63 - 1

Row = TypeVar("Row", bound=BaseModel)


@dataclass(frozen=True, slots=True)
class Page(Generic[Row]):
    """Some rows of a list, and the cursor of the page that follows; None after the last."""

    rows: list[Row]
    next_cursor: str | None


@dataclass(frozen=True, slots=True)
class Paging:
    """Which page: at most `limit` rows after the row that `cursor` tells; the first ones without it."""

    limit: int = 100
    cursor: str | None = None


FIRST = Paging()


@dataclass(frozen=True, slots=True)
class Order:
    """
    What a list is sorted by: a column, and its key for rows that are alike in it. What is NULL comes last.

    `kind` and `key_kind` are the types in SQL: bigint, numeric, text, date or timestamptz.
    """

    column: LiteralString
    kind: LiteralString
    key: LiteralString
    key_kind: LiteralString = "bigint"
    descending: bool = False


def storable(text: str) -> str:
    """Return a text that PostgreSQL takes; raise ValueError for the character that it does not."""
    if "\0" in text:
        raise ValueError("has a character NUL, which is in no text of the warehouse")
    return text


_Integer = Annotated[int, Field(ge=-BIGINT, le=BIGINT)]
_KINDS: Mapping[str, TypeAdapter[Any]] = {
    "bigint": TypeAdapter(_Integer | None),
    "numeric": TypeAdapter(Annotated[Decimal, Field(max_digits=80, decimal_places=40, allow_inf_nan=False)] | None),
    "double precision": TypeAdapter(Annotated[float, Field(allow_inf_nan=False)] | None),
    "text": TypeAdapter(Annotated[str, AfterValidator(storable)] | None),
    "date": TypeAdapter(date | None),
    "timestamptz": TypeAdapter(AwareDatetime | None),
}


async def page(
    reader: Reader,
    model: type[Row],
    source: LiteralString,
    parameters: Mapping[str, Any],
    order: Order,
    paging: Paging,
) -> Page[Row]:
    """
    Return a page of the rows of a query; the names of its columns are those of the model's fields.

    Raise ProblemError for a cursor that is not one of this list with these parameters.
    """
    print_of_list = fingerprint(model, parameters, order)
    following_row, condition = after(paging.cursor, print_of_list, order)
    direction: LiteralString = "desc" if order.descending else "asc"
    rows = await reader.rows(
        "select * from (" + source + ") as listed" + condition
        + " order by " + order.column + " " + direction + " nulls last, " + order.key + " limit %(rows)s",
        {**parameters, **following_row, "rows": paging.limit + 1},
    )  # fmt: skip
    more = rows[paging.limit :]
    rows = rows[: paging.limit]
    next_cursor = cursor_of(print_of_list, rows[-1][order.column], rows[-1][order.key]) if more else None
    return Page([model.model_validate(row) for row in rows], next_cursor)


def after(cursor: str | None, print_of_list: str, order: Order) -> tuple[dict[str, Any], LiteralString]:
    """Return the parameters and the condition of the rows that follow a cursor; raise ProblemError for a wrong one."""
    if cursor is None:
        return {}, ""
    value, key = _read(cursor, print_of_list, order)
    later: LiteralString = order.key + " > cast(%(after_key)s as " + order.key_kind + ")"
    if value is None:
        return {"after_key": key}, " where " + order.column + " is null and " + later
    bound: LiteralString = "cast(%(after)s as " + order.kind + ")"
    sign: LiteralString = " < " if order.descending else " > "
    return {"after": value, "after_key": key}, (
        " where " + order.column + sign + bound
        + " or (" + order.column + " = " + bound + " and " + later + ") or " + order.column + " is null"
    )  # fmt: skip


def _read(cursor: str, print_of_list: str, order: Order) -> tuple[Any, Any]:
    try:
        told = json.loads(base64.b64decode(cursor.encode("ascii"), altchars=b"-_", validate=True))
        found, value, key = told
        value, key = _KINDS[order.kind].validate_python(value), _KINDS[order.key_kind].validate_python(key)
    except (ValueError, TypeError, RecursionError, binascii.Error, ValidationError):
        found, value, key = None, None, None
    if found != print_of_list or key is None:
        raise invalid_parameter(
            "cursor",
            "is not a cursor of this list: allowed is the next_cursor of an answer to the same request,"
            " with no other parameter changed but limit and format",
        )
    return value, key


def cursor_of(print_of_list: str, value: object, key: object) -> str:
    """Return the cursor of a row: what its list is sorted by, and its key."""
    told = json.dumps([print_of_list, _plain(value), _plain(key)], separators=(",", ":"))
    return base64.urlsafe_b64encode(told.encode()).decode("ascii")


def _plain(value: object) -> object:
    if isinstance(value, date | datetime):
        return value.isoformat()
    return value if isinstance(value, int | str | None) else str(value)


def fingerprint(model: type[BaseModel], parameters: Mapping[str, Any], order: Order) -> str:
    """Return what tells one list from another: a cursor of one is refused by others."""
    told = [model.__name__, sorted(parameters.items()), order.column, order.descending]
    return hashlib.sha256(json.dumps(told, default=str).encode()).hexdigest()[:12]
