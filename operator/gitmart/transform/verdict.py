"""How a run ended, judged from what dbt left: an outcome and a sentence for people."""

from __future__ import annotations

import re
from collections.abc import Collection, Mapping
from typing import Any

from gitmart.contract.outcomes import Outcome
from gitmart.transform.dbt import Answer
from gitmart.transform.digest import COUNTED_AS, FAILED, sentence

# dbt hands on what PostgreSQL said, without its SQLSTATE. A failure of the warehouse is not one of the
# data: it is worth another try, and nobody needs to look at a model.
_GONE = (
    "server closed the connection|terminating connection due to|connection to server .* failed"
    "|SSL connection has been closed|could not receive data from server|the database system is"
    "|remaining connection slots|too many (clients|connections)|out of shared memory"
)
_COLLISION = "deadlock detected|could not serialize access|tuple concurrently (updated|deleted)"
_WAREHOUSE_SIGNS = (
    (Outcome.DISK_FULL, "No space left on device|could not (extend|write to) file"),
    (Outcome.WAREHOUSE_UNREACHABLE, _GONE),
    (Outcome.AUTHENTICATION_FAILED, "password authentication failed|no password supplied|permission denied for"),
    (Outcome.TIMEOUT, "canceling statement due to (statement|lock) timeout"),
)


def judge_error(error: BaseException) -> tuple[Outcome, str]:
    """Return how a command of dbt that ended with an exception ended the run."""
    kinds = {kind.__name__ for kind in type(error).__mro__}
    text = sentence(str(error), 1000)
    if kinds & {"FailedToConnectError", "DbtDatabaseError"}:
        return warehouse_sign(text) or Outcome.WAREHOUSE_UNREACHABLE, f"PostgreSQL: {text}"
    if "EventCompilationError" in kinds and "does not match any" in text:
        return Outcome.NOTHING_SELECTED, text.rpartition("[WARNING]: ")[2]
    if kinds & {"DbtUsageException", "InvalidSelectorError"}:
        return Outcome.INVALID_INPUT, f"dbt does not understand the options: {text}"
    if kinds & {"DbtRuntimeError", "ValidationError"}:
        return Outcome.PROJECT_ERROR, f"the dbt project cannot be used: {text}"
    return Outcome.BUG, f"dbt failed: {type(error).__name__}: {text}"


def judge_build(answer: Answer, selected: int) -> tuple[Outcome, str]:
    """Return how the build ended. `selected` is the number of nodes that dbt said it would build."""
    if answer.exception is not None:
        return judge_error(answer.exception)
    statuses = {item.node.unique_id: _status(item) for item in answer.result.results}
    operations = {item.node.unique_id for item in answer.result.results if item.node.resource_type == "operation"}
    if failed := [item for item in answer.result.results if COUNTED_AS.get(statuses[item.node.unique_id]) in FAILED]:
        return _judge_failures(failed)
    return judge_coverage({name: status for name, status in statuses.items() if name not in operations}, selected)


def worth_another_try(answer: Answer) -> bool:
    """Whether all that failed is that sessions got into each other's way, which the next try need not."""
    if answer.exception is not None:
        return False
    failed = [item for item in answer.result.results if COUNTED_AS.get(_status(item)) in FAILED]
    return bool(failed) and all(re.search(_COLLISION, item.message or "") for item in failed)


def judge_coverage(statuses: Mapping[str, str], selected: int) -> tuple[Outcome, str]:
    """Return success only if each of the selected nodes has ended well."""
    if not statuses:
        return Outcome.NOTHING_SELECTED, "the selection matches no node of the dbt project"
    if len(statuses) < selected:
        return Outcome.BUG, f"dbt built {len(statuses)} of {selected} selected nodes and reported no failure"
    skipped = sorted(name for name, status in statuses.items() if status == "skipped")
    if skipped:
        return Outcome.BUG, f"dbt skipped {len(skipped)} nodes without a failure, such as {skipped[0]}"
    warned = sum(status == "warn" for status in statuses.values())
    return Outcome.SUCCEEDED, f"{len(statuses)} nodes built and tested" + (
        f", {warned} with a warning" if warned else ""
    )


def warehouse_sign(text: str) -> Outcome | None:
    """Return the outcome if the text of an error is of the warehouse's own trouble."""
    return next((outcome for outcome, pattern in _WAREHOUSE_SIGNS if re.search(pattern, text)), None)


def _judge_failures(failed: Collection[Any]) -> tuple[Outcome, str]:
    signs = [warehouse_sign(item.message or "") for item in failed]
    first = next(iter(failed))
    if all(signs) and signs[0] is not None:
        return signs[0], f"{first.node.name}: {sentence(first.message)}"
    names = ", ".join(item.node.name for item in list(failed)[:3])
    more = f" and {len(failed) - 3} more" if len(failed) > 3 else ""
    return Outcome.DATA_FAILED, f"{len(failed)} of the models and tests failed: {names}{more}"


def _status(item: Any) -> str:
    return str(getattr(item.status, "value", item.status))
