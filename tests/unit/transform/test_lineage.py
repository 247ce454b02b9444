"""A run of dbt in the words of OpenLineage, each event held against the published schemas."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from types import SimpleNamespace
from typing import Any

import pytest
from tests.openlineage.schemas import violations

from gitmart.contract.outcomes import Outcome
from gitmart.transform.lineage import (
    Assertion,
    Job,
    assertion_events,
    dataset,
    event,
    heading,
    node_events,
    run_end,
    subjects_of,
    tables_read,
)

BEGUN = datetime(2026, 1, 1, tzinfo=UTC)
ENDED = BEGUN + timedelta(seconds=2)
WAREHOUSE = "postgres://db.example.org:5432"
RUN = Job("team-a", "nightly", "JOB", "00000000-0000-4000-8000-000000000001")


def a_node(name: str, *reads: str, kind: str = "model", relation: bool = True, **more: Any) -> Any:
    return SimpleNamespace(
        unique_id=f"{kind}.p.{name}", name=name, package_name="p", resource_type=kind, database="d", schema="s",
        identifier=more.pop("alias", name), columns=more.pop("columns", {}),
        relation_name=f"d.s.{name}" if relation else None, depends_on=SimpleNamespace(nodes=list(reads)), **more,
    )  # fmt: skip


def a_manifest(*nodes: Any) -> Any:
    return SimpleNamespace(
        nodes={node.unique_id: node for node in nodes if node.resource_type != "source"},
        sources={node.unique_id: node for node in nodes if node.resource_type == "source"},
    )


def a_column(name: str, data_type: str | None = None, description: str = "") -> Any:
    return SimpleNamespace(name=name, data_type=data_type, description=description)


def a_test(name: str, status: str, failures: int | None = None, severity: str = "ERROR", **more: Any) -> Assertion:
    node = a_node(name, kind="test", config=SimpleNamespace(severity=severity), **more)
    return Assertion(node, status, failures, BEGUN, ENDED)


SOURCE = a_node("raw", kind="source")
EPHEMERAL = a_node("middle", "source.p.raw", "model.p.other", relation=False)
OTHER = a_node("other")
SEED = a_node("levels", kind="seed")
TOP = a_node(
    "top", "model.p.middle", "model.p.other", "seed.p.levels", "function.p.f", alias="top_table",
    columns={"x": a_column("x", "int", "what x is"), "y": a_column("y")},
)  # fmt: skip
MANIFEST = a_manifest(SOURCE, EPHEMERAL, OTHER, SEED, TOP)


def test_a_table_is_called_as_others_call_it() -> None:
    told = dataset(TOP, WAREHOUSE)

    assert (told["namespace"], told["name"]) == (WAREHOUSE, "d.s.top_table")
    assert told["facets"]["schema"]["fields"] == [
        {"name": "x", "type": "int", "description": "what x is"},
        {"name": "y"},
    ]
    assert told["facets"]["dataSource"]["uri"] == WAREHOUSE
    assert "schema" not in dataset(OTHER, WAREHOUSE)["facets"]


def test_a_job_is_called_by_what_tells_a_node_from_all_others() -> None:
    source, versioned = SimpleNamespace(unique_id="source.p.raw.commits"), SimpleNamespace(unique_id="model.p.m.v2")

    assert RUN.part(source, "TEST", ".test").name == "nightly.p.raw.commits.test"
    assert RUN.part(versioned, "MODEL").name == "nightly.p.m.v2"
    assert RUN.part(versioned, "MODEL").run_id != RUN.part(versioned, "MODEL").run_id


def test_what_is_read_through_a_model_without_a_table_is_read() -> None:
    assert [node.name for node in tables_read(TOP, MANIFEST)] == ["raw", "other", "levels"]
    assert list(tables_read(SEED, MANIFEST)) == []


@pytest.mark.parametrize(
    ("status", "end", "error", "rows"),
    [
        ("success", "COMPLETE", None, 3),
        ("no-op", "COMPLETE", None, 3),
        ("error", "FAIL", "error: Database Error in model top (models/top.sql)", None),
        ("partial success", "FAIL", "partial success: Database Error in model top (models/top.sql)", None),
        ("a new word", "FAIL", "a new word: Database Error in model top (models/top.sql)", None),
        ("skipped", "ABORT", "skipped, because of a failure of what it stands on", None),
        ("stopped before it ended", "ABORT", "stopped before it ended", None),
    ],
)
def test_a_model_has_two_events(status: str, end: str, error: str | None, rows: int | None) -> None:
    job = RUN.part(TOP, "MODEL")

    events = node_events(
        TOP, job, MANIFEST, WAREHOUSE, BEGUN, ENDED, status, rows=3,
        message="Database Error in model top (models/top.sql)\n  invalid input: 'ada@example.org'",
    )  # fmt: skip

    assert [line for each in events for line in violations(each)] == []
    start, last = events
    assert (start["eventType"], last["eventType"]) == ("START", end)
    assert (start["eventTime"], last["eventTime"]) == ("2026-01-01T00:00:00.000Z", "2026-01-01T00:00:02.000Z")
    assert start["run"]["runId"] == last["run"]["runId"] == job.run_id
    assert last["job"]["name"] == "nightly.p.top"
    assert last["run"]["facets"]["parent"]["root"]["job"] == {"namespace": "team-a", "name": "nightly"}
    assert last["run"]["facets"].get("errorMessage", {}).get("message") == error
    assert [each["name"] for each in last["inputs"]] == ["d.s.raw", "d.s.other", "d.s.levels"]
    [output] = last["outputs"]
    assert output.get("outputFacets", {}).get("outputStatistics", {}).get("rowCount") == rows
    assert "outputFacets" not in start["outputs"][0]


@pytest.mark.parametrize(
    ("message", "told"),
    [
        ("Database Error in model a (models/a.sql)\n  duplicate key\n  DETAIL:  Key (email)=(a@example.org)",
         "error: Database Error in model a (models/a.sql)"),
        ("Compilation Error in snapshot a_1 (snapshots/x/a.sql)\n  x", "error: Compilation Error in snapshot a_1 (snapshots/x/a.sql)"),
        ("invalid input syntax for type integer: \"Ada\"", "error"),
        ("x Database Error in model a (models/a.sql)", "error"),
        ("", "error"),
    ],
)  # fmt: skip
def test_of_an_error_only_the_heading_is_told(message: str, told: str) -> None:
    assert heading("error", message) == told


UNIQUE = SimpleNamespace(name="unique")


@pytest.mark.parametrize(
    ("tests", "end", "error"),
    [
        ([a_test("a", "pass", 0)], "COMPLETE", None),
        ([a_test("a", "pass", 0), a_test("b", "warn", 4, "warn")], "COMPLETE", None),
        ([a_test("b", "fail", 4), a_test("a", "pass", 0)], "FAIL", "1 of 2 tests failed: b"),
        ([a_test("a", "error")], "FAIL", "1 of 1 tests failed: a"),
    ],
)
def test_tests_are_told_of_the_table(tests: list[Assertion], end: str, error: str | None) -> None:
    events = assertion_events(TOP, RUN.part(TOP, "TEST", ".test"), WAREHOUSE, tests)

    assert [line for each in events for line in violations(each)] == []
    start, last = events
    assert (start["eventType"], last["eventType"], last["job"]["name"]) == ("START", end, "nightly.p.top.test")
    assert last["run"]["facets"].get("errorMessage", {}).get("message") == error
    [table] = last["inputs"]
    told = table["inputFacets"]["dataQualityAssertions"]["assertions"]
    assert [(each["name"], each["success"]) for each in told] == sorted(
        (test.node.name, test.status == "pass") for test in tests
    )


def test_an_assertion_says_what_was_asked_of_which_column() -> None:
    test = a_test("unique_x", "warn", 7, "WARN", test_metadata=UNIQUE, column_name="x")

    [_, last] = assertion_events(TOP, RUN.part(TOP, "TEST"), WAREHOUSE, [test])

    assert last["inputs"][0]["inputFacets"]["dataQualityAssertions"]["assertions"] == [
        {
            "assertion": "unique", "name": "unique_x", "success": False, "severity": "warn", "column": "x", "actual": "7"
        }
    ]  # fmt: skip


def test_a_test_is_about_its_model_or_about_all_that_it_reads() -> None:
    assert subjects_of(a_node("t", "model.p.top", "model.p.other", attached_node="model.p.top"), MANIFEST) == [
        "model.p.top"
    ]
    assert subjects_of(a_node("t", "model.p.middle", attached_node=None), MANIFEST) == ["source.p.raw", "model.p.other"]
    assert subjects_of(a_node("t", "seed.p.levels"), MANIFEST) == ["seed.p.levels"]


@pytest.mark.parametrize("outcome", Outcome)
def test_each_outcome_ends_a_run(outcome: Outcome) -> None:
    aborted = {Outcome.CANCELLED, Outcome.SKIPPED}

    assert run_end(outcome) == (
        "ABORT" if outcome in aborted else "COMPLETE" if outcome is Outcome.SUCCEEDED else "FAIL"
    )
    assert violations(event(run_end(outcome), ENDED, RUN, error="x")) == []


@pytest.mark.parametrize(
    ("change", "found"),
    [
        (lambda told: told["run"].update(runId="x"), "$.run.runId: 'x' is not a 'uuid'"),
        (lambda told: told.update(eventTime="2026"), "$.eventTime: '2026' is not a 'date-time'"),
        (lambda told: told.update(eventType="END"), "$.eventType: 'END' is not one of"),
        (lambda told: told["job"].pop("name"), "$.job: 'name' is a required property"),
        (lambda told: told["job"]["facets"]["jobType"].pop("integration"), "$: 'integration' is a required property"),
        (lambda told: told["job"]["facets"]["jobType"].update(typo=1), "JobTypeJobFacet has no typo"),
    ],
)
def test_the_schemas_do_find_what_is_wrong(change: Any, found: str) -> None:
    told = event("START", BEGUN, RUN)
    change(told)

    assert any(line.startswith(found) for line in violations(told)), violations(told)
