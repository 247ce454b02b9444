"""How a run ended, judged from dbt's own kinds of results and errors."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import pytest
from dbt.adapters.exceptions.connection import FailedToConnectError
from dbt.cli.exceptions import DbtUsageException
from dbt.exceptions import DbtProjectError, InvalidSelectorError, ParsingError
from dbt_common.exceptions import CompilationError, DbtDatabaseError, DbtInternalError, EventCompilationError

from gitmart.contract.outcomes import Outcome
from gitmart.transform.dbt import Answer
from gitmart.transform.verdict import judge_build, judge_error, worth_another_try


def a_result(*statuses: str, message: str = "", kind: str = "model") -> list[Any]:
    return [
        SimpleNamespace(
            node=SimpleNamespace(unique_id=f"{kind}.{status}.{number}", name=f"{status}-{number}", resource_type=kind),
            status=status,
            message=message,
        )
        for number, status in enumerate(statuses)
    ]


def judged(results: list[Any], selected: int) -> Outcome:
    return judge_build(Answer(SimpleNamespace(results=results), None), selected)[0]


@pytest.mark.parametrize(
    ("error", "outcome"),
    [
        pytest.param(ParsingError("x"), Outcome.PROJECT_ERROR, id="parsing"),
        pytest.param(CompilationError("x"), Outcome.PROJECT_ERROR, id="compilation"),
        pytest.param(DbtProjectError("x"), Outcome.PROJECT_ERROR, id="project"),
        pytest.param(InvalidSelectorError("x"), Outcome.INVALID_INPUT, id="selector"),
        pytest.param(DbtUsageException("x"), Outcome.INVALID_INPUT, id="usage"),
        pytest.param(
            EventCompilationError("The selection criterion 'x' does not match any enabled nodes", None),
            Outcome.NOTHING_SELECTED,
            id="nothing selected",
        ),
        pytest.param(EventCompilationError("another warning", None), Outcome.PROJECT_ERROR, id="another warning"),
        pytest.param(FailedToConnectError("timeout expired"), Outcome.WAREHOUSE_UNREACHABLE, id="unreachable"),
        pytest.param(
            FailedToConnectError("password authentication failed"), Outcome.AUTHENTICATION_FAILED, id="password"
        ),
        pytest.param(DbtDatabaseError("permission denied for schema x"), Outcome.AUTHENTICATION_FAILED, id="rights"),
        pytest.param(DbtDatabaseError("could not extend file"), Outcome.DISK_FULL, id="disk"),
        pytest.param(DbtInternalError("x"), Outcome.BUG, id="dbt's bug"),
        pytest.param(ZeroDivisionError("x"), Outcome.BUG, id="any bug"),
    ],
)
def test_an_exception_has_its_outcome(error: Exception, outcome: Outcome) -> None:
    assert judge_error(error)[0] == outcome


@pytest.mark.parametrize(
    ("results", "selected", "outcome"),
    [
        pytest.param(a_result("success", "pass", "warn", "no-op"), 4, Outcome.SUCCEEDED, id="all well"),
        pytest.param([], 0, Outcome.NOTHING_SELECTED, id="nothing"),
        pytest.param(a_result("success", kind="operation"), 0, Outcome.NOTHING_SELECTED, id="only a hook"),
        pytest.param(a_result("success", "success"), 3, Outcome.BUG, id="one is missing"),
        pytest.param(
            a_result("success") + a_result("success", kind="operation"), 2, Outcome.BUG, id="a hook is no node"
        ),
        pytest.param(a_result("success", "skipped"), 2, Outcome.BUG, id="skipped for no reason"),
        pytest.param(a_result("success", "fail", "skipped"), 3, Outcome.DATA_FAILED, id="a test failed"),
        pytest.param(a_result("error"), 1, Outcome.DATA_FAILED, id="a model failed"),
        pytest.param(a_result("partial success"), 1, Outcome.DATA_FAILED, id="a batch failed"),
        pytest.param(a_result("runtime error"), 1, Outcome.DATA_FAILED, id="a test could not run"),
        pytest.param(
            a_result("error", message="server closed the connection unexpectedly"),
            1,
            Outcome.WAREHOUSE_UNREACHABLE,
            id="the warehouse went away",
        ),
        pytest.param(
            a_result("error", message="canceling statement due to statement timeout"), 1, Outcome.TIMEOUT, id="time"
        ),
        pytest.param(
            a_result("error", message="server closed the connection") + a_result("fail", message="Got 1 result"),
            2,
            Outcome.DATA_FAILED,
            id="a failure of data counts more",
        ),
    ],
)
def test_results_have_their_outcome(results: list[Any], selected: int, outcome: Outcome) -> None:
    assert judged(results, selected) == outcome


def test_the_message_names_what_failed() -> None:
    message = judge_build(Answer(SimpleNamespace(results=a_result(*["error"] * 5)), None), 5)[1]

    assert message == "5 of the models and tests failed: error-0, error-1, error-2 and 2 more"


@pytest.mark.parametrize(
    ("results", "worth"),
    [
        pytest.param(a_result("error", "skipped", message="deadlock detected"), True, id="a deadlock"),
        pytest.param(
            a_result("error", message="could not serialize access due to concurrent update"), True, id="a collision"
        ),
        pytest.param(a_result("success"), False, id="all well"),
        pytest.param(
            a_result("error", message="deadlock detected") + a_result("fail", message="Got 1 result"),
            False,
            id="something else besides",
        ),
    ],
)
def test_only_collisions_are_worth_another_try(results: list[Any], worth: bool) -> None:
    assert worth_another_try(Answer(SimpleNamespace(results=results), None)) is worth
