"""dbt's results in the words of our own: counts, the slowest, what failed, how old the sources are."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

# What dbt says of a node, in the word under which we count it. A no-op (an exposure) counts in total only.
COUNTED_AS = {
    "success": "success",
    "pass": "pass",
    "warn": "warn",
    "fail": "fail",
    "error": "error",
    "runtime error": "error",
    "partial success": "error",
    "skipped": "skipped",
}
FAILED = ("error", "fail")
NAME_LIMIT = 120  # characters of a node's
_COMPILED = re.compile(r"compiled code at \S+\s*$")
_WORDS = ("success", "pass", "warn", "fail", "error", "skipped")


@dataclass(frozen=True, slots=True)
class NodeRun:
    """How a node ended. `seconds`: of execution; `rows`, `failures` None: not told; `message` of trouble alone."""

    unique_id: str
    name: str
    resource_type: str
    status: str
    seconds: float
    rows: int | None
    failures: int | None
    message: str | None


def count(statuses: Iterable[str]) -> dict[str, int]:
    """Return how many nodes ended with each word, and `total`."""
    seen = list(statuses)
    tally = Counter(COUNTED_AS.get(status, "") for status in seen)
    return {"total": len(seen), **{word: tally[word] for word in _WORDS}}


def sentence(text: str, limit: int = 200) -> str:
    """Return what dbt says on one line of at most `limit` characters, without the path of a file soon to be gone."""
    words = " ".join(_COMPILED.sub("", text).split())
    return words if len(words) <= limit else f"{words[: limit - 1]}…"


def build_facts(result: Any) -> dict[str, object]:
    """Return the facts of a `RunExecutionResult`."""
    nodes = [item for item in result.results if item.node.resource_type != "operation"]
    slowest = sorted(nodes, key=lambda item: item.execution_time, reverse=True)[:5]
    failed = sorted(
        (item for item in nodes if COUNTED_AS.get(_status(item)) in FAILED),
        key=lambda item: (COUNTED_AS[_status(item)] != "error", item.node.name),
    )
    return {
        "counts": count(_status(item) for item in nodes),
        "elapsedSeconds": round(result.elapsed_time, 3),
        "slowest": [{"name": _name(item), "seconds": round(item.execution_time, 3)} for item in slowest],
        "failures": [_failure(item) for item in failed[:10]],
    }


def node_runs(result: Any) -> list[NodeRun]:
    """Return how each node of a `RunExecutionResult` ended."""
    return [
        NodeRun(
            item.node.unique_id, _name(item), str(item.node.resource_type), _status(item), item.execution_time,
            rows_affected(item.adapter_response or {}), item.failures, trouble(_status(item), item.message),
        )
        for item in result.results
    ]  # fmt: skip


def rows_affected(response: Any) -> int | None:
    """Return what PostgreSQL said of the rows of a node's last statement; None when it said nothing."""
    rows = response.get("rows_affected")
    return int(rows) if isinstance(rows, (int, float)) and rows >= 0 else None


def trouble(status: str, message: str | None) -> str | None:
    """Return what dbt says of a node that did not go well, None of one that did."""
    return sentence(message, 1000) if message and status not in ("success", "pass") else None


def source_facts(result: Any) -> list[dict[str, object]]:
    """Return a row for each source of a `FreshnessResult`, the stalest first. A source without data has no date."""
    order = ("runtime error", "error", "warn", "pass")
    rows = [_source(item) for item in result.results if item.node.resource_type == "source"]  # no hook
    return sorted(rows, key=lambda row: (order.index(str(row["status"])), str(row["name"])))


def _source(item: Any) -> dict[str, object]:
    row: dict[str, object] = {
        "name": f"{item.node.source_name}.{item.node.name}",
        "status": _status(item),
        "maxLoadedAt": None,
        "ageSeconds": None,
    }
    loaded = getattr(item, "max_loaded_at", None)
    if loaded is not None and loaded.year > 1:  # dbt's word for "nothing loaded yet" is the year 1
        row["maxLoadedAt"] = _utc(loaded).isoformat(timespec="seconds")
        row["ageSeconds"] = round(item.age)
    elif item.message:
        row["message"] = sentence(item.message)
    return row


def _utc(moment: datetime) -> datetime:
    return moment.replace(tzinfo=UTC) if moment.tzinfo is None else moment.astimezone(UTC)


def _failure(item: Any) -> dict[str, object]:
    message = sentence(item.message or "")
    return {"name": _name(item), "status": _status(item), "failures": item.failures, "message": message}


def _name(item: Any) -> str:
    return str(item.node.name)[:NAME_LIMIT]


def _status(item: Any) -> str:
    return str(getattr(item.status, "value", item.status))
