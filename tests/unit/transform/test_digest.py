"""dbt's results in the words of the result."""

from __future__ import annotations

from datetime import UTC, datetime
from types import SimpleNamespace
from typing import Any

import pytest

from gitmart.contract.outcomes import Outcome
from gitmart.contract.result import RESULT_LIMIT, Result
from gitmart.transform.digest import build_facts, count, sentence, source_facts


def a_node(name: str, status: str = "success", seconds: float = 1.0, kind: str = "model", message: str = "") -> Any:
    return SimpleNamespace(
        node=SimpleNamespace(name=name, resource_type=kind),
        status=SimpleNamespace(value=status),
        execution_time=seconds,
        failures=None,
        message=message,
    )


def a_source(status: str, *, loaded: datetime | None = None, age: float = 0, message: str | None = None) -> Any:
    node = SimpleNamespace(source_name="raw", name=status, resource_type="source")
    source = SimpleNamespace(node=node, status=SimpleNamespace(value=status), message=message)
    if loaded is not None:
        source.max_loaded_at, source.age = loaded, age
    return source


def test_each_status_counts_under_its_word() -> None:
    statuses = ["success", "pass", "pass", "warn", "fail", "error", "runtime error", "skipped", "no-op", "new word"]

    assert count(statuses) == {
        "total": 10, "success": 1, "pass": 2, "warn": 1, "fail": 1, "error": 2, "skipped": 1,
    }  # fmt: skip


def test_the_slowest_and_the_failed_come_in_order() -> None:
    nodes = [a_node(f"node-{number}", seconds=number) for number in range(8)]
    nodes += [a_node("b", "fail", 0.1), a_node("a", "fail", 0.1), a_node("z", "error", 0.1)]
    nodes += [a_node("hook", "success", 99, kind="operation")]

    facts: Any = build_facts(SimpleNamespace(results=nodes, elapsed_time=9.87654))

    assert [item["name"] for item in facts["slowest"]] == ["node-7", "node-6", "node-5", "node-4", "node-3"]
    assert [item["name"] for item in facts["failures"]] == ["z", "a", "b"]
    assert facts["elapsedSeconds"] == 9.877
    assert facts["counts"]["total"] == 11


def test_a_thousand_failures_fit_into_the_result() -> None:
    nodes = [a_node("n" * 300 + str(number), "fail", message="m" * 5000) for number in range(1000)]
    facts = build_facts(SimpleNamespace(results=nodes, elapsed_time=1))
    now = datetime(2026, 1, 1, tzinfo=UTC)

    text = Result("transform", Outcome.DATA_FAILED, "", now, now, facts).to_json()

    assert len(text.encode()) <= RESULT_LIMIT
    assert '"total":1000' in text


def test_sources_are_told_stalest_first() -> None:
    loaded = datetime(2026, 1, 1, 12, tzinfo=UTC)
    sources = [
        a_source("pass", loaded=loaded, age=59.6),
        a_source("warn", loaded=loaded.replace(tzinfo=None), age=7200),
        a_source("runtime error", message="Database Error\n  no such table"),
        a_source("error", loaded=datetime(1, 1, 1, tzinfo=UTC), age=1e10),
    ]

    told = source_facts(SimpleNamespace(results=sources))

    assert told == [
        {"name": "raw.runtime error", "status": "runtime error", "maxLoadedAt": None, "ageSeconds": None,
         "message": "Database Error no such table"},
        {"name": "raw.error", "status": "error", "maxLoadedAt": None, "ageSeconds": None},
        {"name": "raw.warn", "status": "warn", "maxLoadedAt": "2026-01-01T12:00:00+00:00", "ageSeconds": 7200},
        {"name": "raw.pass", "status": "pass", "maxLoadedAt": "2026-01-01T12:00:00+00:00", "ageSeconds": 60},
    ]  # fmt: skip


@pytest.mark.parametrize(
    ("text", "said"),
    [
        pytest.param("two\n  lines", "two lines", id="lines"),
        pytest.param("wrong\n  compiled code at /tmp/x/y.sql", "wrong", id="a file soon to be gone"),
        pytest.param("x" * 201, "x" * 199 + "…", id="too long"),
    ],
)
def test_a_message_is_a_sentence(text: str, said: str) -> None:
    assert sentence(text) == said
