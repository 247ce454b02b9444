"""What an error of the warehouse means for whoever asked."""

from __future__ import annotations

from datetime import timedelta

import psycopg
import pytest
from psycopg import errors
from psycopg_pool import PoolClosed, PoolTimeout

from gitmart.api.problems import of_warehouse


@pytest.mark.parametrize(
    ("error", "status", "reason", "said"),
    [
        (errors.QueryCanceled(), 504, "timeout", "longer than 1m30s: ask for less, with since and until"),
        (PoolTimeout(), 503, "busy", "all connections to the warehouse are in use"),
        (PoolClosed(), 503, "busy", "try again soon"),
        (errors.UndefinedTable(), 503, "no_marts", "run `gitmart transform`"),
        (errors.UndefinedColumn(), 503, "no_marts", "not by this version's project"),
        (errors.UndefinedFunction(), 503, "no_marts", "run `gitmart transform`"),
        (errors.InvalidSchemaName(), 503, "no_marts", "run `gitmart transform`"),
        (errors.AdminShutdown(), 503, "unreachable", "went away"),
        (errors.TooManyConnections(), 503, "unreachable", "went away"),
        (psycopg.OperationalError("the connection is lost"), 503, "unreachable", "went away"),
    ],
    ids=lambda value: type(value).__name__ if isinstance(value, Exception) else None,
)
def test_what_cannot_be_answered_now_is_said(error: Exception, status: int, reason: str, said: str) -> None:
    found = of_warehouse(error, timedelta(seconds=90))

    assert found is not None
    assert (found.status, found.members["reason"]) == (status, reason)
    assert said in found.detail
    assert (status == 503) == ("Retry-After" in found.headers)


@pytest.mark.parametrize("error", [errors.SyntaxError(), errors.DivisionByZero(), ValueError()])
def test_a_bug_stays_one(error: Exception) -> None:
    assert of_warehouse(error, timedelta(seconds=1)) is None
